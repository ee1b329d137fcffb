"""Where a Lexicon is published, and which records are Lexicons."""

from typing import Any

import pytest

from at_protocol.failures import Malformed
from at_protocol.lexicon.publication import authority_from_txt, authority_name, read_publication, references_of
from at_protocol.syntax.nsid import Nsid

NOTE = Nsid("edu.uni.lab.note")
DOCUMENT = {
    "$type": "com.atproto.lexicon.schema",
    "lexicon": 1,
    "id": NOTE,
    "defs": {
        "main": {
            "type": "record",
            "key": "tid",
            "record": {
                "type": "object",
                "properties": {
                    "mine": {"type": "ref", "ref": "#other"},
                    "theirs": {"type": "array", "items": {"type": "ref", "ref": "com.example.place#point"}},
                    "either": {"type": "union", "refs": ["com.example.a", "com.example.b#c", "edu.uni.lab.note#other"]},
                    "ref": {"type": "string"},
                },
            },
        },
        "other": {"type": "object", "properties": {}},
    },
}


@pytest.mark.parametrize(
    ("nsid", "name"),
    [
        ("edu.uni.lab.note", "_lexicon.lab.uni.edu"),
        ("com.Example.note", "_lexicon.example.com"),
        ("com." + ".".join(["a" * 60] * 4) + ".note", None),
    ],
    ids=["three labels", "upper case", "too long for DNS"],
)
def test_name_for_the_dns_query(nsid: str, name: str | None) -> None:
    """The name to look up is exactly the domain of the NSID, never a parent or a subdomain."""
    assert authority_name(Nsid(nsid)) == name


def test_one_did_is_the_authority() -> None:
    assert authority_from_txt([(b"did=did:plc:", b"abc"), (b"v=spf1",)]) == "did:plc:abc"
    assert authority_from_txt([(b"did=did:plc:abc",), (b"did=did:plc:abc",)]) == "did:plc:abc"
    assert authority_from_txt([(b"v=spf1",)]) is None


@pytest.mark.parametrize(
    "records",
    [[(b"did=did:plc:a",), (b"did=did:plc:b",)], [(b"did=x",)], [(b"did=\xff",)]],
    ids=["two", "none", "bytes"],
)
def test_contradictory_claims_of_a_domain_are_a_failure(records: Any) -> None:
    with pytest.raises(Malformed):
        authority_from_txt(records)


def test_document_is_read_with_its_references() -> None:
    assert references_of(read_publication(NOTE, DOCUMENT)) == {"com.example.place", "com.example.a", "com.example.b"}


@pytest.mark.parametrize(
    "changes",
    [
        {"$type": "com.example.other"},
        {"id": "edu.uni.lab.another"},
        {"lexicon": 2},
        {"defs": {}},
        {"defs": {"main": {"type": "record", "key": "tid", "record": {"type": "ref", "ref": "#x"}}}},
        {"defs": {"main": {"type": "null"}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_invalid_publications_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        read_publication(NOTE, {**DOCUMENT, **changes})


def test_record_that_is_not_an_object() -> None:
    with pytest.raises(Malformed):
        read_publication(NOTE, ["x"])
