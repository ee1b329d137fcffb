"""Handles: host names that refer to accounts (Handle specification).

Handles are case-insensitive, so the type always holds lower case. Valid syntax does not mean that a handle may be
registered: see ``reserved_domain``.
"""

import re
from typing import NewType

from at_protocol.failures import Malformed

Handle = NewType("Handle", str)

# Shown if an account has no verified handle. Never accepted as input.
INVALID = Handle("handle.invalid")

MAX_LENGTH = 253
_SYNTAX = re.compile(
    r"([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?",
)
# Handle specification, "Additional Non-Syntax Restrictions". ``test`` is for development; the caller decides whether to
# allow it.
_RESERVED = frozenset({"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion"})


def parse_handle(text: str) -> Handle:
    """Parse a handle and return it in lower case. Raises Malformed."""
    if len(text) > MAX_LENGTH:
        raise Malformed("handle", text, f"longer than {MAX_LENGTH} characters")
    if _SYNTAX.fullmatch(text) is None:
        raise Malformed("handle", text, "not a host name of two or more labels")
    return Handle(text.lower())


def reserved_domain(handle: Handle, *, allow_test: bool = False) -> str | None:
    """Return the reserved top-level domain of a handle, or None. No account may have such a handle, and such a handle
    must not be looked up.
    """
    domain = handle.rpartition(".")[2]
    if domain in _RESERVED or (domain == "test" and not allow_test):
        return domain
    return None
