"""AT URIs in the restricted form that records and calls use: ``at://authority[/collection[/key]]``.

There is no query, fragment, trailing slash or percent-encoding (AT URI specification, "Restricted Syntax"; the
deployed TypeScript implementation tolerates a fragment).
"""

from dataclasses import dataclass

from at_protocol.failures import Malformed
from at_protocol.syntax.at_identifier import parse_at_identifier
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from at_protocol.syntax.nsid import Nsid, normal_form, parse_nsid
from at_protocol.syntax.record_key import RecordKey, parse_record_key

MAX_LENGTH = 8192


@dataclass(frozen=True, slots=True)
class AtUri:
    """An account, one of its collections, or one record. A handle can change, so resolve it to a DID before storing the
    URI.
    """

    authority: Did | Handle
    collection: Nsid | None = None
    rkey: RecordKey | None = None

    def __str__(self) -> str:
        if self.collection is None:
            return f"at://{self.authority}"
        if self.rkey is None:
            return f"at://{self.authority}/{self.collection}"
        return f"at://{self.authority}/{self.collection}/{self.rkey}"


def parse_at_uri(text: str) -> AtUri:
    """Parse a URI. A handle in it is converted to lower case; the rest is kept as written. Raises Malformed (kind
    ``at-uri``).
    """
    if len(text) > MAX_LENGTH:
        raise Malformed("at-uri", text, f"longer than {MAX_LENGTH} characters")
    if not text.startswith("at://"):
        raise Malformed("at-uri", text, "does not begin with at://")
    parts = text[5:].split("/")
    if len(parts) > 3:
        raise Malformed("at-uri", text, "has more than authority, collection and record key")
    try:
        return AtUri(
            parse_at_identifier(parts[0]),
            parse_nsid(parts[1]) if len(parts) > 1 else None,
            parse_record_key(parts[2]) if len(parts) > 2 else None,
        )
    except Malformed as error:
        raise Malformed("at-uri", text, f"its {error.kind} is {error.why}") from error


def normal_uri(uri: AtUri) -> AtUri:
    """Return the form to compare by: the domain part of the collection in lower case (the handle already is)."""
    return AtUri(uri.authority, None if uri.collection is None else normal_form(uri.collection), uri.rkey)
