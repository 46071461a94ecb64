"""What the channels say of scores and of moves that wait for a person."""

from typing import Any

import msgspec

from projections.feeds.channels import owner
from projections.feeds.fold import FeedFold
from schemas.events import governance as gov
from schemas.events import pricing, reality
from schemas.records import EVENT_MESSAGES
from schemas.sources import Source
from tests.projections.feeds.test_fold import fold, payload
from tests.projections.news import assessed, dropped, grouped, impact_of
from tests.projections.news import opened as cluster_opened
from tests.projections.reading import projected
from tests.projections.story import told

CHANNEL = "market.TEST.reality"


def score_opened(score_e2: int = 5_000) -> reality.ScoreOpened:
    return reality.ScoreOpened(
        cause=1, symbol="TEST", score_e2=score_e2, political=False, sensitive=False
    )


def changed(old: int, new: int, review: str = "") -> reality.ScoreChanged:
    return reality.ScoreChanged(
        cause=2, symbol="TEST", cluster=7, article=9, source="wire", old_score_e2=old,
        new_score_e2=new, delta_e2=new - old, confidence_bp=9_338, review=review, at_ns=1,
    )  # fmt: skip


def review(hash_: str, articles: list[int] | None = None) -> reality.ReviewOpened:
    proposal = reality.Proposal(
        symbol="TEST", cluster=7, articles=[7, 9] if articles is None else articles,
        sources=["wire"], cause=2, policy_version=1, quick_bp=-500, weight_e4=20_000,
        points_e2=-1_800, delta_e2=-1_750, score_now_e2=5_000, score_if_approved_e2=3_250,
        confidence_bp=9_338, llm="used",
    )  # fmt: skip
    return reality.ReviewOpened(2, hash_, proposal, ["spike"], "z-score", "wire", 10**18)


def closed(hash_: str, outcome: reality.ReviewOutcome) -> reality.ReviewClosed:
    return reality.ReviewClosed(3, hash_, "TEST", 7, outcome, ["UKEY"], "seen", 0, "")


def test_a_moved_score_is_told_with_how_it_stands() -> None:
    state = FeedFold()
    [first] = fold(state, score_opened())[CHANNEL]
    assert first.kind == "reality_update"
    assert (payload(first)["reality_score"], payload(first)["confidence"]) == ("50.00", None)
    out = fold(state, changed(5_000, 4_863))
    assert set(out) == {CHANNEL}
    assert payload(out[CHANNEL][0]) == {
        "status": "applied",
        "reality_score": "48.63",
        "confidence": "0.9338",
        "delta": "-1.37",
        "points": None,
        "event_id": "7-TEST",
        "cluster": 7,
        "article": 9,
        "proposal_hash": None,
        "pending_reviews": 0,
    }


def test_every_move_of_a_record_is_told() -> None:
    out = fold(FeedFold(), score_opened(), changed(5_000, 5_100), changed(5_100, 5_300))
    told_ = [payload(draft) for draft in out[CHANNEL]]
    assert [one["reality_score"] for one in told_] == ["50.00", "51.00", "53.00"]
    assert [one["delta"] for one in told_] == ["0.00", "1.00", "2.00"]


def test_a_move_that_waits_is_told_and_not_applied() -> None:
    state = FeedFold()
    fold(state, score_opened())
    out = fold(state, review("a" * 64), review("b" * 64, []))
    first, second = (payload(draft) for draft in out[CHANNEL])
    assert (first["status"], first["reality_score"]) == ("pending_review", "50.00")
    assert (first["delta"], first["points"], first["article"]) == ("-17.50", "-18.00", 9)
    assert (first["pending_reviews"], second["pending_reviews"]) == (1, 2)
    assert second["article"] is None
    audit = payload(out["public.audit"][0])
    assert (audit["event"], audit["pending_review"]) == ("review_opened", True)
    [priced] = fold(state, pricing.ProposalPriced(4, "a" * 64, "TEST", 5_200, 4_300))[
        "public.audit"
    ]
    assert payload(priced) == {
        "event": "proposal_priced",
        "pending_review": True,
        "cause": 4,
        "proposal_hash": "a" * 64,
        "symbol": "TEST",
        "final_price": "52.00",
        "final_if_approved": "43.00",
    }


