"""What may be registered, and how a message is signed. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Collection

from groundwork.errors import InvalidForm
from groundwork.http.reach import WEB, AddressRefused, Reach, check_target
from openmeet.domain.webhooks.model import MAX_URL, Happening

SECRET_BYTES = 32
_SECRET_PREFIX = "whsec_"  # noqa: S105  # how secrets of Standard Webhooks begin


def check_url(text: str, reach: Reach) -> str:
    """An address that may be called at all; names are looked up when it is called. InvalidForm names ``url``."""
    url = text.strip()
    if not url:
        raise InvalidForm({"url": "Write the address that is to be told."})
    if len(url) > MAX_URL:
        raise InvalidForm({"url": f"An address has at most {MAX_URL} characters."})
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidForm({"url": "An address has neither spaces nor special characters; write them as %20."})
    try:
        check_target(url, WEB, reach)
    except AddressRefused as refused:
        raise InvalidForm({"url": refused.why}) from None
    return url


def check_kinds(names: Collection[str]) -> frozenset[Happening]:
    """What it is told of. InvalidForm names ``kinds``."""
    known = {one.value for one in Happening if one is not Happening.PING}
    if not names or not set(names) <= known:
        raise InvalidForm({"kinds": "Choose at least one of: " + ", ".join(sorted(known)) + "."})
    return frozenset(map(Happening, names))


def secret_text(secret: bytes) -> str:
    """As its owner gets to see it, once."""
    return _SECRET_PREFIX + base64.b64encode(secret).decode()


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The header ``webhook-signature`` (Standard Webhooks 1.0, "Signature scheme"): symmetric, version 1."""
    signed = hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed).decode()
