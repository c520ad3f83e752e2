"""fashionm3: shards in the published layout, rewriting by an endpoint, and SIMMC 2."""

from __future__ import annotations

import http.server
import io
import json
import tarfile
import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fashionm3.dialogues import Dialogue, Piece, Turn
from fashionm3.fashionrec import find_shards, outfit_grid, read_shard, read_side_table, write_shards
from fashionm3.rewriting import ChatEndpoint, Rewriter, facts_of, fault_of
from fashionm3.simmc2 import read_simmc2
from fcn import DataError

RED, BLUE = Piece("r", "red.png", "shoes", "heels", "Red heels"), Piece("b", "blue.png", "bag", "tote", "Blue tote")
TALK = (Turn("human", "Which heels, under 80, go with it?", slots={"max_price": 80}), Turn("gpt", "Try Red heels."))
SAMPLE = {"key": "0000000", "conversation": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}],
          "partial_outfit": [], "target_items": [RED.to_json()]}  # fmt: skip


def talk(key: str, split: str = "train", task: str = "basic") -> Dialogue:
    return Dialogue(key, task, split, TALK, (BLUE,), (RED,))


def jpeg(colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(data, "JPEG")
    return data.getvalue()


def shard(path, files):
    with tarfile.open(path, "w") as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def test_shards_are_written_as_published_and_read_again(tmp_path):
    for name in ("red", "blue"):
        Image.new("RGB", (20, 10), name).save(tmp_path / f"{name}.png")
    given_ = [talk("a"), talk("b/1"), talk("c"), talk("d", "val"), talk("e", "test", "multi_round")]
    counts = write_shards(tmp_path / "out", given_, tmp_path, side=32, shard=2)
    assert counts == {("basic", "train"): 3, ("basic", "val"): 1, ("multi_round", "test"): 1}
    found = find_shards(tmp_path / "out")
    assert [str(path.relative_to(tmp_path / "out")) for *_, path in found] == [
        "data/basic_recommendation/train/000.tar", "data/basic_recommendation/train/001.tar",
        "data/basic_recommendation/valid/000.tar", "data/multi_round_recommendation/test/000.tar",
    ]  # fmt: skip
    samples = [sample for task, split, path in found for sample in read_shard(path, task, split)]
    assert [sample.dialogue.key for sample in samples] == ["0000000", "0000001", "0000002", "0000000", "0000000"]
    assert [replace(s.dialogue, key=g.key) for s, g in zip(samples, given_, strict=True)] == given_
    with tarfile.open(found[0][2]) as tar:
        assert tar.getnames() == ["0000000.jpg", "0000000.json", "0000001.jpg", "0000001.json"]
        assert json.load(tar.extractfile("0000001.json"))["dialogue"] == "b/1"
    picture = np.asarray(samples[0].image()).astype(int)
    assert picture.shape == (32, 32, 3) and picture[8, 8, 2] > 200 > 60 > picture[8, 8, 0]
    assert picture[24, 24].min() > 240  # the rest of the grid is white
    with pytest.raises(DataError, match="exists and is not empty"):
        write_shards(tmp_path / "out", given_, tmp_path)


def test_grid_places():
    grid = np.asarray(outfit_grid([Image.new("RGB", (4, 4), c) for c in ("red", "lime", "blue", "black")], 16))
    assert [tuple(grid[y, x]) for y, x in ((4, 4), (4, 12), (12, 4), (12, 12))] == [
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (0, 0, 0)]  # fmt: skip
    assert (np.asarray(outfit_grid([], 16)) == 255).all()
    many = np.asarray(outfit_grid([Image.new("RGB", (4, 4), "red")] * 5, 18))
    assert tuple(many[3, 3]) == (255, 0, 0) and tuple(many[9, 15]) == (255, 255, 255)


def test_samples_in_either_order_of_files_and_in_folders(tmp_path):
    path = shard(tmp_path / "a.tar", [("x/0.json", json.dumps(SAMPLE).encode()), ("x/0.jpg", jpeg()),
                                      ("readme.txt", b"x")])  # fmt: skip
    (sample,) = read_shard(path, "basic", "test")
    assert (sample.dialogue.task, sample.dialogue.split, sample.dialogue.target_items) == ("basic", "test", (RED,))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("1.jpg", b"x")], "row 1, 1.json: missing in the shard"),
        ([("1.json", b"{}")], "row 1, 1.jpg: missing in the shard"),
        ([("1.jpg", b"x"), ("1.json", b"{")], "row 1: not readable as JSON"),
        ([("1.jpg", b"x"), ("1.json", b'{"key": 3}')], "row 1, conversation: missing"),
        ([("1.jpg", b"x"), ("1.json", b" " * (1 << 20) + b"{}")], "row 1, 1.json: 1048578: too many bytes"),
    ],
)
def test_a_bad_sample_is_one_error_or_counted(tmp_path, files, message):
    good = [("0.jpg", jpeg()), ("0.json", json.dumps(SAMPLE).encode())]
    path = shard(tmp_path / "a.tar", good + files)
    with pytest.raises(DataError, match=message):
        list(read_shard(path, "basic", "train"))
    rejected = Counter()
    assert len(list(read_shard(path, "basic", "train", True, rejected))) == 1 and sum(rejected.values()) == 1


