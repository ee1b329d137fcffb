"""Refresh tokens: session and generation under a MAC of the server, so that none is stored.

A token that we issued is told from an invented one without a look-up: only reuse of the former is a sign of theft.
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256

from at_protocol.crypto import base64url

_FORM = re.compile(
    r"ref-(?P<session>[A-Za-z0-9_-]{22})-(?P<generation>[0-9]{1,15})\.(?P<mac>[A-Za-z0-9_-]{43})", re.ASCII
)


# Format of a reference PDS: random, 256 bits. An imported one is good for one refresh.
_OF_REFERENCE = re.compile(r"ref-[0-9a-f]{64}")
_SESSION_ID_LENGTH = 22


@dataclass(frozen=True, slots=True)
class RefreshTokenName:
    """The session and generation that a token of ours names."""

    session_id: str
    generation: int


class RefreshTokens:
    """Issues and reads the tokens of one server; the secret has 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, session_id: str, generation: int) -> str:
        """The token of one generation of a session."""
        name = f"{session_id}-{generation}"
        return f"ref-{name}.{self._mac(name)}"

    def read(self, text: str) -> RefreshTokenName | None:
        """What a refresh token names; None if we did not issue it.

        A token of a reference PDS names a session that only its holder can know; it exists if it was imported.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            adopted = session_of_adopted(text)
            return None if adopted is None else RefreshTokenName(adopted, 0)
        name = f"{found['session']}-{found['generation']}"
        if not hmac.compare_digest(found["mac"], self._mac(name)):
            return None
        return RefreshTokenName(found["session"], int(found["generation"]))

    def _mac(self, name: str) -> str:
        return base64url.encode(hmac.digest(self._secret, b"oauth refresh token " + name.encode(), sha256))


def session_of_adopted(token: str) -> str | None:
    """The session id under which a reference PDS's refresh token is imported; None for other text."""
    if _OF_REFERENCE.fullmatch(token) is None:
        return None
    return base64url.encode(sha256(b"adopted refresh token " + token.encode()).digest())[:_SESSION_ID_LENGTH]
