"""A small sample with an outfit model and a recommender trained on it in seconds, and the talk to be held with them."""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import requests
import timm
import torch


@dataclasses.dataclass(frozen=True)
class Trained:
    """Folders of a data set, of the recommender trained on it, and of the outfit model within."""

    data: Path
    seqllm: Path
    fcn: Path


@pytest.fixture(scope="session")
def trained(tmp_path_factory, repo_root) -> Trained:
    """The built-in sample in small (420 items), networks of a few thousand weights trained on it for a moment."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    from fcn import DataFolder
    from fcn.encoders import ImageEncoder
    from fcn.train import TrainOptions
    from fcn.train import train as train_fcn
    from seqllm.base import build_tokenizer
    from seqllm.prompts import phrases
    from seqllm.train import Options
    from seqllm.train import train as train_llm

    root = tmp_path_factory.mktemp("fashionm3")
    data, fcn, seqllm = root / "data", root / "fcn", root / "seqllm"
    sizes = ["--items", "420", "--outfits", "260", "--people", "60", "--events", "600"]
    script = repo_root / "datasets" / "sample" / "prepare.py"
    subprocess.run([sys.executable, script, "--out", data, *sizes], check=True, capture_output=True)

    torch.manual_seed(0)  # whichever tests came before
    network = timm.create_model("resnet10t", num_classes=0, stem_width=8, channels=(8, 8, 8, 16))
    config = {"input_size": (3, 32, 32), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    config |= {"interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"}
    ImageEncoder(network, config).save_pretrained(root / "image")
    small = {"hidden": 16, "filters": 8, "pair_dim": 8, "gcn_hidden": 16}
    train_fcn(TrainOptions(data, fcn, image_encoder=str(root / "image"), epochs=2, sizes=small))

    folder = DataFolder.open(data)
    tokenizer = build_tokenizer(folder.catalog.texts() + phrases(["wedding"]), 600)
    set_seed(0)
    ends = {"pad_token_id": tokenizer.pad_token_id, "bos_token_id": tokenizer.eos_token_id}
    llama = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=512, eos_token_id=tokenizer.eos_token_id, **ends,
    )  # fmt: skip
    LlamaForCausalLM(llama).save_pretrained(root / "base")
    tokenizer.save_pretrained(root / "base")
    options = Options(base=str(root / "base"), head_epochs=3, epochs=0, id_dim=16, lora_rank=4, max_tokens=200)
    train_llm(folder, seqllm, options, fcn)
    return Trained(data, seqllm, fcn)


@pytest.fixture(scope="session")
def catalog(repo_root):
    """The sample's wardrobe of 600 pieces behind those of messages.py."""
    import numpy as np

    from fcn import Catalog, Item
    from tests.fashionm3.messages import PIECES

    make_items = _of_sample(repo_root, "wardrobe").make_items
    fields = Item.__dataclass_fields__
    made = ({k: v for k, v in one.items() if k in fields} for one in make_items(600, np.random.default_rng(0)))
    return Catalog.from_items([*PIECES, *(Item(**one) for one in made)])


@pytest.fixture(scope="session")
def reader(catalog, repo_root):
    """The built-in reader on that wardrobe, with the sample's labels and occasions."""
    from fashionm3.understanding import BuiltInReader
    from fcn import LabelGroup, LabelVocabulary

    groups = _of_sample(repo_root, "rules").GROUPS
    vocabulary = LabelVocabulary([LabelGroup(name, values, polarity) for name, (polarity, values) in groups.items()])
    return BuiltInReader(catalog, vocabulary, tuple(_of_sample(repo_root, "choice").OCCASIONS))


def _of_sample(repo_root: Path, module: str):
    """A module of datasets/sample, which are scripts beside one another and no package."""
    place = str(repo_root / "datasets" / "sample")
    if place not in sys.path:
        sys.path.insert(0, place)
    return importlib.import_module(module)


@pytest.fixture(scope="session")
def artist(tmp_path_factory, trained) -> Path:
    """A model that draws without having learnt to: what its pictures show is no matter here."""
    from fashionm3.vlm import FashionVLM
    from fashionm3.vlm_base import new_base
    from fcn import DataFolder

    processor, model = new_base(DataFolder.open(trained.data).catalog.texts())
    return FashionVLM(processor, model, 160).save_pretrained(tmp_path_factory.mktemp("artist") / "vlm")


