"""`python again.py LOG`: decide every record of a log again, and print what came out.

Runs by itself, under any interpreter that has what the engines need and nothing of the
tests. The log is JSON lines of sequence, subject and payload; the notary's seed is its
first line, so that records are signed anew, too.
"""

import base64
import json
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from engines.exchange.engine import ExchangeEngine
from engines.governance import GovernanceEngine
from engines.kernel import Engine, decide_group, state_hash, write
from engines.notary import NotaryEngine
from engines.pricing import PricingEngine
from engines.reality import RealityEngine
from schemas import signatures, subjects
from schemas.record_chain import Head
from schemas.records import EVENT_MESSAGES
from schemas.stored import Stored

ENGINES = (GovernanceEngine, ExchangeEngine, RealityEngine, PricingEngine, NotaryEngine)


def dump(messages: list[Stored], notary_seed: str) -> str:
    """Return the log as text that `load` reads."""
    lines = [json.dumps(notary_seed)]
    for sequence, subject, payload in messages:
        lines.append(json.dumps([sequence, subject, base64.b64encode(payload).decode()]))
    return "\n".join(lines)


def load(text: str) -> tuple[list[Stored], str]:
    """Return the log's messages and the notary's seed."""
    head, *lines = text.splitlines()
    rows = [json.loads(line) for line in lines]
    messages = [Stored(row[0], row[1], base64.b64decode(row[2])) for row in rows]
    return messages, json.loads(head)


def decide(engine: Engine[Any], messages: list[Stored], seed: str) -> dict[str, Any]:
    """Decide an engine's records again; say how many came out to the letter, and the rest."""
    inputs = [m for m in messages if any(subjects.matches(p, m.subject) for p in engine.reads)]
    own = [m.payload for m in messages if m.subject == subjects.events("main", engine.name)]
    sign = (lambda data: signatures.sign(seed, data)) if engine.name == "notary" else None
    state, head, equal, at = engine.initial(), Head(), 0, 0
    whole = sha256()
    for data in own:
        record = EVENT_MESSAGES.decode(data)
        covered = None if record.tick else (record.first_input, record.last_input)
        taken: list[Stored] = []
        while covered and at < len(inputs) and inputs[at].sequence <= record.last_input:
            taken.append(inputs[at])
            at += 1
        group = decide_group(engine, state, taken, record.time_ns)
        again, head = write(
            engine, state, head, record.epoch, covered, record.time_ns, group.events, sign
        )
        equal += again == data
        whole.update(again)
    return {
        "records": len(own),
        "equal": equal,
        "bytes": whole.hexdigest(),
        "state": state_hash(engine, state),
    }


def main() -> None:
    """Decide the log of the command line again and print one JSON document."""
    messages, seed = load(Path(sys.argv[1]).read_text())
    found = {made().name: decide(made(), messages, seed) for made in ENGINES}
    setting = {
        "python": list(sys.version_info[:3]),
        "optimize": sys.flags.optimize,
        "hash": hash("a string"),
        "digits": sys.get_int_max_str_digits(),
        "zone": os.environ.get("TZ", ""),
    }
    print(json.dumps({"engines": found, "setting": setting}))


if __name__ == "__main__":
    main()
