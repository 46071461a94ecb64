"""Pages of trafilatura's evaluation and of fundus' tests: the text and the date that we find.

trafilatura's pages come with pieces that belong to the text and pieces that do not; they are
counted as its own evaluation does (tests/eval_common.py there: pieces found as substrings after
folding blanks, a refused page misses all). fundus' pages come with the whole body and the date.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any, Final, NamedTuple

from schemas.units import SECOND_NS
from tests.bench.corpora.reading import Bounds, CorpusReader, table

_HTML: Final = {"content-type": "text/html"}
_WORD: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""Of Chinese and Japanese, each character counts as a word."""
WRONG_F: Final = 0.3
"""A text with fewer of the article's words than that is another text."""
MINUTE_S: Final = 60
DAY_S: Final = 86_400
_DATED: Final = re.compile(r"_\d{4}_\d\d_\d\d\.html\.gz")
_VERSION: Final = re.compile(r"\d+")


# -- trafilatura -------------------------------------------------------------------------


async def measure_pieces(folder: Path, bounds: Bounds, reader: CorpusReader, lists: bool) -> str:
    """Return precision, recall and F1 of the pieces that are in our texts."""
    root = folder / "trafilatura" / "tests"
    pages = sorted(json.loads((root / "evaldata.json").read_bytes()).items())
    count: Counter[str] = Counter()
    missed: list[str] = []
    for url, told in bounds.sample(pages):
        body = _evaluated(root, told["file"])
        item = await reader.page(url, body, _HTML)
        text = _blanks_folded(item.text) if item is not None else ""
        right = sum(_blanks_folded(piece) in text for piece in told["with"])
        wrong = sum(_blanks_folded(piece) in text for piece in told["without"])
        count.update(
            pages=1,
            refused=int(item is None),
            right=right,
            wrong=wrong,
            missed=len(told["with"]) - right,
            left=len(told["without"]) - wrong,
        )
        if right < len(told["with"]) / 2:
            missed.append(f"{url}: {right} of {len(told['with'])}")
    precision = _share(count["right"], count["right"] + count["wrong"])
    recall = _share(count["right"], count["right"] + count["missed"])
    f1 = _share(2 * count["right"], 2 * count["right"] + count["wrong"] + count["missed"])
    head = ["pages", "there", "seen", "refused", "precision", "recall", "F1"]
    scores = [f"{one:.3f}" for one in (precision, recall, f1)]
    row = ["trafilatura", len(pages), count["pages"], count["refused"], *scores]
    return "\n".join([table(head, [row]), *(["", *missed] if lists else [])])


def _evaluated(root: Path, name: str) -> bytes:
    kept = [root / below / name for below in ("cache", "eval")]
    return next(path for path in kept if path.is_file()).read_bytes()


def _blanks_folded(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


# -- fundus ------------------------------------------------------------------------------


class ExpectedPage(NamedTuple):
    """A page, and what its project reads in it."""

    name: str
    url: str
    path: Path
    text: str
    published: datetime


def expected_pages(root: Path) -> Iterator[ExpectedPage]:
    """Yield the pages below `root`, one for each version of each publisher's parser."""
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        told = folder / "meta.info"
        if told.is_file():
            yield from _of_country(folder, json.loads(told.read_bytes()))


def _of_country(folder: Path, meta: dict[str, dict[str, str]]) -> Iterator[ExpectedPage]:
    for path in sorted(folder.glob("*.json")):
        versions = json.loads(path.read_bytes())
        found = [page.name for page in folder.glob("*.html.gz")]
        named = [name for name in found if _DATED.sub("", name) == path.stem]
        dated = sorted(named, key=lambda name: meta[name]["crawl_date"])
        # A later version of a parser is for later pages: V1, V1_1, V2.
        ordered = sorted(versions, key=lambda name: [*map(int, _VERSION.findall(name))])
        for name, version in zip(dated, ordered, strict=True):
            want = versions[version]
            published = datetime.fromisoformat(want["publishing_date"])
            yield ExpectedPage(
                name=name,
                url=meta[name]["url"],
                path=folder / name,
                text=_body(want["body"]),
                published=published if published.tzinfo else published.replace(tzinfo=UTC),
            )


def _body(body: dict[str, Any]) -> str:
    parts = [*body.get("summary", [])]
    for section in body.get("sections", []):
        parts += [*section["headline"], *section["paragraphs"]]
    return " ".join(parts)


async def measure_articles(folder: Path, bounds: Bounds, reader: CorpusReader, lists: bool) -> str:
    """Return the F-score of the articles' words, and how near our dates are."""
    pages = list(expected_pages(folder / "fundus/tests/resources/parser/test_data"))
    scores: list[float] = []
    off: Counter[str] = Counter()
    told: list[str] = []
    for page in bounds.sample(pages):
        body = gzip.decompress(page.path.read_bytes())
        item = await reader.page(page.url, body, {"content-type": "text/html; charset=utf-8"})
        if page.text:
            scores.append(f_score(item.text if item is not None else "", page.text))
            if scores[-1] < WRONG_F:
                told.append(f"{page.name}: F {scores[-1]:.2f}")
        distance = _distance(item.published_ns if item is not None else None, page.published)
        off[distance] += 1
        if distance != "within a minute":
            told.append(f"{page.name}: date {distance}")
    wrong = sum(one < WRONG_F for one in scores)
    words = table(
        ["pages", "there", "with a text", "F of the words", f"another text (F < {WRONG_F})"],
        [["fundus", len(pages), len(scores), f"{mean(scores):.3f}", wrong]],
    )
    kinds = ["within a minute", "within a day", "further off", "none"]
    dates = table(
        ["dates", "seen", *kinds], [["fundus", off.total(), *(off[one] for one in kinds)]]
    )
    return "\n".join([words, "", dates, *(["", *told] if lists else [])])


def f_score(got: str, wanted: str) -> float:
    """Return the F-score of the words of `got`, each as often as it is there."""
    ours, theirs = (Counter(_WORD.findall(text.lower())) for text in (got, wanted))
    both = (ours & theirs).total()
    return _share(2 * both, ours.total() + theirs.total())


def _distance(published_ns: int | None, wanted: datetime) -> str:
    if published_ns is None:
        return "none"
    seconds = abs(published_ns / SECOND_NS - wanted.timestamp())
    if seconds <= MINUTE_S:
        return "within a minute"
    return "within a day" if seconds <= DAY_S else "further off"
