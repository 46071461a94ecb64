"""The index on disk: a folder that is whole or not there, and that says what it stands for.

A folder is written beside the one before it and gets its name at the end. Its manifest has
the hash of every other file, of the last message that was folded, and the name of the model. What
does not fit is refused, and the index is built again.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any, Final

import hnswlib
import msgspec
import numpy as np

from projections.limits import SEARCH_FORMAT, SEARCH_GRAPH_LOOK
from projections.search.index import SearchIndex
from schemas.asks import KINDS
from schemas.codec import encode
from schemas.limits import EMBEDDING_DIMENSIONS

_MANIFEST: Final = "manifest.json"
_COLUMNS: Final = ("vectors", "sequences", "superseded")


class IndexRefused(Exception):
    """Files that do not hold this venue's index, and why."""


class SavedIndex(msgspec.Struct, frozen=True):
    """What an index stands for: a shard's log up to the message at `sequence`, and a model."""

    shard: str
    model: str
    sequence: int
    message_hash: str
    format: int = SEARCH_FORMAT


class _Manifest(msgspec.Struct, frozen=True):
    origin: SavedIndex
    files: dict[str, str]


def message_hash(subject: str, payload: bytes) -> str:
    """Return the hash by which a message is known again."""
    return hashlib.sha256(subject.encode() + b"\n" + payload).hexdigest()


def save(index: SearchIndex, folder: Path, origin: SavedIndex) -> None:
    """Write the index as `folder`; the one before it goes when the new one is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = folder.with_suffix(".new"), folder.with_suffix(".old")
    for rest in (fresh, old):
        shutil.rmtree(rest, ignore_errors=True)
    fresh.mkdir()
    for kind, table in index.tables.items():
        (fresh / f"{kind}.ids").write_bytes(encode(table.ids))
        for name, column in table.arrays.items():
            np.save(fresh / f"{kind}.{name}.npy", column, allow_pickle=False)
        if table.graph is not None:
            table.graph.save_index(str(fresh / f"{kind}.graph"))
    hashes = {path.name: _file_hash(path) for path in sorted(fresh.iterdir())}
    (fresh / _MANIFEST).write_bytes(encode(_Manifest(origin, hashes)))
    for path in fresh.iterdir():
        _sync(path)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def load(folder: Path, shard: str, model: str) -> tuple[SearchIndex, SavedIndex]:
    """Return the index in `folder`, and what it stands for. Raises IndexRefused.

    Whether the log still holds the message at its sequence is for the caller to see.
    """
    try:
        manifest = msgspec.json.decode((folder / _MANIFEST).read_bytes(), type=_Manifest)
    except OSError as error:
        raise IndexRefused("there is none") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IndexRefused("its manifest cannot be read") from error
    origin = manifest.origin
    if origin.format != SEARCH_FORMAT:
        raise IndexRefused(f"it has format {origin.format}, not {SEARCH_FORMAT}")
    if origin.shard != shard:
        raise IndexRefused(f"it is of the shard {origin.shard!r}")
    if origin.model != model:
        raise IndexRefused(f"it is of the model {origin.model!r}")
    try:
        for name, expected in manifest.files.items():
            if Path(name).name != name or _file_hash(folder / name) != expected:
                raise IndexRefused(f"{name} is damaged")
        index = SearchIndex()
        for kind in KINDS:
            _fill(index, kind, folder)
    except (OSError, ValueError, RuntimeError, msgspec.DecodeError) as error:
        raise IndexRefused(f"it cannot be read: {type(error).__name__}") from error
    index.sequence = origin.sequence
    return index, origin


def _fill(index: SearchIndex, kind: Any, folder: Path) -> None:
    ids = msgspec.json.decode((folder / f"{kind}.ids").read_bytes(), type=list[str])
    columns = {name: np.load(folder / f"{kind}.{name}.npy") for name in _COLUMNS}
    if {len(column) for column in columns.values()} != {len(ids)}:
        raise ValueError("columns of different lengths")
    graph = None
    if (folder / f"{kind}.graph").exists():
        graph = hnswlib.Index(space="cosine", dim=EMBEDDING_DIMENSIONS)
        room = len(ids) + len(ids) // 10 + 1
        graph.load_index(str(folder / f"{kind}.graph"), max_elements=room)
        graph.set_ef(SEARCH_GRAPH_LOOK)
    index.tables[kind].fill(ids, columns, graph)


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
