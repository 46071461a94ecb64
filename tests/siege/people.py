"""Attacks 2, 4, 8, 9 and 12 of the list: sign-ups, foundings, sessions and orders over HTTP."""

import asyncio
import secrets
import time
from typing import Any, Final

from schemas import signatures
from schemas.codec import encode
from schemas.commands import AccountOpening
from schemas.decisions import Genesis
from schemas.policy import SEED_PLAN
from streams.gateway.limits import ACCOUNTS_PER_MINUTE
from tests.siege.ground import Acting, Attack, Login
from tests.siege.http_client import HttpClient, connected, proof, token

SIGN_UPS: Final = "sign-ups and reserved names"
FOUNDINGS: Final = "foundings with guessed codes"
RESERVED: Final = ("admin", "Everything", "fee_", "engine_x", "treasury", "support", "me")
_MINUTE_S: Final = 60
_SIGN_IN_EVERY_S: Final = 4
"""Of one network; it may sign in 30 times a minute."""
_WASH_EVERY_S: Final = 0.15
_HIGH, _LOW = 9_900, 4_800
_LOTS: Final = (1, 10, 1)


def new_seed() -> str:
    return signatures.seed_from(secrets.token_bytes(signatures.SEED_BYTES))


def opening(venue_id: str, account: str, seed: str) -> dict[str, Any]:
    """Return the body that asks for an account."""
    key, now = signatures.public_key(seed), time.time_ns()
    text = AccountOpening(account=account, public_key=key, client_time_ns=now, venue_id=venue_id)
    signature = signatures.sign(seed, encode(text))
    return {"account": account, "public_key": key, "client_time_ns": now, "signature": signature}


async def sign_ups(acting: Acting) -> None:
    """Ask for accounts from one network with one key, as fast as it goes, reserved names too."""
    seed = new_seed()

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(50, 1 + number)) as client:
            for count in range(50):
                name = f"s{secrets.token_hex(6)}" if count % 5 else acting.dice.choice(RESERVED)
                body = opening(acting.ground.venue_id, name, seed)
                await client.ask("POST", "/api/v1/accounts", body)

    await acting.each(4, ask)


async def newcomers(acting: Acting) -> None:
    """Ask for accounts from four networks, each as often as one may."""

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(50 + number)) as client:
            body = opening(acting.ground.venue_id, f"n{secrets.token_hex(6)}", new_seed())
            await client.ask("POST", "/api/v1/accounts", body)
        await asyncio.sleep(_MINUTE_S / ACCOUNTS_PER_MINUTE)

    await acting.each(4, ask)


def founding(seed: str) -> dict[str, str]:
    """Return the genesis of a venue that the attacker would own."""
    key = signatures.public_key(seed)
    text = encode(
        Genesis(
            venue="stolen",
            root_key=key,
            notary_key=signatures.public_key(new_seed()),
            policy=SEED_PLAN,
            time_ns=time.time_ns(),
        )
    )
    return {"key": key, "body": text.decode(), "signature": signatures.sign(seed, text)}


async def foundings(acting: Acting) -> None:
    """Try to found the venue, without a code and with guessed ones."""
    body = founding(new_seed())

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(54, 1 + number)) as client:
            for count in range(50):
                guess = "-".join(secrets.token_hex(2).upper() for _ in range(4))
                headers = (f"X-Founding-Code: {guess}",) if count % 2 else ()
                await client.ask("POST", "/api/v1/admin/action", body, *headers)
                await asyncio.sleep(0.02)

    await acting.each(2, ask)


async def readers_of_decisions(acting: Acting) -> None:
    """Ask as often who the venue is, and who signed what."""

    async def ask(number: int) -> None:
        async with connected(acting, acting.ground.address(54, 1 + number)) as client:
            for path in ("/api/v1/venue", "/api/v1/keys") * 25:
                await client.ask("GET", path)
                await asyncio.sleep(0.02)

    await acting.each(2, ask)


async def replays(acting: Acting) -> None:
    """Sign in once, and then again and again with the same answer to the same challenge."""

    async def ask(_number: int) -> None:
        async with connected(acting, acting.ground.address(55)) as client:
            answered = await proof(client, acting.ground.funded[10])
            # The quota may refuse the first of them, and then a later one is the first use.
            let_in = 0
            for _ in range(20) if answered else ():
                status, _ = await client.ask("POST", "/api/v1/session", answered)
                let_in += status == 200
                if status == 200 and let_in > 1:
                    acting.tally.note("REPLAYED")
                await asyncio.sleep(0.5)
        await asyncio.sleep(1)

    await acting.each(1, ask)


