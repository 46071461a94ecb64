"""A bundle proves its messages to who has a key, and shows whatever was done to it."""

from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from msgspec.structs import replace

from engines import kernel
from replay.bundle.check import BundleReport, check_bundle
from replay.bundle.export import Manifest, export, read
from schemas import signatures
from schemas.chain import link
from schemas.errors import InputError, LogDiverged, NotFound, TooLarge
from schemas.events.exchange import OrderPlaced
from schemas.events.notary import Sealed
from schemas.records import EVENT_MESSAGES, Record
from schemas.records import seal as seal_record
from schemas.stored import Stored
from schemas.subjects import events
from tests.engines.governance.people import ANNA, BERT, NOTARY, ROOT
from tests.replay.archive.archives import chain_of
from tests.replay.venue import engines, history, live, server_with
from tests.replay.verify.forger import flip, forge
from tests.replay.verify.test_verify import an_order
from tests.simulated.log import SimulatedServer
from tests.simulated.virtual_time import simulate
from tests.support.drawing import drawn

MIDDLE = (310, 530)


def exported(
    server: SimulatedServer, path: Path, first: int, last: int, *, states: bool = False
) -> Manifest:
    log = server.connect("replay")
    return simulate(export(log, first, last, path, states=engines() if states else ()))


def check(path: Path, key: str | None = NOTARY.key) -> BundleReport:
    return simulate(check_bundle(path, lambda _: engines(), key=key))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of three good bundles of the history."""
    path = tmp_path_factory.mktemp("bundles")
    server = server_with(history())
    exported(server, path / "beginning", 1, 280)
    exported(server, path / "middle", *MIDDLE)
    exported(server, path / "decided", *MIDDLE, states=True)
    return path


BUNDLES = ("beginning", "middle", "decided")


# -- what it proves ------------------------------------------------------------------------


@pytest.mark.parametrize("key", [NOTARY.key, ROOT.key])
def test_from_the_beginning_everything_is_decided_again(folder: Path, key: str) -> None:
    report = check(folder / "beginning", key)
    assert (report.exit_code, report.findings, report.unable) == (0, [], [])
    assert (report.start, report.end) == (1, 306)
    assert report.chain == chain_of(history()[:306])
    assert report.replay is not None
    assert report.replay.exit_code == 0
    assert report.redecided == report.records > 20
    assert report.decisions > 5
    assert report.not_proved == ["what stands behind message 306"]


def test_the_middle_stands_between_two_seals(folder: Path) -> None:
    report = check(folder / "middle")
    assert (report.exit_code, report.findings, report.unable) == (0, [], [])
    assert (report.start, report.first, report.last, report.end) == (307, 310, 530, 536)
    assert report.chain == chain_of(history()[:536])
    assert report.seals == 9
    assert report.redecided == 0
    told = " ".join(report.not_proved)
    for part in ("before message 307", "behind message 536", "exchange", "governance"):
        assert part in told, part


def test_with_states_the_middle_is_decided_again(folder: Path) -> None:
    report = check(folder / "decided")
    assert (report.exit_code, report.findings, report.unable) == (0, [], [])
    in_range = [
        message
        for message in history()[306:536]
        if message.subject.startswith("main.evt.") and message.subject.count(".") == 2
    ]
    mine = [m for m in in_range if m.subject != events("main", "notary")]
    folded = [EVENT_MESSAGES.decode(m.payload) for m in mine]
    folded = [record for record in folded if not record.tick and record.first_input < 307]
    assert report.redecided == len(mine) - len(folded) > 10


@pytest.mark.parametrize("every", [2, 3])
def test_a_state_shortens_what_comes_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    monkeypatch.setattr(kernel, "STATE_HASH_EVERY_RECORDS", every)
    server = simulate(live(300, 1))
    path = tmp_path / "bundle"
    manifest = exported(server, path, *MIDDLE, states=True)
    assert any(prelude.state for prelude in manifest.preludes)
    assert all(prelude.records <= every for prelude in manifest.preludes)
    report = check(path)
    assert (report.exit_code, report.findings, report.unable) == (0, [], [])
    assert report.redecided > 10
    # another state than the one whose hash the record says
    prelude = next(p for p in manifest.preludes if p.state and p.engine == "exchange")
    state = read(path).preludes[prelude.engine].state
    assert state is not None
    other = state.replace(b"trader1", b"trader9", 1)
    assert other != state
    rehash(path, state, other)
    report = check(path)
    assert report.exit_code == 1
    assert (report.findings[0].kind, report.findings[0].engine) == ("state", "exchange")


def test_the_same_range_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    exported(server_with(history()), tmp_path / "again", *MIDDLE, states=True)
    assert (tmp_path / "again").read_bytes() == (folder / "decided").read_bytes()


# -- whose it is ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", BUNDLES)
def test_without_a_key_it_could_not_be_checked(folder: Path, name: str) -> None:
    report = check(folder / name, None)
    assert (report.exit_code, report.findings) == (2, [])
    assert "whose log" in report.unable[0]


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("key", [ANNA.key, BERT.key, "U", ""])
def test_another_venues_key_finds_it_wrong(folder: Path, name: str, key: str) -> None:
    report = check(folder / name, key)
    assert report.exit_code == 1
    assert report.proved == []


# -- what cannot be exported -----------------------------------------------------------------


def test_what_is_not_sealed_cannot_be_exported(tmp_path: Path) -> None:
    server = server_with(history())
    for first, last, error in ((500, 551, NotFound), (5, 600, NotFound), (9, 8, InputError)):
        with pytest.raises(error):
            exported(server, tmp_path / "no", first, last)
    with pytest.raises(NotFound):
        exported(SimulatedServer(), tmp_path / "no", 1, 1)
    assert list(tmp_path.iterdir()) == []


def test_what_was_changed_cannot_be_exported(tmp_path: Path) -> None:
    order = an_order(history())
    server = server_with(flip(history(), order.sequence, 5))
    with pytest.raises(LogDiverged):
        exported(server, tmp_path / "no", order.sequence, order.sequence)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = server_with(history())
    monkeypatch.setattr("replay.bundle.export.MAX_BUNDLE_BYTES", 10_000)
    with pytest.raises(TooLarge):
        exported(server, tmp_path / "no", *MIDDLE)
    monkeypatch.setattr("replay.bundle.export.MAX_BUNDLE_MESSAGES", 100)
    with pytest.raises(TooLarge):
        exported(server, tmp_path / "no", *MIDDLE)
    assert list(tmp_path.iterdir()) == []


# -- what was done to it ---------------------------------------------------------------------


@drawn(150, HealthCheck.function_scoped_fixture)
@given(data=st.data(), name=st.sampled_from(BUNDLES))
def test_any_flipped_bit_is_found(
    folder: Path, tmp_path: Path, data: st.DataObject, name: str
) -> None:
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "flipped"
    path.write_bytes(content)
    assert check(path).exit_code == 1


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_that_is_cut_off_is_found(folder: Path, tmp_path: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for left in (0, 1, 64, 65, 66, 500, len(content) // 2, len(content) - 1):
        path = tmp_path / "cut"
        path.write_bytes(content[:left])
        assert check(path).exit_code == 1, left


def rehash(path: Path, old: bytes, new: bytes) -> None:
    """Change a bundle as somebody who can hash would."""
    content = path.read_bytes()
    assert old in content
    _, _, rest = content.replace(old, new, 1).partition(b"\n")
    path.write_bytes(sha256(rest).hexdigest().encode() + b"\n" + rest)


@drawn(150, HealthCheck.function_scoped_fixture)
@given(data=st.data(), name=st.sampled_from(("beginning", "middle")))
def test_who_can_hash_cannot_change_a_message(
    folder: Path, tmp_path: Path, data: st.DataObject, name: str
) -> None:
    path = tmp_path / "forged"
    path.write_bytes((folder / name).read_bytes())
    messages = read(path).messages
    message = data.draw(st.sampled_from(messages))
    payload = bytearray(message.payload)
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= 1 << data.draw(st.integers(0, 7))
    # the genesis is in the manifest, too: change the message itself
    content = path.read_bytes()
    head = b"%d %d %d %b" % (
        message.sequence,
        len(message.subject),
        len(message.payload),
        message.subject.encode(),
    )
    at = content.rindex(b"\n" + head + message.payload + b"\n")
    begin = at + 1 + len(head)
    content = content[:begin] + bytes(payload) + content[begin + len(payload) :]
    _, _, rest = content.partition(b"\n")
    path.write_bytes(sha256(rest).hexdigest().encode() + b"\n" + rest)
    report = check(path)
    assert report.exit_code == 1
    seals = [m.sequence for m in messages if m.subject == events("main", "notary")]
    named = report.findings[0].sequence
    behind = next((at for at in seals if at > message.sequence), messages[-1].sequence)
    before = max((at for at in seals if at < message.sequence), default=0)
    assert before <= named <= behind


def test_each_kind_of_lie_is_named(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "forged"
    manifest = read(folder / "decided").manifest
    assert manifest.before is not None
    chain = manifest.chain
    lies = {
        "a hash before": (chain.encode(), chain[::-1].encode(), "seal"),
        "no seal before": (b'"before":{', b'"before":null,"was":{', "seal"),
        "another start": (b'"start":307', b'"start":308', "seal"),
        "another end": (b'"end":536', b'"end":535', "truncated"),
        "a range outside": (b'"last":530', b'"last":930', "coverage"),
        "another shard": (b'"shard":"main"', b'"shard":"mine"', "genesis"),
        "another genesis": (b"Test venue", b"Best venue", "genesis"),
        "more before the range": (b'"records":', b'"records":1', "gap"),
        "no records before": (b'"records":', b'"records":-', "unreadable"),
        "another record before": (
            b'"order_placed/1","cause"',
            b'"order_placed/1","cauze"',
            "state",
        ),
        "another place before": (b" main.evt.exchange{", b" main.evt.exchangf{", "state"),
    }
    for what, (old, new, kind) in lies.items():
        path.write_bytes((folder / "decided").read_bytes())
        rehash(path, old, new)
        report = check(path)
        assert report.exit_code == 1, what
        assert report.findings[0].kind == kind, (what, report.findings[0])


def test_a_notary_that_seals_a_lie_is_found_where_it_can_be_decided_again(tmp_path: Path) -> None:
    """Somebody with the notary's key changes a decision and seals everything anew."""
    messages = lied(history())
    server = server_with(messages)
    exported(server, tmp_path / "bundle", *MIDDLE, states=True)
    report = check(tmp_path / "bundle")
    assert report.exit_code == 1
    assert (report.findings[0].kind, report.findings[0].engine) == ("decision", "exchange")
    exported(server, tmp_path / "plain", *MIDDLE)
    assert check(tmp_path / "plain").exit_code == 0


