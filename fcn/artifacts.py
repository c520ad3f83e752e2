"""Trained artifacts on disk: a folder of JSON and safetensors, written atomically and checked when it is loaded.

    save_artifact("runs/fcn", "fcn", config, tensors, data_fingerprint=folder.fingerprint)
    artifact = load_artifact("runs/fcn", "fcn")

``artifact.json`` holds format, kind, version, config, the fingerprint of the data and the SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fcn.errors import ArtifactError

FORMAT = 1
MANIFEST = "artifact.json"
WEIGHTS = "model.safetensors"
# What a training run keeps beside the artifact it is about to write (see fcn.training).
KEPT_ACROSS_SAVES = ("checkpoints", "cache")


@dataclass(frozen=True)
class Artifact:
    """A loaded artifact folder: ``config`` (JSON), ``tensors`` (name -> CPU tensor), ``path``, ``data_fingerprint``."""

    path: Path
    kind: str
    config: dict
    tensors: dict[str, torch.Tensor]
    data_fingerprint: str
    version: str


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file, read in 1 MiB pieces."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the new one, never half of it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(value, stream, indent=2, ensure_ascii=False)
            stream.write("\n")
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def save_artifact(
    path: str | Path,
    kind: str,
    config: dict,
    tensors: dict[str, torch.Tensor],
    *,
    data_fingerprint: str = "",
    files: Callable[[Path], None] | None = None,
) -> Path:
    """Write an artifact folder next to its final place, then swap it in.

    Args:
        path: the folder; an artifact already there is replaced, anything else that is not ours is refused.
        kind: what it is ("fcn", "seqllm", ...); :func:`load_artifact` insists on it.
        config: JSON-serialisable.
        tensors: name -> tensor; shared storage is copied, so tied weights are fine.
        files: called with the temporary folder to write further files (encoders, catalogue ...).
    """
    from fcn import __version__

    path = Path(path)
    refuse_foreign(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.writing-"))
    try:
        if files is not None:
            files(temporary)
        save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, temporary / WEIGHTS)
        digests = {
            str(f.relative_to(temporary)): sha256(f) for f in sorted(temporary.rglob("*")) if f.is_file()
        }
        write_json(
            temporary / MANIFEST,
            {
                "format": FORMAT,
                "kind": kind,
                "version": __version__,
                "config": config,
                "data_fingerprint": data_fingerprint,
                "sha256": digests,
            },
        )
        os.chmod(temporary, 0o755)
        _swap(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return path


def refuse_foreign(path: str | Path) -> None:
    """ArtifactError when something else than an artifact, or than an unfinished run, is at ``path``."""
    path = Path(path)
    if path.exists() and not _is_ours(path):
        raise ArtifactError(f"{path}: holds files that are not a dresswell artifact; choose another --out folder")


def _is_ours(path: Path) -> bool:
    names = {child.name for child in path.iterdir()} if path.is_dir() else {"a file"}
    return MANIFEST in names or names <= set(KEPT_ACROSS_SAVES)


def _swap(temporary: Path, path: Path) -> None:
    """Put ``temporary`` in the place of ``path``; what a running training keeps there moves along."""
    if not path.exists():
        os.replace(temporary, path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old-"))
    for name in KEPT_ACROSS_SAVES:
        if (path / name).exists():
            os.replace(path / name, temporary / name)
    os.replace(path, old)
    os.replace(temporary, path)
    shutil.rmtree(old, ignore_errors=True)


def load_artifact(path: str | Path, kind: str) -> Artifact:
    """Read an artifact folder and check it: kind, format, and the SHA-256 of every file.

    Raises:
        ArtifactError: no artifact there, another kind, written by a newer version, or a file missing or damaged.
    """
    path = Path(path)
    manifest_path = path / MANIFEST
    if not manifest_path.is_file():
        remedy = "train one first" if not path.exists() else "give the folder that a training run wrote (its --out)"
        raise ArtifactError(f"{manifest_path}: not found; {remedy}")
    try:
        manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
        found, version, written = manifest["kind"], manifest["version"], manifest["format"]
        digests, config = dict(manifest["sha256"]), manifest["config"]
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{manifest_path}: damaged ({error}); train or copy the artifact again") from error
    if found != kind:
        raise ArtifactError(f"{manifest_path}: this is a {found!r} artifact where a {kind!r} one is needed")
    if written > FORMAT:
        raise ArtifactError(f"{manifest_path}: written by dresswell {version}, newer than this one; upgrade dresswell")
    for name, digest in digests.items():
        file = path / name
        if not file.is_file():
            raise ArtifactError(f"{file}: missing; train or copy the artifact again")
        if sha256(file) != digest:
            raise ArtifactError(f"{file}: damaged (its checksum differs); train or copy the artifact again")
    try:
        tensors = load_file(path / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"{path / WEIGHTS}: cannot be read ({error}); train or copy the artifact again") from error
    return Artifact(path, kind, config, tensors, manifest.get("data_fingerprint", ""), version)
