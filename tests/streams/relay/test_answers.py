"""Answers, as the libraries of others read them."""

import json

import pytest
from nats.js import api
from nats.js.errors import APIError, BadRequestError, ServiceUnavailableError

from schemas.errors import (
    AppendFailed,
    AppendUnknown,
    Busy,
    EverythingError,
    MalformedMessage,
    TooLarge,
    UnknownMessage,
)
from streams.accounts.errors import TooManyCommands
from streams.log.publishing import read_ack
from streams.relay import answers
from streams.relay.errors import BatchRefused


def test_a_stored_command_is_acknowledged_as_jetstream_does() -> None:
    answer = answers.stored("LOG_main", 1234, "main")
    assert json.loads(answer) == {"stream": "LOG_main", "seq": 1234, "shard": "main"}
    ack = api.PubAck.from_response(json.loads(answer))
    assert (ack.stream, ack.seq, ack.duplicate) == ("LOG_main", 1234, None)
    assert read_ack(0, answer).sequence == 1234


@pytest.mark.parametrize(
    ("error", "code", "status", "kind", "retry"),
    [
        (TooManyCommands("too many", 3), "command_quota", 429, APIError, 3),
        (MalformedMessage("no JSON"), "malformed", 400, BadRequestError, None),
        (UnknownMessage("x/1"), "unknown_message", 422, APIError, None),
        (BatchRefused("one by one"), "batch_refused", 422, APIError, None),
        (TooLarge("too large"), "too_large", 413, APIError, None),
        (Busy("wait", 2), "busy", 503, ServiceUnavailableError, 2),
        (AppendFailed("10077"), "append_failed", 503, ServiceUnavailableError, 1),
        (AppendUnknown("no ack"), "append_unknown", 503, ServiceUnavailableError, 1),
    ],
)
def test_a_refusal_is_an_error_of_jetstream_with_our_code(
    error: EverythingError, code: str, status: int, kind: type[APIError], retry: int | None
) -> None:
    answer = json.loads(answers.refused(error))
    assert answer["code"] == code
    assert answer.get("retry_after_s") == retry
    assert answer["error"]["description"] == f"{code}: {error}"
    with pytest.raises(kind) as caught:
        APIError.from_error(answer["error"])
    assert caught.value.code == status
    ack = read_ack(0, answers.refused(error))
    assert (ack.sequence, ack.error) == (0, status)
