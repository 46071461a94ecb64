"""Rows of reality's tables as the read API gives them."""

from typing import Any

from projections.api.formatting import (
    decimal_or_none,
    fraction_or_none,
    time_or_none,
)
from projections.api.reality_models import (
    ArticleOut,
    AssessmentOut,
    EventOut,
    FetchOut,
    LlmCallOut,
    LlmModeOut,
    ReviewAuditOut,
    ReviewOut,
    ScoreChangeOut,
    SourceOut,
)
from schemas.texts import time_of
from schemas.units import SECOND_NS, to_decimal, to_fraction

Row = dict[str, Any]


def article_out(row: Row) -> ArticleOut:
    return ArticleOut(
        article=row["article"],
        source=row["source"],
        title=row["title"],
        url=row["url"],
        published_at=time_or_none(row["published_ns"]),
        observed_at=time_of(row["observed_ns"]),
        language=row["language"],
        text_chars=row["text_chars"],
        snapshot_id=row["snapshot_id"],
        locator=row["locator"],
        via=row["via"],
        robots_hash=row["robots_hash"],
        status=row["status"],
        cluster=row["cluster"],
        similar_to=row["similar_to"],
        similarity=fraction_or_none(row["similarity_bp"]),
        drop_reason=row["drop_reason"],
        drop_detail=row["drop_detail"],
        sequence=row["sequence"],
    )


def assessment_out(row: Row) -> AssessmentOut:
    return AssessmentOut(
        article=row["article"],
        source=row["source"],
        title=row["title"],
        url=row["url"],
        published_at=time_or_none(row["published_ns"]),
        observed_at=time_of(row["observed_ns"]),
        sentiment=to_fraction(row["sentiment_bp"]),
        keywords=to_fraction(row["keywords_bp"]),
        relevance=to_fraction(row["relevance_bp"]),
        trust=to_fraction(row["trust_bp"]),
        quick_score=to_fraction(row["quick_bp"]),
        assessed_at=time_of(row["assessed_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def call_out(row: Row) -> LlmCallOut:
    return LlmCallOut(
        call=row["call"],
        request=row["request"],
        event_id=row["request_id"],
        status=row["status"],
        model=row["model"],
        prompt=row["prompt"],
        input_hash=row["input_hash"],
        raw_output=row["raw_output"],
        error=row["error"],
        summary=row["summary"],
        rationale=row["rationale"],
        impact=decimal_or_none(row["impact_e2"]),
        confidence=fraction_or_none(row["confidence_bp"]),
        snapshot_ids=row["snapshot_ids"],
        started_at=time_of(row["started_ns"]),
        ended_at=time_of(row["ended_ns"]),
        sequence=row["sequence"],
    )


def mode_out(row: Row) -> LlmModeOut:
    return LlmModeOut(
        mode=row["mode"],
        reason=row["reason"],
        until=time_or_none(row["until_ns"] or None),
        availability=row["availability"],
        availability_reason=row["availability_reason"],
        model=row["model"],
        prompt=row["prompt"],
        sequence=row["sequence"],
    )


def event_out(row: Row) -> EventOut:
    return EventOut(
        event_id=row["event_id"],
        symbol=row["symbol"],
        cluster=row["cluster"],
        state=row["state"],
        summary=row["summary"],
        article=row["article"],
        points=to_decimal(row["points_e2"]),
        computed_points=to_decimal(row["computed_e2"]),
        counted_points=to_decimal(row["counted_e2"]),
        delta=to_decimal(row["delta_e2"]),
        quick_score=to_fraction(row["quick_bp"]),
        weight=to_fraction(row["weight_e4"]),
        trust=to_fraction(row["trust_bp"]),
        confidence=to_fraction(row["confidence_bp"]),
        independent_sources=row["independent_sources"],
        related=row["related"],
        age_s=row["age_ns"] // SECOND_NS,
        llm=row["llm"],
        policy_version=row["policy_version"],
        proposal_hash=row["proposal_hash"],
        opened_at=time_of(row["opened_ns"]),
        changed_at=time_of(row["changed_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def change_out(row: Row) -> ScoreChangeOut:
    return ScoreChangeOut(
        change_id=f"{row['sequence']}-{row['ordinal']}",
        symbol=row["symbol"],
        event_id=row["event_id"],
        cluster=row["cluster"],
        article=row["article"],
        source=row["source"],
        old_score=to_decimal(row["old_score_e2"]),
        new_score=to_decimal(row["new_score_e2"]),
        delta=to_decimal(row["delta_e2"]),
        confidence=to_fraction(row["confidence_bp"]),
        proposal_hash=row["proposal_hash"],
        time=time_of(row["time_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def review_out(row: Row) -> ReviewOut:
    return ReviewOut(
        proposal_hash=row["proposal_hash"],
        status=row["status"],
        symbol=row["symbol"],
        event_id=row["event_id"],
        cluster=row["cluster"],
        proposal=row["proposal"],
        reasons=row["reasons"],
        detail=row["detail"],
        charged=row["charged"],
        sources=row["sources"],
        points=to_decimal(row["points_e2"]),
        delta=to_decimal(row["delta_e2"]),
        score_now=to_decimal(row["score_now_e2"]),
        score_if_approved=to_decimal(row["score_if_approved_e2"]),
        final_price_now=decimal_or_none(row["final_price_e2"]),
        final_price_if_approved=decimal_or_none(row["final_if_approved_e2"]),
        confidence=to_fraction(row["confidence_bp"]),
        signers=row["signers"],
        answer_reason=row["answer_reason"],
        refused=row["refused"],
        refused_detail=row["refused_detail"],
        opened_at=time_of(row["opened_ns"]),
        expires_at=time_of(row["expires_ns"]),
        closed_at=time_or_none(row["closed_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def audit_out(row: Row) -> ReviewAuditOut:
    return ReviewAuditOut(
        summary=row["summary"],
        impact=to_decimal(row["impact_e2"]),
        sources=row["sources"],
        outcome=row["outcome"],
        approved=row["approved"],
        approved_by=row["approved_by"],
        reason=row["reason"],
        at=time_of(row["at_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def source_out(row: Row) -> SourceOut:
    return SourceOut(
        source=row["source"],
        name=row["name"],
        kind=row["kind"],
        url=row["url"],
        trust=to_fraction(row["trust_bp"]),
        crawl_delay_s=row["crawl_delay_s"],
        poll_interval_s=row["poll_interval_s"],
        follow_links=row["follow_links"],
        link_selector=row["link_selector"],
        excerpt_chars=row["excerpt_chars"],
        keep_raw_days=row["keep_raw_days"],
        paywalled=row["paywalled"],
        restricted=row["restricted"],
        allow_loopback=row["allow_loopback"],
        push_key=row["push_key"],
        active=row["active"],
        quarantined_until=time_or_none(row["quarantined_until_ns"] or None),
        quarantine_reason=row["quarantine_reason"],
        quarantine_detail=row["quarantine_detail"],
        last_fetch=_fetch(row),
        fetches=row["fetches"],
        failures=row["failures"],
        articles=row["articles"],
        added_at=time_of(row["added_ns"]),
        changed_at=time_of(row["changed_ns"]),
        cause=row["cause"],
        sequence=row["sequence"],
    )


def _fetch(row: Row) -> FetchOut | None:
    if row["last_outcome"] is None:
        return None
    return FetchOut(
        outcome=row["last_outcome"],
        problem=row["last_problem"],
        detail=row["last_detail"],
        status=row["last_status"],
        at=time_of(row["last_fetched_ns"]),
    )
