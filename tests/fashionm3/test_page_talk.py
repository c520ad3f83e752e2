"""The page: the talk held in a real browser, with screenshots; its API; and what a hostile client or catalogue gets.

DRESSWELL_SCREENSHOTS names a folder to keep the screenshots in.
"""

import http.client
import io
import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from PIL import Image

from fashionm3.cards import Round, round_html, talk_html
from fashionm3.panel import panel_html
from fashionm3.results import Answer, Card

EVIL = (
    '<script>alert("x")</script><img src=x onerror=alert(1)>![p](http://evil.example/p.png) [l](javascript:alert(1)) '
    "{{value}} ${alert(1)} `' &"
)


@pytest.fixture(scope="module")
def address(command, serving):
    with serving(command("app")) as at:
        yield at


@pytest.fixture(scope="module")
def screenshots(tmp_path_factory) -> Path:
    folder = Path(os.environ.get("DRESSWELL_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no chromium with chromedriver on this machine")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = chromium
    quiet = ("disable-background-networking", "disable-component-update", "disable-sync", "disable-quic")
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", *quiet):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    yield made
    made.quit()


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
              drawing: all('#talk .newest .drawing img').length, worn: all('#talk .newest .pair img').length === 2,
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


@pytest.fixture(scope="module")
def evil_address(trained, serving, tmp_path_factory):
    """A page over a catalogue whose every title is an attack."""
    import sys

    import pyarrow as pa
    import pyarrow.parquet as pq

    from fcn.artifacts import sha256

    root = tmp_path_factory.mktemp("evil")
    shutil.copytree(trained.data, root / "data")
    shutil.copytree(trained.seqllm, root / "seqllm")
    for path in (root / "data" / "items.parquet", root / "seqllm" / "items.parquet"):
        table = pq.read_table(path)
        titles = pa.array([f"dress {EVIL}{k}" for k in range(table.num_rows)])
        pq.write_table(table.set_column(table.schema.get_field_index("title"), "title", titles), path)
    manifest = root / "seqllm" / "artifact.json"
    content = json.loads(manifest.read_text())
    content["sha256"]["items.parquet"] = sha256(root / "seqllm" / "items.parquet")
    manifest.write_text(json.dumps(content))
    words = [sys.executable, "-m", "fashionm3", "app", "--recommender", root / "seqllm", "--data", root / "data"]
    with serving(list(map(str, words))) as at:
        yield at


def test_titles_and_messages_never_become_markup_in_a_talk(browser, evil_address):
    tab = Tab(browser, evil_address)
    tab.run("window.attacked = 0; window.alert = () => { window.attacked += 1 }")
    tab.say("a dress")
    shown = tab.say(f"show me more dresses {EVIL}")
    assert shown["items"] and EVIL[:27] in shown["items"][0]["title"]
    assert EVIL[:27] in tab.find("#talk .newest .said").text
    assert "http://evil.example/p.png" in shown["text"], "an address stays text"
    made = "#talk script, #talk img[src='x'], #talk a, #panel script, #panel a, [onerror], [onclick]"
    assert tab.run("return document.querySelectorAll(arguments[0]).length", made) == 0
    assert tab.run("return window.attacked") == 0
    tab.quiet(evil_address)


# -- the page's API and routes, without a browser ---------------------------------------------------------------------


def call(address: str, name: str, *given) -> dict:
    """One call of the page's API over plain HTTP."""
    posted = requests.post(f"{address}/gradio_api/call/{name}", json={"data": list(given)}, timeout=30)
    posted.raise_for_status()
    event = posted.json()["event_id"]
    told = requests.get(f"{address}/gradio_api/call/{name}/{event}", timeout=60).text
    (line,) = [part for part in told.split("event: complete\ndata: ")[1:]]
    return json.loads(line)[0]


def test_talk_over_the_api_with_gradios_own_client(address, judge):
    from gradio_client import Client

    client = Client(address, verbose=False)
    visit = client.predict(api_name="/start")["visit"]
    answers = [client.predict(visit, text, api_name="/talk") for text in judge.messages]
    judge.check(answers)
    assert client.predict(visit, api_name="/look")["state"]["limits"]["under_price"] == 80
    client.predict(visit, api_name="/end")
    assert "has ended" in client.predict(visit, "hello", api_name="/talk")["error"]


def test_talks_of_two_clients_know_nothing_of_each_other(address):
    visits = [call(address, "start")["visit"] for _ in range(8)]
    assert len(set(visits)) == 8 and min(map(len, visits)) >= 32
    marks = [61 + 4 * at for at in range(8)]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda pair: call(address, "talk", pair[0], f"a dress under {pair[1]}"),
                             zip(visits, marks, strict=True)))  # fmt: skip
        told += list(pool.map(lambda visit: call(address, "talk", visit, "show me more"), visits))
    for answer, mark in zip(told, marks * 2, strict=True):
        assert [limit for limit in answer["limits"] if "under" in limit] == [f"under {mark}"]
    for guess in (visits[0][:-1], visits[0].swapcase(), "", "0"):
        assert "has ended" in call(address, "look", guess)["error"]


def test_a_talk_is_downloaded_and_restored_under_a_new_id(browser, address, tmp_path):
    visit = call(address, "start")["visit"]
    answer = call(address, "talk", visit, "a dress under 83")
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


