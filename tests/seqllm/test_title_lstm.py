import json

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from fcn.encoders import TextEncoder, build_text_encoder
from fcn.errors import DataError
from seqllm.title_lstm import neighbour_pairs, train_title_lstm

STYLES = [
    ["fringe", "paisley", "crochet"],
    ["running", "mesh", "training"],
    ["blazer", "pencil", "tailored"],
    ["sequin", "satin", "velvet"],
    ["denim", "flannel", "corduroy"],
    ["quilted", "fleece", "thermal"],
    ["bikini", "straw", "terry"],
    ["leather", "studded", "chain"],
]
NOUNS = ["dress", "top", "skirt", "bag", "shoes", "jacket", "belt", "hat"]


def catalogue(seed=0):
    """Titles "colour style-word noun": what goes together shares a style, not a word."""
    rng = np.random.default_rng(seed)
    titles, style = [], []
    for number, words in enumerate(STYLES):
        for word in words:
            for noun in NOUNS:
                titles.append(f"{rng.choice(['red', 'blue', 'black'])} {word} {noun}")
                style.append(number)
    return titles, np.array(style)


def pairs_within(style, n, seed=0):
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(style == s) for s in range(len(STYLES))]
    return np.array([rng.choice(rows[rng.integers(len(rows))], 2, replace=False) for _ in range(n)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    titles, style = catalogue()
    out = tmp_path_factory.mktemp("lstm") / "encoder"
    pairs = pairs_within(style, 4000)
    history = train_title_lstm(titles, pairs, out, dim=32, batch_size=16, epochs=3, max_steps=600)
    return titles, style, out, history


def closeness(vectors, style):
    """Mean cosine of titles that share a style but no style word, less that of titles of different styles."""
    similarity = vectors @ vectors.T
    same = style[:, None] == style[None]
    word = np.arange(len(style)) // len(NOUNS)
    return similarity[same & (word[:, None] != word[None])].mean() - similarity[~same].mean()


def test_it_learns_what_is_bought_together(trained):
    titles, style, out, _ = trained
    encoder = TextEncoder.from_pretrained(out)
    vectors = encoder.encode(titles)
    assert vectors.shape == (192, 32) and vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(192), abs=1e-5)
    words_alone = closeness(build_text_encoder(titles, 32).encode(titles), style)
    assert abs(words_alone) < 0.1 < 0.4 < closeness(vectors, style)
    # titles it never saw
    fresh = encoder.encode(["black paisley", "black mesh", "black pencil"])
    centres = np.stack([vectors[style == s].mean(0) for s in range(len(STYLES))])
    assert (fresh @ centres.T).argmax(1).tolist() == [0, 1, 2]


def test_what_is_written_is_an_ordinary_folder(trained):
    titles, _, out, history = trained
    model = SentenceTransformer(str(out), device="cpu")
    assert [type(module).__name__ for module in model] == ["WordEmbeddings", "LSTM", "Pooling", "Normalize"]
    encoder = TextEncoder.from_pretrained(out)
    assert model.encode(titles[:5]) == pytest.approx(encoder.encode(titles[:5]), abs=1e-6)
    assert encoder.fingerprint == TextEncoder.from_pretrained(out).fingerprint
    assert encoder.dim == 32
    config = json.loads((out / "artifact.json").read_text())
    assert config["kind"] == "title-lstm"
    assert config["config"]["best"]["recall@10"] == history.best["recall@10"]
    assert not (out / "checkpoints").exists()
    assert not [path for path in out.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


def test_odd_titles_get_vectors(trained):
    encoder = TextEncoder.from_pretrained(trained[2])
    odd = encoder.encode(["", "   ", "!!!", "zzzzqqq", "[UNK] red", "red " * 300])
    assert np.isfinite(odd).all()
    assert not odd[:2].any()


def test_same_seed_same_encoder(tmp_path):
    titles, style = catalogue()
    pairs = pairs_within(style, 200)
    prints = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / name
        train_title_lstm(titles, pairs, out, dim=16, batch_size=32, epochs=1, max_steps=4, seed=seed)
        prints.append(TextEncoder.from_pretrained(out).fingerprint)
    assert prints[0] == prints[1] != prints[2]


def test_neighbour_pairs():
    users = [0, 1, 0, 0, 1, 0]
    items = [3, 7, 4, 4, 8, 5]
    assert neighbour_pairs(users, items).tolist() == [[3, 4], [4, 5], [7, 8]]
    assert neighbour_pairs([], []).shape == (0, 2)


def test_too_few_pairs_is_one_clear_error(tmp_path):
    with pytest.raises(DataError, match="needs 20 or more"):
        train_title_lstm(["red dress", "red dress"], np.array([[0, 1]] * 50), tmp_path / "x")
    assert not (tmp_path / "x").exists()
