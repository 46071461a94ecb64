"""Embeddings as the log has them: 384 signed bytes, and the similarity of two of them.

The same bytes give the same similarity on every machine.
"""

import base64
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.limits import EMBEDDING_DIMENSIONS
from schemas.units import WEIGHT_ONE_BP

Vector = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.float64]

_SCALE: Final = 127


def quantise(unit: npt.NDArray[np.float32]) -> Vector:
    """Return a vector of length 1 as signed bytes: each number times 127, rounded."""
    return np.clip(np.rint(unit * _SCALE), -_SCALE, _SCALE).astype(np.int8)


def to_text(vector: Vector) -> str:
    """Return the base64 of a vector, as the log has it."""
    return base64.b64encode(vector.tobytes()).decode()


def from_text(text: str) -> Vector:
    """Return the vector in `text`. Raises ValueError if it does not hold one."""
    data = base64.b64decode(text, validate=True)
    if len(data) != EMBEDDING_DIMENSIONS:
        raise ValueError(f"{len(data)} bytes are no embedding")
    return np.frombuffer(data, dtype=np.int8)


def squares(vector: Vector) -> int:
    """Return the vector's length, squared."""
    wide = vector.astype(np.int64)
    return int(wide @ wide)


def similarity_bp(product: Numbers, squares: Numbers) -> npt.NDArray[np.int64]:
    """Return cosines in ten-thousandths, towards 0, of inner products and squared lengths.

    `squares` is the product of both vectors' squared lengths; if it is 0, so is the cosine.
    All inputs are whole numbers below 2^53, and IEEE 754 defines how roots and quotients
    are rounded, so the same bytes have the same similarity on every machine.
    """
    lengths = np.sqrt(np.maximum(squares, 1.0))
    return (product * WEIGHT_ONE_BP / lengths).astype(np.int64)
