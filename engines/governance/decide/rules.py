"""Check whether a decision makes sense now. Every check raises Refused if not."""

import re
from decimal import Decimal
from typing import assert_never

from engines.governance.decide.people import leaves_a_super_admin
from engines.governance.limits import (
    MAX_ALIASES,
    MAX_KEYS,
    MAX_MARKETS,
    MAX_QUARANTINE_NS,
    MAX_SOURCES,
    MAX_TEXT_CHARS,
    MAX_TICK_TICKS,
    MIN_TICK_TICKS,
)
from engines.governance.state import EnrolledKey, ListedMarket, Phase, State
from schemas import signatures, sources
from schemas.decisions import (
    AddSource,
    AnyDecision,
    ApprovePart,
    ApproveReview,
    ChangeSource,
    CloseMarket,
    CoSign,
    EditMarket,
    EnrolKey,
    Genesis,
    GrantRole,
    HaltMarket,
    KeyDecision,
    ListMarket,
    MarketDecision,
    Mint,
    OpsOverride,
    QuarantineSource,
    RejectReview,
    ResolveMarket,
    ResumeMarket,
    ReviewDecision,
    RevokeKey,
    RotateKey,
    SetPolicy,
    SourceDecision,
)
from schemas.errors import BadSignature, Refusal, Refused
from schemas.limits import MAX_AMOUNT_CENTS, MAX_NAME_CHARS
from schemas.policy import Policy, problem
from schemas.subjects import is_account, is_symbol
from schemas.texts import is_line, is_text
from schemas.units import PAR_TICKS, SCORE_MAX_E2, WEIGHT_ONE_BP

_OUTSIDE_PRICE = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,8})?")
_HASH = re.compile(r"[0-9a-f]{64}")


def check_genesis(genesis: Genesis) -> None:
    """Raise Refused unless a venue can be founded on `genesis`."""
    if not is_line(genesis.venue, MAX_NAME_CHARS):
        raise Refused(Refusal.BAD_TEXT, f"the venue's name is not 1..{MAX_NAME_CHARS} characters")
    for name, key in (("root_key", genesis.root_key), ("notary_key", genesis.notary_key)):
        if not signatures.is_public_key(key):
            raise Refused(Refusal.BAD_KEY, f"{name} is not a public nkey")
    _check_policy(genesis.policy)


def check(state: State, signer: str, decision: AnyDecision, now_ns: int) -> None:
    """Raise Refused unless `decision`, signed by the key `signer`, can be carried out now."""
    match decision:
        case Mint():
            _check_mint(decision)
        case SetPolicy():
            _check_policy(decision.policy)
            _check_text("reason", decision.reason)
        case OpsOverride():
            _check_line("action", decision.action, MAX_NAME_CHARS)
            _check_line("reason", decision.reason.replace("\n", ""), MAX_TEXT_CHARS)
        case CoSign():
            pass  # the engine looks at the decision that it is for
        case EnrolKey() | GrantRole() | RotateKey() | RevokeKey():
            _check_key(state, signer, decision)
        case AddSource() | ChangeSource() | QuarantineSource():
            _check_source(state, decision, now_ns)
        case ApproveReview() | ApprovePart() | RejectReview():
            _check_answer(state, decision)
        case _:
            _check_market(state, decision)


def _check_mint(mint: Mint) -> None:
    if not is_account(mint.account):
        raise Refused(Refusal.BAD_ACCOUNT_NAME, "2 to 32 of a-z, 0-9, _ and -, a letter first")
    if not 1 <= mint.amount_cents <= MAX_AMOUNT_CENTS:
        raise Refused(Refusal.AMOUNT_OUT_OF_RANGE, f"1..{MAX_AMOUNT_CENTS} cents at a time")
    _check_text("memo", mint.memo)


def _check_policy(policy: Policy) -> None:
    if not is_line(policy.name, MAX_NAME_CHARS):
        raise Refused(Refusal.BAD_POLICY, f"its name is not 1..{MAX_NAME_CHARS} characters")
    wrong = problem(policy)
    if wrong is not None:
        raise Refused(Refusal.BAD_POLICY, wrong)


def _check_line(what: str, text: str, max_chars: int) -> None:
    if not is_line(text, max_chars):
        raise Refused(Refusal.BAD_TEXT, f"{what} is not 1..{max_chars} printable characters")


def _check_text(what: str, text: str) -> None:
    if not is_text(text, MAX_TEXT_CHARS):
        raise Refused(
            Refusal.BAD_TEXT, f"{what} is not up to {MAX_TEXT_CHARS} printable characters"
        )


# -- sources and reviews ---------------------------------------------------------------


