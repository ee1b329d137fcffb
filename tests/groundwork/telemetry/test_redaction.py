"""No secret reaches a log, even if a caller passes one (invariants 3 and 8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.telemetry.redaction import HIDDEN, redact, redact_line, redact_text

JWT = "eyJhbGciOiJFUzI1NksiLCJ0eXAiOiJhdCtqd3QifQ.eyJzdWIiOiJkaWQ6cGxjOmEifQ.c2lnbmF0dXJl"


def line(**fields: object):
    return redact_line(None, "info", fields)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "access_token",
        "refreshToken",
        "Authorization",
        "set-cookie",
        "DPoP",
        "client_secret",
        "email",
        "jwt",
    ],
)
def test_fields_with_secret_names_are_hidden(name):
    assert line(**{name: "plain-looking"})[name] == HIDDEN
    assert redact({"headers": {name: ["plain-looking"]}}) == {"headers": {name: HIDDEN}}


def test_numbers_about_secrets_stay():
    assert line(token_count=3, password_seconds=0.1, has_email=True) == {
        "token_count": 3,
        "password_seconds": 0.1,
        "has_email": True,
    }


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("mail to ana.b+c@example.org failed", "ana.b+c@example.org"),
        (f"token {JWT} is old", JWT),
        ("Authorization: Bearer abcdef123456", "abcdef123456"),
        ("DPoP abcdef.123456", "abcdef.123456"),
        ("GET /x?token=s3cr3t&next=1", "s3cr3t"),
        ("GET /callback?code=s3cr3t&state=1", "s3cr3t"),
        ("refresh_token=s3cr3t", "s3cr3t"),
        ("postgresql://openmeet:s3cr3t@db/x", "s3cr3t"),
        ("amqp://guest:s3cr3t@localhost:5672/", "s3cr3t"),
    ],
)
def test_secret_patterns_are_redacted_in_any_text(text, secret):
    for shown in (redact_text(text), str(line(why=text)), str(line(event=text)), str(redact([{"x": (text,)}]))):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    [
        "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/community.lexicon.calendar.event/3k2yihcrp6f2c",
        "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm",
        "https://town.net/events/picnic",
        "cursor 12345 is 20 behind",
        "ana.example.org",
    ],
)
def test_information_for_operators_is_not_redacted(text):
    assert redact(text) == text


def test_bytes_are_counted_not_shown():
    assert redact(b"hunter2") == "<7 bytes>"


def test_exceptions_and_other_objects_go_through_their_text():
    assert "ana@example.org" not in redact(ValueError("ana@example.org"))


@given(st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z0-9]{1,10}\.[a-z]{2,5}", fullmatch=True), st.text(max_size=20))
def test_addresses_are_redacted_in_any_text(address, around):
    assert address not in redact_text(f"{around} {address} {around}")
