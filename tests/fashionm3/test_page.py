"""What the page does with orders and what it renders, in this process."""

import html
import re
import types

import gradio as gr
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from fashionm3.app import application, blocks, forget
from fashionm3.assistant import Assistant
from fashionm3.cards import Round, card_html, round_html, talk_html
from fashionm3.gate import UPLOAD, Gate, OwnNames
from fashionm3.mcp_server import ToolsOverMCP, build, http_app
from fashionm3.page import Page
from fashionm3.panel import panel_html
from fashionm3.plain import FAILED
from fashionm3.rate import RateLimit
from fashionm3.results import Answer, Card
from fashionm3.sessions import Sessions
from fashionm3.tools import Tools
from fashionm3.uploads import take_picture

BROWSER = gr.Request(client=types.SimpleNamespace(host="127.0.0.1"))


@pytest.fixture(scope="module")
def page(trained):
    from seqllm import Recommender

    return Page(Assistant(Tools(Recommender.from_pretrained(trained.seqllm), trained.data)))


def orders(page, visit, *given) -> list[tuple]:
    """What the page shows last after each of some orders, as a browser, or somebody who plays one, may send them."""
    return [list(page.order(visit, gr.EventData(None, order), BROWSER))[-1] for order in given]


def test_any_order_is_answered_in_plain_words(page):
    visit = page.begin("", BROWSER)[0]
    hostile = [
        None, 7, [], {}, {"do": None}, {"do": "rm -rf"}, {"do": "say"}, {"do": "say", "text": {"a": 1}},
        {"do": "like"}, {"do": "refuse", "item": ["i00001"]}, {"do": "wear", "item": "../../etc/passwd"},
        {"do": "mark", "points": "x"}, {"do": "mark", "points": {"left_shoulder": ["a", 1]}}, {"do": "restore"},
        {"do": "restore", "text": "[" * 100_000}, {"do": "restore", "text": '{"state": {"limits": {"slots": 3}}}'},
    ]  # fmt: skip
    for order, (_, _, live, _) in zip(hostile, orders(page, visit, *hostile), strict=True):
        assert 'class="problem"' in live and "Traceback" not in live and FAILED not in html.unescape(live), order
    assert page.visits.get(visit)


def test_an_answer_in_a_talk_is_shown_as_it_comes(page):
    visit = page.begin("", BROWSER)[0]
    orders(page, visit, {"do": "say", "text": "a dress"})
    order = gr.EventData(None, {"do": "say", "text": "try it on"})
    seen = [live for _, _, live, _ in page.order(visit, order, BROWSER)]
    assert len(seen) == 3 and seen[-1] == ""
    assert "thinking" in seen[0] and "try it on" in seen[0] and "putting it on" in seen[1]


def test_the_gate_slows_down_who_asks_too_much_or_sends_too_many_pictures():
    async def served(request):
        return PlainTextResponse(f"{len(await request.body())}")

    routes = [Route(path, served, methods=["POST"]) for path in ("/gradio_api/cancel", UPLOAD)]
    gate = Gate(Starlette(routes=routes), limit=RateLimit(0.01, 3))
    client = TestClient(gate)
    told = [client.post("/gradio_api/cancel") for _ in range(5)]
    assert [one.status_code for one in told] == [200, 200, 200, 429, 429]
    assert 90 <= int(told[-1].headers["retry-after"]) <= 101 and "Too many" in told[-1].text
    sent = [client.post(UPLOAD, content=b"12345") for _ in range(30)]
    assert sent[0].text == "5" and {one.status_code for one in sent} == {200, 429}
    assert client.post("/gradio_api/upload").status_code == client.put("/gradio_api/cancel").status_code == 404


@pytest.mark.parametrize(("host", "status"), [
    ("192.168.1.7:7860", 422), ("127.0.0.1", 422), ("localhost:7860", 422), ("[::1]:7860", 422), ("[fe80::1]", 422),
    ("Shop.example:7860", 422), ("evil.example", 421), ("evil.example:7860", 421), ("localhost.evil.example", 421),
    ("127.0.0.1.evil.example", 421), ("1.2.3.4@evil.example", 421), ("", 421),
])  # fmt: skip
def test_a_server_for_all_the_network_answers_for_addresses_and_names_it_was_told(page, host, status):
    served = TestClient(application(page, "0.0.0.0", hosts=("shop.example",)))
    assert served.get("/talk.json", headers={"host": host}).status_code == status
    own, other = (TestClient(OwnNames(PlainTextResponse("served"), ("0.0.0.0", "shop.example"))).post(
        "/", headers={"host": host, "origin": origin}) for origin in (f"http://{host}", "http://6.6.6.6"))  # fmt: skip
    assert (own.status_code, other.status_code) == ((200, 403) if status == 422 else (421, 421))
    over_mcp = TestClient(http_app(build(page.assistant), "0.0.0.0", ("shop.example",)))
    assert over_mcp.get("/elsewhere", headers={"host": host}).status_code == (404 if status == 422 else 421)


