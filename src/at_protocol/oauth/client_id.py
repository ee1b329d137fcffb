"""Client identifiers: the https URL of the client's metadata document, or ``http://localhost`` for apps in development.

Source: OAuth Client ID Metadata Document (draft); atproto OAuth specification, "Clients" and "Localhost Client
Development".
"""

import ipaddress
import re
from typing import Final, NewType
from urllib.parse import SplitResult, parse_qsl, urlsplit

from at_protocol.failures import Malformed

ClientId = NewType("ClientId", str)

MAX_LENGTH: Final = 2048

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?", re.ASCII)
_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)

# RFC 6761 and RFC 6762: names that resolve within the local network.
_LOCAL_DOMAINS: Final = (".localhost", ".local", ".internal", ".home.arpa")


def parse_client_id(text: str, *, is_development: bool = False) -> ClientId:
    """Return the identifier exactly as written. Raises Malformed (kind ``client_id``).

    ``is_development`` also allows plain http, ports and IP addresses, for networks on a single machine.
    """
    if len(text) > MAX_LENGTH or _PRINTABLE.fullmatch(text) is None:
        raise Malformed("client_id", text, f"not an address of at most {MAX_LENGTH} printable characters")
    if is_localhost(text):
        _localhost_parts(text)
        return ClientId(text)
    parts = split_address("client_id", text)
    if parts.fragment or "#" in text:
        raise Malformed("client_id", text, "a fragment")
    if parts.path in ("", "/"):
        raise Malformed("client_id", text, "has no path, so it is not the URL of a document")
    if any(segment in (".", "..") for segment in parts.path.split("/")):
        raise Malformed("client_id", text, "has dot segments in the path")
    if is_development:
        return ClientId(text)
    if parts.scheme != "https":
        raise Malformed("client_id", text, "not https")
    if parts.port is not None or parts.netloc.endswith(":"):
        raise Malformed("client_id", text, "a port")
    if not is_public_name(parts.hostname or ""):
        raise Malformed("client_id", text, "its host is not a public domain name")
    return ClientId(text)


def is_localhost(text: str) -> bool:
    """Whether this is the identifier of an app in development."""
    return text == "http://localhost" or text.startswith(("http://localhost/", "http://localhost?"))


def localhost_parameters(client_id: ClientId) -> tuple[list[str], str | None]:
    """Return the redirect URIs and the scope in a localhost identifier. Raises Malformed."""
    return _localhost_parts(client_id)


def origin_of(client_id: ClientId) -> str:
    """Return scheme, host and port of the identifier."""
    parts = urlsplit(client_id)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def is_public_name(host: str) -> bool:
    """Whether a host is a public domain name, and not an IP address or a name of a local network."""
    host = host.lower()
    return _NAME.fullmatch(host) is not None and not host.endswith(_LOCAL_DOMAINS) and not is_address(host)


def is_address(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def split_address(kind: str, text: str) -> SplitResult:
    """Parse an http(s) URL. Raises Malformed of this kind for other URLs and for one with a user name."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise Malformed(kind, text, "not an address") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Malformed(kind, text, "not an http or https address")
    if "@" in parts.netloc:
        raise Malformed(kind, text, "contains a user name or password")
    # Parsers accept other characters in a host, such as "a;b", which would be read as syntax in headers that contain
    # it.
    if not _HOST.fullmatch(parts.netloc) or not text.isprintable() or " " in text:
        raise Malformed(kind, text, "contains a character that is not allowed in a URL")
    return parts


def _localhost_parts(text: str) -> tuple[list[str], str | None]:
    parts = urlsplit(text)
    if parts.netloc != "localhost" or parts.path not in ("", "/") or "#" in text:
        raise Malformed("client_id", text, "a localhost client must not have a port, path or fragment")
    redirects: list[str] = []
    scopes: list[str] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        match name:
            case "redirect_uri":
                redirects.append(value)
            case "scope":
                scopes.append(value)
            case _:
                raise Malformed("client_id", text, f"unknown parameter {name[:40]!r}")
    if len(scopes) > 1:
        raise Malformed("client_id", text, "scope appears twice")
    return redirects, scopes[0] if scopes else None
