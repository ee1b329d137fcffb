"""Decentralised identifiers: ``did:<method>:<identifier>`` (DID specification of the AT Protocol).

There are three distinct failures: bad syntax (``parse_did`` raises), an unsupported method or an unsupported form
of a method (``supported_method`` raises), and a supported DID that does not resolve (resolvers raise).
"""

import re
from enum import StrEnum
from typing import NewType

from at_protocol.failures import Malformed

Did = NewType("Did", str)

MAX_LENGTH = 2048
_SYNTAX = re.compile(r"did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]")
_PLC = re.compile(r"did:plc:[a-z2-7]{24}")
_WEB = re.compile(
    r"did:web:((?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)"
)
_WEB_LOCALHOST = re.compile(r"did:web:localhost%3[aA]([0-9]{1,5})")


class DidMethod(StrEnum):
    """The two DID methods that accounts may use."""

    PLC = "plc"
    WEB = "web"


def parse_did(text: str) -> Did:
    """Parse a DID of any method. Raises Malformed."""
    if len(text) > MAX_LENGTH:
        raise Malformed("did", text, f"longer than {MAX_LENGTH} characters")
    if _SYNTAX.fullmatch(text) is None:
        raise Malformed("did", text, "not of the form did:method:identifier")
    return Did(text)


def method_of(did: Did) -> str:
    """Return the method's name, such as ``plc`` for ``did:plc:…``."""
    return did.split(":", 2)[1]


def is_plc(did: str) -> bool:
    """Whether this is a complete did:plc identifier: 24 characters of lower-case base32."""
    return _PLC.fullmatch(did) is not None


def supported_method(did: Did) -> DidMethod:
    """Return which of the two methods an account's DID uses. Raises Malformed (kind ``did method``) for every other
    form.

    Accounts must not use a did:web with a path, or with a port unless the host is ``localhost``.
    """
    method = method_of(did)
    if method == "plc":
        if not is_plc(did):
            raise Malformed("did method", did, "a did:plc identifier is 24 characters of a-z and 2-7")
        return DidMethod.PLC
    if method == "web":
        web_host(did)
        return DidMethod.WEB
    raise Malformed("did method", did, "only did:plc and did:web are supported")


def web_host(did: Did) -> str:
    """Return the host of a did:web in lower case, with ``:port`` only for ``localhost``. Raises Malformed (kind ``did
    method``).
    """
    local = _WEB_LOCALHOST.fullmatch(did)
    if local is not None:
        return f"localhost:{local[1]}"
    match = _WEB.fullmatch(did)
    if match is not None and len(match[1]) <= 253:
        return match[1].lower()
    if ":" in did.removeprefix("did:web:"):
        raise Malformed("did method", did, "a did:web with a path is not supported")
    raise Malformed("did method", did, "a did:web names a host, and a port only with localhost")
