"""The page: the talk held in a real browser, with screenshots, by mouse and keys, and over a hostile catalogue.

DRESSWELL_SCREENSHOTS names a folder to keep the screenshots in.
"""

import io
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from PIL import Image

from fcn.artifacts import sha256


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory) -> Path:
    folder = Path(os.environ.get("DRESSWELL_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Tab:
    """The page in the browser, used as a person uses it."""

    def __init__(self, browser, address: str, width: int = 1280, height: int = 900):
        self.browser = browser
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(address)
        browser.execute_script("sessionStorage.clear()")
        browser.get(address)
        self.until("return !!document.querySelector('#talk .talk') && !!window.dresswell?.send")
        for log in ("browser", "performance"):
            browser.get_log(log)

    def run(self, script: str, *given):
        return self.browser.execute_script(script, *given)

    def until(self, script: str, seconds: float = 40, *given) -> None:
        end = time.monotonic() + seconds
        while not self.run(script, *given):
            assert time.monotonic() < end, f"still not: {script}"
            time.sleep(0.05)

    def find(self, selector: str):
        return self.browser.find_element("css selector", selector)

    def say(self, text: str) -> dict:
        """Type a message, and wait for the answer as it is shown."""
        from selenium.webdriver.common.keys import Keys

        before = self.run("return document.querySelectorAll('#talk .round').length")
        box = self.find("#message")
        box.send_keys(text)
        began = time.monotonic()
        box.send_keys(Keys.ENTER)
        self.until("return document.querySelectorAll('#talk .round').length > arguments[0]", 40, before)
        self.settled("true")
        return self.shown() | {"seconds": time.monotonic() - began}

    def shown(self) -> dict:
        """The newest answer and the panel, as the judge of a talk reads them."""
        self.until("return [...document.querySelectorAll('#talk .newest img')]"
                   ".every(i => i.complete && i.naturalWidth > 0 || i.loading === 'lazy')")  # fmt: skip
        return self.run("""
            const all = (selector) => [...document.querySelectorAll(selector)];
            const of = (card, selector) => card.querySelector(selector).textContent;
            return {
              items: all('#talk .newest .card').map(card => ({
                item_id: card.dataset.item, title: of(card, 'h3'), price: parseFloat(of(card, '.price')) })),
              limits: all('.limits .chips li').map(chip => chip.textContent),
              profile: all('.profile .chips button').map(chip => chip.dataset.what),
              drawing: all('#talk .newest .drawn img').length === 2,
              worn: all('#talk .newest .pair:not(.drawn) img').length === 2,
              text: document.querySelector('#talk .newest .answer')?.textContent,
            }""")

    def click(self, selector: str) -> None:
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({ block: 'center' })", element)
        element.click()

    def settled(self, script: str) -> None:
        self.until(f"return !document.querySelector('.live') && ({script})")

    def upload(self, path: Path) -> None:
        self.find("#picture-file").send_keys(str(path))

    def mark(self, size: tuple[int, int], points: dict) -> None:
        """Click the joints in the order they are asked for."""
        from selenium.webdriver.common.action_chains import ActionChains

        self.until("return document.querySelector('#marks').open")
        picture = self.find("#marks-picture")
        self.until("return document.querySelector('#marks-picture').complete")
        box = picture.rect
        for name in ("right_shoulder", "left_shoulder", "right_hip", "left_hip"):
            x, y = (points[name][axis] / size[axis] - 0.5 for axis in (0, 1))
            action = ActionChains(self.browser)
            action.move_to_element_with_offset(picture, round(x * box["width"]), round(y * box["height"]))
            action.click().perform()
        self.find('[data-mark="done"]').click()

    def photograph(self, path: Path) -> None:
        self.browser.save_screenshot(str(path))
        assert Image.open(path).size[0] > 300

    def quiet(self, address: str) -> None:
        """No error in the console, and not one request to anywhere else."""
        loud = [entry for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert loud == []
        asked = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        urls = [one["params"]["request"]["url"] for one in asked if one["method"] == "Network.requestWillBeSent"]
        assert urls and [url for url in urls if not url.startswith((address, "data:", "blob:"))] == []


@pytest.mark.parametrize("width", [1280, 390])
def test_talk_on_the_page(browser, address, judge, portrait, screenshots, tmp_path, width):
    tab = Tab(browser, address, width, 900 if width > 500 else 844)
    data, points = portrait
    (tmp_path / "me.jpg").write_bytes(data)
    answers = []
    tab.photograph(screenshots / f"{width}-0-welcome.png")
    for at, text in enumerate(judge.messages, 1):
        if "try it on" in text:
            tab.upload(tmp_path / "me.jpg")
            tab.until("return document.querySelector('#marks').open")
            tab.photograph(screenshots / f"{width}-{at}-marks.png")
            tab.mark(Image.open(io.BytesIO(data)).size, points)
            tab.settled("!!document.querySelector('#live .status')")
        answers.append(tab.say(text))
        tab.photograph(screenshots / f"{width}-{at}-{re.sub('[^a-z]+', '-', text.lower())[:30]}.png")
        assert tab.run("return document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    judge.check(answers)
    assert "on you" in answers[5]["text"], "the marked picture was used"
    if width < 500:
        tab.run("window.scrollTo(0, 0)")
        assert not tab.find("#panel").is_displayed()
        tab.click(".toggle")
        tab.until("return document.querySelector('.toggle').getAttribute('aria-expanded') === 'true'")
        tab.photograph(screenshots / f"{width}-8-panel.png")
        assert tab.find("#panel").is_displayed()
    tab.quiet(address)


def test_buttons_of_cards_and_panel(browser, address, screenshots):
    tab = Tab(browser, address)
    first = tab.say("a dress for a wedding under 120, I'm short")
    liked, refused = first["items"][0]["item_id"], first["items"][1]["item_id"]
    tab.click(f'.card[data-item="{liked}"] .like')
    tab.settled(f"document.querySelector('.card[data-item=\"{liked}\"] .like').getAttribute('aria-pressed') === 'true'")
    tab.click(f'.card[data-item="{refused}"] .refuse')
    tab.settled(f"document.querySelector('.card[data-item=\"{refused}\"]').classList.contains('refused')")
    for do in ("alternatives", "goes", "wear"):
        count = tab.run("return document.querySelectorAll('#talk .round').length")
        tab.click(f'.card[data-item="{liked}"] [data-do="{do}"]')
        tab.settled(f"document.querySelectorAll('#talk .round').length > {count}")
        shown = tab.shown()
        assert refused not in [card["item_id"] for card in shown["items"]]
        assert {"alternatives": shown["items"], "goes": shown["items"], "wear": shown["worn"]}[do]
    assert "drawn figure" in shown["text"]
    assert tab.run("return document.querySelectorAll('.pieces li').length") > 1, "what goes with it is on the board"
    tab.photograph(screenshots / "1280-buttons.png")
    tab.click('.limits [data-what="price"]')
    tab.settled("!document.querySelector('.limits').textContent.includes('120')")
    tab.click('.profile [data-what="height=low"]')
    tab.settled("!document.querySelector('.profile [data-what=\"height=low\"]')")
    tab.click('[data-do="forget-all"]')
    tab.settled("!document.querySelector('.profile .chips') && !document.querySelector('.said-of')")
    pieces = tab.run("return document.querySelectorAll('.pieces li').length")
    tab.click('.board [data-do="off"]')
    tab.settled(f"document.querySelectorAll('.pieces li').length < {pieces}")
    tab.quiet(address)


def test_a_reload_keeps_the_talk_and_ending_it_deletes_it(browser, address):
    tab = Tab(browser, address)
    tab.say("a dress under 77")
    browser.get(address)
    tab.until("return document.querySelectorAll('#talk .round').length === 1")
    assert "under 77" in tab.find(".limits").text
    visit = tab.run("return sessionStorage.getItem('dresswell')")
    tab.click('[data-do="end"]')
    browser.switch_to.alert.accept()
    tab.until("return !!document.querySelector('#talk .welcome')")
    assert tab.run("return sessionStorage.getItem('dresswell')") != visit
    assert requests.get(f"{address}/talk.json", headers={"x-visit": visit}, timeout=10).status_code == 422


def test_keyboard_alone_holds_a_talk(browser, address):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    tab = Tab(browser, address)
    tab.say("a dress")
    reached = set()
    tab.run("document.activeElement.blur()")
    for _ in range(60):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        name, outline, label = tab.run(
            "const e = document.activeElement; return [e.dataset.do || e.id, getComputedStyle(e).outlineStyle + "
            "(e.closest('.line') ? ' framed' : ''), e.getAttribute('aria-label') || e.labels?.[0]?.textContent || "
            "e.textContent]"
        )
        reached.add(name)
        if name:
            assert label.strip(), f"{name} has no name"
            assert outline != "none", f"{name} does not show that it has the keyboard"
    assert {"like", "refuse", "alternatives", "goes", "wear", "message", "pick-picture", "forget", "export"} <= reached


def test_uploads_are_refused_on_the_page_in_plain_words(browser, address, tmp_path):
    tab = Tab(browser, address)
    bad = {"empty.png": b"", "evil.svg": b"<svg><script>alert(1)</script></svg>", "tool.jpg": b"MZ\x90" + bytes(99)}
    for name, content in bad.items():
        (tmp_path / name).write_bytes(content)
        tab.upload(tmp_path / name)
        tab.until("return !document.querySelector('#say-problem').hidden")
        said = tab.find("#say-problem").text
        assert said.endswith(".") and "Error" not in said and name not in said
        tab.run("document.querySelector('#say-problem').hidden = true")
    assert not tab.run("return document.querySelector('#marks').open")


def test_a_talk_is_downloaded_and_restored_under_a_new_id(browser, address, call, tmp_path):
    visit = call("start")["visit"]
    answer = call("talk", visit, "a dress under 83")
    text = requests.get(f"{address}/talk.json", headers={"x-visit": visit}, timeout=10).text
    assert visit not in text and json.loads(text)["state"]["limits"]["under_price"] == 83
    (tmp_path / "talk.json").write_text(text)
    tab = Tab(browser, address)
    tab.find("#talk-file").send_keys(str(tmp_path / "talk.json"))
    tab.until("return document.querySelectorAll('#talk .round').length === 1")
    shown = tab.shown()
    assert [card["item_id"] for card in shown["items"]] == [card["item_id"] for card in answer["items"]]
    assert "under 83" in shown["limits"]
    assert tab.run("return sessionStorage.getItem('dresswell')") not in (visit, json.loads(text)["id"])
    (tmp_path / "bad.json").write_text('{"turns": 3}')
    tab.find("#talk-file").send_keys(str(tmp_path / "bad.json"))
    tab.until("return !!document.querySelector('#live .problem')")
    assert "exported" in tab.find("#live .problem").text


@pytest.fixture(scope="module")
def evil_address(trained, serving, evil, tmp_path_factory):
    """A page over a catalogue whose every title is an attack."""
    root = tmp_path_factory.mktemp("evil")
    shutil.copytree(trained.data, root / "data")
    shutil.copytree(trained.seqllm, root / "seqllm")
    for path in (root / "data" / "items.parquet", root / "seqllm" / "items.parquet"):
        table = pq.read_table(path)
        titles = pa.array([f"dress {evil}{k}" for k in range(table.num_rows)])
        pq.write_table(table.set_column(table.schema.get_field_index("title"), "title", titles), path)
    manifest = root / "seqllm" / "artifact.json"
    content = json.loads(manifest.read_text())
    content["sha256"]["items.parquet"] = sha256(root / "seqllm" / "items.parquet")
    manifest.write_text(json.dumps(content))
    words = [sys.executable, "-m", "fashionm3", "app", "--recommender", root / "seqllm", "--data", root / "data"]
    with serving(list(map(str, words))) as at:
        yield at


def test_titles_and_messages_never_become_markup_in_a_talk(browser, evil_address, evil):
    tab = Tab(browser, evil_address)
    tab.run("window.attacked = 0; window.alert = () => { window.attacked += 1 }")
    tab.say("a dress")
    shown = tab.say(f"show me more dresses {evil}")
    assert shown["items"] and evil[:27] in shown["items"][0]["title"]
    assert evil[:27] in tab.find("#talk .newest .said").text
    assert "http://evil.example/p.png" in shown["text"], "an address stays text"
    made = "#talk script, #talk img[src='x'], #talk a, #panel script, #panel a, [onerror], [onclick]"
    assert tab.run("return document.querySelectorAll(arguments[0]).length", made) == 0
    assert tab.run("return window.attacked") == 0
    tab.quiet(evil_address)