async def sign_ins(acting: Acting) -> None:
    """Sign in with a new answer each time, as often as a network may."""

    async def ask(_number: int) -> None:
        async with connected(acting, acting.ground.address(55)) as client:
            await token(client, acting.ground.funded[10])
        await asyncio.sleep(_SIGN_IN_EVERY_S)

    await acting.each(1, ask)


async def _trade(client: HttpClient, bearer: str, symbol: str, **fields: Any) -> tuple[int, bytes]:
    body = {
        "client_order_id": secrets.token_hex(8),
        "client_time_ns": time.time_ns(),
        "symbol": symbol,
        **fields,
    }
    return await client.ask("POST", "/api/v1/orders", body, f"Authorization: Bearer {bearer}")


async def _sessions_of(acting: Acting, logins: list[Login], network: int, pause_s: float) -> None:
    """Send orders in a session of each account; who is refused goes on all the same."""
    bearers: dict[str, str] = {}

    async def send(number: int) -> None:
        login = logins[number]
        async with connected(acting, acting.ground.address(network, 1 + number)) as client:
            if login.account not in bearers:
                await asyncio.sleep(number)
                bearer = await token(client, login)
                if bearer is None:
                    await asyncio.sleep(_SIGN_IN_EVERY_S)
                    return
                bearers[login.account] = bearer
            for _ in range(100):
                symbol = acting.dice.choice(acting.ground.symbols)
                price = f"{acting.dice.randint(10, 90)}.00"
                status, _ = await _trade(
                    client, bearers[login.account], symbol, side="buy", quantity=1, price=price,
                    time_in_force="ioc",
                )  # fmt: skip
                if status == 401:
                    del bearers[login.account]
                    return
                await asyncio.sleep(pause_s)

    await acting.each(len(logins), send)


async def broke_orders(acting: Acting) -> None:
    """Send orders over HTTP as fast as it goes, of accounts that never had a credit."""
    await _sessions_of(acting, acting.ground.free[-2:], 56, 0.0)


async def paid_orders(acting: Acting) -> None:
    """Send orders over HTTP that can be paid for, as many as a trader may."""
    await _sessions_of(acting, acting.ground.funded[-2:], 56, 0.06)


async def _wash(acting: Acting, first: int, last: int) -> None:
    """Have two accounts trade with each other, at prices between two bounds."""
    seller, buyer = acting.ground.washers

    async def trade(_number: int) -> None:
        address = acting.ground.address(57)
        async with connected(acting, address) as one, connected(acting, address) as other:
            sells, buys = await token(one, seller), await token(other, buyer)
            if sells is None or buys is None:
                await asyncio.sleep(_SIGN_IN_EVERY_S)
                return
            symbol = acting.ground.wash_symbol
            while True:
                price = f"{acting.dice.choice((first, last)) / 100:.2f}"
                for lots in _LOTS:
                    terms: dict[str, Any] = {"quantity": lots, "price": price}
                    await _trade(one, sells, symbol, side="sell", **terms)
                    status, _ = await _trade(
                        other, buys, symbol, side="buy", time_in_force="ioc", **terms
                    )
                    acting.tally.note("wash trades asked for", int(status == 202))
                    await asyncio.sleep(_WASH_EVERY_S)
                sells, buys = buys, sells

    await acting.each(1, trade)


async def wash_trades(acting: Acting) -> None:
    """Push a market that nobody else trades as far up as two accounts can."""
    await _wash(acting, _HIGH, _HIGH)


async def fair_trades(acting: Acting) -> None:
    """Trade as often near the middle."""
    await _wash(acting, _LOW, 10_000 - _LOW)


ATTACKS: Final = (
    Attack("orders over HTTP without a credit", "2", broke_orders, paid_orders),
    Attack(FOUNDINGS, "4", foundings, readers_of_decisions),
    Attack(SIGN_UPS, "8", sign_ups, newcomers),
    Attack("challenges answered again", "9", replays, sign_ins),
    Attack("wash trades of two accounts", "12", wash_trades, fair_trades),
)
