"""How a domain declares the DID of its handle (Handle specification, "Handle Resolution").

There are two methods: DNS, which takes precedence, and HTTPS. A handle belongs to an account only if the DID's document
claims it too.
"""

from collections.abc import Iterable, Sequence

from at_protocol.failures import Malformed
from at_protocol.identity.did_document import DidDocument
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import INVALID, Handle

# A DID has at most 2048 characters, so no response needs to be longer.
MAX_BODY_BYTES = 2048
_PREFIX = b"did="
_MAX_DNS_NAME = 253


def dns_name(handle: Handle) -> str | None:
    """Return the DNS name of the TXT records, or None if it is too long for DNS (HTTPS can still work)."""
    name = f"_atproto.{handle}"
    return name if len(name) <= _MAX_DNS_NAME else None


def well_known_url(handle: Handle) -> str:
    """Return the URL whose response body is the DID."""
    return f"https://{handle}/.well-known/atproto-did"


def did_from_txt(records: Iterable[Sequence[bytes]]) -> Did | None:
    """Return the DID in the TXT records of ``dns_name``, or None if there is none. Each record is a sequence of
    strings.

    Raises Malformed (kind ``handle claim``) if there is more than one claim, even if they are equal, or if the claim is
    not a DID.
    """
    claims = [joined for joined in (b"".join(strings) for strings in records) if joined.startswith(_PREFIX)]
    if not claims:
        return None
    if len(claims) > 1:
        raise Malformed("handle claim", claims, "more than one TXT record begins with did=")
    try:
        return parse_did(claims[0][len(_PREFIX) :].decode("ascii"))
    except UnicodeDecodeError as error:
        raise Malformed("handle claim", claims[0], "not a DID") from error
    except Malformed as error:
        raise Malformed("handle claim", claims[0], error.why) from error


def did_from_body(body: bytes) -> Did:
    """Return the DID on the first line of a ``/.well-known/atproto-did`` response. Raises Malformed (kind ``handle
    claim``).
    """
    if len(body) > MAX_BODY_BYTES + 2:  # leaves room for a line ending
        raise Malformed("handle claim", body[:40], f"more than {MAX_BODY_BYTES} bytes")
    first_line = body.lstrip().partition(b"\n")[0].strip()
    try:
        return parse_did(first_line.decode("ascii"))
    except UnicodeDecodeError as error:
        raise Malformed("handle claim", first_line, "not a DID") from error
    except Malformed as error:
        raise Malformed("handle claim", first_line, error.why) from error


def confirmed_handle(document: DidDocument, resolved: Did | None) -> Handle:
    """Return the handle to show: the handle that the document claims if it resolves to the document's DID, otherwise
    ``handle.invalid``.

    ``resolved`` is the DID that the claimed handle resolves to. An account works without a handle.
    """
    claimed = document.handle
    if claimed is None or claimed == INVALID or resolved != document.did:
        return INVALID
    return claimed