def test_an_approved_move_is_told_twice_as_closed_and_as_applied() -> None:
    state = FeedFold()
    fold(state, score_opened(), review("a" * 64), review("b" * 64))
    out = fold(state, closed("a" * 64, "approved"), changed(5_000, 3_250, "a" * 64))
    over, moved = (payload(draft) for draft in out[CHANNEL])
    assert (over["status"], over["reality_score"], over["pending_reviews"]) == (
        "approved",
        "50.00",
        1,
    )
    assert (moved["status"], moved["reality_score"], moved["proposal_hash"]) == (
        "applied",
        "32.50",
        "a" * 64,
    )
    [audit] = out["public.audit"]
    assert payload(audit)["outcome"] == "approved"
    assert "pending_review" not in payload(audit)
    [over2] = fold(state, closed("b" * 64, "rejected"))[CHANNEL]
    assert (payload(over2)["pending_reviews"], payload(over2)["delta"]) == (0, "-17.50")
    [last] = fold(state, reality.ScoreClosed(5, "TEST"))[CHANNEL]
    assert (payload(last)["status"], payload(last)["reality_score"]) == ("closed", "32.50")


def test_how_the_engine_got_there_is_not_told() -> None:
    out = fold(
        FeedFold(),
        dropped(1, 7, "wire", "duplicate"),
        cluster_opened(1, 7, "wire"),
        grouped(1, 8, "wire", 7),
        assessed(1, 7, 7, "TEST", "wire"),
        impact_of(1, 7, "TEST", 7, 5, "waiting"),
        reality.LlmSkipped(1, "7-TEST", "no_token"),
        reality.LlmAnswered(1, "7-TEST", "used", 1, 1),
        reality.LlmTimedOut(1, "7-TEST"),
        reality.SourceKnown(1, "wire", 1, True, 0),
        reality.ArticlesForgotten(1, 1),
    )
    assert out == {}


def test_sources_and_the_llm_are_the_audits() -> None:
    source = Source(source="wire", name="The wire", kind="rss", url="https://wire.test/")
    out = fold(
        FeedFold(),
        gov.SourceAdded(1, source),
        gov.SourceQuarantineSet(1, "wire", 5, "lies"),
        reality.SourceQuarantined(1, "wire", 5, "rate", "61 in an hour"),
        reality.SourceReleased(1, "wire"),
        reality.LlmModeChanged(1, "degraded", "failures", 5),
        gov.ReviewAnswered(1, "a" * 64, "TEST", True, "fine", ["UKEY"], ["UKEY"]),
        reality.ReviewAnswerRefused(1, "a" * 64, "TEST", "holds_the_symbol", "ann"),
    )
    assert set(out) == {"public.audit"}
    assert [payload(draft)["event"] for draft in out["public.audit"]] == [
        "source_added",
        "source_quarantine_set",
        "source_quarantined",
        "source_released",
        "llm_mode_changed",
        "review_answered",
        "review_answer_refused",
    ]


def test_anyone_may_follow_it() -> None:
    assert owner(CHANNEL) is None


def test_the_last_message_of_a_channel_says_how_a_whole_story_left_it() -> None:
    story, state = told(seed=2, records=60), FeedFold()
    last: dict[str, dict[str, Any]] = {}
    for message in projected(story.scribe.server):
        if ".evt." not in message.subject:
            continue
        for draft in state.fold(EVENT_MESSAGES.decode(message.payload)):
            if draft.kind == "reality_update":
                last[draft.channel] = msgspec.to_builtins(draft.payload)
    for symbol, score in story.news.scores.items():
        told_ = last[f"market.{symbol}.reality"]
        assert told_["reality_score"] == f"{score // 100}.{score % 100:02d}"
        open_ones = [
            key
            for key, status in story.news.reviews.items()
            if status == "open" and story.news.proposals[key].symbol == symbol
        ]
        assert told_["pending_reviews"] == len(open_ones)
