"""Decentralised identifiers: ``did:<method>:<identifier>`` (DID specification of the AT Protocol).

Three failures are distinct: bad syntax (:func:`parse_did` raises), an unsupported method or form of one
(:func:`supported_method` raises), and a supported DID that does not resolve (resolvers raise).
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
    """The two methods that accounts may use."""

    PLC = "plc"
    WEB = "web"


def parse_did(text: str) -> Did:
    """The text as a DID of any method; raises Malformed."""
    if len(text) > MAX_LENGTH:
        raise Malformed("did", text, f"longer than {MAX_LENGTH} characters")
    if _SYNTAX.fullmatch(text) is None:
        raise Malformed("did", text, "not of the form did:method:identifier")
    return Did(text)


def method_of(did: Did) -> str:
    """The method's name: ``plc`` of ``did:plc:…``."""
    return did.split(":", 2)[1]


def is_plc(did: str) -> bool:
    """Whether this is a complete did:plc identifier: 24 characters of lower-case base32."""
    return _PLC.fullmatch(did) is not None


def supported_method(did: Did) -> DidMethod:
    """Which of the two methods an account's DID uses; raises Malformed (kind ``did method``) for every other form.

    A did:web with a path, and a port with any host but ``localhost``, are forms that accounts may not use.
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
    """Host (lower case), with ``:port`` for ``localhost`` only, of a did:web; raises Malformed (kind ``did method``)."""
    local = _WEB_LOCALHOST.fullmatch(did)
    if local is not None:
        return f"localhost:{local[1]}"
    named = _WEB.fullmatch(did)
    if named is not None and len(named[1]) <= 253:
        return named[1].lower()
    if ":" in did.removeprefix("did:web:"):
        raise Malformed("did method", did, "a did:web with a path is not supported")
    raise Malformed("did method", did, "a did:web names a host, and a port only with localhost")
