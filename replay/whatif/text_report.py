"""A comparison in words for a terminal, and as a plot of both histories."""

from collections.abc import Sequence

from replay.graphs.svg import Line, Panel, plot
from replay.limits import MAX_PLOT_PANELS
from replay.whatif.comparison import Comparison, Symbol
from schemas.texts import second_of, time_of
from schemas.units import to_decimal

_SHOWN = 20
"""Reviews and clusters that a person is told one by one; programs get more."""


_HEAD = (
    "symbol", "score then", "now", "market then", "now", "price then", "now", "changes then", "now"
)  # fmt: skip


def describe(comparison: Comparison) -> list[str]:
    """Return the lines that tell a person what would be otherwise."""
    lines = [f"what if: {'; '.join(comparison.changes)}", ""]
    differing = [one for one in comparison.symbols if one.differs]
    lines += _table(_HEAD, [_cells(one) for one in differing])
    same = len(comparison.symbols) - len(differing)
    lines += [
        f"{same:,} symbols end the same" if differing else f"all {same:,} symbols end the same"
    ]
    lines += ["", *_table(("", "then", "now"), [
        (one.what, f"{one.then:,}", f"{one.now:,}") for one in comparison.counts
    ])]  # fmt: skip
    lines += _reviews(comparison)
    lines += _clusters(comparison)
    lines += ["", *comparison.notes, *(f"CAUTION {flaw}" for flaw in comparison.flaws)]
    where = f"first decided otherwise at sequence {comparison.differs_at:,}"
    if not comparison.differs_at:
        where = "every record of reality and pricing is decided the same"
    return [*lines, f"read {comparison.shard} up to sequence {comparison.through:,}; {where}"]


def _reviews(comparison: Comparison) -> list[str]:
    if not comparison.reviews:
        return []
    rows = [
        (
            one.proposal_hash[:16],
            one.symbol,
            to_decimal(one.delta_e2),
            one.then or "not opened",
            one.now or "not opened",
        )
        for one in comparison.reviews[:_SHOWN]
    ]
    lines = ["", *_table(("review", "symbol", "move", "then", "now"), rows)]
    return lines + _rest(len(comparison.reviews), "reviews")


def _clusters(comparison: Comparison) -> list[str]:
    if not comparison.clusters:
        return []
    rows = [
        (str(one.cluster), f"{one.articles_then:,}", f"{one.articles_now:,}")
        for one in comparison.clusters[:_SHOWN]
    ]
    lines = ["", *_table(("cluster", "articles then", "now"), rows)]
    return lines + _rest(len(comparison.clusters), "clusters")


def _rest(count: int, what: str) -> list[str]:
    return [f"and {count - _SHOWN:,} more {what}; --json has them"] if count > _SHOWN else []


def _cells(one: Symbol) -> tuple[str, ...]:
    scores = one.score_then_e2, one.score_now_e2
    prices = one.market_then_e2, one.market_now_e2, one.final_then_e2, one.final_now_e2
    shown = ["-" if number is None else to_decimal(number) for number in (*scores, *prices)]
    return one.symbol, *shown, f"{one.score_changes_then:,}", f"{one.score_changes_now:,}"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a table as lines: the first column to the left, all others to the right."""
    if not rows:
        return []
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    ]


def draw(comparison: Comparison) -> str:
    """Return score and final price over time as SVG, then and now, for symbols that differ.

    More than MAX_PLOT_PANELS frames are not drawn. If nothing differs, the first are.
    """
    names = [one.symbol for one in comparison.symbols if one.differs]
    names = names or [one.symbol for one in comparison.symbols]
    panels = []
    for name in names:
        past = comparison.histories[name]
        for what, then, now in (
            ("score", past.score_then, past.score_now),
            ("price", past.final_then, past.final_now),
        ):
            if then or now:
                lines = [Line("then", "then", then), Line("what if", "now", now)]
                panels.append(Panel(f"{name} {what}", lines))
    panels = panels[:MAX_PLOT_PANELS]
    times = [at for panel in panels for line in panel.lines for at, _ in line.points]
    title = f"what if: {'; '.join(comparison.changes)}"
    return plot(title, panels, _utc(min(times, default=0)), _utc(max(times, default=0)))


def _utc(time_ns: int) -> str:
    return second_of(time_of(time_ns))
