"""Claims of a handle by DNS or HTTPS, and which of them are valid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from at_protocol.failures import Malformed
from at_protocol.identity.did_document import parse_did_document
from at_protocol.identity.handle_claim import (
    confirmed_handle,
    did_from_body,
    did_from_txt,
    dns_name,
    well_known_url,
)
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle, parse_handle

DID = Did("did:plc:ewvi7nxzyoun6zhxrhs64oiz")
OTHER = Did("did:web:example.com")


def test_names_for_dns_and_https():
    assert dns_name(Handle("alice.test")) == "_atproto.alice.test"
    assert well_known_url(Handle("alice.test")) == "https://alice.test/.well-known/atproto-did"


def test_a_handle_too_long_for_dns():
    """A handle over 244 characters is too long for DNS, but can still be resolved over HTTPS."""
    for length, fits in ((244, True), (245, False)):
        handle = parse_handle(".".join(["a" * 63] * 3) + "." + "b" * (length - 192))
        assert (dns_name(handle) is not None) is fits


@pytest.mark.parametrize(
    "records",
    [
        [[b"did=" + DID.encode()]],
        [[b"did=did:plc:", b"ewvi7nxzyoun6zhxrhs64oiz"]],
        [[b"d", b"id=" + DID.encode()], [b"v=spf1 -all"], [b"DID=did:web:example.com"], [b" did=did:web:example.com"]],
    ],
)
def test_exactly_one_record_is_a_claim(records):
    """Exactly one TXT record is a claim. Its chunks are joined; other records, upper case and leading spaces are
    ignored.
    """
    assert did_from_txt(records) == DID


@pytest.mark.parametrize("records", [[], [[b"v=spf1"]], [[]], [[b"DID=" + DID.encode()]]])
def test_other_records_are_not_claims(records):
    assert did_from_txt(records) is None


@pytest.mark.parametrize(
    "records",
    [
        [[b"did=" + DID.encode()], [b"did=" + OTHER.encode()]],
        [[b"did=" + DID.encode()], [b"did=" + DID.encode()]],
        [[b"did="]],
        [[b"did= " + DID.encode()]],
        [[b"did=" + DID.encode() + b" "]],
        [[b"did=\xff"]],
        [[b"did=alice.test"]],
    ],
)
def test_two_claims_or_an_invalid_did_are_a_failure(records):
    """Two claims are a failure even if they are equal, and a claim is not trimmed."""
    with pytest.raises(Malformed) as raised:
        did_from_txt(records)
    assert raised.value.kind == "handle claim"


@pytest.mark.parametrize(
    "body", [DID.encode(), DID.encode() + b"\n", b"  " + DID.encode() + b" \r\nmore", b"\n" + DID.encode()]
)
def test_did_is_read_from_the_body(body):
    assert did_from_body(body) == DID


@pytest.mark.parametrize("body", [b"", b"\n", b"<html>", b"\xff\xfe", b"alice.test", b"did:plc:", b"x" * 10_000_000])
def test_body_without_a_did_is_refused(body):
    with pytest.raises(Malformed) as raised:
        did_from_body(body)
    assert raised.value.kind == "handle claim"


@pytest.mark.parametrize(
    "names, resolved, shown",
    [
        (["at://Alice.Test"], DID, "alice.test"),
        (["at://alice.test"], OTHER, "handle.invalid"),
        (["at://alice.test"], None, "handle.invalid"),
        ([], DID, "handle.invalid"),
        (["at://handle.invalid"], DID, "handle.invalid"),
    ],
)
def test_handle_must_resolve_to_the_did_of_its_document(names, resolved, shown):
    document = parse_did_document({"id": DID, "alsoKnownAs": names}, DID)
    assert confirmed_handle(document, resolved) == shown


@given(st.lists(st.lists(st.binary())) | st.lists(st.tuples(st.just(b"did="), st.binary())), st.binary())
def test_garbage_is_malformed_and_nothing_else(records, body):
    for read, said in ((did_from_txt, records), (did_from_body, body)):
        try:
            read(said)
        except Malformed:
            continue
