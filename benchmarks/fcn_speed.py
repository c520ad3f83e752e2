"""How fast outfits are scored for one person, at what memory, and how fast pictures are encoded.

The network is trained for a moment on a small sample (speed does not hang on what weights say, only on how many they
are) and scores random outfits of larger catalogues, whose items are the sample's with noise on their features.
Everything is measured in one run, in turns: the machine's memory bandwidth and matrix multiplication first, then ours
and the others on the same outfits.

    python benchmarks/fcn_speed.py
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import timm
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fcn import Catalog, OutfitScorer, Profile, image_training  # noqa: E402
from fcn.encoders import ImageEncoder  # noqa: E402
from fcn.item_table import item_bytes  # noqa: E402
from fcn.outfits import canonical, network_inputs  # noqa: E402
from fcn.scorer import TABLE_BYTES  # noqa: E402
from fcn.train import TrainOptions, train  # noqa: E402

PROFILE = "body_figure=triangle,skin_color=fair,height=low"
LENGTHS = {3: 0.33, 4: 0.40, 5: 0.22, 6: 0.05}  # the sample's share of outfits of each length
ITEMS, MANY_ITEMS = 20_000, 200_000
OUTFITS, MILLION = 100_000, 1_000_000
NAIVE = 10_000  # outfits for the slower ways
CALLS = 1000


def best_of(times: int, work: Callable[[], object]) -> float:
    """Least seconds of several runs, after one that does not count."""
    work()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def seconds(work: Callable[[], object]) -> float:
    return best_of(1, work)


def floors(device: torch.device) -> dict[str, float]:
    """Memory bandwidth (GB/s read) and matrix multiplication (GFLOP/s) of this machine, now."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize()

    large = torch.ones(1 << 27, device=device)  # 512 MiB, far beyond any cache
    kinds = {"float32": torch.float32} | ({"bf16": torch.bfloat16} if device.type == "cuda" else {})
    found = {"read_gb_per_second": large.nbytes / best_of(5, lambda: (large.sum(), wait())) / 1e9}
    size = 8192 if device.type == "cuda" else 2048
    for name, kind in kinds.items():
        square = torch.randn(size, size, device=device, dtype=kind)
        found[f"{name}_gflop_per_second"] = 2 * size**3 / best_of(5, lambda s=square: (s @ s, wait())) / 1e9
    return found


# --- catalogues and outfits -----------------------------------------------------------------------------------------


def train_briefly(base: Path) -> Path:
    """A network of the default size; its picture network has the built-in one's size, and is not trained."""
    script = ROOT / "datasets" / "sample" / "prepare.py"
    sizes = ["--outfits", "600", "--people", "20", "--events", "200"]
    subprocess.run([sys.executable, script, "--out", base / "data", *sizes], check=True, capture_output=True)
    pictures = timm.create_model(image_training.ARCHITECTURE, num_classes=0, **image_training.WIDTHS)
    config = {"input_size": (3, image_training.SIZE, image_training.SIZE), "mean": image_training.MEAN}
    config |= {"std": image_training.STD, "interpolation": "bicubic", "crop_pct": 1.0, "crop_mode": "border"}
    ImageEncoder(pictures, config).save_pretrained(base / "image")
    with contextlib.redirect_stdout(io.StringIO()):
        train(TrainOptions(base / "data", base / "fcn", image_encoder=str(base / "image"), epochs=1))
    return base / "fcn"


def write_catalogue(model: Path, path: Path, count: int, seed: int) -> None:
    """count items, drawn from the model's catalogue, with ids of their own and noise on their features."""
    rng = np.random.default_rng(seed)
    small = OutfitScorer.from_pretrained(model)
    source = rng.integers(0, len(small.catalog), count)
    table = small.catalog.take(source).table
    ids = pa.array([f"s{i:07}" for i in range(count)])
    path.mkdir()
    Catalog(table.set_column(table.column_names.index("item_id"), "item_id", ids)).write(path / "items.parquet")
    features = np.lib.format.open_memmap(path / "features.npy", "w+", np.float32, (count, small.features.shape[1]))
    columns = small.encoder.slices
    for start in range(0, count, 4096):
        some = np.array(small.features[source[start : start + 4096]])
        for part in ("image", "text"):
            some[:, columns[part]] += 0.02 * rng.standard_normal(some[:, columns[part]].shape, np.float32)
        features[start : start + 4096] = some
    features.flush()


