"""The talk over MCP, with the SDK's own client: stdio, streamable HTTP, and what a hostile client gets."""

import asyncio
import base64
import io
import json
import subprocess

import pytest
from mcp import Client, StdioServerParameters
from PIL import Image

from fashionm3.assistant import Assistant
from fashionm3.mcp_server import build
from fashionm3.tools import Tools

TOOLS = {"talk", "search", "recommend", "alternatives", "complete_outfit", "score_outfit", "generate_image", "try_on"}


@pytest.fixture(scope="module")
def server(trained):
    from seqllm import Recommender

    return build(Assistant(Tools(Recommender.from_pretrained(trained.seqllm), trained.data)))


def call(server, *calls: tuple[str, dict]) -> list:
    """The results of calls to a server in this process."""

    async def made():
        async with Client(server) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(made())


async def hold(client: Client, messages, portrait) -> list:
    """The talk; the picture comes with the message that asks for a try-on."""
    results, session = [], None
    data, landmarks = portrait
    for text in messages:
        arguments = {"text": text} | ({"session_id": session} if session else {})
        if "try it on" in text:
            arguments |= {"picture": base64.b64encode(data).decode(), "landmarks": landmarks}
        results.append(await client.call_tool("talk", arguments))
        assert not results[-1].is_error, results[-1].content
        session = results[-1].structured_content["session_id"]
    return results


def check(results, judge) -> None:
    answers = [result.structured_content for result in results]
    judge.check(answers)
    assert len({answer["session_id"] for answer in answers}) == 1
    kinds = [[part.type for part in result.content] for result in results]
    assert kinds[4] == ["text", "image"] and kinds[5] == ["text", "image", "image"]
    assert answers[5]["worn"]["on_person"] is True
    for part in results[4].content[1:] + results[5].content[1:]:
        assert Image.open(io.BytesIO(base64.b64decode(part.data))).format == "PNG" and part.mime_type == "image/png"
    assert all("png" not in (answer["drawing"] or {}) for answer in answers), "pictures go as pictures"


def test_talk_over_stdio(command, judge, portrait):
    words = command("mcp")
    parameters = StdioServerParameters(command=words[0], args=words[1:], env={"OMP_NUM_THREADS": "1"})

    async def held():
        async with Client(parameters) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
            return await hold(client, judge.messages, portrait)

    check(asyncio.run(held()), judge)


def test_talk_over_streamable_http(command, serving, judge, portrait):
    async def held(address):
        async with Client(f"{address}/mcp") as client, Client(f"{address}/mcp") as other:
            results = await hold(client, judge.messages, portrait)
            mine = results[0].structured_content["session_id"]
            stranger = (await other.call_tool("talk", {"text": "hello"})).structured_content
            assert stranger["session_id"] != mine and stranger["limits"] != results[2].structured_content["limits"]
            return results

    import requests

    with serving(command("mcp", "--http"), "/mcp") as address:
        check(asyncio.run(held(address)), judge)
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        headers = {"accept": "application/json, text/event-stream"}
        rebound = requests.post(f"{address}/mcp", json=body, headers={**headers, "host": "evil.example"}, timeout=10)
        assert rebound.status_code == 421
        foreign = requests.post(f"{address}/mcp", json=body, headers={**headers, "origin": "http://evil.example"},
                                timeout=10)  # fmt: skip
        assert foreign.status_code == 403
        large = requests.post(f"{address}/mcp", data=b'{"a":"' + b"x" * (16 << 20) + b'"}',
                              headers={**headers, "content-type": "application/json"}, timeout=30)  # fmt: skip
        assert large.status_code == 413


def test_stdio_carries_the_protocol_and_nothing_else(command):
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip
    asked = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "talk", "arguments": {"text": "a dress under 80"}}}  # fmt: skip
    lines = [opening, {"jsonrpc": "2.0", "method": "notifications/initialized"}, asked]
    process = subprocess.Popen(command("mcp"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write("".join(json.dumps(line) + "\n" for line in lines).encode())
    process.stdin.flush()
    seen = []
    while not any(message.get("id") == 2 for message in seen):
        seen.append(json.loads(process.stdout.readline()))  # every line is JSON
    process.stdin.close()
    rest = process.stdout.read()
    process.wait(20)
    assert rest.strip() == b"" and all(message["jsonrpc"] == "2.0" for message in seen)


def test_every_tool_of_the_talk_works_alone(server):
    found, priced = call(
        server,
        ("search", {"text": "dress", "k": 3, "pictures": True}),
        ("recommend", {"text": "summer", "limits": {"categories": ["dress"], "under_price": 80}, "order": "dearest"}),
    )
    assert [part.type for part in found.content] == ["text"] + ["image"] * 3
    cards = priced.structured_content["items"]
    assert cards and all(card["price"] < 80 and card["category"] == "dress" for card in cards)
    assert [card["price"] for card in cards] == sorted((card["price"] for card in cards), reverse=True)
    item = cards[0]["item_id"]
    same, whole, score, worn, drawn = call(
        server,
        ("alternatives", {"item_id": item, "changes": ["cheaper"]}),
        ("complete_outfit", {"outfit": [item], "slots": ["shoes"], "k": 2}),
        ("score_outfit", {"outfit": [item], "profile": ["height=low"]}),
        ("try_on", {"item_id": item}),
        ("generate_image", {"description": "green dress"}),
    )
    assert all(card["price"] < cards[0]["price"] for card in same.structured_content["items"])
    assert {card["slot"] for card in whole.structured_content["items"]} == {"shoes"}
    assert 0 <= score.structured_content["score"] <= 1
    assert [part.type for part in worn.content] == ["text", "image", "image"]
    assert worn.structured_content["on_person"] is False
    assert drawn.is_error and "train_vlm.py" in drawn.content[0].text


@pytest.mark.parametrize(
    ("tool", "arguments", "word"),
    [
        ("try_on", {"item_id": "../../etc/passwd"}, "catalogue"),
        ("try_on", {"item_id": "i00001", "picture": "/etc/passwd"}, "base64"),
        ("talk", {"text": "try it on me", "picture": "https://example.org/a.jpg"}, "base64"),
        ("talk", {"text": "hi", "session_id": "0" * 32}, "ended"),
        ("talk", {"text": "x" * 2001}, "2000"),
        ("search", {"text": "   "}, "words"),
        ("recommend", {"k": 1000}, "50"),
        ("recommend", {"order": "prettiest"}, "cheapest"),
        ("score_outfit", {"outfit": ["nothing"]}, "catalogue"),
    ],
)
def test_what_a_talk_cannot_do_is_an_error_in_plain_words(server, tool, arguments, word):
    (result,) = call(server, (tool, arguments))
    assert result.is_error and word in result.content[0].text
    assert "Traceback" not in result.content[0].text and "/work" not in result.content[0].text


def test_talks_know_nothing_of_each_other_and_are_slowed_down(server):
    one, other = call(server, ("talk", {"text": "a dress under 61"}), ("talk", {"text": "shoes under 93"}))
    again = [
        call(server, ("talk", {"text": "hm", "session_id": result.structured_content["session_id"]}))[0]
        for result in (one, other)
    ]
    assert any("61" in limit for limit in again[0].structured_content["limits"])
    assert any("93" in limit for limit in again[1].structured_content["limits"])
    assert "93" not in json.dumps(again[0].structured_content["limits"])
    mine = one.structured_content["session_id"]
    last = call(server, *[("talk", {"text": "hm", "session_id": mine})] * 14)[-1]
    assert last.is_error and "faster" in last.content[0].text
