"""Which items of a document are known already, and which have new words.

An item is known again by its guid, else by its link, else by its words. None of them can be
trusted alone: feeds make up guids at each poll, number their places, put all items under one
link, or hang the reader's campaign behind it. So

- a guid or link that several items of one document share tells nothing;
- a guid or link under which all else is another is not the same item;
- a new guid for a link whose title is known says that this document's guids are made up;
- new links for most of a document's words say the same of its links.

`ItemMemory` is folded from a source's listings; nothing here reads or writes.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple
from urllib.parse import urldefrag

from schemas.articles import PAGE_CHARS, notice, page, snapshot_id
from schemas.chain import digest
from schemas.limits import MAX_URL_CHARS
from schemas.observations import ListedItem, SourceListed
from streams.ingest.limits import (
    FREE_VERSIONS,
    MAX_FEED_ITEMS,
    MAX_REMEMBERED_ITEMS,
    MAX_VERSION_PAUSE_NS,
    MIN_MOVED_ITEMS,
    MIN_REWRITTEN_ITEMS,
    VERSION_PAUSE_NS,
)
from streams.ingest.measuring.typography import normalized
from streams.ingest.sources.model import Item


class Keys(NamedTuple):
    """By what an item is known again. `revision`: its guid is its link with a number behind it."""

    guid: str
    link: str
    title: str
    words: str
    published_ns: int | None
    revision: bool

    def dated_as(self, one: ListedItem) -> bool:
        return self.published_ns is not None and self.published_ns == one.published_ns


def keys_of(item: Item) -> Keys:
    """Return the keys of an item; a guid that only repeats the link or the words is none."""
    link, guid = page(item.link), item.guid.strip()
    is_link, fragment = False, ""
    if guid.startswith(("http://", "https://")) and guid.isascii() and len(guid) <= MAX_URL_CHARS:
        bare, fragment = urldefrag(guid)
        is_link = page(bare) == link
        guid = f"{page(bare)}#{fragment}"
    if (is_link and not fragment) or guid == snapshot_id(item.title, item.text):
        guid = ""
    return Keys(
        guid=_key(guid) if guid else "",
        link=link,
        title=_key(_folded(item.title)),
        words=_key(f"{_folded(item.title)}\n{_folded(item.text)}"),
        published_ns=item.published_ns,
        revision=is_link and bool(guid),
    )


def whole_id(item: Item) -> str:
    """Return by what the first version of listings knew an item: guid, link and title at once."""
    return _key(f"{item.guid}|{item.link}|{item.title}")


def _key(text: str) -> str:
    return digest(text.encode("utf-8", "replace"))[:PAGE_CHARS]


def _folded(text: str) -> str:
    """Return a text as its typography does not change it: that makes no version."""
    return " ".join(normalized(text).casefold().split())


class _Kept(NamedTuple):
    """An item in memory, with the listing that it stands in."""

    item: ListedItem
    sequence: int
    listed_ns: int


class ItemMemory:
    """What is remembered of one source's document: the newest MAX_REMEMBERED_ITEMS.

    `last` is its last listing, None before the first; `sequence` is that of the last on the log.
    """

    def __init__(self) -> None:
        self.last: SourceListed | None = None
        self.sequence = 0
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._index()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def since(self) -> int:
        """The sequence of the oldest listing that is needed, 0 if there is none."""
        return next((one.sequence for one in self._kept.values()), 0)

    def fold(self, listed: SourceListed, sequence: int) -> None:
        """Apply the next listing; one of another address starts from nothing."""
        if self.last is not None and self.last.url != listed.url:
            self._kept = {}
            self._index()
        self.last, self.sequence = listed, sequence
        for item in listed.items:
            self._keep(_Kept(item, sequence, listed.listed_ns))
        if len(self._kept) > MAX_REMEMBERED_ITEMS + MAX_FEED_ITEMS:
            self._kept = dict(list(self._kept.items())[-MAX_REMEMBERED_ITEMS:])
            self._index()

    def _index(self) -> None:
        self._latest: dict[str, _Kept] = {}
        self._guids: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._words: dict[tuple[str, *tuple[str | int | None, ...]], str] = {}
        self._whole: dict[str, None] = {}
        for one in self._kept.values():
            self._enter(one)

    def _keep(self, one: _Kept) -> None:
        key = (one.item.item, one.item.words)
        self._kept.pop(key, None)
        self._kept[key] = one
        self._enter(one)

    def _enter(self, one: _Kept) -> None:
        item = one.item
        if not item.words:
            self._whole[item.item] = None
            return
        self._latest[item.item] = one
        for beside in _besides(item):
            self._words[item.words, *beside] = item.item
        if item.guid:
            self._guids[item.guid] = item.item
        if item.link:  # "" once two items have it
            known = self._links.setdefault(item.link, item.item)
            self._links[item.link] = item.item if known == item.item else ""

    def _named(self, name: str | None) -> ListedItem | None:
        kept = self._latest.get(name) if name else None
        return kept.item if kept is not None else None

    def by_guid(self, keys: Keys) -> ListedItem | None:
        return self._named(self._guids.get(keys.guid)) if keys.guid else None

    def by_link(self, keys: Keys) -> ListedItem | None:
        return self._named(self._links.get(keys.link)) if keys.link else None

    def by_words(self, keys: Keys, *beside: str | int | None) -> ListedItem | None:
        """Return the last item with these words, and with a link or date (or both) as given."""
        return self._named(self._words.get((keys.words, *beside)))

    def knows_whole(self, item: Item) -> bool:
        return whole_id(item) in self._whole

    def has(self, name: str) -> bool:
        """Tell whether an item has this name."""
        return name in self._latest

    def has_said(self, name: str, words: str) -> bool:
        """Tell whether the item had these words, now or before."""
        return (name, words) in self._kept

    def latest(self, name: str) -> _Kept:
        """Return the item as it was listed last."""
        return self._latest[name]

    def oldest(self) -> list[ListedItem]:
        """Return what the next listing may push out; it has 2 * MAX_FEED_ITEMS at most."""
        gone = max(len(self._kept) + 2 * MAX_FEED_ITEMS - MAX_REMEMBERED_ITEMS, 0)
        return [one.item for one in islice(self._kept.values(), gone)]


def _besides(one: ListedItem) -> tuple[tuple[str | int | None, ...], ...]:
    """Return what an item's words are looked up with: all, link, date, nothing."""
    return (one.link, one.published_ns), (one.link,), (one.published_ns,), ()


