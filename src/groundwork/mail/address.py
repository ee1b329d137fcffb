"""E-mail addresses and their parser.

It accepts the common ``addr-spec`` (RFC 5321 4.1.2 without quoted local parts and address literals). The domain is
converted to lower case. The local part is kept, because only its own server may interpret it.
"""

import re
from typing import NewType

EmailAddress = NewType("EmailAddress", str)

_LOCAL = re.compile(r"[^\s\x00-\x1f\x7f\"(),:;<>@\[\\\]]{1,64}")
_LABEL = re.compile(r"(?!-)[^\W_](?:[\w-]{0,61}[^\W_])?", re.UNICODE)


def parse_address(text: str) -> EmailAddress:
    """Return the parsed address. Raises ValueError with a sentence."""
    stripped = text.strip()
    local, at, domain = stripped.rpartition("@")
    if not at or not local or not domain:
        raise ValueError("Type an e-mail address like name@example.org.")
    if len(stripped.encode()) > 254:  # RFC 5321 4.5.3.1.3: a path has at most 256 octets, including its brackets
        raise ValueError("The e-mail address is too long.")
    if not _LOCAL.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise ValueError("The part before the @ isn’t valid in an e-mail address.")
    labels = domain.lower().split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise ValueError("The part after the @ must be a domain.")
    return EmailAddress(f"{local}@{'.'.join(labels)}")
