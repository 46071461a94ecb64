"""How far `verify` got, and that it never calls clean what it could not check."""

from engines.exchange.engine import ExchangeEngine
from replay.verify.text import describe
from replay.verify.verify import TrustedChainHash, verify
from schemas.errors import LogUnavailable
from tests.replay.venue import engines, history, server_with
from tests.replay.verify.checking import check, check_server, only
from tests.replay.verify.forger import records_of
from tests.simulated.faults import DeliveryFault, Faults
from tests.simulated.virtual_time import simulate


def test_commands_without_a_record_yet_are_pending_and_no_finding() -> None:
    messages = history()
    last = records_of(messages, "exchange")[0].sequence
    cut = messages[: last - 1]
    report = check(cut)
    assert (report.exit_code, report.through) == (0, len(cut))
    assert report.engines["exchange"].pending > 0
    assert report.account.lost == 0


def test_it_stops_where_it_is_told() -> None:
    report = check(history(), until=100)
    assert (report.exit_code, report.through, report.end) == (0, 100, 100)
    beyond = check(history(), until=10**6)
    assert beyond.exit_code == 2


def test_a_tail_that_was_cut_off_is_found_by_who_kept_a_seal() -> None:
    messages = history()
    kept = TrustedChainHash(len(messages), check(messages).chain)
    assert check(messages, anchors=[kept]).exit_code == 0
    cut = check(messages[:-30], anchors=[kept])
    assert only(cut, "truncated")
    other = check(messages, anchors=[TrustedChainHash(50, "ef" * 32)])
    assert only(other, "seal").sequence == 50


def test_it_reads_a_log_that_grows_up_to_where_it_ended_at_first() -> None:
    server = server_with(history())
    end = server.last_sequence

    def grow(_: int, __: int) -> None:
        server.store([("main.cmd.order.late", b"{}")])

    report = check_server(server, progress=grow)
    assert (report.exit_code, report.through, report.end) == (0, end, end)
    assert server.last_sequence > end


def test_an_empty_log_is_clean() -> None:
    report = check([])
    assert (report.exit_code, report.through) == (0, 0)


class _Unreachable(Faults):
    def on_poll(self, client: str) -> DeliveryFault:
        return DeliveryFault(fails=True)


def test_what_could_not_be_checked_is_not_called_clean() -> None:
    messages = history()
    server = server_with(messages)
    away = simulate(verify(server.connect(faults=_Unreachable()), engines()))
    assert (away.exit_code, away.findings) == (2, [])
    some = simulate(verify(server.connect(), [ExchangeEngine()]))
    assert some.exit_code == 2
    assert len(some.unable) == 4

    class Newer(ExchangeEngine):
        decider = "exchange/99"

    others = [engine for engine in engines() if engine.name != "exchange"]
    newer = simulate(verify(server.connect(), [*others, Newer()]))
    assert (newer.exit_code, newer.findings) == (2, [])
    count = newer.engines["exchange"].records
    (followed,) = newer.followed
    assert (followed.decider, followed.release, followed.records) == (
        ExchangeEngine.decider,
        "v0.2.0",
        count,
    )
    assert (followed.first_record, followed.last_record) == (1, count)


def test_a_report_can_be_told_in_words() -> None:
    messages = history()
    clean = describe(check(messages))
    assert clean[-1] == "clean: all of it had to be as it is"
    assert any("0 lost, 0 doubled" in line for line in clean)
    record = records_of(messages, "exchange")[-1]
    twice = describe(check([*messages, record]))
    assert twice[-1] == f"NOT CLEAN: the first thing wrong is at sequence {len(messages) + 1}"
    assert any(line.startswith("FOUND sequence") for line in twice)


def test_a_server_that_goes_away_is_no_clean_log() -> None:
    server = server_with(history())
    log = server.connect()

    async def gone() -> int:
        raise LogUnavailable("gone")

    log.last_sequence = gone  # type: ignore[method-assign]  # a server that is down
    assert simulate(verify(log, engines())).exit_code == 2