def test_the_page_and_the_mcp_server_keep_the_store_they_are_given(page):
    few = Sessions(page.assistant.start, most=1)
    assert Page(page.assistant, few).visits is ToolsOverMCP(page.assistant, few).visits is few
    one = Page(page.assistant, few)
    one.begin("", BROWSER)
    visit, _, live, _ = one.begin("", BROWSER)
    assert visit == "" and "places for talks here are taken" in live


def test_a_fault_of_ours_is_told_without_its_details(page, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("secret of the server")
        yield

    visit = page.begin("", BROWSER)[0]
    monkeypatch.setattr(page.assistant, "stream", fail)
    ((_, _, live, _),) = orders(page, visit, {"do": "say", "text": "a dress"})
    assert FAILED in html.unescape(live) and "secret" not in live
    assert page.talk(visit, "a dress") == {"error": FAILED}


def test_another_talk_is_never_shown_or_changed(page):
    mine, other = (page.begin("", BROWSER)[0] for _ in range(2))
    orders(page, mine, {"do": "say", "text": "a dress under 71"})
    shown = orders(page, other, {"do": "say", "text": "shoes under 83"})[0]
    assert "under 83" in shown[3] and "under 71" not in "".join(shown)
    visit, talk, live, panel = orders(page, mine[:-2], {"do": "say", "text": "hello"})[0]
    assert visit not in (mine, other) and "ended" in live and "welcome" in talk and "71" not in panel


def test_a_picture_is_deleted_with_what_was_made_of_it(page, portrait):
    visit = page.begin("", BROWSER)[0]
    known = page.visits.get(visit)
    known.upload = take_picture(portrait[0])
    item = next(one.item_id for one in page.assistant.tools.recommend("dress").items)
    marked, worn = orders(page, visit, {"do": "mark", "points": portrait[1]}, {"do": "wear", "item": item})
    assert "marked" in marked[2]
    names = re.findall(r"/picture/made/([\w-]+)", worn[1])
    assert len(names) == 2 and all(page.visits.picture(name) for name in names) and "on you" in worn[1]
    ((_, talk, live, _),) = orders(page, visit, {"do": "no-picture"})
    assert "deleted" in live and "/picture/made/" not in talk and known.upload is None
    assert not any(page.visits.picture(name) for name in names)


def test_gradio_forgets_tabs_that_nobody_uses(page):
    shown = blocks(page)
    gr.mount_gradio_app(FastAPI(), shown, path="/")
    shown.state_holder["tab"].config_values[1] = "what she saw"
    shown._queue.pending_event_ids_session |= {"tab": set(), "waiting": {"event"}}
    forget(shown, idle=60)
    assert "tab" in shown.state_holder and set(shown._queue.pending_event_ids_session) == {"waiting"}
    forget(shown, idle=-1)
    assert "tab" not in shown.state_holder and not shown.state_holder.time_last_used


def test_text_stays_text_wherever_a_talk_shows_it(evil):
    card = Card(item_id=f'"><b>{evil}', title=evil, category=evil, slot="upper", price=3.5, attributes={evil: evil},
                reasons=[evil, evil], has_picture=True)  # fmt: skip
    bare = card.model_copy(update={"has_picture": False, "price": None, "in_stock": False})
    answer = Answer(text=f"{evil}\n{evil}", act="x", items=[card, bare], notes=[evil])
    made = talk_html([Round(evil, answer)]) + panel_html(
        [card, bare], None, [(evil, evil)], [f"{evil}={evil}"], evil, [card], {evil: evil}, True
    )
    assert "&lt;script&gt;" in made and "<script" not in made and "<img src=x" not in made and "<b>" not in made
    assert "price not known" in made and "not in stock" in made
    for tag in re.findall(r"<[a-z][^>]*>", made):
        assert not re.search(r"\s(on\w+|style|srcdoc)=", re.sub(r'"[^"]*"', '""', tag)), tag


def test_a_card_says_number_price_reason_and_what_can_be_done():
    card = Card(item_id="i1", title="Green dress", category="dress", slot="onepiece", price=1234.5,
                reasons=["suits you"])  # fmt: skip
    made = round_html(Round("a dress", Answer(text="Here.", act="x", items=[card])), frozenset({"i1"}))
    assert "1,234.50" in made and "suits you" in made and 'aria-pressed="true"' in made
    assert "number 1" in made and "number" not in card_html(card, None)
    assert {"like", "refuse", "alternatives", "goes", "wear"} == set(re.findall(r'data-do="(\w+)"', made))
    shoes = card.model_copy(update={"slot": "shoes"})
    assert 'data-do="wear"' not in round_html(Round("", Answer(text="", act="x", items=[shoes])))
