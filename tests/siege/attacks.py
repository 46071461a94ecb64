"""All attacks. One more is an `Attack` in the list of its module."""

from typing import Final

from tests.siege import over_http, over_nats, people, world

ATTACKS: Final = (*world.ATTACKS, *people.ATTACKS, *over_nats.ATTACKS, *over_http.ATTACKS)
BY_NAME: Final = {one.name: one for one in ATTACKS}
