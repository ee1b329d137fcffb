"""Publication of a Lexicon under a domain's authority, as a record whose key is its NSID.

Source: Lexicon specification, "Lexicon Publication and Resolution". A DNS record for the domain of an NSID names one
repository. The name must match exactly: parent and child domains do not count.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from at_protocol.failures import Malformed
from at_protocol.lexicon.document import Document, full_reference
from at_protocol.lexicon.linter import parse_document_value
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid, authority_domain

COLLECTION: Final = Nsid("com.atproto.lexicon.schema")

_PREFIX: Final = b"did="
_MAX_DNS_NAME: Final = 253


def authority_name(nsid: Nsid) -> str | None:
    """Return the DNS name of the TXT records, or None if it is too long for DNS."""
    name = f"_lexicon.{authority_domain(nsid)}"
    return name if len(name) <= _MAX_DNS_NAME else None


def authority_from_txt(records: Iterable[Sequence[bytes]]) -> Did | None:
    """Return the DID in the TXT records of ``authority_name``, or None if there is none.

    Raises Malformed for more than one DID, or for an invalid one.
    """
    claims = {joined for joined in (b"".join(strings) for strings in records) if joined.startswith(_PREFIX)}
    if not claims:
        return None
    if len(claims) > 1:
        raise Malformed("lexicon authority", sorted(claims), "several TXT records name different DIDs")
    try:
        return parse_did(claims.pop()[len(_PREFIX) :].decode("ascii"))
    except UnicodeDecodeError as error:
        raise Malformed("lexicon authority", "", "not a DID") from error


def read_publication(nsid: Nsid, record: object) -> Document:
    """Return the document in a published record (data model values). Raises Malformed if it is invalid or has another
    name.
    """
    if not isinstance(record, dict):
        raise Malformed("lexicon", nsid, "the record is not an object")
    if record.get("$type") != COLLECTION:
        raise Malformed("lexicon", nsid, f"the record is not a {COLLECTION}")
    if record.get("id") != nsid:
        raise Malformed("lexicon", nsid, f"the record is about {record.get('id')!r}")
    return parse_document_value(record)


def references_of(document: Document) -> set[Nsid]:
    """Return the NSIDs of other documents that this one refers to."""
    referenced = {
        full_reference(one, document.id).partition("#")[0] for one in _references(msgspec.to_builtins(document))
    }
    return {Nsid(name) for name in referenced if name != document.id}


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list | tuple):
        for inner in schema:
            yield from _references(inner)
    elif isinstance(schema, dict):
        match schema.get("type"):
            case "ref":
                yield schema["ref"]
            case "union":
                yield from schema["refs"]
        for inner in schema.values():
            yield from _references(inner)
