"""Which handles may be registered: the policy, case by case."""

import pytest

from aurora_locus.identity.handles import RESERVED, require_registrable
from groundwork.errors import InvalidInput, Refused

DOMAINS = (".town.example.org", ".test")


@pytest.mark.parametrize(
    ("text", "handle"),
    [
        ("ana.test", "ana.test"),
        ("ANA.Test", "ana.test"),
        ("a-1.test", "a-1.test"),
        ("granny.test", "granny.test"),
        ("x" * 18 + ".test", "x" * 18 + ".test"),
        ("ana.town.example.org", "ana.town.example.org"),
    ],
)
def test_registrable_handles_are_normalized(text: str, handle: str) -> None:
    assert require_registrable(text, DOMAINS, is_development=True) == handle


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ab.test", "InvalidHandle"),
        ("x" * 19 + ".test", "InvalidHandle"),
        ("a.b.test", "InvalidHandle"),
        ("a.ana.town.example.org", "InvalidHandle"),
        ("ana.test.", "InvalidHandle"),
        (".test", "InvalidHandle"),
        ("-ana.test", "InvalidHandle"),
        ("ana", "InvalidHandle"),
        ("an\u00e4.test", "InvalidHandle"),
        ("ana test", "InvalidHandle"),
        ("ana.local", "InvalidHandle"),
        ("ana.onion", "InvalidHandle"),
        ("tr4nny.test", "InvalidHandle"),
        ("", "InvalidHandle"),
        ("admin.test", "HandleNotAvailable"),
        ("nasa.test", "HandleNotAvailable"),
        ("PDS.test", "HandleNotAvailable"),
        ("ana.example.org", "UnsupportedDomain"),
        ("town.example.org", "UnsupportedDomain"),
        ("anatown.example.org", "UnsupportedDomain"),
    ],
)
def test_other_handles_are_refused(text: str, name: str) -> None:
    with pytest.raises((InvalidInput, Refused)) as caught:
        require_registrable(text, DOMAINS, is_development=True)
    assert caught.value.name == name


def test_test_handles_are_for_development() -> None:
    with pytest.raises(InvalidInput):
        require_registrable("ana.test", DOMAINS, is_development=False)


def test_reserved_names_are_written_as_handles_are() -> None:
    assert all(name == name.lower() and "." not in name for name in RESERVED)
    assert {"admin", "www", "xrpc", "pds", "at"} <= RESERVED


def test_words_of_the_operator_are_reserved_too() -> None:
    with pytest.raises(Refused) as refused:
        require_registrable("townhall.test", DOMAINS, is_development=True, reserved={"townhall"})
    assert refused.value.name == "HandleNotAvailable"