def test_a_notary_cannot_make_up_a_decision(tmp_path: Path) -> None:
    """Nor can who has its key: what people signed, they signed with keys of their own."""
    decision = next(m for m in history()[MIDDLE[0] :] if ".cmd.admin." in m.subject)
    place = decision.payload.index(b'"signature":"') + 20
    messages = sealed_anew(flip(history(), decision.sequence, place, bit=1))
    exported(server_with(messages), tmp_path / "bundle", *MIDDLE)
    report = check(tmp_path / "bundle")
    assert report.exit_code == 1
    assert (report.findings[0].kind, report.findings[0].engine) == ("signature", "governance")
    assert f"sequence {decision.sequence} is" in report.findings[0].note


def lied(messages: tuple[Stored, ...]) -> list[Stored]:
    """Change an order's quantity as it was placed, chain and seal everything anew."""
    record = next(
        message
        for message in messages[MIDDLE[0] :]
        if message.subject == events("main", "exchange") and b'"order_placed/1"' in message.payload
    )

    def change(before: Record) -> Record:
        changed = [
            replace(event, quantity_lots=event.quantity_lots + 1)
            if isinstance(event, OrderPlaced)
            else event
            for event in before.events
        ]
        return replace(before, events=changed)

    return sealed_anew(forge(messages, record.sequence, change))


def sealed_anew(messages: list[Stored]) -> list[Stored]:
    chain, hashes, prev = bytes(32), [""], ""
    for place, message in enumerate(messages):
        if message.subject == events("main", "notary"):
            record = EVENT_MESSAGES.decode(message.payload)
            (seal,) = record.events
            assert isinstance(seal, Sealed)
            fresh = replace(
                record,
                events=[replace(seal, chain=hashes[seal.through])],
                prev=prev or record.prev,
                hash="",
                signature="",
            )
            data, prev = seal_record(fresh, lambda data: signatures.sign(NOTARY.seed, data))
            messages[place] = message = message._replace(payload=data)
        chain = link(chain, *message)
        hashes.append(chain.hex())
    return messages