def _check_source(state: State, decision: SourceDecision, now_ns: int) -> None:
    known = state.known_sources()
    match decision:
        case AddSource():
            _check_description(decision.source)
            if decision.source.source in known:
                raise Refused(Refusal.SOURCE_EXISTS, "there is a source with this id")
            if len(known) >= MAX_SOURCES:
                raise Refused(Refusal.TOO_MANY_SOURCES, f"a venue has at most {MAX_SOURCES}")
        case ChangeSource():
            _check_description(decision.source)
            kind = _known_source(known, decision.source.source)
            if decision.source.kind != kind:
                raise Refused(Refusal.BAD_SOURCE, f"it is of kind {kind}, which stays")
        case QuarantineSource():
            _known_source(known, decision.source)
            if decision.until_ns and not 0 < decision.until_ns - now_ns <= MAX_QUARANTINE_NS:
                raise Refused(
                    Refusal.VALUE_OUT_OF_RANGE,
                    f"until_ns is neither 0 nor in {now_ns + 1}..{now_ns + MAX_QUARANTINE_NS}",
                )
            _check_text("reason", decision.reason)
        case _:
            assert_never(decision)


def _check_description(source: sources.Source) -> None:
    wrong = sources.problem(source)
    if wrong is not None:
        raise Refused(Refusal.BAD_SOURCE, wrong)


def _known_source(known: dict[str, sources.SourceKind], name: str) -> sources.SourceKind:
    kind = known.get(name)
    if kind is None:
        raise Refused(Refusal.UNKNOWN_SOURCE, "no such source was added")
    return kind


def _check_answer(state: State, answer: ReviewDecision) -> None:
    """Check the format only; the reality engine checks that the review is open, and of what."""
    if not _HASH.fullmatch(answer.proposal_hash):
        raise Refused(Refusal.BAD_PROPOSAL, "not a SHA-256 in lower-case hexadecimal")
    if answer.symbol not in state.markets:
        raise Refused(Refusal.UNKNOWN_SYMBOL, "no such market is listed")
    if isinstance(answer, ApprovePart) and not 0 < abs(answer.delta_e2) <= SCORE_MAX_E2:
        raise Refused(Refusal.VALUE_OUT_OF_RANGE, f"1..{SCORE_MAX_E2} hundredths up or down")
    _check_text("reason", answer.reason)


# -- keys ----------------------------------------------------------------------------


def _check_key(state: State, signer: str, decision: KeyDecision) -> None:
    match decision:
        case EnrolKey():
            _check_new_key(state, decision.key)
            _check_line("holder", decision.holder, MAX_NAME_CHARS)
        case RotateKey():
            _check_rotation(state, signer, decision)
        case GrantRole():
            key = _known_key(state, decision.key)
            if key.lapses_ns is not None:
                raise Refused(Refusal.BAD_KEY, "this key was rotated: name its successor")
            if decision.role != "super-admin":
                _check_not_last(state, decision.key)
        case RevokeKey():
            _known_key(state, decision.key)
            _check_not_last(state, decision.key)
            _check_text("reason", decision.reason)
        case _:
            assert_never(decision)


def _check_new_key(state: State, name: str) -> None:
    if not signatures.is_public_key(name):
        raise Refused(Refusal.BAD_KEY, "not a public nkey")
    if name in state.keys:
        raise Refused(Refusal.KEY_EXISTS, "this key is enrolled, or was")
    if len(state.keys) >= MAX_KEYS:
        raise Refused(Refusal.TOO_MANY_KEYS, f"a venue has at most {MAX_KEYS} keys")


def _check_rotation(state: State, signer: str, rotation: RotateKey) -> None:
    # A thief of a replaced key must not keep it alive by rotating it again.
    if state.keys[signer].lapses_ns is not None:
        raise Refused(Refusal.BAD_KEY, "this key was rotated before")
    _check_new_key(state, rotation.new_key)
    try:
        signatures.verify(rotation.new_key, signer.encode(), rotation.new_key_signature)
    except BadSignature:
        raise Refused(
            Refusal.BAD_SIGNATURE, "the new key did not sign the old one's text"
        ) from None


def _known_key(state: State, name: str) -> EnrolledKey:
    key = state.keys.get(name)
    if key is None:
        raise Refused(Refusal.UNKNOWN_KEY, "this key was never enrolled")
    if key.revoked:
        raise Refused(Refusal.KEY_REVOKED, "this key is revoked already")
    return key


def _check_not_last(state: State, name: str) -> None:
    if not leaves_a_super_admin(state, name):
        raise Refused(Refusal.LAST_SUPER_ADMIN, "nobody could enrol or grant any more")


# -- markets -------------------------------------------------------------------------


