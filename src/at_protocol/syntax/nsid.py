"""Namespaced identifiers of Lexicons and collections: a reversed domain and a name (NSID specification)."""

import re
from typing import NewType

from at_protocol.failures import Malformed

Nsid = NewType("Nsid", str)

MAX_LENGTH = 317  # 253 for the domain, a dot, 63 for the name
_SYNTAX = re.compile(
    r"[a-zA-Z]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+"
    r"\.[a-zA-Z][a-zA-Z0-9]{0,62}",
)


def parse_nsid(text: str) -> Nsid:
    """Return the NSID exactly as written (compare by ``normal_form``). Raises Malformed."""
    if len(text) > MAX_LENGTH:
        raise Malformed("nsid", text, f"longer than {MAX_LENGTH} characters")
    if _SYNTAX.fullmatch(text) is None:
        raise Malformed("nsid", text, "not a reversed domain of two or more labels and a name")
    return Nsid(text)


def authority_domain(nsid: Nsid) -> str:
    """Return the domain whose owner controls this NSID: ``dept.uni.edu`` for ``edu.uni.dept.getX``."""
    return ".".join(reversed(nsid.lower().split(".")[:-1]))


def normal_form(nsid: Nsid) -> Nsid:
    """Return the NSID with the domain in lower case and the name unchanged."""
    domain, dot, name = nsid.rpartition(".")
    return Nsid(domain.lower() + dot + name)
