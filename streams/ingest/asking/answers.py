"""Reading the model's answer: strictly, although a grammar bound it.

An answer is exactly one JSON object of the wanted fields, each once and within its bounds.
Everything else is refused. The text of a refusal is our own, because the log records it.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any, Final, NoReturn

import msgspec

from schemas import json_limits as shape
from schemas.errors import MalformedMessage
from schemas.limits import MAX_LLM_ARTICLES
from schemas.observations import LlmAnswer
from schemas.texts import is_text
from schemas.units import HUNDREDTHS, WEIGHT_ONE_BP
from streams.ingest.limits import (
    LLM_TEXT_CHARS,
    MAX_NUMBER_CHARS,
    MAX_RATIONALE_CHARS,
    MAX_RAW_OUTPUT_CHARS,
    MAX_SUMMARY_CHARS,
)

SCHEMA_VERSION: Final = 1
MAX_IMPACT: Final = 100

_STEPS_OF_CONFIDENCE: Final = 20
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _AnswerFields(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    schema_version: Decimal
    summary: _Text
    impact_suggestion: Decimal
    confidence: Decimal
    rationale: _Text
    snapshot_ids: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_LLM_ARTICLES)]


def schema(ids: Sequence[str]) -> dict[str, Any]:
    """Return the JSON schema to which the model is bound, for articles named `ids`.

    Numbers are enumerations: grammars that are made from schemas know no ranges.
    """
    text = {"type": "string", "minLength": 1, "maxLength": LLM_TEXT_CHARS}
    steps = [step / _STEPS_OF_CONFIDENCE for step in range(_STEPS_OF_CONFIDENCE + 1)]
    ids_said = {"type": "array", "items": {"enum": list(ids)}, "minItems": 1, "maxItems": len(ids)}
    properties = {
        "schema_version": {"const": SCHEMA_VERSION},
        "summary": text,
        "rationale": text,
        "impact_suggestion": {"enum": list(range(-MAX_IMPACT, MAX_IMPACT + 1))},
        "confidence": {"enum": steps},
        "snapshot_ids": ids_said,
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def read_answer(text: str, given: Mapping[str, str]) -> LlmAnswer:
    """Return the answer in `text`. `given` has each article's snapshot_id by its short id.

    Raises MalformedMessage.
    """
    if len(text) > MAX_RAW_OUTPUT_CHARS:
        raise MalformedMessage(f"longer than {MAX_RAW_OUTPUT_CHARS} characters")
    answer = _converted(_parsed(text))
    if answer.schema_version != SCHEMA_VERSION:
        raise MalformedMessage("schema_version is unknown")
    return LlmAnswer(
        schema_version=SCHEMA_VERSION,
        summary=_said("summary", answer.summary, MAX_SUMMARY_CHARS),
        impact_e2=_scaled("impact_suggestion", answer.impact_suggestion, -MAX_IMPACT, HUNDREDTHS),
        confidence_bp=_scaled("confidence", answer.confidence, 0, WEIGHT_ONE_BP),
        rationale=_said("rationale", answer.rationale, MAX_RATIONALE_CHARS),
        snapshot_ids=_cited(answer.snapshot_ids, given),
    )


def _parsed(text: str) -> Any:
    """Return the JSON document with exact numbers. A repeated key is refused."""
    try:
        shape.check(text.encode())
        return json.loads(
            text,
            parse_int=_number,
            parse_float=_number,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except MalformedMessage:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedMessage("not one JSON document") from error


def _number(text: str) -> Decimal:
    if len(text) > MAX_NUMBER_CHARS or "e" in text.lower():
        raise MalformedMessage("a number that is not plain")
    return Decimal(text)


def _no_number(_: str) -> NoReturn:
    raise MalformedMessage("a number that is none")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedMessage("a field said twice")
    return found


def _converted(document: Any) -> _AnswerFields:
    try:
        # With Decimal as a builtin type, msgspec does not convert a string into one.
        return msgspec.convert(document, _AnswerFields, builtin_types=(Decimal,))
    except msgspec.ValidationError as error:
        raise MalformedMessage("not the fields that were asked for") from error


def _said(field: str, text: str, max_chars: int) -> str:
    if not is_text(text, max_chars) or not text.strip():
        raise MalformedMessage(f"{field} is empty, too long or not printable")
    return text


def _scaled(field: str, number: Decimal, low: int, scale: int) -> int:
    """Return `number` as an integer of `scale` to one, rounded half to even."""
    high = 1 if low == 0 else -low
    if not low <= number <= high:
        raise MalformedMessage(f"{field} is outside {low}..{high}")
    return int((number * scale).to_integral_value(ROUND_HALF_EVEN))


def _cited(ids: Sequence[str], given: Mapping[str, str]) -> list[str]:
    if any(name not in given for name in ids):
        raise MalformedMessage("snapshot_ids names an article that was not given")
    return list(dict.fromkeys(given[name] for name in ids))
