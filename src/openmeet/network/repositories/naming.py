"""What somebody types to say which account they mean: a handle, a DID, or the address of the server that keeps it."""

import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import Handle, parse_handle
from groundwork.errors import InvalidInput

FIELD = "identifier"
_HINT = "Write your handle, like ana.example.org, or the address of your server, like https://pds.example.org."


@dataclass(frozen=True, slots=True)
class Server:
    """An origin: that of a PDS, or of an authorization server."""

    origin: str


Named = Did | Handle | Server


def read_name(typed: str) -> Named:
    """What was meant. Raises InvalidInput (``identifier``) with what to write instead."""
    # Copied from pages and messages, handles bring direction marks and joiners along that nobody sees.
    text = "".join(each for each in typed if unicodedata.category(each) not in {"Cf", "Cc"}).strip()
    text = text.removeprefix("at://").removeprefix("@")
    if not text:
        raise InvalidInput(FIELD, "Write your handle.")
    if text.startswith(("https://", "http://")):
        return _server(text)
    if "@" in text:
        raise InvalidInput(FIELD, "This is an e-mail address. Use the other way to sign in, or write your handle.")
    try:
        if text.startswith("did:"):
            return parse_did(text)
        return parse_handle(text.rstrip(".").lower())
    except Malformed:
        raise InvalidInput(FIELD, _HINT) from None


def text_of(named: Named) -> str:
    """The same as somebody would type it."""
    return named.origin if isinstance(named, Server) else str(named)


def _server(text: str) -> Server:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput(FIELD, _HINT) from None
    if not host or "@" in parts.netloc:
        raise InvalidInput(FIELD, _HINT)
    default = 443 if parts.scheme == "https" else 80
    shown = f"[{host}]" if ":" in host else host
    return Server(f"{parts.scheme}://{shown}" + (f":{port}" if port not in {None, default} else ""))
