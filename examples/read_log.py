"""Read the log as an auditor does, who trusts none of this software: nats-py and PyNaCl.

    python examples/read_log.py 23                       one message by its sequence
    python examples/read_log.py 23 --next main.evt.pricing  the first on a subject from there on
    python examples/read_log.py --last main.evt.notary   the newest on a subject
    python examples/read_log.py --check                  the whole log against the notary's seals

The exact stored bytes go to stdout, what is said about them to stderr. The auditor's key
can read the log and do nothing else.
"""

import argparse
import asyncio
import base64
import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from nats.aio.client import Client

STREAM = "LOG_main"
NOTARY = "main.evt.notary"
EVERYTHING = "main.>"
WAIT_S = 10


class Message(NamedTuple):
    sequence: int
    subject: str
    payload: bytes


class Auditor(Client):
    """nats-py that leaves headers as they came, in bytes.

    A direct get answers with the headers that somebody stored and the server's own behind
    them. nats-py would read them all alike, and take a stored `Status: 503` for no answer.
    """

    async def _process_headers(self, headers: bytes) -> dict[str, Any]:
        return {"bytes": headers}


async def get(auditor: Auditor, question: dict[str, Any]) -> Message | None:
    """Ask for one message; None where there is none."""
    asked = json.dumps(question).encode()
    answer = await auditor.request(f"$JS.API.DIRECT.GET.{STREAM}", asked, timeout=WAIT_S)
    headers: dict[str, Any] = answer.headers or {}
    header: bytes = headers["bytes"]
    sequence = last_value(header, b"Nats-Sequence")
    if sequence:
        return Message(int(sequence), last_value(header, b"Nats-Subject"), answer.data)
    if header.startswith(b"NATS/1.0 404"):
        return None
    raise RuntimeError(f"the server says {header!r}")


def last_value(header: bytes, name: bytes) -> str:
    """Return the last value of that name, which is the server's; "" if there is none."""
    _, found, rest = header.rpartition(b"\r\n" + name + b": ")
    return rest.partition(b"\r\n")[0].decode() if found else ""


async def check(auditor: Auditor) -> str:
    """Chain every message from the first on and compare with each signed seal met."""
    chain, chains, seals, notary = bytes(32), {}, 0, b""
    newest = await get(auditor, {"last_by_subj": EVERYTHING})
    last = newest.sequence if newest else 0
    for sequence in range(1, last + 1):
        message = await get(auditor, {"seq": sequence})
        if message is None:
            return f"NOT CLEAN: message {sequence} is missing"
        name = message.subject.encode()
        head = b"%d %d %d " % (sequence, len(name), len(message.payload))
        chain = sha256(chain + head + name + message.payload).digest()
        chains[sequence] = chain.hex()
        if sequence == 1:
            genesis = json.loads(json.loads(message.payload)["body"])
            notary = base64.b32decode(genesis["notary_key"])[1:-2]
        if message.subject == NOTARY:
            for seal in signed_seals(message.payload, VerifyKey(notary)):
                if chains[seal["through"]] != seal["chain"]:
                    return f"NOT CLEAN: the seal in message {sequence} does not match"
                seals += 1
    return f"{last} messages, {seals} signed seals, all match"


def signed_seals(payload: bytes, notary: VerifyKey) -> list[dict[str, Any]]:
    """Return a notary record's seals. Raises BadSignatureError unless hash and signature fit."""
    record = json.loads(payload)
    body = payload[: payload.rfind(b',"hash":"')]
    if sha256(body).hexdigest() != record["hash"]:
        raise BadSignatureError(f"record {record['number']}: the bytes do not have its hash")
    notary.verify(record["hash"].encode(), base64.urlsafe_b64decode(record["signature"] + "=="))
    return list(record["events"])


async def main(given: argparse.Namespace) -> int:
    """Do what the command line asks; return the exit code."""
    auditor = Auditor()
    await auditor.connect(
        given.server,
        nkeys_seed=str(given.home / "keys" / "services" / "auditor.nk"),
        inbox_prefix=b"_INBOX_auditor",
    )
    try:
        if given.check:
            verdict = await check(auditor)
            print(verdict)
            return int("NOT CLEAN" in verdict)
        question: dict[str, Any] = {"seq": given.sequence}
        if given.next:
            question["next_by_subj"] = given.next
        elif given.last:
            question = {"last_by_subj": given.last}
        message = await get(auditor, question)
        while message and given.type and json.loads(message.payload)["type"] != given.type:
            question["seq"] = message.sequence + 1
            message = await get(auditor, question)
        if message is None:
            print("no such message", file=sys.stderr)
            return 1
        print(f"message {message.sequence} on {message.subject}", file=sys.stderr, flush=True)
        sys.stdout.buffer.write(message.payload)
        return 0
    finally:
        await auditor.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sequence", type=int, nargs="?", default=1)
    parser.add_argument("--next", metavar="SUBJECT")
    parser.add_argument("--type", metavar="TYPE", help="with --next: the first of this type")
    parser.add_argument("--last", metavar="SUBJECT")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--home", type=Path, default=Path("data"), help="the venue's folder")
    parser.add_argument("--server", default=os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    sys.exit(asyncio.run(main(parser.parse_args())))
