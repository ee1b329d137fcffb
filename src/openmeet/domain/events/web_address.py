"""Addresses that a browser may be sent to. Pure."""

import re
from urllib.parse import urlsplit

from openmeet.domain.events.model import MAX_URL

# Spaces, controls, and the marks that turn round how the rest of an address reads.
_NOT_IN_ADDRESSES = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def is_web_address(text: str) -> bool:
    """Whether a browser may be sent there: http or https with a host, no credentials, no control characters."""
    if len(text) > MAX_URL or _NOT_IN_ADDRESSES.search(text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
