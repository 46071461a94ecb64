"""Which items are known again: feeds polled as they really are, poll after poll."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.articles import page, snapshot_id
from schemas.codec import encode
from schemas.observations import OBSERVATIONS, ListedItem, SourceListed, SourceListed1
from schemas.units import HOUR_NS, MINUTE_NS
from streams.ingest.fetching.identity import ItemMemory, Sorted, sort_out, whole_id
from streams.ingest.limits import MAX_FEED_ITEMS, MAX_REMEMBERED_ITEMS
from streams.ingest.sources.model import Item
from tests.support.drawing import drawn

NOON_NS = 1_800_000_000_000_000_000
URL = "https://pub.example/feed"


def item(number: int, **fields: Any) -> Item:
    """Return an ordinary item, as most feeds have it."""
    given: dict[str, Any] = {
        "guid": f"tag:pub.example,2026:{number}",
        "link": f"https://pub.example/news/{number}",
        "title": f"Story number {number} about the harbour",
        "text": f"What happened in story {number}, at some length, people say.",
        "published_ns": NOON_NS - number * HOUR_NS,
        **fields,
    }
    return Item(**given)


class Polls:
    """A document polled again and again; `restart` folds the log's listings anew."""

    def __init__(self, *, follows: bool = False) -> None:
        self.follows, self.memory = follows, ItemMemory()
        self.now_ns, self.sequence = NOON_NS, 0
        self.log: list[tuple[int, bytes]] = []
        self.last: Sorted = Sorted([], [])

    def poll(self, items: Sequence[Item], after_ns: int = 5 * MINUTE_NS) -> int:
        """Return how many items are fresh."""
        self.now_ns += after_ns
        found = self.last = sort_out(self.memory, items, follows=self.follows, now_ns=self.now_ns)
        if found.listed or not self.log:
            self._listed(found.listed)
        return len(found.fresh)

    def _listed(self, items: list[ListedItem]) -> None:
        self.sequence += 7
        listed = SourceListed(
            source="wire", url=URL, body_hash="", etag="", last_modified="", items=items,
            count=len(items), since=self.memory.since, listed_ns=self.now_ns,
        )  # fmt: skip
        self.log.append((self.sequence, encode(listed)))
        self.memory.fold(listed, self.sequence)

    def restart(self) -> None:
        last = OBSERVATIONS.decode(self.log[-1][1])
        assert isinstance(last, SourceListed)
        self.memory = ItemMemory()
        for sequence, payload in self.log:
            listed = OBSERVATIONS.decode(payload)
            if isinstance(listed, SourceListed) and sequence >= (last.since or self.sequence):
                self.memory.fold(listed, sequence)

    def names(self) -> list[str]:
        return [known_as.item for _, known_as in self.last.fresh]


def counts(poll: Callable[[int], Sequence[Item]], times: int = 4, **how: bool) -> list[int]:
    """Return how many items are fresh in each poll, with a restart after the second."""
    polls, found = Polls(**how), []
    for time in range(times):
        found.append(polls.poll(poll(time)))
        if time == 1:
            polls.restart()
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda n, t: {},
        lambda n, t: {"link": f"https://pub.example/news/{n}?cid={t}"},
        lambda n, t: {"guid": "", "link": f"https://pub.example/news/{n}?utm_term={t}"},
        lambda n, t: {"guid": "", "link": f"https://pub.example/news/{n}?cid={t}"},
        lambda n, t: {"guid": f"https://pub.example/news/{n}?at_medium={t}", "link": ""},
        lambda n, t: {"guid": f"random {t} {n}"},
        lambda n, t: {"guid": f"random {t} {n}", "published_ns": NOON_NS + t},
        lambda n, t: {"guid": f"random {t} {n}", "published_ns": None},
        lambda n, t: {"guid": f"random {t} {n}", "link": f"https://pub.example/{n}?fbclid={t}"},
        lambda n, t: {"guid": f"random {t} {n}", "link": ""},
        lambda n, t: {"guid": f"random {t} {n}", "link": "https://pub.example/"},
        lambda n, t: {"guid": "", "link": ""},
        lambda n, t: {"guid": "the same for all"},
        lambda n, t: {"link": "https://pub.example/live"},
        lambda n, t: {"guid": str((n + t) % 5)},  # numbers of places
        lambda n, t: {"guid": "", "link": f"{('http', 'https')[t % 2]}://pub.example/news/{n}"},
        lambda n, t: {"guid": "", "link": f"https://{('www.', '')[t % 2]}pub.example/{n}/"},
        lambda n, t: {"guid": "", "link": f"https://pub.example/{n}{('', '/amp')[t % 2]}"},
        lambda n, t: {"guid": f"https://pub.example/news/{n}#{t}"},
        lambda n, t: {"guid": f"https://pub.example/live#{n}", "link": "https://pub.example/live"},
        lambda n, t: {"title": f"Story  NUMBER {n} about the harbour" if t % 2 else
                      f"Story number {n} about the harbour"},
        lambda n, t: {"text": ("It isn't “so”.", "It isn’t\u00a0\"so\".")[t % 2]},
        lambda n, t: {"published_ns": None, "guid": "", "link": f"https://pub.example/{n}?x={t}"},
        lambda n, t: {"published_ns": NOON_NS + t, "guid": "", "link": f"https://a.example/{n}{t}"},
        lambda n, t: {"published_ns": NOON_NS + t, "guid": f"{t}{n}", "link": ""},
    ],
)  # fmt: skip
def test_nothing_is_new_that_was_there_before(change: Callable[[int, int], dict[str, Any]]) -> None:
    assert counts(lambda time: [item(n, **change(n, time)) for n in range(5)]) == [5, 0, 0, 0]


