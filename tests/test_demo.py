"""The demo end to end in small, its figures and its page, the page in a real browser."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from fcn import DataFolder
from fcn.errors import DataError
from fcn.report import bars, data_uri, esc, line_chart, picture, ring, ticks
from reports.stages import Stages

KEYS = {"fcn", "seqllm", "seconds", "seed", "machine", "versions"}
FCN = {"map", "of1", "coherence_auc", "fitb"}
SEQLLM = {"recall@10", "ndcg@10", "mrr", "cold_recall@10"}
OPPONENTS = {"popularity", "recent-popularity", "itemknn"}


@pytest.fixture(scope="module")
def metrics(small_demo) -> dict:
    return json.loads((small_demo / "metrics.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def html(small_demo) -> str:
    return (small_demo / "report.html").read_text(encoding="utf-8")


def test_metrics_hold_exactly_what_is_promised(metrics):
    assert set(metrics) == KEYS
    assert set(metrics["fcn"]) == FCN | {"oracle", "prior"}
    assert set(metrics["fcn"]["oracle"]) == set(metrics["fcn"]["prior"]) == FCN
    assert set(metrics["seqllm"]) == SEQLLM | OPPONENTS | {"oracle", "profile_tokens"}
    for name in OPPONENTS | {"oracle"}:
        assert set(metrics["seqllm"][name]) == SEQLLM
    assert {"none", "stated"} <= set(metrics["seqllm"]["profile_tokens"])
    assert set(metrics["seconds"]) == {"data", "fcn", "seqllm", "report", "total"}
    seconds = metrics["seconds"]
    assert seconds["total"] == pytest.approx(sum(v for k, v in seconds.items() if k != "total"), abs=0.3)


def test_the_oracle_is_better_than_knowing_nothing(metrics):
    fcn, llm = metrics["fcn"], metrics["seqllm"]
    for name in ("map", "coherence_auc"):
        assert fcn["oracle"][name] > fcn["prior"][name] + 0.15
    for name in OPPONENTS:
        assert llm["oracle"]["ndcg@10"] > llm[name]["ndcg@10"] + 0.1


def test_a_finished_demo_is_not_done_again_and_a_damaged_stage_is(small_demo, small_demo_command, tmp_path):
    copy = tmp_path / "demo"
    shutil.copytree(small_demo, copy)
    command = [*small_demo_command, "--out", str(copy)]
    again = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert [f"[{stage}] finished before" in again.stdout for stage in ("data", "fcn", "seqllm")] == [True] * 3
    record = json.loads((copy / ".stages.json").read_text())
    stages = Stages(copy)
    made = []
    stages.run("fcn", "", {"other": 1}, lambda: True, lambda: made.append("fcn"))  # another key: again
    assert made == ["fcn"]
    assert record["fcn"]["key"] != json.loads((copy / ".stages.json").read_text())["fcn"]["key"]


def test_a_stage_whose_result_is_broken_is_made_again(tmp_path):
    made, broken = [], []

    def sound() -> bool:
        if broken:
            raise DataError("items.parquet: damaged")
        return True

    for _ in range(2):
        Stages(tmp_path).run("data", "", {"seed": 0}, sound, lambda: made.append(1))
    assert len(made) == 1
    broken.append(1)
    Stages(tmp_path).run("data", "", {"seed": 0}, sound, lambda: made.append(1))
    assert len(made) == 2
    (tmp_path / ".stages.json").write_text("{not json")
    Stages(tmp_path).run("data", "", {"seed": 0}, lambda: True, lambda: made.append(1))
    assert len(made) == 3


def test_sizes_that_do_not_go_together_give_one_line(repo_root, tmp_path):
    command = [sys.executable, "demo.py", "--out", str(tmp_path / "x"), "--items", "3"]
    done = subprocess.run(command, cwd=repo_root, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x" / "data").exists()


def test_page_refers_to_nothing_outside_itself(html):
    assert len(html) < 3_000_000
    markup = re.sub(r"data:image/[a-z]+;base64,[\w+/=]+", "data:image/", html)
    assert not re.search(r"https?:|file:|//[a-z]|<script|<link|@import|<iframe", markup, re.IGNORECASE)
    sources = re.findall(r'(?:src|href|data|poster|srcset)="([^"]*)"', markup)
    assert sources and all(s.startswith(("data:image/", "#")) for s in sources)
    assert not re.search(r"url\(\s*(?!['\"]?data:)", html)


def test_page_says_what_it_is_and_shows_every_part(html, metrics):
    for part in ("fit", "mend", "next", "figures", "yours"):
        assert f'id="{part}"' in html
    assert "Made data" in html
    assert html.count('class="person"') == 3
    assert html.count('<ol class="ten"') == 3
    assert f"{metrics['fcn']['map']:.3f}" in html and f"{metrics['seqllm']['ndcg@10']:.3f}" in html
    assert f"Seed {metrics['seed']}" in html and metrics["versions"]["torch"] in html


def test_every_picture_has_words(html):
    images = re.findall(r"<img [^>]*>", html)
    assert len(images) > 40
    assert all(re.search(r'alt="[^"]+"', image) for image in images)


def test_text_of_the_catalogue_never_becomes_markup(small_demo, metrics, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from reports.page import write_page

    demo = tmp_path / "demo"
    shutil.copytree(small_demo, demo)
    evil = '<script>alert("x")</script><img src=x onerror=alert(1)>\' &'
    path = demo / "data" / "items.parquet"
    table = pq.read_table(path)
    titles = pa.array([f"{evil} {k}" for k in range(table.num_rows)])
    pq.write_table(table.set_column(table.schema.get_field_index("title"), "title", titles), path)
    items = demo / "seqllm" / "items.parquet"
    manifest = demo / "seqllm" / "artifact.json"
    from fcn.artifacts import sha256

    own = pq.read_table(items)
    pq.write_table(own.set_column(own.schema.get_field_index("title"), "title", titles), items)
    content = json.loads(manifest.read_text())
    content["sha256"]["items.parquet"] = sha256(items)
    manifest.write_text(json.dumps(content))
    write_page(demo / "report.html", DataFolder.open(demo / "data"), demo / "fcn", demo / "seqllm", metrics)
    page = (demo / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page and "onerror=alert(1)>" not in page


@pytest.mark.parametrize("width", [390, 1280])
def test_page_in_a_real_browser(browser, small_demo, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((small_demo / "report.html").resolve().as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
    shown = browser.execute_script(
        "return [...document.images].map(i => { i.loading = 'eager'; return i.decode().then(() => i.naturalWidth) })"
        ".reduce((all, one) => all.then(a => one.then(b => [...a, b])), Promise.resolve([]))"
    )
    assert len(shown) > 40 and min(shown) > 0
    assert browser.execute_script("return performance.getEntriesByType('resource').filter(e =>"
                                  " !e.name.startsWith('data:')).length") == 0  # fmt: skip
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert browser.find_element("css selector", "h1").is_displayed()
    rings = browser.find_elements("css selector", ".grid3 .ring")
    assert len(rings) == 15 and all(r.size["width"] >= 48 for r in rings)


# -- the pieces it is made of --------------------------------------------------------------------------------------


def test_esc_leaves_text_text():
    assert esc('<b a="1">\n\'&') == "&lt;b a=&quot;1&quot;&gt; &#x27;&amp;"


def test_a_picture_becomes_a_data_uri_and_a_non_picture_an_error(tmp_path):
    from PIL import Image

    path = tmp_path / "a.png"
    Image.new("RGB", (500, 300), "red").save(path)
    assert data_uri(path).startswith("data:image/png;base64,")
    assert 'alt="a &lt;b&gt;"' in picture(path, "a <b>")
    assert "no picture" in picture(None, "x") and "no picture" in picture(tmp_path / "absent.png", "x")
    (tmp_path / "b.png").write_bytes(b"")
    with pytest.raises(DataError):
        data_uri(tmp_path / "b.png")


def test_charts_place_values_where_they_belong():
    chart = line_chart({"up": [0.0, 0.5, 1.0], "gap": [None, 0.5, None]}, "n")
    xs, ys = zip(*[map(float, p.split(",")) for p in re.search(r'points="([^"]+)"', chart)[1].split()], strict=True)
    assert list(xs) == sorted(xs) and list(ys) == sorted(ys, reverse=True)
    assert line_chart({"none": [None]}, "n") == ""
    assert ticks(0.0, 0.83) == (0.0, 1.0, 0.25)
    low, high, step = ticks(0.1, 0.1)
    assert low <= 0.1 <= high and step > 0
    assert 'aria-label="x: 71 of 100"' in ring(0.71, "x")
    assert "left:25.0%" in bars([("label", 0.4, 0.25)]) and "width:40.0%" in bars([("label", 0.4, None)])


def test_pages_are_written_whole(tmp_path, monkeypatch):
    from fcn.report import write_page

    write_page(tmp_path / "p.html", "<t>", "<p>first</p>")
    assert "<title>&lt;t&gt;</title>" in (tmp_path / "p.html").read_text()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError):
        write_page(tmp_path / "p.html", "t", "<p>second</p>")
    assert "first" in (tmp_path / "p.html").read_text()