def open_scorer(model: Path, path: Path) -> OutfitScorer:
    """The model with another catalogue; its features are memory-mapped."""
    small = OutfitScorer.from_pretrained(model)
    return small.attach(Catalog.read(path / "items.parquet"), np.load(path / "features.npy", mmap_mode="r"))


def random_outfits(items: int, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, items, (count, max(LENGTHS)))
    lengths = rng.choice(list(LENGTHS), count, p=list(LENGTHS.values()))
    rows[np.arange(rows.shape[1]) >= lengths[:, None]] = -1
    return rows


# --- the ways -------------------------------------------------------------------------------------------------------


def one_piece(scorer: OutfitScorer, rows: np.ndarray) -> Callable[[], None]:
    """The same network, fed with batches of gathered features: nothing of an item is kept from outfit to outfit."""
    device = next(scorer.model.parameters()).device

    @torch.inference_mode()
    def run() -> None:
        for start in range(0, len(rows), 512):
            ordered = canonical(rows[start : start + 512], scorer.ranks)
            given = network_inputs(scorer.features, ordered, scorer.cooccurrence)
            answer = scorer.model(*(None if one is None else one.to(device) for one in given))
            answer["coherence_logits"].cpu(), answer["label_logits"].cpu()

    return run


def pooled_regression(scorer: OutfitScorer, rows: np.ndarray) -> Callable[[], None]:
    """scikit-learn's logistic regression on the mean of the items' features, one output."""

    def pooled(some: np.ndarray) -> np.ndarray:
        features, mask, _ = network_inputs(scorer.features, some, None)
        return features.sum(1).numpy() / mask.sum(1, keepdim=True).numpy()

    model = LogisticRegression(max_iter=20).fit(pooled(rows[:1000]), np.arange(1000) % 2)
    return lambda: [model.predict_proba(pooled(rows[start : start + 512])) for start in range(0, len(rows), 512)]


