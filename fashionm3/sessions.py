"""The server's store of talks: ids nobody can guess, an end for each, at most so many, all in memory.

    visits = Sessions(assistant.start)
    visit = visits.open(); visits.get(visit.id); visits.close(visit.id)

A person's picture, and what was made from it, lie in her visit alone and are gone with it: nothing is written to disk.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fashionm3.session import Session
from fashionm3.uploads import Upload
from fcn.errors import DataError, Problem

IDLE = 3600.0  # seconds until a talk nobody goes on with is forgotten
FRESH = 300.0  # seconds a talk is safe from making room for another
PICTURES = 12  # made in a talk, the newest
ROUNDS = 40  # shown on the page, the newest


class Visit:
    """One talk on this server. id: known to its page alone. session: the talk. upload, landmarks: the person's picture
    and where her joints lie in its pixels. rounds: what the page shows, oldest first."""

    def __init__(self, session: Session):
        self.id = secrets.token_urlsafe(24)
        self.session = session
        self.upload: Upload | None = None
        self.landmarks: dict[str, tuple[float, float]] | None = None
        self.rounds: deque = deque(maxlen=ROUNDS)
        self.used = 0.0
        self._lock = threading.Lock()
        self._pictures: OrderedDict[str, bytes] = OrderedDict()

    @contextmanager
    def turn(self, patience: float = 60.0) -> Iterator[Session]:
        """The talk, for one message at a time. DataError where the one before takes longer than `patience` seconds."""
        if not self._lock.acquire(timeout=patience):
            remedy = "wait for its answer, then send this again"
            raise DataError(Problem(None, None, None, None, "your last message is still being answered", remedy))
        try:
            yield self.session
        finally:
            self._lock.release()

    @property
    def busy(self) -> bool:
        return self._lock.locked()

    def keep(self, picture: bytes) -> str:
        """Keep a picture made in this talk; a name for it that nobody can guess. The oldest of many goes."""
        name = secrets.token_urlsafe(24)
        self._pictures[name] = picture
        if len(self._pictures) > PICTURES:
            self._pictures.popitem(last=False)
        return name

    def picture(self, name: str) -> bytes | None:
        return self._pictures.get(name)

    def forget_pictures(self) -> None:
        """The person's picture, and all that was made in this talk."""
        self.upload = self.landmarks = None
        self._pictures.clear()


class Sessions:
    """At most `most` visits, each forgotten after `idle` seconds without a message. Thread-safe."""

    def __init__(
        self,
        start: Callable[[], Session],
        most: int = 500,
        idle: float = IDLE,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._start, self.most, self.idle, self._clock = start, most, idle, clock
        self._lock = threading.Lock()
        self._visits: OrderedDict[str, Visit] = OrderedDict()  # least recently used first

    def open(self, session: Session | None = None) -> Visit:
        """A new visit, of a new talk or one that was restored. Where all places are taken, the talk that rested
        longest makes room; DataError where none has rested for FRESH seconds."""
        visit = Visit(session if session is not None else self._start())
        with self._lock:
            self._sweep()
            if len(self._visits) >= self.most:
                resting = next((one for one in self._visits.values() if not one.busy), None)
                if resting is None or self._clock() - resting.used < FRESH:
                    message = f"all {self.most:,} places for talks here are taken"
                    raise DataError(Problem(None, None, None, None, message, "try again in a few minutes"))
                self._drop(resting.id)
            visit.used = self._clock()
            self._visits[visit.id] = visit
        return visit

    def get(self, visit_id: str) -> Visit:
        """The visit of an id, which now counts as used. DataError where there is none any more."""
        with self._lock:
            self._sweep()
            visit = self._visits.get(visit_id) if isinstance(visit_id, str) else None
            if visit is None:
                raise DataError(Problem(None, None, None, None, "this talk has ended", "start a new one"))
            visit.used = self._clock()
            self._visits.move_to_end(visit_id)
            return visit

    def picture(self, name: str) -> bytes | None:
        """A picture made in some talk, by the name only that talk knows."""
        with self._lock:
            self._sweep()
            found = (visit.picture(name) for visit in self._visits.values())
            return next((picture for picture in found if picture is not None), None)

    def close(self, visit_id: str) -> None:
        """Forget a visit and all its pictures; nothing where there is none."""
        with self._lock:
            if visit_id in self._visits:
                self._drop(visit_id)

    def sweep(self) -> None:
        """Forget what was not used for too long."""
        with self._lock:
            self._sweep()

    def __len__(self) -> int:
        return len(self._visits)

    def _sweep(self) -> None:
        now = self._clock()
        for visit in list(self._visits.values()):
            if now - visit.used < self.idle:
                break
            if not visit.busy:
                self._drop(visit.id)

    def _drop(self, visit_id: str) -> None:
        visit = self._visits.pop(visit_id)
        visit.forget_pictures()
        visit.rounds.clear()
