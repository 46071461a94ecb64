"""Pictures as SVG text: a graph in layers, and numbers over time in steps.

No font is measured: boxes are as wide as their longest line in a fixed-width face.
"""

from collections.abc import Sequence
from textwrap import wrap
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from replay.graphs.graph import Graph, Node
from replay.limits import MAX_SVG_LINE_CHARS, MAX_SVG_NODES

_CHAR: Final = 6.7
_TITLE_CHARS: Final = 36
"""Where a title goes on in the next line, so that a picture is not wider than a page."""
_LINE: Final = 15
_PAD: Final = 8
_GAP_X: Final = 56
_GAP_Y: Final = 10
_MARGIN: Final = 16
_STYLE: Final = (
    "text{font:11px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1b1f24}"
    ".small{fill:#5b6470}.flaw{fill:#b3261e}.edge{fill:none;stroke:#8a94a0;stroke-width:1.2}"
    ".grid{stroke:#e3e6ea}.then{fill:none;stroke:#8a94a0;stroke-width:1.6}"
    ".now{fill:none;stroke:#c2410c;stroke-width:1.6}"
)
_FILLS: Final = {
    "price": "#dbeafe",
    "market": "#e0f2fe",
    "trade": "#e0f2fe",
    "order": "#f1f5f9",
    "score": "#fef3c7",
    "score_change": "#fef3c7",
    "assessment": "#fff7e6",
    "story": "#fff7e6",
    "article": "#dcfce7",
    "llm": "#ede9fe",
    "review": "#fee2e2",
    "decision": "#fce7f3",
}
"""By kind of node; what has none is white."""


class _Box(NamedTuple):
    node: Node
    lines: list[tuple[str, str]]
    """Each with its style."""
    width: float
    height: float


class Line(NamedTuple):
    """One history of a number: `(time_ns, value_e2)` in order of time, drawn in steps."""

    name: str
    style: str
    points: Sequence[tuple[int, int]]


class Panel(NamedTuple):
    """Histories in one frame."""

    title: str
    lines: Sequence[Line]


def _document(width: float, height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">'
    )
    marker = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#8a94a0"/>'
        "</marker></defs>"
    )
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", marker, paper, *parts, "</svg>", ""])


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    style = f" class={quoteattr(kind)}" if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{style}>{escape(text)}</text>'


# -- graphs --------------------------------------------------------------------------


def draw(graph: Graph) -> str:
    """Return the graph as SVG: the root at the left, each layer to the right of what leads to it.

    More than MAX_SVG_NODES are not drawn, and the picture says how many those are.
    """
    kept = _nearest(graph)
    layer = _layers(graph, kept)
    boxes = {key: _box(graph.nodes[key]) for key in kept}
    columns = [[key for key in kept if layer[key] == number] for number in range(_depth(layer))]
    lefts, left = [], float(_MARGIN)
    for column in columns:
        lefts.append(left)
        left += max(boxes[key].width for key in column) + _GAP_X
    tops = _tops(graph, kept, layer, boxes)
    parts = [_edge(graph, one, two, boxes, lefts, layer, tops) for one, two in _drawn(graph, kept)]
    parts += [_drawing(boxes[key], lefts[layer[key]], tops[key]) for key in kept]
    height = max(tops[key] + boxes[key].height for key in kept) + _MARGIN
    hidden = len(graph.nodes) - len(kept)
    if hidden:
        parts.append(_text(_MARGIN, height + 4, f"and {hidden:,} more nodes", "small"))
        height += 2 * _LINE
    return _document(left - _GAP_X + _MARGIN, height, parts)


def _nearest(graph: Graph) -> list[str]:
    """Return the keys nearest to the root, level by level, as many as are drawn; then as a tree."""
    found: dict[str, None] = {graph.root.key: None}
    level = [graph.root.key]
    while level and len(found) < MAX_SVG_NODES:
        level = [below for key in level for below in graph.nodes[key].leads if below not in found]
        level = [*dict.fromkeys(level)][: MAX_SVG_NODES - len(found)]
        found |= dict.fromkeys(level)
    return _as_tree(graph, graph.root.key, found, {})


def _as_tree(graph: Graph, key: str, kept: dict[str, None], seen: dict[str, None]) -> list[str]:
    """Return the kept keys in the order in which a tree tells them."""
    seen[key] = None
    for below in graph.nodes[key].leads:
        if below in kept and below not in seen:
            _as_tree(graph, below, kept, seen)
    return [*seen]


def _drawn(graph: Graph, kept: Sequence[str]) -> list[tuple[str, str]]:
    drawn = frozenset(kept)
    return [edge for edge in graph.edges() if edge[0] in drawn and edge[1] in drawn]


def _layers(graph: Graph, kept: Sequence[str]) -> dict[str, int]:
    """Return by key how far from the root it stands: every edge leads to a later layer.

    An edge that would close a circle (a flaw of the log, if ever) does not count.
    """
    drawn = frozenset(kept)
    layer = dict.fromkeys(kept, 0)
    order: list[str] = []
    open_: set[str] = set()
    done: set[str] = set()

    def visit(key: str) -> None:
        open_.add(key)
        for below in graph.nodes[key].leads:
            if below in drawn and below not in open_ and below not in done:
                visit(below)
        open_.discard(key)
        done.add(key)
        order.append(key)

    visit(graph.root.key)
    place = {key: number for number, key in enumerate(reversed(order))}
    for key in reversed(order):
        for below in graph.nodes[key].leads:
            if below in drawn and place[below] > place[key]:
                layer[below] = max(layer[below], layer[key] + 1)
    return layer


