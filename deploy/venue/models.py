"""`make models`: see that the models are here and are the ones that they should be.

| variable           | default                                  | what                          |
|--------------------|------------------------------------------|-------------------------------|
| LLM_MODEL          | models/… in the home                     | where the GGUF file is        |
| LLM_MODEL_SHA256   | (written beside it on first use)         | what that file must be        |
| LLM_MODEL_REPO     | TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF   | where it is downloaded from   |
| LLM_MODEL_REVISION | main                                     | of that repository            |
| LLM_MODEL_FILE     | tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf     | its name there                |

exit code   meaning
0           all models are here
65          a model is not the one it should be
69          a model is not here, and could not be had
"""

import os
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import typer

from deploy.processes.service import EXIT_UNAVAILABLE
from deploy.venue.settings import Home, Settings
from schemas.errors import EverythingError
from streams.ingest.asking.llama import NOT_INSTALLED
from streams.ingest.asking.model_file import (
    DEFAULT_FILE,
    pin_of,
    sha256_of,
    stated_sha256,
)
from streams.ingest.measuring import embedding

EXIT_WRONG: Final = 65

Say = Callable[[str], None]


class Origin(NamedTuple):
    """Where the LLM's file is downloaded from."""

    repo: str = "TheBloke/TinyLlama-1.1B-Chat-v1.0-GGUF"
    revision: str = "main"
    file: str = DEFAULT_FILE

    @classmethod
    def from_environment(cls) -> "Origin":
        """Return what LLM_MODEL_REPO, _REVISION and _FILE say, else the defaults."""
        variables = {name: f"LLM_MODEL_{name.upper()}" for name in cls._fields}
        return cls(
            **{
                name: os.environ[variable]
                for name, variable in variables.items()
                if variable in os.environ
            }
        )


Download = Callable[[Origin, Path], Path]
"""Puts the origin's file into a folder and returns where; raises one of NOT_HAD."""
NOT_HAD: Final = (OSError, ValueError, httpx.HTTPError)


class Lacking(Exception):
    """A model is missing or wrong; the error says which and what to do."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def llm_path(settings: Settings) -> Path:
    """Return where the LLM's file is, or has to be put."""
    return settings.llm_model or Home(settings.home).models / DEFAULT_FILE


def check_embedding() -> None:
    """Raise Lacking unless the embedding model is the pinned one."""
    try:
        embedding.check_files(embedding.model_folder())
    except EverythingError as error:
        raise Lacking(str(error), EXIT_WRONG) from error


def check_library() -> None:
    """Raise Lacking unless llama.cpp is installed."""
    if find_spec("llama_cpp") is None:
        raise Lacking(NOT_INSTALLED, EXIT_UNAVAILABLE)


def ensure_llm(path: Path, stated: str | None, origin: Origin, download: Download, say: Say) -> str:
    """Have the LLM's file at `path`, downloading it if need be, and return its SHA-256.

    Where nobody stated what it must be, what is there at first is trusted and written down.
    Raises Lacking.
    """
    wanted = stated_sha256(path, stated)
    if stated is not None and wanted is None:
        raise Lacking("LLM_MODEL_SHA256 is no SHA-256: 64 hexadecimal digits", EXIT_WRONG)
    if path.is_file():
        found = _agreed(path, wanted)
    else:
        say(f"downloading {origin.file} from {origin.repo} (some hundred MB)")
        found = _downloaded(path, wanted, origin, download)
    if wanted is None:
        pin_of(path).write_text(f"{found}\n", encoding="ascii")
        say(f"trusted on first use, and written down in {pin_of(path).name}: compare it")
    return found


def _agreed(path: Path, wanted: str | None) -> str:
    """Return the SHA-256 of the file at `path`. Raises Lacking if it is not the wanted one."""
    found = sha256_of(path)
    if wanted is not None and found != wanted:
        raise Lacking(f"{path.name} has SHA-256 {found}, but should have {wanted}", EXIT_WRONG)
    return found


def _downloaded(path: Path, wanted: str | None, origin: Origin, download: Download) -> str:
    """Put the file at `path` once it is known to be the right one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
        try:
            got = download(origin, Path(folder))
        except NOT_HAD as error:
            raise Lacking(
                f"{origin.file} could not be downloaded from {origin.repo} "
                f"({type(error).__name__}). The venue runs without it. To add it by hand, "
                f"put it at {path} and run this again.",
                EXIT_UNAVAILABLE,
            ) from error
        found = _agreed(got, wanted)
        got.replace(path)
    return found


def from_hub(origin: Origin, folder: Path) -> Path:
    """Download from the Hugging Face hub. Raises one of NOT_HAD."""
    from huggingface_hub import hf_hub_download

    return Path(
        hf_hub_download(
            origin.repo, origin.file, revision=origin.revision, local_dir=folder, token=False
        )
    )


def ensure(settings: Settings, origin: Origin, download: Download, say: Say) -> int:
    """Check every model, get what is missing, say how it went; return the exit code."""
    checks: tuple[tuple[str, Callable[[], str | None]], ...] = (
        ("embedding model", check_embedding),
        ("llama.cpp", check_library),
        (
            "LLM",
            lambda: ensure_llm(
                llm_path(settings), settings.llm_model_sha256, origin, download, say
            ),
        ),
    )
    code = 0
    for name, check in checks:
        try:
            found = check()
        except Lacking as lack:
            say(f"{name}: {lack}")
            code = max(code, lack.exit_code)
        else:
            say(f"{name}: here{f', SHA-256 {found}' if found else ''}")
    return code


def main() -> None:
    """Check and get the models of this venue."""
    sys.exit(ensure(Settings(), Origin.from_environment(), from_hub, typer.echo))


if __name__ == "__main__":
    main()
