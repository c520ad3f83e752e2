"""The demo's figures: the trained models beside the oracle, on the same questions by the same metric code."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np

from fcn.folder import DataFolder
from fcn.metrics import auc, fill_in_the_blank, label_metrics
from fcn.outfits import CoherenceTest, OutfitSet
from fcn.storage import without_nan
from fcn.training import describe_machine
from reports.sample import open_oracle
from seqllm.evaluate import questions_of
from seqllm.metrics import rank_of_target, ranking_metrics
from seqllm.sequences import EventLog

FCN = ("map", "of1", "coherence_auc", "fitb")
SEQLLM = ("recall@10", "ndcg@10", "mrr", "cold_recall@10")
OPPONENTS = ("popularity", "recent-popularity", "itemknn")
LIBRARIES = ("torch", "transformers", "peft", "torch-geometric", "timm", "sentence-transformers", "faiss-cpu", "numpy")


def measure(folder: DataFolder, fcn: Path, seqllm: Path, seed: int) -> dict:
    """metrics.json without its seconds: what the trainings measured on the test split, and the oracle there."""
    oracle = open_oracle(folder.path)
    of_fcn = json.loads((fcn / "metrics.json").read_text(encoding="utf-8"))
    of_llm = json.loads((seqllm / "evaluation.json").read_text(encoding="utf-8"))
    tokens = {name: _only(row, SEQLLM) for name, row in of_llm.get("profile_tokens", {}).items()}
    metrics = {
        "fcn": _only(of_fcn["test"], FCN)
        | {"oracle": fcn_oracle(oracle, folder, seed), "prior": _only(of_fcn["prior"]["test"], FCN)},
        "seqllm": _only(of_llm, SEQLLM)
        | {name: _only(of_llm[name], SEQLLM) for name in OPPONENTS}
        | {"oracle": seqllm_oracle(oracle, folder), "profile_tokens": tokens},
        "seed": seed,
        "machine": describe_machine(),
        "versions": {"dresswell": version("dresswell"), "python": platform.python_version()}
        | {name: version(name) for name in LIBRARIES},
    }
    return without_nan(metrics)


def _only(row: dict, names: tuple[str, ...]) -> dict:
    return {name: row[name] for name in names if name in row}


def fcn_oracle(oracle, folder: DataFolder, seed: int) -> dict[str, float]:
    """The rules' own label probabilities and coherence on the test outfits, corruptions and questions of fcn.train."""
    outfits = OutfitSet.from_folder(folder, "test")
    test = CoherenceTest.make(outfits, seed)
    columns = [list(oracle.labels).index(label) for label in folder.vocabulary.outfit_labels]
    p = np.clip(oracle.label_probabilities(ids_of(oracle, outfits.rows))[:, columns], 1e-9, 1 - 1e-9)
    labels = label_metrics(np.log(p / (1 - p)), outfits.targets)
    real, fake = (oracle.coherence(ids_of(oracle, rows)) for rows in (outfits.rows, test.corrupted))
    truth = np.concatenate([np.ones(len(real)), np.zeros(len(fake))])
    count, candidates, size = test.questions.shape
    answers = np.zeros((0, candidates))
    if count:
        answers = oracle.coherence(ids_of(oracle, test.questions.reshape(-1, size))).reshape(count, candidates)
    return {
        "map": labels["map"],
        "of1": labels["of1"],
        "coherence_auc": auc(np.concatenate([real, fake]), truth),
        "fitb": fill_in_the_blank(answers),
    }


def ids_of(oracle, rows: np.ndarray) -> list[list[str]]:
    """Padded catalogue rows (n, T) -> lists of item ids."""
    return [[oracle.item_ids[row] for row in outfit if row >= 0] for outfit in rows]


