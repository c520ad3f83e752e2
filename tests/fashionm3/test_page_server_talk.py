"""The page's API and routes without a browser: gradio's own client, two clients at once, and hostile ones."""

import http.client
import io
import re
from concurrent.futures import ThreadPoolExecutor

import requests
from PIL import Image


def test_talk_over_the_api_with_gradios_own_client(address, judge):
    from gradio_client import Client

    client = Client(address, verbose=False)
    visit = client.predict(api_name="/start")["visit"]
    answers = [client.predict(visit, text, api_name="/talk") for text in judge.messages]
    judge.check(answers)
    assert [sorted(answer["pictures"]) for answer in answers[4:6]] == [["drawing"], ["after", "before"]]
    for path in [*answers[4]["pictures"].values(), *answers[5]["pictures"].values()]:
        assert Image.open(io.BytesIO(requests.get(address + path, timeout=10).content)).format == "JPEG"
    assert client.predict(visit, api_name="/look")["state"]["limits"]["under_price"] == 80
    client.predict(visit, api_name="/end")
    assert "has ended" in client.predict(visit, "hello", api_name="/talk")["error"]


def test_talks_of_two_clients_know_nothing_of_each_other(call):
    visits = [call("start")["visit"] for _ in range(8)]
    assert len(set(visits)) == 8 and min(map(len, visits)) >= 32
    marks = [61 + 4 * at for at in range(8)]
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda pair: call("talk", pair[0], f"a dress under {pair[1]}"),
                             zip(visits, marks, strict=True)))  # fmt: skip
        told += list(pool.map(lambda visit: call("talk", visit, "show me more"), visits))
    for answer, mark in zip(told, marks * 2, strict=True):
        assert [limit for limit in answer["limits"] if "under" in limit] == [f"under {mark}"]
    for guess in (visits[0][:-1], visits[0].swapcase(), "", "0"):
        assert "has ended" in call("look", guess)["error"]


def test_messages_too_long_too_fast_or_empty_are_refused_in_a_talk(call):
    visit = call("start")["visit"]
    assert "too many" in call("talk", visit, "x" * 2001)["error"]
    assert "nothing to answer" in call("talk", visit, "  ")["error"]
    told = [call("talk", visit, "hello") for _ in range(14)]
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


def test_pictures_go_in_by_content_and_come_out_to_nobody_else(address, call, portrait):
    visit = call("start")["visit"]

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
