"""The notation of a market's aliases: `"Fed"`, quotes and all, is a name exactly as written.

It stands inside the string, so that listings have it without another version. Any other alias
matches by what its capitals say (docs/reference/names.md). Names are matched where articles are
measured and nowhere else, so no engine judges the notation.
"""

from typing import Final

from schemas.errors import InputError

_QUOTE: Final = '"'


def exact_alias(alias: str) -> str:
    """Return what an alias in double quotes has between them, empty for any other alias.

    >>> exact_alias('"Fed"'), exact_alias("Fed"), exact_alias('the "Fed"')
    ('Fed', '', '')
    """
    inner = alias[1:-1]
    quoted = alias == f"{_QUOTE}{inner}{_QUOTE}" and _QUOTE not in inner
    return inner if quoted and inner == inner.strip() else ""


def check_alias(alias: str) -> None:
    """Raise InputError for an alias that no text can have, or whose quotes mean nothing."""
    if not any(map(str.isalnum, alias)):
        raise InputError(f"the alias {alias!r} has neither a letter nor a digit")
    if _QUOTE in alias and not exact_alias(alias):
        raise InputError(f"""the alias {alias!r}: quotes go around all of it, as in '"Fed"'""")
