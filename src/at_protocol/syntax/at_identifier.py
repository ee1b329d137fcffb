"""AT identifiers: a DID or a handle, told apart by the prefix ``did:``."""

from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import Handle, parse_handle


def parse_at_identifier(text: str) -> Did | Handle:
    """Parse a DID or a handle. Raises Malformed (kind ``did`` or ``handle``)."""
    if text.startswith("did:"):
        return parse_did(text)
    return parse_handle(text)


def is_did(identifier: Did | Handle) -> bool:
    """Whether the identifier is a DID. No handle contains a colon."""
    return identifier.startswith("did:")
