"""What led to what: a graph of messages, events and sums, from one root, and its text as a tree.

`why` and `moved` answer with a graph. A node of a message on the log has its sequence and
subject. A message that was not found, or a sum that does not fit, is a flaw of its node: the
graph claims nothing that was not seen.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

_TOKEN: Final = 32
"""A longer token of a subject is a public key, and told by how it begins."""
_SHORT: Final = 8
_SUMS: Final = 12
"""Equations that a person is told one by one; programs get them all."""


class Node(msgspec.Struct, kw_only=True):
    """One thing. `facts` are its numbers as integers, named as on the log, for programs."""

    key: str
    kind: str
    title: str
    sequence: int = 0
    """0 for what is a sum over many messages."""
    subject: str = ""
    facts: dict[str, Any] = {}
    flaws: list[str] = []
    leads: list[str] = []
    """The keys of what stands below it: its causes in `why`, its effects in `moved`."""

    @property
    def place(self) -> str:
        """Where it stands on the log, such as `4,812 main.evt.reality`; empty for a sum."""
        if not self.sequence:
            return ""
        tokens = self.subject.split(".")
        short = [one if len(one) <= _TOKEN else one[:_SHORT] + "…" for one in tokens]
        return f"{self.sequence:,} {'.'.join(short)}"


class Sum(msgspec.Struct, frozen=True):
    """An equation that was computed again: `text` states it, `holds` whether it came out."""

    text: str
    holds: bool


class Graph(msgspec.Struct, kw_only=True):
    """Nodes by key; the first is the root. `sums` are all the arithmetic that was checked."""

    shard: str
    question: str
    through: int
    """The log was read up to this sequence."""
    towards_root: bool
    """Whether arrows point at the root: its nodes are causes. Else they are effects."""
    nodes: dict[str, Node] = {}
    sums: list[Sum] = []
    notes: list[str] = []

    @property
    def root(self) -> Node:
        return next(iter(self.nodes.values()))

    @property
    def flaws(self) -> list[str]:
        """What could not be found or does not fit, each with its place."""
        found = [
            f"{node.place or node.title}: {flaw}"
            for node in self.nodes.values()
            for flaw in node.flaws
        ]
        return found + [f"does not add up: {one.text}" for one in self.sums if not one.holds]

    def add(self, node: Node, under: str = "") -> Node:
        """Put a node into the graph, once, and below another; return the one that is there."""
        there = self.nodes.setdefault(node.key, node)
        self.link(under, node.key)
        return there

    def link(self, above: str, below: str) -> None:
        """Have one node lead to another, once; an empty `above` is nobody."""
        if above and above != below and below not in self.nodes[above].leads:
            self.nodes[above].leads.append(below)

    def check(self, text: str, holds: bool) -> bool:
        """Note an equation that was computed again."""
        self.sums.append(Sum(text, holds))
        return holds

    def edges(self) -> Iterator[tuple[str, str]]:
        """Yield every link, from the node above to the node below."""
        for node in self.nodes.values():
            for key in node.leads:
                yield node.key, key

    def document(self) -> dict[str, Any]:
        """Return all of it for programs."""
        whole: dict[str, Any] = msgspec.to_builtins(self)
        whole["nodes"] = [*whole["nodes"].values()]
        return whole | {"adds_up": all(one.holds for one in self.sums), "flaws": self.flaws}


def describe(graph: Graph) -> list[str]:
    """Return the graph as a tree for a person; what has several places is told at the first."""
    lines = [graph.question, ""]
    told: set[str] = set()
    lines += _branch(graph, graph.root, "", "", told)
    lines += _sums(graph.sums)
    flaws = graph.flaws
    lines += ["", *graph.notes] if graph.notes else [""]
    lines += [f"MISSING {flaw}" for flaw in flaws]
    read = f"read {graph.shard} up to sequence {graph.through:,}"
    lines.append(f"{read}; {len(flaws)} links are missing or wrong" if flaws else read)
    return lines


def _sums(sums: list[Sum]) -> list[str]:
    """Return the first sums, those that do not come out, and how many others do."""
    if not sums:
        return []
    told = [one for number, one in enumerate(sums) if number < _SUMS or not one.holds]
    lines = ["", "computed again:"]
    lines += [f"  {'=' if one.holds else 'WRONG'} {one.text}" for one in told]
    rest = len(sums) - len(told)
    return [*lines, f"  = and {rest:,} more, which all come out"] if rest else lines


def _branch(graph: Graph, node: Node, first: str, rest: str, told: set[str]) -> list[str]:
    place = f"  [{node.place}]" if node.place else ""
    if node.key in told:
        return [f"{first}{node.title}{place}" + (" (told above)" if node.leads else "")]
    told.add(node.key)
    lines = [f"{first}{node.title}{place}"]
    last = len(node.leads) - 1
    for number, key in enumerate(node.leads):
        elbow, stem = ("└─ ", "   ") if number == last else ("├─ ", "│  ")
        lines += _branch(graph, graph.nodes[key], rest + elbow, rest + stem, told)
    return lines