def test_messages_too_long_too_fast_or_empty_are_refused_in_a_talk(address):
    visit = call(address, "start")["visit"]
    assert "too many" in call(address, "talk", visit, "x" * 2001)["error"]
    assert "nothing to answer" in call(address, "talk", visit, "  ")["error"]
    told = [call(address, "talk", visit, "hello") for _ in range(14)]
    assert "error" not in told[0] and "faster" in told[-1]["error"]


def test_nothing_but_the_page_is_served(address, trained):
    for path in (
        "/gradio_api/file=/etc/passwd", f"/gradio_api/file={trained.data / 'items.parquet'}", "/file=/etc/passwd",
        "/gradio_api/file/etc/passwd", "/gradio_api/proxy=http://127.0.0.1/", "/gradio_api/upload_progress?upload_id=1",
        "/monitoring", "/monitoring/summary", "/gradio_api/deep_link", "/docs", "/openapi.json", "/gradio_api/runs",
        "/static/../../../../../../etc/passwd", "/static/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2froutes.py", "/picture/made/../../etc/passwd", "/custom_component/x",
        "/picture/made/" + "A" * 32, "/picture/item?id=../../../../etc/passwd",
        f"/picture/item?id={trained.data}/items.parquet",
    ):  # fmt: skip
        raw = http.client.HTTPConnection(address.removeprefix("http://"), timeout=10)  # sends a path as it is
        raw.request("GET", path)
        answer = raw.getresponse()
        content = answer.read()
        assert answer.status in (403, 404), (path, answer.status)
        assert b"root:" not in content and not content.startswith(b"PAR1")
    files = {"files": ("../../evil.html", b"<script>", "text/html")}
    assert requests.post(f"{address}/gradio_api/upload", files=files, timeout=10).status_code == 404
    body = {"component_id": 1, "session_hash": "x", "fn_name": "y", "data": []}
    assert requests.post(f"{address}/gradio_api/component_server", json=body, timeout=10).status_code == 404


def test_other_hosts_and_other_pages_get_nothing(address):
    def posted(**headers):
        return requests.post(f"{address}/gradio_api/call/start", json={"data": []}, headers=headers, timeout=10)

    assert posted().status_code == 200
    assert posted(host="evil.example").status_code == 421
    assert posted(origin="http://evil.example").status_code == 403
    assert posted(origin="null").status_code == 403
    assert requests.get(address, headers={"host": "evil.example:80"}, timeout=10).status_code == 421
    page = requests.get(address, timeout=10)
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "gradio.app" not in re.sub(r"<meta[^>]*>", "", page.text).split("window.gradio_config")[0]


def test_pictures_go_in_by_content_and_come_out_to_nobody_else(address, portrait):
    visit = call(address, "start")["visit"]

    def upload(data, name=visit):
        return requests.post(f"{address}/picture/mine", data=data, headers={"x-visit": name}, timeout=30)

    taken = upload(portrait[0])
    assert taken.status_code == 200 and Image.open(io.BytesIO(taken.content)).format == "JPEG"
    assert "no-store" in taken.headers["cache-control"]
    assert upload(portrait[0], "x" * 32).status_code == 422
    assert (upload(bytes(100 * 2**20)).status_code, upload(b"").status_code) == (413, 422)
    endless = upload(bytes(2**20) for _ in range(12))  # without a length said beforehand
    assert endless.status_code == 413
    for data, word in ((b"<svg onload=alert(1)>", "SVG"), (portrait[0][:900], "damaged"), (b"PK\x03\x04", "zip")):
        refused = upload(data)
        assert refused.status_code == 422 and word in refused.text
    assert requests.post(f"{address}/gradio_api/call/talk", data=b"[" * (5 << 20), timeout=30).status_code == 413


# -- what is rendered ------------------------------------------------------------------------------------------------


def test_text_stays_text_wherever_a_talk_shows_it():
    card = Card(item_id=f'"><b>{EVIL}', title=EVIL, category=EVIL, slot="upper", price=3.5, attributes={EVIL: EVIL},
                reasons=[EVIL, EVIL], has_picture=True)  # fmt: skip
    bare = card.model_copy(update={"has_picture": False, "price": None, "in_stock": False})
    answer = Answer(text=f"{EVIL}\n{EVIL}", act="x", items=[card, bare], notes=[EVIL])
    html = talk_html([Round(EVIL, answer)]) + panel_html(
        [card, bare], None, [(EVIL, EVIL)], [f"{EVIL}={EVIL}"], EVIL, [card], {EVIL: EVIL}, True
    )
    assert "&lt;script&gt;" in html and "<script" not in html and "<img src=x" not in html and "<b>" not in html
    assert "price not known" in html and "not in stock" in html
    for tag in re.findall(r"<[a-z][^>]*>", html):
        assert not re.search(r"\s(on\w+|style|srcdoc)=", re.sub(r'"[^"]*"', '""', tag)), tag


def test_a_card_says_number_price_reason_and_what_can_be_done():
    card = Card(item_id="i1", title="Green dress", category="dress", slot="onepiece", price=1234.5,
                reasons=["suits you"])  # fmt: skip
    html = round_html(Round("a dress", Answer(text="Here.", act="x", items=[card])), frozenset({"i1"}))
    assert "1,234.50" in html and "suits you" in html and 'aria-pressed="true"' in html
    assert {"like", "refuse", "alternatives", "goes", "wear"} == set(re.findall(r'data-do="(\w+)"', html))
    shoes = card.model_copy(update={"slot": "shoes"})
    assert 'data-do="wear"' not in round_html(Round("", Answer(text="", act="x", items=[shoes])))
