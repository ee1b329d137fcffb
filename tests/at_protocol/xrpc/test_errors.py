"""Error bodies: ours, and what other servers send instead."""

import pytest

from at_protocol.xrpc.errors import MAX_MESSAGE, ErrorBody, encode_error, read_error


def test_body_round_trip():
    error = ErrorBody("InvalidSwap", "the record changed")
    assert read_error(400, encode_error(error)) == error


def test_empty_message_is_left_out():
    assert encode_error(ErrorBody("NotFound")) == b'{"error":"NotFound"}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"{}",
        b"[]",
        b"null",
        b'{"error":1}',
        b'{"message":"x"}',
        b"\xff",
        b'{"error":""}',
    ],
)
def test_any_error_body_is_accepted(body):
    """Any body, such as a proxy's page or none at all, becomes an error with a name."""
    assert read_error(502, body).name == "UpstreamFailure"


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "InvalidRequest"), (418, "InvalidRequest"), (429, "RateLimitExceeded"), (599, "InternalServerError")],
)
def test_bare_status_has_a_name(status, name):
    assert read_error(status, b"").name == name


@pytest.mark.parametrize("name", ["two words", "line\\nbreak", "ünïcode", "x" * 101])
def test_name_is_a_short_constant(name):
    """An error name that is not a short constant is replaced, because names end up in metric labels and tables."""
    assert read_error(400, f'{{"error":"{name}"}}'.encode()).name == "InvalidRequest"


def test_long_message_is_cut():
    assert len(read_error(400, encode_error(ErrorBody("X", "y" * 10_000))).message) == MAX_MESSAGE
