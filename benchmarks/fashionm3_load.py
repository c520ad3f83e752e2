"""Many people talking to the page at once: errors, cross-talk, latency, memory.

    python benchmarks/fashionm3_load.py --recommender runs/demo/seqllm --data runs/demo/data --minutes 5

Starts the page's server and holds `--sessions` talks with its API for `--minutes`, a message every `--pause` seconds
each. Every session says a price of its own and then checks that the limits in each answer are its own, that each piece
keeps them, and that the state the server holds is its own; each tenth also sends a picture and tries pieces on.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import requests

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.report import write_report  # noqa: E402
from benchmarks.serving import page_served  # noqa: E402
from fashionm3.landmarks import drawn_figure  # noqa: E402

FOLLOWING = (
    "show me more", "not black", "something like the second but longer", "what shoes go with it?",
    "show me dresses again", "how much is the first?", "I like the second",
)  # fmt: skip
WARM = 20.0  # seconds before memory counts as that of the start
LEAST = 40  # the lowest price anybody names


class Talker(threading.Thread):
    """One person: opens a talk, says her price, goes on talking, checks each answer."""

    def __init__(self, address: str, number: int, pause: float, until: float, tally: Tally, picture: bytes | None):
        super().__init__(daemon=True)
        self.address, self.mark, self.pause, self.until = address, LEAST + 2 * number, pause, until
        self.tally, self.picture = tally, picture
        self.random = random.Random(number)

    def run(self) -> None:
        time.sleep(self.random.uniform(0, self.pause))
        while time.monotonic() < self.until:
            try:
                self.talk()
            except Exception as error:
                self.tally.error(f"{type(error).__name__}: {error}")
                time.sleep(self.pause)

    def talk(self) -> None:
        visit = self.call("start")["visit"]
        if self.picture is not None:
            to, whose = f"{self.address}/picture/mine", {"x-visit": visit}
            sent = requests.post(to, data=self.picture, headers=whose, timeout=60)
            if sent.status_code != 200:
                self.tally.error(f"upload: {sent.status_code} {sent.text}")
        self.say(visit, f"a dress under {self.mark} please")
        following = FOLLOWING + (("try it on me",) if self.picture is not None else ())
        for text in [*self.random.sample(following, len(following)), "undo that"]:
            if time.monotonic() > self.until:
                break
            time.sleep(self.random.uniform(0.5, 1.5) * self.pause)
            self.say(visit, text)
        held = self.call("look", visit)
        if held["state"]["limits"]["under_price"] != self.mark:
            self.tally.crossed(f"{self.mark} became {held['state']['limits']['under_price']}")
        self.call("end", visit)

    def say(self, visit: str, text: str) -> None:
        began = time.perf_counter()
        answer = self.call("talk", visit, text)
        if "error" in answer:
            return self.tally.error(f"{text}: {answer['error']}")
        self.tally.took(time.perf_counter() - began, text)
        prices = [limit for limit in answer["limits"] if limit.startswith(("under", "up to", "from"))]
        if prices != [f"under {self.mark}"]:
            self.tally.crossed(f"{self.mark}: {text} -> {answer['limits']}")
        if any(card["price"] >= self.mark for card in answer["items"]):
            self.tally.crossed(f"{self.mark}: {text} -> a piece of {[card['price'] for card in answer['items']]}")

    def call(self, name: str, *given: str) -> dict:
        """One call of gradio's API: a request that names the event, one that waits for it."""
        posted = requests.post(f"{self.address}/gradio_api/call/{name}", json={"data": list(given)}, timeout=120)
        posted.raise_for_status()
        event = posted.json()["event_id"]
        told = requests.get(f"{self.address}/gradio_api/call/{name}/{event}", timeout=120).text
        kind, _, data = told.rpartition("event: ")[2].partition("\ndata: ")
        if kind != "complete":
            raise RuntimeError(told[-300:])
        return json.loads(data)[0]


class Tally:
    """What happened to all talkers."""

    def __init__(self):
        self._lock = threading.Lock()
        self.seconds: list[float] = []
        self.slow: list[float] = []
        self.errors: Counter[str] = Counter()
        self.crossings: list[str] = []

    def took(self, seconds: float, text: str) -> None:
        with self._lock:
            (self.slow if "try it on" in text else self.seconds).append(seconds)

    def error(self, what: str) -> None:
        with self._lock:
            self.errors[what[:200]] += 1

    def crossed(self, what: str) -> None:
        with self._lock:
            self.crossings.append(what)


def resident(pid: int) -> float:
    """Memory of a process that lies in RAM, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recommender", type=Path, default=ROOT / "runs/demo/seqllm")
    parser.add_argument("--data", type=Path, default=ROOT / "runs/demo/data")
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--pause", type=float, default=5, help="seconds between two messages (default %(default)s)")
    parser.add_argument("--print-only", action="store_true", help="leave benchmarks/results alone")
    given = parser.parse_args()
    with page_served(given.recommender, given.data) as (server, address):
        figures, tally = measure(server, address, given)
    for what, count in tally.errors.most_common(20):
        print(f"{count} x {what}", file=sys.stderr)
    for what in tally.crossings[:20]:
        print(f"cross-talk: {what}", file=sys.stderr)
    if given.print_only:
        print(json.dumps(figures, indent=1))
        return
    command = f"python benchmarks/fashionm3_load.py --sessions {given.sessions} --minutes {given.minutes:g}"
    notes = [
        f"{given.sessions} sessions for {given.minutes:g} minutes, a message every {given.pause:g} s each, through the "
        "page's API; each tenth also sends a picture and tries pieces on",
        "cross_talk: answers or states with another session's price, and pieces that break the session's own",
        f"memory of the server's process, resident: {WARM:g} s after all began, and at the end",
    ]
    results = {"the page": {"dresswell": {name: [value] for name, value in figures.items()}}}
    write_report("fashionm3_load", command, results, notes=notes)


def measure(server: subprocess.Popen, address: str, given: argparse.Namespace) -> tuple[dict[str, float], Tally]:
    stream = io.BytesIO()
    drawn_figure()[0].save(stream, "JPEG")
    tally, until = Tally(), time.monotonic() + 60 * given.minutes
    talkers = [
        Talker(address, number, given.pause, until, tally, stream.getvalue() if number % 10 == 0 else None)
        for number in range(given.sessions)
    ]
    for talker in talkers:
        talker.start()
    time.sleep(min(WARM, 30 * given.minutes))
    memory = [resident(server.pid)]
    while time.monotonic() < until:
        time.sleep(min(10, max(0.1, until - time.monotonic())))
        memory.append(resident(server.pid))
    for talker in talkers:
        talker.join(180)
    print(f"resident, MB: {', '.join(f'{one:.0f}' for one in memory)}", file=sys.stderr)
    half = memory[len(memory) // 2 :]
    took, slow = np.array(tally.seconds), np.array(tally.slow)
    return {
        "messages": len(took) + len(slow),
        "errors": sum(tally.errors.values()),
        "cross_talk": len(tally.crossings),
        "p50_s": float(np.quantile(took, 0.5)),
        "p99_s": float(np.quantile(took, 0.99)),
        "try_on_p50_s": float(np.quantile(slow, 0.5)) if len(slow) else 0.0,
        "try_on_p99_s": float(np.quantile(slow, 0.99)) if len(slow) else 0.0,
        "rss_start_mb": memory[0],
        "rss_end_mb": memory[-1],
        "rss_second_half_mb": half[-1] - half[0],
    }, tally


if __name__ == "__main__":
    main()
