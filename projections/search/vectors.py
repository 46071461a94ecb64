"""Embeddings as the log has them, and how alike they are."""

import base64
import binascii
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from schemas.limits import EMBEDDING_DIMENSIONS
from schemas.units import WEIGHT_ONE_BP

Vectors = npt.NDArray[np.int8]
_CHUNK_ROWS: Final = 4_096


def vector_of(text: str) -> Vectors | None:
    """Return the embedding in `text`, None if it holds none."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(data) != EMBEDDING_DIMENSIONS or not any(data):
        return None
    return np.frombuffer(data, dtype=np.int8)


def similarities_bp(rows: Vectors, vector: Vectors) -> npt.NDArray[np.int64]:
    """Return the cosine of each row with `vector`, in ten-thousandths, towards 0.

    Inner products are below 2^24, so float32 holds them exactly.
    """
    found = np.empty(len(rows), np.int64)
    wanted = vector.astype(np.float32)
    length = float(wanted @ wanted)
    for start in range(0, len(rows), _CHUNK_ROWS):
        some = rows[start : start + _CHUNK_ROWS].astype(np.float32)
        products: npt.NDArray[Any] = (some @ wanted).astype(np.float64)
        squares = np.einsum("ij,ij->i", some, some).astype(np.float64) * length
        cosines = products * WEIGHT_ONE_BP / np.sqrt(np.maximum(squares, 1.0))
        found[start : start + _CHUNK_ROWS] = cosines.astype(np.int64)
    return found
