"""`everything quality`: how far sentiment and keywords agree with people's ratings."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.output import document, rows, say
from deploy.cli.parameters import Json


def quality(
    path: Annotated[
        Path, typer.Argument(help="A tab-separated file with columns mean_rating and text.")
    ],
    as_json: Json = False,
) -> None:
    """Correlate sentiment, keywords and quick_score with a file of people's ratings."""
    from deploy.venue import news

    news.require()
    from streams.ingest.measuring.quality import correlate

    report = correlate(path)
    agreements = [one._asdict() for one in report.agreements]
    if as_json:
        document({**report._asdict(), "agreements": agreements})
        return
    shown = [
        {
            "measure": one.measure,
            "pearson": f"{one.pearson:.3f}",
            "spearman": f"{one.spearman:.3f}",
            "silent": f"{one.silent_bp / 100:.1f}%",
            "right": f"{one.right_bp / 100:.1f}%",
        }
        for one in report.agreements
    ]
    columns = {name: name for name in ("measure", "pearson", "spearman", "silent", "right")}
    rows(shown, columns, empty="nothing measured", as_json=False)
    say(f"{report.texts:,} texts; {report.keywords[:25]}…")