def _depth(layer: dict[str, int]) -> int:
    return max(layer.values()) + 1


def _box(node: Node) -> _Box:
    lines = [("", line) for line in wrap(_cut(node.title), _TITLE_CHARS)]
    lines += [("small", _cut(node.place))] if node.place else []
    lines += [("flaw", _cut(flaw)) for flaw in node.flaws[:2]]
    width = max(len(line) for _, line in lines) * _CHAR + 2 * _PAD
    return _Box(node, lines, width, len(lines) * _LINE + _PAD)


def _cut(line: str) -> str:
    return line if len(line) <= MAX_SVG_LINE_CHARS else line[: MAX_SVG_LINE_CHARS - 1] + "…"


def _tops(
    graph: Graph, kept: Sequence[str], layer: dict[str, int], boxes: dict[str, _Box]
) -> dict[str, float]:
    """Return where each box begins: not above its parent, and where its children have room."""
    room = dict.fromkeys(range(_depth(layer)), float(_MARGIN))
    tops: dict[str, float] = {}
    above = {below: key for key, below in reversed(_drawn(graph, kept))}
    deepest = dict(layer)  # the last layer of what is told below each
    for key in reversed(kept):
        if key in above:
            deepest[above[key]] = max(deepest[above[key]], deepest[key])
    for key in kept:
        parent, at = above.get(key), layer[key]
        least = tops.get(parent, 0.0) if parent is not None else 0.0
        below = [room[number] for number in range(at, deepest[key] + 1)]
        tops[key] = max(least, *below, 0.0)
        room[at] = tops[key] + boxes[key].height + _GAP_Y
    return tops


def _edge(
    graph: Graph,
    one: str,
    two: str,
    boxes: dict[str, _Box],
    lefts: Sequence[float],
    layer: dict[str, int],
    tops: dict[str, float],
) -> str:
    x1 = lefts[layer[one]] + boxes[one].width
    y1, y2 = tops[one] + boxes[one].height / 2, tops[two] + boxes[two].height / 2
    x2 = lefts[layer[two]]
    bend = max((x2 - x1) / 2, 24.0)
    path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    end = "start" if graph.towards_root else "end"
    return f'<path class="edge" marker-{end}="url(#tip)" d="{path}"/>'


def _drawing(box: _Box, left: float, top: float) -> str:
    fill = _FILLS.get(box.node.kind, "#fff")
    stroke = "#b3261e" if box.node.flaws else "#9aa4b0"
    rect = (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
        f'rx="4" fill="{fill}" stroke="{stroke}"/>'
    )
    texts = [
        _text(left + _PAD, top + _LINE * (number + 1) - 1, line, style)
        for number, (style, line) in enumerate(box.lines)
    ]
    return "".join([rect, *texts])


# -- plots ---------------------------------------------------------------------------

_WIDTH: Final = 860
_HEIGHT: Final = 170
_LEFT: Final = 56


def plot(title: str, panels: Sequence[Panel], since: str, until: str) -> str:
    """Return panels one below the other, all over the same time."""
    times = [at for panel in panels for line in panel.lines for at, _ in line.points]
    first, last = min(times, default=0), max(times, default=1)
    parts = [_text(_MARGIN, 22, title)]
    top = 40.0
    for panel in panels:
        parts.append(_panel(panel, top, first, max(last, first + 1)))
        top += _HEIGHT + 44
    parts.append(_text(_LEFT, top - 6, since, "small"))
    parts.append(_text(_LEFT + _WIDTH - len(until) * _CHAR, top - 6, until, "small"))
    return _document(_LEFT + _WIDTH + _MARGIN, top + _MARGIN, parts)


def _panel(panel: Panel, top: float, first: int, last: int) -> str:
    values = [value for line in panel.lines for _, value in line.points]
    low, high = min(values, default=0), max(values, default=10_000)
    spare = max((high - low) // 10, 50)
    low, high = max(low - spare, 0), min(high + spare, 10_000)
    base, height = top + 18, _HEIGHT
    parts = [_text(_LEFT, top + 8, panel.title)]
    for value in (low, (low + high) // 2, high):
        y = base + height - (value - low) * height / max(high - low, 1)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(_text(8, y + 4, f"{value / 100:6.2f}", "small"))
    legend = _LEFT + len(panel.title) * _CHAR + 24
    for line in panel.lines:
        path = _steps(line, base, height, (first, last), (low, high))
        parts.append(f'<path class="{line.style}" d="{path}"/>')
        parts.append(
            f'<path class="{line.style}" d="M{legend:.1f} {top + 4:.1f}h18"/>'
            + _text(legend + 24, top + 8, line.name, "small")
        )
        legend += 24 + len(line.name) * _CHAR + 24
    return "".join(parts)


def _steps(
    line: Line, base: float, height: float, times: tuple[int, int], values: tuple[int, int]
) -> str:
    """Return the path of a number that stays as it is until it changes."""
    first, last = times
    low, high = values
    path: list[str] = []
    for at, value in line.points:
        x = _LEFT + (at - first) * _WIDTH / (last - first)
        y = base + height - (value - low) * height / max(high - low, 1)
        path.append(f"H{x:.1f}V{y:.1f}" if path else f"M{x:.1f} {y:.1f}")
    if path:
        path.append(f"H{_LEFT + _WIDTH}")
    return "".join(path)