def test_made_up_links_are_recognised_by_the_words_of_all() -> None:
    def linked(time: int, *numbers: int) -> list[Item]:
        return [
            item(n, guid="", link=f"https://pub.example/{n}?x={time}", text="", published_ns=None)
            for n in numbers
        ]

    assert counts(lambda time: linked(time, 1, 2, 3, 4), follows=True) == [4, 0, 0, 0]
    polls = Polls(follows=True)
    polls.poll(linked(0, 1, 2, 3, 4))
    assert polls.poll(linked(1, 1, 2, 3, 4, 5)) == 1
    other = [item(n, guid="", text="", published_ns=None, title="Read more") for n in range(8)]
    assert polls.poll(other) == 8
    moved = [item(n, guid="", text="", published_ns=None, title="Read more") for n in range(8, 16)]
    assert polls.poll(moved) == 8


@pytest.mark.parametrize("follows", [False, True])
def test_an_empty_answer_and_two_answers_in_turn_make_nothing_new(follows: bool) -> None:
    old, new = [item(n) for n in range(3, 9)], [item(n) for n in range(6)]
    assert counts(lambda time: [[], old][time % 2], 6, follows=follows) == [0, 6, 0, 0, 0, 0]
    assert counts(lambda time: [old, new][time % 2], 6, follows=follows) == [6, 3, 0, 0, 0, 0]


def test_two_versions_in_turn_are_two() -> None:
    said = ["Acme rises", "Acme falls"]
    items = lambda time: [item(0, title=said[time % 2]), item(1)]  # noqa: E731
    assert counts(items, 6) == [2, 1, 0, 0, 0, 0]


LATER_NS = NOON_NS + HOUR_NS


@pytest.mark.parametrize(
    "other",
    [
        item(8),
        item(0, guid="", link="https://pub.example/news?id=8", title="Another one"),
        item(0, guid="tag:8", title="Another", published_ns=LATER_NS),  # at the same link
        item(0, link="https://pub.example/8", title="Another", published_ns=LATER_NS),
        item(0, link="https://pub.example/8", title="Another", published_ns=None),  # same guid
        item(0, guid="tag:8", link="https://pub.example/8", published_ns=LATER_NS),  # same words
    ],
)
@pytest.mark.parametrize("follows", [False, True])
def test_another_item_is_new(other: Item, follows: bool) -> None:
    polls = Polls(follows=follows)
    polls.poll([item(0), item(1)])
    first = polls.names()
    assert polls.poll([other, item(1)]) == 1
    assert not {*polls.names()} & {*first}


def test_links_with_the_same_words_are_different_pages() -> None:
    polls = Polls(follows=True)
    title = "Briefing: what you need to know"
    for number in range(2):
        bare = item(number, guid="", title=title, text="", published_ns=None)
        assert polls.poll([bare]) == 1


def test_new_words_are_a_version_of_the_same_item() -> None:
    for change in (
        {},
        {"guid": ""},
        {"published_ns": None},
        {"link": ""},
        {"guid": f"random {NOON_NS}"},
        {"link": "https://pub.example/news/0-falls"},
    ):
        polls = Polls()
        polls.poll([item(0), item(1), item(2)])
        name = polls.names()[-1]
        fields = {"title": "CORRECTED-Story number 0", "text": "It was the other way.", **change}
        assert polls.poll([item(1), item(0, **fields), item(2)]) == 1, change
        assert polls.names() == [name], change
        assert polls.last.fresh[0][1].version == 1
        polls.restart()
        assert polls.poll([item(1), item(0, **fields), item(2)]) == 0, change


def test_the_guids_of_one_poll_may_be_made_up_while_a_text_is_corrected() -> None:
    polls = Polls()
    polls.poll([item(n, guid=f"0-{n}", published_ns=None) for n in range(3)])
    name = polls.names()[-1]
    corrected = item(0, guid="1-0", published_ns=None, title="It fell", text="It did not rise.")
    rest = [item(n, guid=f"1-{n}", published_ns=None) for n in (1, 2)]
    assert polls.poll([corrected, *rest]) == 1
    assert polls.names() == [name]


