import pytest

from schemas.aliases import check_alias, exact_alias
from schemas.errors import InputError


@pytest.mark.parametrize(
    ("alias", "exact"),
    [
        ('"Fed"', "Fed"),
        ('"New York"', "New York"),
        ("Fed", ""),
        ('"Fed', ""),
        ('Fed"', ""),
        ('"', ""),
        ('""', ""),
        ('" Fed"', ""),
        ('"a" or "b"', ""),
    ],
)
def test_an_alias_in_quotes_is_exact(alias: str, exact: str) -> None:
    assert exact_alias(alias) == exact


@pytest.mark.parametrize("alias", ["Fed", '"Fed"', "AT&T", "雨", "3M"])
def test_good_aliases(alias: str) -> None:
    check_alias(alias)


@pytest.mark.parametrize("alias", ['"Fed', 'the "Fed"', '""', '"!"', "!!!", "", '" Fed"'])
def test_bad_aliases_are_named(alias: str) -> None:
    with pytest.raises(InputError) as raised:
        check_alias(alias)
    assert repr(alias) in str(raised.value)