class Sorted(NamedTuple):
    """A document's items: those to observe, oldest first, and all that is to be remembered."""

    fresh: list[tuple[Item, ListedItem]]
    listed: list[ListedItem]


def sort_out(memory: ItemMemory, items: Sequence[Item], *, follows: bool, now_ns: int) -> Sorted:
    """Return what is new in a document. `follows`: its items are links to pages."""
    return _Sorting(memory, items, follows=follows, now_ns=now_ns).run()


class _Sorting:
    """One document against the memory."""

    def __init__(
        self, memory: ItemMemory, items: Sequence[Item], *, follows: bool, now_ns: int
    ) -> None:
        self._memory, self._follows, self._now_ns = memory, follows, now_ns
        self._is_first = not memory
        self._items: dict[tuple[str, str | int | None], tuple[Item, Keys]] = {}
        for item in items:  # the same words twice under one link, or at one time, are one item
            keys = keys_of(item)
            self._items.setdefault((keys.words, keys.link or keys.published_ns), (item, keys))
        all_keys = [keys for _, keys in self._items.values()]
        self._shared_guids = _several(keys.guid for keys in all_keys)
        self._shared_links = _several(keys.link for keys in all_keys)
        self._shared_words = _several(keys.words for keys in all_keys)
        self._links = {keys.link for keys in all_keys}
        self._guids_are_made_up = any(self._has_new_guid(keys) for keys in all_keys)
        moved = sum(self._has_moved(keys) for keys in all_keys)
        self._links_are_made_up = moved >= MIN_MOVED_ITEMS and 2 * moved > len(all_keys)
        self._taken: dict[str, None] = {}

    def run(self) -> Sorted:
        new: list[tuple[Item, ListedItem]] = []
        changed: list[tuple[Item, ListedItem]] = []
        listed: list[ListedItem] = []
        same = [self._taking(self._same(keys)) for _, keys in self._items.values()]
        known = 0
        for one, (item, keys) in zip(same, self._items.values(), strict=True):
            one = one or self._taking(self._known(item, keys))
            if one is not None:
                known += 1
                if not self._memory.has_said(one.item, keys.words):
                    changed.append((item, self._changed(keys, one)))
            elif self._memory.knows_whole(item):
                listed.append(_listed(keys, self._name(keys)))
            else:
                new.append((item, _listed(keys, self._name(keys), backlog=self._is_first)))
        observed, noted = self._versions(changed, known)
        fresh = self._oldest_first([*new, *observed])
        listed += [one for _, one in [*fresh, *noted]]
        return Sorted(fresh, [*listed, *self._kept_on(listed)])

    def _oldest_first(self, fresh: list[tuple[Item, ListedItem]]) -> list[tuple[Item, ListedItem]]:
        """Return the items as they came to be: a feed has its newest first."""
        order = {id(item): -place for place, (item, _) in enumerate(self._items.values())}
        return sorted(fresh, key=lambda one: order[id(one[0])])

    def _kept_on(self, listed: list[ListedItem]) -> list[ListedItem]:
        """Return items of the document that would be forgotten, to be listed once more."""
        if not listed:
            return []
        again = {one.item for one in listed}
        old = self._memory.oldest()
        return [one for one in old if one.item in self._taken and one.item not in again]

    # -- which item it is ----------------------------------------------------------------

    def _known(self, item: Item, keys: Keys) -> ListedItem | None:
        """Return the item in memory that this one is, and that no other of the document is."""
        for one, fits in (
            (self._by_guid(keys), _fits_guid),
            (self._by_link(keys), self._fits_link),
        ):
            if one is not None and one.item not in self._taken and fits(one, keys):
                return one
        found = [self._memory.by_words(keys, keys.link) if keys.link else None]
        # A list of links has the same words for many pages.
        if not (self._follows and keys.link) or (item.text and keys.published_ns is not None):
            found.append(self._memory.by_words(keys, keys.published_ns))
        if self._links_are_made_up:
            found.append(self._by_words(keys))
        return next((one for one in found if one and one.item not in self._taken), None)

    def _same(self, keys: Keys) -> ListedItem | None:
        """Return the item in memory with the same words, link and date."""
        one = self._memory.by_words(keys, keys.link, keys.published_ns)
        return None if one is None or one.item in self._taken else one

    def _taking(self, one: ListedItem | None) -> ListedItem | None:
        """Return an item that no other of the document is from now on."""
        if one is not None:
            self._taken[one.item] = None
        return one

    def _by_guid(self, keys: Keys) -> ListedItem | None:
        return None if keys.guid in self._shared_guids else self._memory.by_guid(keys)

    def _by_link(self, keys: Keys) -> ListedItem | None:
        return None if keys.link in self._shared_links else self._memory.by_link(keys)

    def _by_words(self, keys: Keys) -> ListedItem | None:
        return None if keys.words in self._shared_words else self._memory.by_words(keys)

    def _fits_link(self, one: ListedItem, keys: Keys) -> bool:
        """Tell whether an item with this link may be it, although its guid may be another."""
        if not (keys.guid and one.guid) or keys.guid == one.guid or keys.revision:
            return True
        return self._guids_are_made_up or one.title == keys.title or keys.dated_as(one)

    def _has_new_guid(self, keys: Keys) -> bool:
        one = self._by_link(keys)
        if one is None or not (keys.guid and one.guid) or keys.revision:
            return False
        return one.title == keys.title and self._memory.by_guid(keys) is None

    def _has_moved(self, keys: Keys) -> bool:
        """Tell whether the words are known, under a link that the document has no more."""
        if self._by_guid(keys) is not None or self._by_link(keys) is not None:
            return False
        one = self._by_words(keys)
        return one is not None and (not one.link or one.link not in self._links)

    # -- what is listed of it ------------------------------------------------------------

    def _name(self, keys: Keys) -> str:
        """Return a name for a new item: that of its page, if no other item has it."""
        link = "" if keys.link in self._shared_links else keys.link
        own = _key("|".join((keys.guid, keys.link, keys.words, str(keys.published_ns))))
        name = next(
            (one for one in (link, keys.guid) if one and not self._has_name(one)),
            own,
        )
        self._taken[name] = None
        return name

    def _has_name(self, name: str) -> bool:
        return name in self._taken or self._memory.has(name)

    def _changed(self, keys: Keys, known: ListedItem) -> ListedItem:
        """Return a later version. What was of any age at first still is, unless it has a date.

        A document that is one article says something new whenever it changes.
        """
        backlog = known.backlog and len(self._items) > 1
        return _listed(keys, known.item, version=known.version + 1, backlog=backlog)

    def _versions(
        self, changed: list[tuple[Item, ListedItem]], known: int
    ) -> tuple[list[tuple[Item, ListedItem]], list[tuple[Item, ListedItem]]]:
        """Return the versions that are observed, and those that are only noted.

        Where most of the `known` items have new words at once, it is not the articles that have
        changed but what the feed says around them. Counters and clocks in a text make a version
        at each poll, so after FREE_VERSIONS there is a pause, which doubles. What says that it is
        a correction waits for nothing, but only once with the same title.
        """
        rewritten = known >= MIN_REWRITTEN_ITEMS and 2 * len(changed) > known
        observed: list[tuple[Item, ListedItem]] = []
        noted: list[tuple[Item, ListedItem]] = []
        for item, one in changed:
            before = self._memory.latest(one.item)
            says_so = one.title != before.item.title and notice(item.title, item.text) != ""
            if says_so or not self._must_pause(one, before.listed_ns):
                (noted if rewritten and not says_so else observed).append((item, one))
        return observed, noted

    def _must_pause(self, one: ListedItem, before_ns: int) -> bool:
        if len(self._items) == 1 or one.version <= FREE_VERSIONS:
            return False
        pause_ns = VERSION_PAUSE_NS << min(one.version - FREE_VERSIONS - 1, 16)
        return self._now_ns - before_ns < min(pause_ns, MAX_VERSION_PAUSE_NS)


def _fits_guid(one: ListedItem, keys: Keys) -> bool:
    """Tell whether something beside the guid is as it was: some guids only number places."""
    return one.link == keys.link or one.title == keys.title or keys.dated_as(one)


def _listed(keys: Keys, name: str, *, version: int = 0, backlog: bool = False) -> ListedItem:
    return ListedItem(
        name, keys.guid, keys.link, keys.title, keys.words, keys.published_ns, version, backlog
    )


def _several(keys: Iterable[str]) -> frozenset[str]:
    """Return the keys that several have, with the empty one."""
    return frozenset(key for key, count in Counter(keys).items() if count > 1) | {""}