TALK = (
    "I need a dress for a summer wedding, I'm short",
    "cheaper, under 80",
    "not red; something like the second but longer",
    "what shoes go with it?",
    "show me how it could look in green",
    "try it on me",
    "undo that, the first one again",
)


class Judge:
    """Holds the answers of a talk, as JSON values, against what was asked and the catalogue."""

    messages = TALK

    def __init__(self, data: Path):
        from fcn import DataFolder

        self.catalog = DataFolder.open(data).catalog

    def items(self, answer: dict) -> list:
        return [self.catalog.get(card["item_id"]) for card in answer["items"]]

    def check(self, answers: list[dict]) -> None:
        """Every piece real, in stock and within what was asked so far; answers in time."""
        assert len(answers) == len(TALK)
        first, cheaper, longer, shoes, green, worn, back = answers
        for answer in answers:
            for item, card in zip(self.items(answer), answer["items"], strict=True):
                assert item.in_stock and item.price == card["price"] and card["title"] in item.title
        assert first["items"] and {item.category for item in self.items(first)} == {"dress"}
        assert cheaper["items"] and "height=low" in cheaper["profile"]
        for at, answer in enumerate((cheaper, longer, shoes, back)):
            for item in self.items(answer):
                assert item.price < 80
                assert at == 0 or (item.attributes["color"] != "red" and " red" not in item.title.lower())
        assert all(item.category == "dress" for item in self.items(cheaper) + self.items(longer))
        assert shoes["items"] and {item.slot for item in self.items(shoes)} == {"shoes"}
        assert any("not red" in limit for limit in longer["limits"]), longer["limits"]
        assert green["drawing"] and worn["worn"] and back["items"]
        for answer in (first, cheaper, longer, shoes, back):
            assert answer["seconds"] < 5
        assert max(green["seconds"], worn["seconds"]) < 20


@pytest.fixture(scope="session")
def judge(trained) -> Judge:
    return Judge(trained.data)


@pytest.fixture(scope="session")
def portrait() -> tuple[bytes, dict[str, tuple[float, float]]]:
    """A drawn figure as the picture of a person, a JPEG, and where its shoulders and hips are."""
    from fashionm3.landmarks import NEEDED, drawn_figure

    picture, at = drawn_figure()
    stream = io.BytesIO()
    picture.save(stream, "JPEG")
    return stream.getvalue(), {name: at.points[name] for name in NEEDED}


@pytest.fixture(scope="session")
def command(trained, artist):
    """The command line of `python -m fashionm3`."""

    def made(name: str, *options: object) -> list[str]:
        given = ["--recommender", trained.seqllm, "--data", trained.data, "--vlm", artist, *options]
        return [sys.executable, "-m", "fashionm3", name, *map(str, given)]

    return made


@pytest.fixture(scope="session")
def serving(tmp_path_factory):
    """serving(command, path): run a server on a free port until the block ends; gives its address."""

    @contextlib.contextmanager
    def served(words: list[str], path: str = "/"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = tmp_path_factory.mktemp("server") / "log.txt"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with open(log, "w") as sink:
            process = subprocess.Popen([*words, "--port", str(port)], stdout=sink, stderr=sink, env=environment)
            try:
                _wait(process, port, path, log)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()
                process.wait(20)

    return served


def _wait(process: subprocess.Popen, port: int, path: str, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            pytest.fail(f"the server ended: {log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the server did not begin: {log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def address(command, serving):
    """Where the page is served."""
    with serving(command("app")) as at:
        yield at


@pytest.fixture(scope="session")
def call(address):
    """call(name, ...): one call of the page's API over plain HTTP."""

    def called(name: str, *given: object) -> dict:
        posted = requests.post(f"{address}/gradio_api/call/{name}", json={"data": list(given)}, timeout=30)
        posted.raise_for_status()
        event = posted.json()["event_id"]
        told = requests.get(f"{address}/gradio_api/call/{name}/{event}", timeout=60).text
        return json.loads(told.partition("event: complete\ndata: ")[2])[0]

    return called


@pytest.fixture(scope="session")
def evil() -> str:
    """A text that attacks whatever takes it for more than text."""
    return (
        '<script>alert("x")</script><img src=x onerror=alert(1)>![p](http://evil.example/p.png) '
        "[l](javascript:alert(1)) {{value}} ${alert(1)} `' &"
    )