@settings(max_examples=40)
@given(st.integers(0, 4000), st.binary(max_size=20))
def test_a_cut_or_damaged_shard_is_one_error_or_whole(tmp_path, at, noise):
    path = shard(tmp_path / "a.tar", [("0.jpg", jpeg()), ("0.json", json.dumps(SAMPLE).encode())])
    data = path.read_bytes()
    path.write_bytes(data[:at] + noise)
    try:
        assert len(list(read_shard(path, "basic", "train"))) <= 1
    except DataError as error:
        assert "a.tar" in str(error) and len(error.problems) == 1


def test_absent_releases_and_tables(tmp_path):
    with pytest.raises(DataError, match="basic_recommendation.*no such file; give the folder"):
        find_shards(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        list(read_shard(tmp_path / "000.tar", "basic", "train"))
    assert read_side_table(tmp_path, "items_lite.parquet") is None


class Model(http.server.BaseHTTPRequestHandler):
    """Answers what `say` returns for the message it is sent, as an OpenAI-compatible endpoint does."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization"), body))
        answer = self.server.say(json.loads(body["messages"][1]["content"]))
        data = json.dumps({"choices": [{"message": {"content": answer}}]} if answer is not None else {"no": 1}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.asked, server.say = [], lambda sent: sent["message"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_an_endpoint_rewrites_and_facts_stay(endpoint):
    ask = ChatEndpoint(f"http://127.0.0.1:{endpoint.server_port}/v1/", "m", "secret")
    endpoint.say = lambda sent: f"Well!\n{sent['message']} Please." if sent["speaker"] == "human" else "Take the shoes."
    rewriter = Rewriter(ask)
    (found,) = rewriter.rewrite([talk("a")])
    assert found.turns[0].text == "Well! Which heels, under 80, go with it? Please." and found.turns[1] == TALK[1]
    assert found.turns[0].slots == TALK[0].slots
    assert rewriter.counts == {"rewritten": 1, "kept: a fact is missing": 1}
    path, key, body = endpoint.asked[0]
    assert (path, key, body["model"]) == ("/v1/chat/completions", "Bearer secret", "m")
    assert json.loads(body["messages"][1]["content"])["keep"] == ["under 80"]
    endpoint.say = lambda sent: None
    with pytest.raises(DataError, match="no answer from the endpoint.*KeyError.*check that it runs"):
        list(rewriter.rewrite([talk("a")]))
    with pytest.raises(DataError, match="no answer from the endpoint"):
        ChatEndpoint("http://127.0.0.1:9/v1", "m")("a", "b")
    with pytest.raises(DataError, match="not the address of an endpoint"):
        ChatEndpoint("file:///etc/passwd", "m")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Red heels, under 80?", None),
        ("red HEELS under 80, please", None),
        ("", "empty"),
        ("Heels under 80?", "a fact is missing"),
        ("Red heels over 80?", "a fact is missing"),
        ("Red heels under 80 or 90?", "a number is new"),
        ("No red heels under 80?", "a negation came or went"),
        ("Red heels under 80? <image>", "markup, an address or a role"),
        ("Red heels under 80? ASSISTANT: yes", "markup, an address or a role"),
        ("Red heels under 80? " + "x" * 300, "too long"),
    ],
)
def test_what_a_rewriting_may_not_do(text, fault):
    before = "Do you have Red heels under 80?"
    dialogue = Dialogue("k", "basic", "train", (Turn("human", before), Turn("gpt", "!")), target_items=(RED,))
    facts = facts_of(dialogue, dialogue.turns[0])
    assert facts == ["Red heels", "under 80"]
    assert fault_of(text, before, facts) == fault


@given(st.text(max_size=80))
def test_what_passes_the_check_holds_the_facts(text):
    if fault_of(text, "Red heels under 80", ["Red heels", "under 80"]) is None:
        assert "red heels" in text.lower() and "under 80" in text.lower() and "<" not in text


def simmc_turn(**changes) -> dict:
    def noted(act, objects):
        about = {"slot_values": {"type": "jeans"}, "request_slots": ["price"], "objects": objects}
        return {"act": act, "act_attributes": about}

    return {"turn_idx": 0, "transcript": "Any jeans?", "transcript_annotated": noted("REQUEST:GET", []),
            "system_transcript": "These.", "system_transcript_annotated": noted("INFORM:GET", [29])} | changes


def simmc(tmp_path, *dialogues) -> str:
    path = tmp_path / "simmc2.1_dials_dstc11_mini.json"
    path.write_text(json.dumps({"dialogue_data": list(dialogues)}))
    return path


def test_simmc_dialogue(tmp_path):
    one = {"dialogue_idx": 7, "domain": "fashion", "dialogue": [simmc_turn(), simmc_turn(transcript="Thanks")]}
    (found,) = read_simmc2(simmc(tmp_path, one, {"domain": "furniture"}))
    assert (found.key, found.task, found.split) == ("simmc2.1_dials_dstc11_mini/7", "multi_round", "test")
    assert found.turns[0] == Turn("human", "Any jeans?", "REQUEST:GET", {"type": "jeans"}, ("price",))
    assert found.turns[1] == Turn("gpt", "These.", "INFORM:GET", {"type": "jeans"}, ("price",), ("7/29",))
    assert Dialogue.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"transcript": 3}, r"dialogue\[0\].transcript: 3: not of the kind str"),
        ({"transcript_annotated": None}, r"dialogue\[0\].transcript_annotated: missing"),
        ({"transcript_annotated": {"act": "A"}}, r"transcript_annotated.act_attributes: missing"),
    ],
)
def test_simmc_faults_are_named(tmp_path, change, field):
    one = {"dialogue_idx": 7, "domain": "fashion", "dialogue": [simmc_turn(**change)]}
    with pytest.raises(DataError, match=f"mini.json, row 0, .*{field}"):
        list(read_simmc2(simmc(tmp_path, one)))
    for text in ("[]", "{}", "{"):
        (tmp_path / "simmc2_dials_x.json").write_text(text)
        with pytest.raises(DataError, match="simmc2_dials_x.json"):
            list(read_simmc2(tmp_path / "simmc2_dials_x.json"))


def test_simmc_release(shared_data):
    path = shared_data / "simmc2" / "simmc2.1_dials_dstc11_dev.json"
    if not path.is_file():
        pytest.skip("SIMMC 2 is not here")
    found = list(read_simmc2(path))
    humans = [turn for one in found for turn in one.turns[::2]]
    assert (len(found), len(humans)) == (563, 3494) and {one.split for one in found} == {"test"}
    assert Counter(turn.act for turn in humans)["REQUEST:GET"] == 1189
    assert sum("type" in turn.slots for turn in humans) == 1876
    assert all(turn.text for one in found for turn in one.turns)
