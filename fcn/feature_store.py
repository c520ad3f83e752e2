"""The cache of item features: one row per (encoder, content of the item), on disk, memory-mapped.

A folder per encoder; in it, for each catalogue that was asked for:

    <catalogue>.npy         float32 (n, d), the rows in the order of the catalogue
    <catalogue>.hashes.npy  uint8 (n, 16), the content hash of each row
    <catalogue>.done.npy    bool (n,), which rows are written; only until all are
    <catalogue>.json        checksum, size and time of the rows; written last

Rows are encoded in shards of `SHARD` straight to their place in the one file that will be mapped, so nothing lies on
the disk twice and nothing is gathered. A shard is flushed before its rows are marked as done: an interrupted run goes
on where it was. An item whose title, category, slot, attributes or picture changed has another hash; of a changed
catalogue the rows that are known are copied, the others encoded. Processes that write to one folder wait for each
other.

Checksums are computed once, when a file is finished. Later its size and time of change are compared, and its content
only where these differ (after a copy, for one): a disk that alters a file behind the file system's back goes unseen.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from fcn.artifacts import sha256, write_json
from fcn.catalog import Catalog
from fcn.errors import ArtifactError

if TYPE_CHECKING:
    from fcn.features import ItemEncoder

LAYOUT = 2  # of the folder; another number is another folder
SHARD = 4096  # items encoded between two flushes: what an interruption can lose
KEPT = 2  # states of one catalogue that stay: the present one and the one before
HASH = "V16"
log = logging.getLogger(__name__)


def content_hashes(catalog: Catalog, rows: Sequence[int] | None = None) -> np.ndarray:
    """(n,) 16 raw bytes each ("V16"): digest of all that features depend on, the item's text, slot and picture.

    Pictures are taken by path, size and modification time: reading millions of files to see that none changed
    would cost as much as encoding them.
    """
    rows = np.arange(len(catalog)) if rows is None else np.asarray(rows, np.int64)
    root = os.path.realpath(catalog.root or Path())
    found = np.empty((len(rows), 16), np.uint8)
    for start in range(0, len(rows), SHARD):
        some = rows[start : start + SHARD]
        images = catalog.column("image").take(pa.array(some)).to_pylist()
        for i, (text, slot, image) in enumerate(zip(catalog.texts(some), catalog.slots[some], images, strict=True)):
            picture = None if image is None else _stamp(os.path.join(root, image))
            content = json.dumps([text, int(slot), picture], ensure_ascii=False).encode("utf-8", "surrogatepass")
            found[start + i] = np.frombuffer(hashlib.blake2b(content, digest_size=16).digest(), np.uint8)
    return found.view(HASH).reshape(len(rows))


def _stamp(path: str) -> list:
    try:
        stat = os.stat(path)
    except OSError:
        return [path, "missing"]
    return [path, stat.st_size, stat.st_mtime_ns]


class FeatureStore:
    """Features of catalogues by one encoder, each item encoded once."""

    def __init__(self, cache_dir: str | Path, encoder: ItemEncoder):
        self.encoder = encoder
        name = hashlib.blake2b(f"{LAYOUT} {encoder.fingerprint}".encode(), digest_size=8).hexdigest()
        self.path = Path(cache_dir) / f"features-{name}"
        self.encoded = 0  # items the last `get` had to encode

    def get(self, catalog: Catalog, progress: bool = True) -> np.ndarray:
        """float32 (len(catalog), encoder.dim), read-only and memory-mapped, in the order of the catalogue.

        Encodes what no file here holds. The bar counts what is left to encode, pictures where there are any, and
        its estimate is the mean pace so far. A damaged file is dropped with a warning, its items encoded again.
        """
        self.encoded = 0
        if not len(catalog):
            return np.zeros((0, self.encoder.dim), np.float32)
        self.path.mkdir(parents=True, exist_ok=True)
        hashes = content_hashes(catalog)
        files = _Files(self.path, _digest(hashes))
        found = files.open_finished(self.encoder.dim)
        if found is None:
            with self._alone():
                found = files.open_finished(self.encoder.dim)  # the process waited for may have made it
                if found is None:
                    self._make(files, catalog, hashes, progress)
                    found = files.open_finished(self.encoder.dim)
        with suppress(OSError):  # another process may have put a newer state in its place; or one may only read here
            os.utime(files.note)  # when it was last used
        return found

    @contextmanager
    def _alone(self):
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.warning("%s: another process writes here; waiting for it", self.path)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _make(self, files: _Files, catalog: Catalog, hashes: np.ndarray, progress: bool) -> None:
        rows, done = files.open_unfinished(hashes, self.encoder.dim)
        distinct, first, which = np.unique(hashes, return_index=True, return_inverse=True)
        alike = self._copy_known(files, distinct, first, rows, done)
        self._encode(catalog, np.sort(first[~done[first]]), rows, done, progress)
        again = np.flatnonzero(first[which] != np.arange(len(hashes)))  # items of equal content
        for start in range(0, len(again), SHARD):
            some = again[start : start + SHARD]
            rows[some] = rows[first[which[some]]]
        rows.flush()
        del rows, done
        files.finish()
        for earlier in sorted(alike, key=lambda other: other.used, reverse=True)[KEPT - 1 :]:
            earlier.remove()

    def _copy_known(
        self, files: _Files, distinct: np.ndarray, first: np.ndarray, rows: np.ndarray, done: np.ndarray
    ) -> list[_Files]:
        """Copy the rows other files hold. Returns the files that are states of this catalogue: over half the same."""
        alike = []
        for note in sorted(self.path.glob("*.hashes.npy")):
            other = _Files(self.path, note.name.removesuffix(".hashes.npy"))
            if other.name == files.name:
                continue
            source = other.open_any(self.encoder.dim)
            if source is None:
                log.warning("%s: damaged feature cache; dropped", other.rows)
                other.remove()
                continue
            hashes, ready, theirs = source
            place = np.searchsorted(distinct, hashes).clip(max=len(distinct) - 1)
            shared = distinct[place] == hashes
            if shared.sum() > 0.5 * max(len(hashes), len(distinct)):
                alike.append(other)
            at = np.flatnonzero(shared & ready)
            at = at[~done[first[place[at]]]]
            for start in range(0, len(at), SHARD):
                some = at[start : start + SHARD]
                rows[first[place[some]]] = theirs[some]
            rows.flush()
            done[first[place[at]]] = True
            done.flush()
        return alike

    def _encode(self, catalog: Catalog, left: np.ndarray, rows: np.ndarray, done: np.ndarray, progress: bool) -> None:
        """Encode the catalogue rows `left`, shard by shard, to their place in `rows`."""
        pictures = 0
        if self.encoder.image is not None:
            pictures = int(catalog.column("image").is_valid().to_numpy()[left].sum())
        total, unit = (pictures, "picture") if pictures else (len(left), "item")
        shown = progress and len(left) > SHARD
        with tqdm(total=total, desc="features", unit=unit, smoothing=0, disable=not shown) as bar:
            for start in range(0, len(left), SHARD):
                some = left[start : start + SHARD]
                rows[some] = self.encoder.encode(catalog, some, progress=bar if pictures else False)
                rows.flush()
                done[some] = True
                done.flush()
                self.encoded += len(some)
                if not pictures:
                    bar.update(len(some))


@dataclass(frozen=True)
class _Files:
    """The files of one catalogue, by the digest of its hashes."""

    folder: Path
    name: str

    @property
    def rows(self) -> Path:
        return self.folder / f"{self.name}.npy"

    @property
    def hashes(self) -> Path:
        return self.folder / f"{self.name}.hashes.npy"

    @property
    def done(self) -> Path:
        return self.folder / f"{self.name}.done.npy"

    @property
    def note(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def used(self) -> float:
        """When this was last used, or last written to."""
        return max((p.stat().st_mtime for p in (self.note, self.done) if p.exists()), default=0.0)

    def open_finished(self, dim: int) -> np.ndarray | None:
        """The rows, read-only, where all are there and sound; None otherwise. Needs no lock, so it removes nothing."""
        if not self.note.is_file():
            return None
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            stat = self.rows.stat()
            if [stat.st_size, stat.st_mtime_ns] != [note["size"], note["mtime_ns"]]:
                if sha256(self.rows) != note["sha256"]:
                    raise ValueError("another checksum")
                self._write_note(note["sha256"])
            rows = np.load(self.rows, mmap_mode="r", allow_pickle=False)
            if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != dim:
                raise ValueError("another shape")
            return rows
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def open_unfinished(self, hashes: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and marks to go on with, writable; fresh ones where there are none that fit."""
        if self.open_any(dim) is None:
            if self.note.is_file():
                log.warning("%s: damaged feature cache; its items are encoded again", self.rows)
            self.remove()
            np.lib.format.open_memmap(self.rows, "w+", np.float32, (len(hashes), dim)).flush()
            self._reserve()
            np.lib.format.open_memmap(self.done, "w+", np.bool_, (len(hashes),)).flush()
            _save(self.hashes, hashes.view(np.uint8).reshape(-1, 16))
        return np.load(self.rows, mmap_mode="r+"), np.load(self.done, mmap_mode="r+")

    def open_any(self, dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Hashes, which rows are ready, and the rows, of a finished or unfinished file; None where it is unsound."""
        try:
            hashes = np.load(self.hashes, allow_pickle=False).view(HASH).reshape(-1)
            if _digest(hashes) != self.name:
                raise ValueError("another name")
            if self.note.is_file():
                rows = self.open_finished(dim)
                return None if rows is None or len(rows) != len(hashes) else (hashes, np.ones(len(rows), bool), rows)
            ready = np.load(self.done, allow_pickle=False)
            rows = np.load(self.rows, mmap_mode="r", allow_pickle=False)
            if ready.dtype == np.bool_ and rows.dtype == np.float32 and rows.shape == (len(hashes), dim) == (
                len(ready), dim,
            ):  # fmt: skip
                return hashes, ready, rows
        except (OSError, ValueError, TypeError):
            pass
        return None

    def _reserve(self) -> None:
        """Have the disk set the space aside: a mapped file that runs out of it later kills the process."""
        if not hasattr(os, "posix_fallocate"):
            return
        with open(self.rows, "r+b") as stream:
            size = os.fstat(stream.fileno()).st_size
            try:
                os.posix_fallocate(stream.fileno(), 0, size)
            except OSError as error:
                self.remove()
                free = shutil.disk_usage(self.folder).free / 2**30
                raise ArtifactError(
                    f"{self.folder}: the features take {size / 2**30:.2f} GiB, {free:.2f} GiB are free "
                    f"({error.strerror}); make room, or put the cache on a larger disk"
                ) from error

    def finish(self) -> None:
        self._write_note(sha256(self.rows))
        self.done.unlink(missing_ok=True)

    def _write_note(self, digest: str) -> None:
        stat = self.rows.stat()
        write_json(self.note, {"sha256": digest, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns})

    def remove(self) -> None:
        """The note first: without it nothing is believed."""
        for path in (self.note, self.done, self.hashes, self.rows):
            path.unlink(missing_ok=True)


def _digest(hashes: np.ndarray) -> str:
    return hashlib.blake2b(np.ascontiguousarray(hashes).view(np.uint8), digest_size=8).hexdigest()


def _save(path: Path, array: np.ndarray) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as stream:
            np.save(stream, array)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
