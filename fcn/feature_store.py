"""The cache of item features: one row per (encoder, content of the item), on disk, memory-mapped.

A folder per encoder holds parts, written whole or not at all:

    features-<encoder>/000001.npy         float32 (m, d) rows
    features-<encoder>/000001.json        content hash of each row and the SHA-256 of the .npy; written last
    features-<encoder>/catalog-<hash>.npy the rows of one catalogue in its order, gathered from the parts

An item whose title, category, slot, attributes or picture changed has
another hash, and is encoded again alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm.auto import tqdm

from fcn.artifacts import sha256, write_json
from fcn.catalog import Catalog

if TYPE_CHECKING:
    from fcn.features import ItemEncoder

PART = 4096  # items encoded between two writes: what an interruption can lose
log = logging.getLogger(__name__)


def content_hashes(catalog: Catalog, rows: Sequence[int] | None = None) -> list[str]:
    """Hex digest of all that features depend on: the item's text, slot and picture.

    Pictures are taken by path, size and modification time: reading millions of files to see that none changed
    would cost as much as encoding them.
    """
    rows = np.arange(len(catalog)) if rows is None else np.asarray(rows, np.int64)
    hashes = []
    for row, text, slot in zip(rows, catalog.texts(rows), catalog.slots[rows], strict=True):
        path = catalog.image_path(row)
        picture = None
        if path is not None:
            try:
                stat = path.stat()
                picture = [str(path.resolve()), stat.st_size, stat.st_mtime_ns]
            except OSError:
                picture = [str(path), "missing"]
        content = json.dumps([text, int(slot), picture], ensure_ascii=False)
        hashes.append(hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest())
    return hashes


class FeatureStore:
    """Features of catalogues by one encoder, each item encoded once."""

    def __init__(self, cache_dir: str | Path, encoder: ItemEncoder):
        self.encoder = encoder
        name = hashlib.blake2b(encoder.fingerprint.encode(), digest_size=8).hexdigest()
        self.path = Path(cache_dir) / f"features-{name}"
        self.encoded = 0  # items the last `get` had to encode

    def get(self, catalog: Catalog, progress: bool = True) -> np.ndarray:
        """float32 (len(catalog), encoder.dim), read-only and memory-mapped, in the order of the catalogue.

        Encodes what no part holds. A damaged part is dropped with a warning and its items are encoded again.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        hashes = content_hashes(catalog)
        whole = self.path / f"catalog-{_digest_of(hashes)}.npy"
        self.encoded = 0
        found = self._open_checked(whole, len(hashes))
        if found is not None:
            return found
        parts, place = self._parts()
        wanted = list(dict.fromkeys(h for h in hashes if h not in place))
        first = {h: row for row, h in reversed(list(enumerate(hashes)))}
        starts = range(0, len(wanted), PART)
        for start in tqdm(starts, desc="features", unit="part", disable=not progress or len(starts) < 2):
            chunk = wanted[start : start + PART]
            rows = self.encoder.encode(catalog, [first[h] for h in chunk])
            name = self._free_name()
            _save(self.path / f"{name}.npy", rows)
            write_json(self.path / f"{name}.json", {"sha256": sha256(self.path / f"{name}.npy"), "rows": chunk})
            parts[name] = np.load(self.path / f"{name}.npy", mmap_mode="r")
            place.update({h: (name, i) for i, h in enumerate(chunk)})
            self.encoded += len(chunk)
        self._write_whole(whole, hashes, parts, place)
        return np.load(whole, mmap_mode="r")

    def _write_whole(self, whole: Path, hashes: list[str], parts: dict, place: dict[str, tuple[str, int]]) -> None:
        """All rows of one catalogue in its order, gathered part by part through a memory map."""
        temporary = whole.with_name(f".{whole.name}.{os.getpid()}.tmp")
        try:
            shape = (len(hashes), self.encoder.dim)
            if len(hashes):
                out = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
                for start in range(0, len(hashes), PART):
                    for row in range(start, min(start + PART, len(hashes))):
                        name, i = place[hashes[row]]
                        out[row] = parts[name][i]
                out.flush()
                del out
            else:
                with open(temporary, "wb") as stream:
                    np.save(stream, np.zeros(shape, np.float32))
            os.replace(temporary, whole)
        finally:
            temporary.unlink(missing_ok=True)
        write_json(whole.with_suffix(".json"), {"sha256": sha256(whole)})

    def _open_checked(self, path: Path, rows: int) -> np.ndarray | None:
        """The memory map of a file whose checksum is right and whose shape fits; None otherwise."""
        note = path.with_suffix(".json")
        if not note.is_file() or not path.is_file():
            return None
        try:
            if sha256(path) == json.loads(note.read_text(encoding="utf-8"))["sha256"]:
                array = np.load(path, mmap_mode="r", allow_pickle=False)
                if array.dtype == np.float32 and array.shape == (rows, self.encoder.dim):
                    return array
        except (ValueError, KeyError, TypeError, OSError):
            pass
        self._drop(path)
        return None

    def _parts(self) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, int]]]:
        """The sound parts, and where the row of each hash lies."""
        parts: dict[str, np.ndarray] = {}
        place: dict[str, tuple[str, int]] = {}
        for note in sorted(self.path.glob("[0-9]*.json")):
            try:
                rows = json.loads(note.read_text(encoding="utf-8"))["rows"]
                known = {h: (note.stem, i) for i, h in enumerate(rows)}
            except (ValueError, KeyError, TypeError):
                self._drop(note.with_suffix(".npy"))
                continue
            array = self._open_checked(note.with_suffix(".npy"), len(rows))
            if array is not None:
                parts[note.stem] = array
                place.update(known)
        return parts, place

    def _drop(self, path: Path) -> None:
        log.warning("%s: damaged feature cache; its items are encoded again", path)
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)

    def _free_name(self) -> str:
        taken = [int(path.stem) for path in self.path.glob("[0-9]*.npy")]
        return f"{max(taken, default=0) + 1:06d}"


def _digest_of(hashes: list[str]) -> str:
    return hashlib.blake2b("\n".join(hashes).encode(), digest_size=8).hexdigest()


def _save(path: Path, rows: np.ndarray) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            np.save(stream, np.ascontiguousarray(rows, np.float32))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