def _check_market(state: State, decision: MarketDecision) -> None:
    match decision:
        case ListMarket():
            _check_listing(state, decision)
        case EditMarket():
            _check_edit(_market_in(state, decision.symbol, "open", "halted", "closed"), decision)
        case HaltMarket():
            _market_in(state, decision.symbol, "open")
            _check_text("reason", decision.reason)
        case ResumeMarket():
            _market_in(state, decision.symbol, "halted")
        case CloseMarket():
            _market_in(state, decision.symbol, "open", "halted")
            _check_text("reason", decision.reason)
        case ResolveMarket():
            _market_in(state, decision.symbol, "open", "halted", "closed")
            if not 0 <= decision.value_ticks <= PAR_TICKS:
                raise Refused(Refusal.VALUE_OUT_OF_RANGE, f"0..{PAR_TICKS} ticks")
            _check_text("reason", decision.reason)
        case _:
            assert_never(decision)


def _market_in(state: State, symbol: str, *phases: Phase) -> ListedMarket:
    market = state.markets.get(symbol)
    if market is None:
        raise Refused(Refusal.UNKNOWN_SYMBOL, "no such market is listed")
    if market.phase not in phases:
        raise Refused(Refusal.WRONG_MARKET_STATE, f"the market is {market.phase}")
    return market


def _check_listing(state: State, listing: ListMarket) -> None:
    if not is_symbol(listing.symbol):
        raise Refused(Refusal.BAD_SYMBOL, "1 to 24 of A-Z, 0-9, _ and -, a letter first")
    if listing.symbol in state.markets:
        raise Refused(Refusal.SYMBOL_EXISTS, f"{listing.symbol} is listed")
    if len(state.markets) >= MAX_MARKETS:
        raise Refused(Refusal.TOO_MANY_MARKETS, f"a shard has at most {MAX_MARKETS} markets")
    _check_words(listing.name, listing.description, listing.aliases)
    for what, text in (("subtype", listing.subtype), ("region", listing.region)):
        if text and not is_line(text, MAX_NAME_CHARS):
            raise _bad_market(f"{what} is not up to {MAX_NAME_CHARS} printable characters")
    _check_weights(listing.market_weight_bp, listing.reality_weight_bp)
    if not 0 <= listing.initial_score_e2 <= SCORE_MAX_E2:
        raise _bad_market(f"initial_score_e2 is outside 0..{SCORE_MAX_E2}")
    tick = listing.tick_ticks
    if not MIN_TICK_TICKS <= tick <= MAX_TICK_TICKS or PAR_TICKS % tick:
        raise _bad_market(
            f"tick_ticks is not {MIN_TICK_TICKS}..{MAX_TICK_TICKS}, or {PAR_TICKS} is no multiple"
        )
    _check_outside_prices(listing.min_price, listing.max_price)


def _check_edit(market: ListedMarket, edit: EditMarket) -> None:
    changes = (
        edit.name,
        edit.description,
        edit.aliases,
        edit.risk_level,
        edit.market_weight_bp,
        edit.reality_weight_bp,
    )
    if all(change is None for change in changes):
        raise _bad_market("it changes nothing")
    _check_words(
        market.name if edit.name is None else edit.name,
        market.description if edit.description is None else edit.description,
        market.aliases if edit.aliases is None else edit.aliases,
    )
    _check_weights(
        market.market_weight_bp if edit.market_weight_bp is None else edit.market_weight_bp,
        market.reality_weight_bp if edit.reality_weight_bp is None else edit.reality_weight_bp,
    )


def _check_words(name: str, description: str, aliases: list[str]) -> None:
    if not is_line(name, MAX_NAME_CHARS):
        raise _bad_market(f"name is not 1..{MAX_NAME_CHARS} printable characters")
    if not is_text(description, MAX_TEXT_CHARS):
        raise _bad_market(f"description is not up to {MAX_TEXT_CHARS} printable characters")
    if len(aliases) > MAX_ALIASES:
        raise _bad_market(f"more than {MAX_ALIASES} aliases")
    if not all(is_line(alias, MAX_NAME_CHARS) for alias in aliases):
        raise _bad_market(f"an alias is not 1..{MAX_NAME_CHARS} printable characters")
    if len(dict.fromkeys(aliases)) < len(aliases):
        raise _bad_market("an alias is given twice")


def _check_weights(market_bp: int, reality_bp: int) -> None:
    if market_bp < 0 or reality_bp < 0 or market_bp + reality_bp != WEIGHT_ONE_BP:
        raise _bad_market(f"the two weights do not add up to {WEIGHT_ONE_BP}")


def _check_outside_prices(low: str, high: str) -> None:
    if not (_OUTSIDE_PRICE.fullmatch(low) and _OUTSIDE_PRICE.fullmatch(high)):
        raise _bad_market("min_price or max_price is no plain decimal")
    if Decimal(low) >= Decimal(high):
        raise _bad_market("min_price is not below max_price")


def _bad_market(detail: str) -> Refused:
    return Refused(Refusal.BAD_MARKET, detail)
