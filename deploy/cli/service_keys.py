"""`everything service-key …` and `runner-key …`: secrets of programs, and of runners elsewhere."""

import time
from typing import Annotated

import typer

from deploy.cli.output import document, rows, say
from deploy.cli.parameters import Json
from deploy.venue.service_keys import ENVIRONMENT_KEY, ServiceKey, ServiceKeyFolder
from deploy.venue.settings import Home, Settings
from schemas.errors import InputError
from schemas.units import HOUR_NS, SECOND_NS

KeyId = Annotated[str, typer.Argument(help="The program's X-Key-Id: a-z, 0-9, _ and -.")]


def _folder() -> ServiceKeyFolder:
    return ServiceKeyFolder(Home(Settings().home).program_keys)


def new(key_id: KeyId, as_json: Json = False) -> None:
    """Make a secret and show it, this once. It is accepted from now on."""
    if key_id == ENVIRONMENT_KEY:
        raise InputError(f"{ENVIRONMENT_KEY!r} is the key of REALITY_API_SECRET")
    _show(key_id, _folder().create(key_id, time.time_ns()), as_json)


def rotate(key_id: KeyId, as_json: Json = False) -> None:
    """Make a new secret and show it; the one before it is accepted for a day more."""
    _show(key_id, _folder().rotate(key_id, time.time_ns()), as_json)


def _show(key_id: str, secret: str, as_json: bool) -> None:
    if as_json:
        document({"key_id": key_id, "secret": secret})
    else:
        say(f"X-Key-Id {key_id}\nsecret   {secret}")


def _runners() -> ServiceKeyFolder:
    return ServiceKeyFolder(Home(Settings().home).runner_keys)


def new_runner(key_id: KeyId, as_json: Json = False) -> None:
    """Make a runner's secret and show it, this once. It is accepted from now on."""
    _show(key_id, _runners().create(key_id, time.time_ns()), as_json)


def rotate_runner(key_id: KeyId, as_json: Json = False) -> None:
    """Make a runner's new secret and show it; the one before it is accepted for a day more."""
    _show(key_id, _runners().rotate(key_id, time.time_ns()), as_json)


def list_runners(as_json: Json = False) -> None:
    """Show which runners have a key, and until when their former secrets are accepted."""
    _list(_runners(), "no runner keys", as_json)


def list_keys(as_json: Json = False) -> None:
    """Show which programs have a key, and until when their former secrets are accepted."""
    _list(_folder(), "no service keys", as_json)


def _list(folder: ServiceKeyFolder, empty: str, as_json: bool) -> None:
    now_ns = time.time_ns()
    found = [_described(key, now_ns) for key in folder.listed()]
    columns = {"key_id": "key", "made": "made", "former": "former secrets"}
    rows(found, columns, empty=empty, as_json=as_json)


def _described(key: ServiceKey, now_ns: int) -> dict[str, str]:
    """Return what may be shown of a key: never a secret."""
    former = [
        f"{(one.lapses_ns - now_ns) / HOUR_NS:.1f} h more"
        for one in key.secrets
        if one.lapses_ns is not None and one.lapses_ns > now_ns
    ]
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(key.secrets[0].made_ns // SECOND_NS))
    return {"key_id": key.key_id, "made": made, "former": ", ".join(former)}
