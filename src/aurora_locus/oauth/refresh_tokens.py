"""Refresh tokens: session and generation with a MAC of the server, so that no token is stored.

A token that this server issued can be distinguished from an invented one without a database query. Reuse is a sign of
theft only if this server issued the token.
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256

from at_protocol.crypto import base64url

_FORM = re.compile(
    r"ref-(?P<session>[A-Za-z0-9_-]{22})-(?P<generation>[0-9]{1,15})\.(?P<mac>[A-Za-z0-9_-]{43})", re.ASCII
)


# The format of a reference PDS: 256 random bits. An imported token can be used for one refresh.
_OF_REFERENCE = re.compile(r"ref-[0-9a-f]{64}")
_SESSION_ID_LENGTH = 22


@dataclass(frozen=True, slots=True)
class RefreshTokenName:
    """What a refresh token names: its session, and which of the tokens issued for the session it is."""

    session_id: str
    generation: int


class RefreshTokens:
    """Issues and reads the tokens of one server. The secret has 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, session_id: str, generation: int) -> str:
        """Return the token of one generation of a session."""
        name = f"{session_id}-{generation}"
        return f"ref-{name}.{self._mac(name)}"

    def read(self, text: str) -> RefreshTokenName | None:
        """Return the session and generation of a refresh token; None if we did not issue it.

        For a token of a reference PDS, the session id is derived from the token, so only its holder can know it. The
        session exists if it was imported.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            adopted = session_id_of_reference_token(text)
            return None if adopted is None else RefreshTokenName(adopted, 0)
        name = f"{match['session']}-{match['generation']}"
        if not hmac.compare_digest(match["mac"], self._mac(name)):
            return None
        return RefreshTokenName(match["session"], int(match["generation"]))

    def _mac(self, name: str) -> str:
        return base64url.encode(hmac.digest(self._secret, b"oauth refresh token " + name.encode(), sha256))


def session_id_of_reference_token(token: str) -> str | None:
    """Return the session id under which a refresh token of a reference PDS is imported; None for any other text."""
    if _OF_REFERENCE.fullmatch(token) is None:
        return None
    return base64url.encode(sha256(b"adopted refresh token " + token.encode()).digest())[:_SESSION_ID_LENGTH]
