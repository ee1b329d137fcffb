"""Refresh tokens: the session and its generation under a code of the server, so that none is stored.

A token that we made is told from one that somebody invented without looking anything up: only the former, brought after its
time, is a sign of theft.
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256

from at_protocol.crypto import base64url

_FORM = re.compile(
    r"ref-(?P<session>[A-Za-z0-9_-]{22})-(?P<generation>[0-9]{1,15})\.(?P<mac>[A-Za-z0-9_-]{43})", re.ASCII
)


# What a reference PDS gave out: random, 256 bits. One that was taken over with its folder is good for one refresh.
_OF_REFERENCE = re.compile(r"ref-[0-9a-f]{64}")
_SESSION_ID_LENGTH = 22


@dataclass(frozen=True, slots=True)
class RefreshTokenName:
    """What a token that we made refers to."""

    session_id: str
    generation: int


class RefreshTokens:
    """Makes and reads the tokens of one server; the secret has 32 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, session_id: str, generation: int) -> str:
        """The token of one generation of a session."""
        name = f"{session_id}-{generation}"
        return f"ref-{name}.{self._mac(name)}"

    def read(self, text: str) -> RefreshTokenName | None:
        """What it refers to; None when we never made it. The form of a reference PDS names a session that only who has the
        token can have named; there is one where it was taken over.
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
    """The identifier of the session that a reference PDS's refresh token is taken over as; None for other text."""
    if _OF_REFERENCE.fullmatch(token) is None:
        return None
    return base64url.encode(sha256(b"adopted refresh token " + token.encode()).digest())[:_SESSION_ID_LENGTH]
