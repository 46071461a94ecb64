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
from engines.kernel import Engine, state_hash
from engines.notary import NotaryEngine
from engines.pricing import PricingEngine
from engines.reality import RealityEngine
from schemas import signatures, subjects
from schemas.stored import Stored
from tests.support.redecide import redecided

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
    equal, whole, state = 0, sha256(), engine.initial()
    for done in redecided(engine, inputs, own, sign):
        equal += done.again == done.data
        whole.update(done.again)
        state = done.state
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
