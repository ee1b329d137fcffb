"""Redirect URIs: which ones a client may declare, and whether a requested one is declared.

Source: atproto OAuth specification, "Clients"; RFC 8252 sections 7 and 8.4. URIs are compared as text, except on the
loopback interface: there the operating system chooses the port, so it is ignored unless the declared URI has one, and
an empty path is the same as ``/``.
"""

import re
from urllib.parse import urlsplit

from at_protocol.failures import Malformed
from at_protocol.oauth.client_id import ClientId, is_address, is_public_name, origin_of, split_address

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_PRIVATE = re.compile(r"(?P<scheme>[a-z][a-z0-9.+-]*):/(?P<path>[^/].*)?")


def check_declared(text: str, client_id: ClientId, *, is_native: bool, is_development: bool) -> str:
    """Return the URI if the client may declare it. Raises Malformed (kind ``redirect_uri``) otherwise."""
    if _PRINTABLE.fullmatch(text) is None:
        raise Malformed("redirect_uri", text, "not printable")
    if not text.startswith(("http:", "https:")):
        return _private(text, client_id, is_native=is_native)
    parts = split_address("redirect_uri", text)
    host = (parts.hostname or "").lower()
    if "#" in text:
        raise Malformed("redirect_uri", text, "a fragment")
    if host == "localhost":
        raise Malformed("redirect_uri", text, "use 127.0.0.1 or [::1] instead of localhost")
    if parts.scheme == "http":
        if host not in _LOOPBACK:
            raise Malformed("redirect_uri", text, "plain http is only allowed for 127.0.0.1 and [::1]")
        if not is_native and not is_development:
            raise Malformed("redirect_uri", text, "loopback URLs are for native clients")
        return text
    if is_development:
        return text
    if is_address(host) or not is_public_name(host):
        raise Malformed("redirect_uri", text, "its host is not a public domain name")
    if is_native and f"https://{parts.netloc.lower()}" != origin_of(client_id):
        raise Malformed("redirect_uri", text, "a native client's https URL must have the origin of its client_id")
    return text


def is_declared(requested: str, declared: str) -> bool:
    """Whether the requested URI matches this declared one."""
    if requested == declared:
        return True
    if not declared.startswith("http://") or not requested.startswith("http://"):
        return False
    try:
        declared_parts, requested_parts = urlsplit(declared), urlsplit(requested)
        # A declared port must match. Without one, the app may use any port.
        is_any_port = declared_parts.port is None and requested_parts.port is not None
        host = f"{declared_parts.netloc}:{requested_parts.port}" if is_any_port else declared_parts.netloc
    except ValueError:
        return False
    return (
        declared_parts.hostname in _LOOPBACK
        and requested_parts.netloc == host
        and (requested_parts.path or "/") == (declared_parts.path or "/")
        and requested_parts.query == declared_parts.query
        and "#" not in requested
    )


def _private(text: str, client_id: ClientId, *, is_native: bool) -> str:
    match = _PRIVATE.fullmatch(text)
    reversed_host = ".".join(reversed((urlsplit(client_id).hostname or "").split(".")))
    if match is None or match["scheme"] != reversed_host or "." not in match["scheme"]:
        raise Malformed(
            "redirect_uri", text, f"a private scheme is the reversed host of the client: {reversed_host}:/…"
        )
    if not is_native:
        raise Malformed("redirect_uri", text, "private schemes are for native clients")
    return text