def seqllm_oracle(oracle, folder: DataFolder) -> dict[str, float | None]:
    """The choice rule itself (true profile, taste and intent) ranking every test event, what she has seen left out."""
    log = EventLog.from_folder(folder)
    questions, targets, rows = questions_of(log, log.profiles, "test")
    if not np.array_equal(oracle.items, log.item):
        raise ValueError(f"{folder.path}: its events are not in the order the oracle's files have; make it again")
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(rows), 256):
        part = slice(start, start + 256)
        seen = [question.history for question in questions[part]]
        found.append(rank_of_target(oracle.rank_scores(rows[part]), targets[part], seen))
    ranks = np.concatenate(found)
    cold = ~(np.bincount(log.item[log.in_split("train")], minlength=len(folder.catalog)) > 0)[targets]
    metrics = _only(ranking_metrics(ranks, (10,)), SEQLLM)
    return metrics | {"cold_recall@10": float((ranks[cold] < 10).mean()) if cold.any() else None}


def floors(metrics: dict) -> list[tuple[str, float, float]]:
    """What the demo must reach at its default size: (claim, value, floor) each."""
    fcn, llm = metrics["fcn"], metrics["seqllm"]
    tokens = llm["profile_tokens"]
    return [
        ("FCN mAP, share of the oracle's", share(fcn["map"], fcn["oracle"]["map"]), 0.85),
        ("coherence AUC, share of the oracle's", share(fcn["coherence_auc"], fcn["oracle"]["coherence_auc"]), 0.90),
        ("NDCG@10, share of the oracle's", share(llm["ndcg@10"], llm["oracle"]["ndcg@10"]), 0.50),
        ("NDCG@10 against ItemKNN", llm["ndcg@10"], llm["itemknn"]["ndcg@10"]),
        ("NDCG@10 against popularity", llm["ndcg@10"], llm["popularity"]["ndcg@10"]),
        ("NDCG@10, stated profile against none", tokens["stated"]["ndcg@10"], tokens["none"]["ndcg@10"]),
    ]


def share(value: float | None, of: float | None) -> float:
    return float("nan") if value is None or not of else value / of


NAMES = {
    "map": "label mAP", "of1": "label OF1", "coherence_auc": "coherence AUC", "fitb": "fill in the blank",
    "recall@10": "Recall@10", "ndcg@10": "NDCG@10", "mrr": "MRR", "cold_recall@10": "Recall@10, cold items",
}  # fmt: skip


def table_rows(metrics: dict, package: str) -> tuple[list[str], list[list[float | str | None]]]:
    """Header and rows (metric, ours, oracle, share, baselines ...) of one package."""
    part = metrics[package]
    others = ("prior",) if package == "fcn" else OPPONENTS
    header = ["", "dresswell", "oracle", "share", *others]
    rows = []
    for name in FCN if package == "fcn" else SEQLLM:
        ours, best = part[name], part["oracle"].get(name)
        rows.append([NAMES[name], ours, best, share(ours, best), *(part[other].get(name) for other in others)])
    return header, rows


def print_table(metrics: dict) -> None:
    """Both packages' figures and the floors, as text."""
    for package in ("fcn", "seqllm"):
        header, rows = table_rows(metrics, package)
        print(f"\n{package + ' (test)':24}" + "".join(f"{name:>19}" for name in header[1:]))
        for row in rows:
            cells = ["-" if v is None or np.isnan(v) else f"{v:.0%}" if k == 2 else f"{v:.3f}"
                     for k, v in enumerate(row[1:])]  # fmt: skip
            print(f"{row[0]:24}" + "".join(f"{cell:>19}" for cell in cells))
    print("\nprofile tokens, NDCG@10: " + ", ".join(
        f"{name} {row['ndcg@10']:.3f}" for name, row in metrics["seqllm"]["profile_tokens"].items()))  # fmt: skip
    print()
    for claim, value, floor in floors(metrics):
        print(f"{'reached' if value > floor else 'MISSED ':8} {claim:40} {value:.3f}, floor {floor:.3f}")
    print("seconds: " + ", ".join(f"{name} {value:.0f}" for name, value in metrics["seconds"].items()))
    print("made data: these figures compare methods with a known oracle; they say nothing about real customers")
