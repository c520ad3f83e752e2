"""A trained network as an artifact: what train_fcn.py writes beside the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fcn.artifacts import save_artifact, write_json
from fcn.calibration import Calibration
from fcn.cooccurrence import CoOccurrence
from fcn.drawings import draw_curves, draw_label_graph, draw_reliability
from fcn.familiarity import Familiarity
from fcn.features import ItemEncoder
from fcn.folder import DataFolder
from fcn.label_graph import LabelGraph
from fcn.model import FashionCognitiveNetwork
from fcn.personal import PersonalFit
from fcn.scorer import KIND
from fcn.training import History


def without_nan(value):
    """The same JSON-like value with None for every nan, which JSON does not know (a figure that is not defined)."""
    if isinstance(value, dict):
        return {key: without_nan(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_nan(one) for one in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def save(
    out: Path,
    model: FashionCognitiveNetwork,
    graph: LabelGraph,
    together: np.ndarray,
    encoder: ItemEncoder,
    folder: DataFolder,
    features: np.ndarray,
    calibration: Calibration,
    personal: PersonalFit,
    familiarity: Familiarity,
    cooccurrence: CoOccurrence | None,
    report: dict,
    history: History,
) -> None:
    """Write the artifact: network, graph, item encoder, catalogue with features, co-occurrence, calibration, report
    and drawings."""

    def write_files(folder_path: Path) -> None:
        encoder.save_pretrained(folder_path / "item_encoder")
        folder.catalog.write(folder_path / "items.parquet")
        np.save(folder_path / "features.npy", np.asarray(features))
        graph.save(folder_path / "label_graph.json")
        familiarity.save(folder_path)
        if cooccurrence is not None:
            cooccurrence.save(folder_path)
        write_json(folder_path / "metrics.json", report)
        write_json(folder_path / "history.json", without_nan({"rows": history.rows, "best": history.best}))
        draw_curves(history.rows, folder_path / "curves.png", history.best.get("epoch"))
        if graph.labels:
            draw_label_graph(graph, together, folder_path / "label_graph.png")
        split = "test" if "test" in report["reliability"] else "val"
        draw_reliability(report["reliability"][split], folder_path / "reliability.png", f"outfits of {split}")

    config = {
        "model": model.settings.to_json(),
        "label_groups": folder.vocabulary.to_json(),
        "calibration": calibration.to_json(),
        "base_rates": personal.base_rates.tolist(),
        "personal": personal.to_json(),
        "data": folder.name,
        "made": report["made"],
        "pictures": str(folder.path),
    }
    save_artifact(out, KIND, config, model.state_dict(), data_fingerprint=folder.fingerprint, files=write_files)