def test_what_runs_in_every_text_makes_no_articles() -> None:
    polls = Polls()
    polls.poll([item(n) for n in range(20)])
    fresh = [
        polls.poll([item(n, text=f"{time} comments. What happened in {n}.") for n in range(20)])
        for time in range(40)
    ]
    assert sum(fresh) == 0
    assert len(polls.memory) < 20 * 12
    corrected = item(3, title="CORRECTION: Story number 3", text="Not so.")
    rest = [item(n, text="41 comments.") for n in range(20) if n != 3]
    assert polls.poll([corrected, *rest]) == 1


def test_a_counter_in_one_text_is_observed_ever_less_often() -> None:
    polls = Polls()
    polls.poll([item(n) for n in range(5)])
    day = [
        polls.poll([item(0, text=f"{time} comments"), *(item(n) for n in range(1, 5))])
        for time in range(288)
    ]
    assert 3 < sum(day) < 12
    day = [
        polls.poll([item(0, text=f"{time + 288} comments"), *(item(n) for n in range(1, 5))])
        for time in range(288)
    ]
    assert 1 <= sum(day) <= 2


def test_a_document_that_is_one_article_is_observed_whenever_it_changes() -> None:
    def one(time: int) -> Item:
        title, text = "Water level", f"The level is {time} cm, and people watch it."
        return item(0, guid=snapshot_id(title, text), title=title, text=text, published_ns=None)

    polls = Polls()
    assert [polls.poll([one(time)]) for time in range(30)] == [1] * 30
    assert polls.names() == [page("https://pub.example/news/0")]
    assert polls.last.fresh[0][1].backlog is False


def test_backlog_is_what_the_first_document_had_and_its_versions() -> None:
    polls = Polls()
    assert polls.poll([]) == 0
    polls.poll([item(n, published_ns=None) for n in range(3)])
    assert [known_as.backlog for _, known_as in polls.last.fresh] == [True] * 3
    polls.restart()
    changed = item(1, published_ns=None, text="This is months old, with a word more.")
    polls.poll([item(9, published_ns=None), item(0, published_ns=None), changed])
    assert [known_as.backlog for _, known_as in polls.last.fresh] == [True, False]


def test_memory_is_bounded_and_what_stays_in_the_document_is_not_forgotten() -> None:
    polls, pinned = Polls(), item(0, published_ns=None)
    polls.poll([pinned])
    for time in range(1, 3 * MAX_REMEMBERED_ITEMS, 100):
        new = [item(n) for n in range(time, time + 100)]
        assert polls.poll([pinned, *new]) == 100
    assert len(polls.memory) <= MAX_REMEMBERED_ITEMS + MAX_FEED_ITEMS
    polls.restart()
    assert len(polls.memory) <= MAX_REMEMBERED_ITEMS + 2 * MAX_FEED_ITEMS
    assert polls.poll([pinned, *new]) == 0


def test_items_of_the_first_version_of_listings_are_known_as_a_whole() -> None:
    polls, known = Polls(), [item(n) for n in range(3)]
    old = SourceListed1(
        source="wire", url=URL, body_hash="", etag="", last_modified="",
        items=[whole_id(one) for one in known], listed_ns=1,
    )  # fmt: skip
    listed = OBSERVATIONS.decode(encode(old))
    assert isinstance(listed, SourceListed) and listed.count == 3
    polls.memory.fold(listed, 3)
    polls.log.append((3, encode(old)))
    assert polls.poll([item(5), *known]) == 1
    assert polls.last.fresh[0][1].backlog is False
    moved = [item(n, link=f"https://pub.example/news/{n}?cid=7") for n in range(3)]
    assert polls.poll(moved) == 0


def test_oldest_comes_first() -> None:
    polls = Polls()
    polls.poll([item(n) for n in range(3)])
    assert [one.title for one, _ in polls.last.fresh] == [item(n).title for n in (2, 1, 0)]


PLACES = ["", "https://pub.example/1", "https://pub.example/2", "https://pub.example/1?utm_x=1"]
ITEMS = st.lists(
    st.builds(
        Item,
        guid=st.sampled_from(
            ["", "1", "http://\ud800", "https://pub.example/1", "https://pub.example/1#2"]
        ),
        link=st.sampled_from(PLACES),
        title=st.sampled_from(["", "Acme", "Bolt"]),
        text=st.sampled_from(["", "Acme rose.", "Acme fell."]),
        published_ns=st.sampled_from([None, NOON_NS, LATER_NS]),
    ),
    max_size=6,
)


@drawn(300)
@given(ITEMS, ITEMS, st.booleans(), st.booleans())
def test_any_document_is_new_once(
    one: list[Item], other: list[Item], follows: bool, restarts: bool
) -> None:
    """Even one whose items differ in nothing but a date or a link comes to rest."""
    polls = Polls(follows=follows)
    for document in (one, other):
        found = []
        for _ in range(4):
            found.append(polls.poll(document))
            if restarts:
                polls.restart()
        assert found[0] <= len(document)
        assert found[1] <= 1 and found[2:] == [0, 0]
    turns = [polls.poll(document) for document in (one, other) * 4]
    assert turns[-4:] == [0] * 4
