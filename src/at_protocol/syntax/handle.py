"""Handles: host names that point at accounts (Handle specification).

Case means nothing in a handle, so the type always holds lower case. Syntax says nothing about whether a handle may be
registered: see :func:`reserved_domain`.
"""

import re
from typing import NewType

from at_protocol.failures import Malformed

Handle = NewType("Handle", str)

INVALID = Handle("handle.invalid")
"""Shown where an account has no handle that was verified; never accepted as input."""

MAX_LENGTH = 253
_SYNTAX = re.compile(
    r"([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?",
)
# Handle specification, "Additional Non-Syntax Restrictions"; ``test`` is for development and is the caller's choice.
_RESERVED = frozenset({"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion"})


def parse_handle(text: str) -> Handle:
    """The handle in lower case; raises Malformed."""
    if len(text) > MAX_LENGTH:
        raise Malformed("handle", text, f"longer than {MAX_LENGTH} characters")
    if _SYNTAX.fullmatch(text) is None:
        raise Malformed("handle", text, "not a host name of two or more labels")
    return Handle(text.lower())


def reserved_domain(handle: Handle, *, allow_test: bool = False) -> str | None:
    """The reserved top-level domain of a handle that no account may have and nobody may look up, else None."""
    domain = handle.rpartition(".")[2]
    if domain in _RESERVED or (domain == "test" and not allow_test):
        return domain
    return None