class SetTransformer(nn.Module):
    """Self-attention over an outfit's items, mean, one logit; `feedforward` sets its size."""

    def __init__(self, in_dim: int, feedforward: int, dim: int = 192):
        super().__init__()
        self.project = nn.Linear(in_dim, dim)
        layer = nn.TransformerEncoderLayer(dim, 4, feedforward, 0.0, batch_first=True)
        self.attention = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(dim, 1)

    def forward(self, features: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        items = self.attention(self.project(features), src_key_padding_mask=~mask) * mask.unsqueeze(-1)
        return self.head(items.sum(1) / mask.sum(1, keepdim=True))


def set_transformer(scorer: OutfitScorer, rows: np.ndarray) -> Callable[[], None]:
    """torch's transformer encoder with about as many weights as our network."""
    device, in_dim = next(scorer.model.parameters()).device, scorer.features.shape[1]

    def weights(model: nn.Module) -> int:
        return sum(p.numel() for p in model.parameters())

    one, two = (weights(SetTransformer(in_dim, size)) for size in (1, 2))
    model = SetTransformer(in_dim, max(64, (weights(scorer.model) - one) // (two - one))).to(device).eval()

    @torch.inference_mode()
    def run() -> None:
        for start in range(0, len(rows), 512):
            features, mask, _ = network_inputs(scorer.features, rows[start : start + 512], None)
            model(features.to(device), mask.to(device)).cpu()

    return run


# --- the measurements -----------------------------------------------------------------------------------------------


def measure_many(scorer: OutfitScorer, seed: int, floor: dict[str, float]) -> dict[str, dict[str, float]]:
    """Outfits per second of each way, its ratio to ours, and ours to what the machine must at least take."""
    rows = random_outfits(len(scorer.catalog), OUTFITS, seed)
    some = rows[:NAIVE]
    each = {
        "dresswell": seconds(lambda: scorer.score_rows(rows, PROFILE)) / len(rows),
        "dresswell/one-piece": seconds(one_piece(scorer, some)) / len(some),
        "pooled logistic regression": seconds(pooled_regression(scorer, some)) / len(some),
        "set transformer": seconds(set_transformer(scorer, some)) / len(some),
    }
    found = {
        way: {"outfits_per_second": 1 / took, "us_per_outfit": 1e6 * took, "time_to_ours": took / each["dresswell"]}
        for way, took in each.items()
    }
    read = (some >= 0).sum(1).mean() * scorer.features.itemsize * scorer.features.shape[1]
    flops = outfit_flops(scorer, some)
    ours = found["dresswell"]
    ours["feature_bytes"], ours["flop"] = read, flops
    ours["time_to_read_floor"] = each["dresswell"] / (read / floor["read_gb_per_second"] / 1e9)
    ours["time_to_gemm_floor"] = each["dresswell"] / (flops / floor[floor_kind(floor)] / 1e9)
    return found


def floor_kind(floor: dict[str, float]) -> str:
    return "bf16_gflop_per_second" if "bf16_gflop_per_second" in floor else "float32_gflop_per_second"


def outfit_flops(scorer: OutfitScorer, rows: np.ndarray) -> float:
    """Floating-point operations of matrix products per outfit, when the items' half is there already."""
    wardrobe, profile = scorer.wardrobe([]), Profile.parse(PROFILE)
    with FlopCounterMode(display=False) as counter:  # counts what its own thread does
        scorer.judge(wardrobe, rows, profile)
    return counter.get_total_flops() / len(rows)


def measure_growth(scorer: OutfitScorer, seed: int) -> dict[str, float]:
    """Microseconds per outfit from 10^3 to 10^6 outfits, and the exponent of the growth of the whole time."""
    counts = [1_000, 10_000, 100_000, MILLION]
    took = []
    for count in counts:
        rows = random_outfits(len(scorer.catalog), count, seed)
        took.append(best_of(3 if count < MILLION else 1, lambda rows=rows: scorer.score_rows(rows, PROFILE)))
    found = {f"us_per_outfit_of_{count}": 1e6 * t / count for count, t in zip(counts, took, strict=True)}
    return found | {"exponent": float(np.polyfit(np.log(counts), np.log(took), 1)[0])}


def measure_one(scorer: OutfitScorer, seed: int) -> dict[str, dict[str, float]]:
    """Milliseconds of one outfit, by ids, with everything a result holds; and of the bare network."""
    ids = scorer.catalog.ids
    rows = random_outfits(len(ids), CALLS, seed)
    outfits = [[ids[int(row)].as_py() for row in outfit[outfit >= 0]] for outfit in rows]
    device = next(scorer.model.parameters()).device
    ready = [
        [None if one is None else one.to(device) for one in network_inputs(scorer.features, row, scorer.cooccurrence)]
        for row in canonical(rows, scorer.ranks)[:, None]
    ]

    def bare(i: int) -> None:
        with torch.inference_mode():
            answer = scorer.model(*ready[i])
            answer["coherence_logits"].cpu(), answer["label_logits"].cpu()

    found = {}
    for way, call in (("dresswell", lambda i: scorer.score(outfits[i], PROFILE)), ("the bare network", bare)):
        for i in range(50):
            call(i)
        took = []
        for i in range(CALLS):
            start = time.perf_counter()
            call(i)
            took.append(1e3 * (time.perf_counter() - start))
        found[way] = {"p50_ms": float(np.percentile(took, 50)), "p99_ms": float(np.percentile(took, 99))}
    for name in ("p50_ms", "p99_ms"):
        found["dresswell"][name.replace("_ms", "_to_bare")] = found["dresswell"][name] / found["the bare network"][name]
    return found


def measure_stream(model: Path, path: Path, table_bytes: int, outfits: int) -> dict[str, float]:
    """In this process (a child): outfits streamed as lists of ids; the peak of its memory."""

    def peak() -> float:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))

    scorer = open_scorer(model, path)
    scorer.table_bytes = table_bytes
    ids = np.array(scorer.catalog.ids.to_pylist(), dtype=object)
    started_at = peak()

    def stream():
        for start in range(0, outfits, 10_000):
            for outfit in random_outfits(len(ids), min(10_000, outfits - start), start):
                yield ids[outfit[outfit >= 0]].tolist()

    start = time.perf_counter()
    count = sum(len(scores.score) for scores in scorer.score_many(stream(), PROFILE))
    took = time.perf_counter() - start
    assert count == outfits
    features = scorer.features.nbytes / 1e6
    return {
        "outfits_per_second": count / took,
        "features_mb": features,
        "process_before_mb": started_at,
        "peak_mb": peak(),
        "peak_above_features_mb": peak() - features,
    }


def child(model: Path, path: Path, table_bytes: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--stream", str(model), str(path), str(table_bytes), str(MILLION)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stream", nargs=4, metavar=("MODEL", "PATH", "BYTES", "OUTFITS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.stream:
        print(json.dumps(measure_stream(*map(Path, args.stream[:2]), *map(int, args.stream[2:]))))
        return

    from benchmarks import encoding
    from benchmarks.report import collector, write_report

    results, add = collector()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    measured = []
    with tempfile.TemporaryDirectory() as base:
        model, few, many = train_briefly(Path(base)), Path(base, "few"), Path(base, "many")
        write_catalogue(model, few, ITEMS, 0)
        write_catalogue(model, many, MANY_ITEMS, 1)
        scorer = open_scorer(model, few)
        for seed in range(args.seeds):
            measured.append(floors(device))
            add(f"{OUTFITS:,} outfits of {ITEMS:,} items", measure_many(scorer, seed, measured[-1]))
            add("one outfit", measure_one(scorer, seed))
            add(f"1,000 to {MILLION:,} outfits of {ITEMS:,} items", {"dresswell": measure_growth(scorer, seed)})
        weights = sum(p.numel() for p in scorer.model.parameters())
        name = f"{MILLION:,} outfits of {MANY_ITEMS:,} items, streamed by id"
        add(name, {"dresswell": child(model, many, TABLE_BYTES), "dresswell/2-gib-table": child(model, many, 2 << 30)})
        each = item_bytes(scorer.model)
    encoded, encoding_floor, encoding_notes = encoding.run()
    floor = {key: [round(one[key], 1) for one in measured] for key in measured[0]}
    notes = [
        f"{device}, {torch.get_num_threads()} threads; our network has {weights:,} weights, as the set transformer; "
        f"items have {scorer.features.shape[1]} features",
        "one-piece: the same network on gathered features, batch by batch. The logistic regression and the set "
        "transformer give one logit, ours coherence, every label and the personal fit.",
        "time_to_read_floor: to reading the outfits' features once at the measured bandwidth; time_to_gemm_floor: to "
        "doing the matrix products of the outfits' half at the measured rate of large ones.",
        f"What is an item's own is computed once and kept, {each:,} bytes an item, if that fits into "
        f"{TABLE_BYTES >> 20} MiB (2-gib-table: 2 GiB). The large catalogue does not: each batch computes its items.",
        "peak_above_features_mb: the process's memory at its highest, Python and torch included, less the features.",
    ]
    write_report(
        "fcn_speed",
        "python benchmarks/fcn_speed.py",
        results | encoded,
        floor | encoding_floor,
        notes + list(encoding_notes),
    )


if __name__ == "__main__":
    main()
