"""Tokens that are derived from a key instead of being stored: made with the newest key, verified with every kept key.

A new key in front invalidates nothing that was handed out; dropping a key invalidates what only that key made.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from groundwork.sealing import Sealer


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Keys from which tokens are derived. ``newest`` makes tokens; ``before``: older keys, kept for verifying. Each has
    32 secret bytes.
    """

    newest: bytes = field(repr=False)
    before: tuple[bytes, ...] = field(default=(), repr=False)

    def digest(self, message: bytes) -> bytes:
        """HMAC-SHA-256 (RFC 2104) under the newest key."""
        return hmac.digest(self.newest, message, hashlib.sha256)

    def each(self) -> Iterator["SigningKey"]:
        """Every kept key as a ``SigningKey`` of its own, the newest first."""
        return (SigningKey(one) for one in (self.newest, *self.before))

    def sealer(self, purpose: bytes) -> Sealer:
        """Seals values for one purpose: with a key derived from the newest key, opens with those of every kept key."""
        return Sealer([one.digest(purpose) for one in self.each()])

    def made(self, token: str, make: Callable[["SigningKey"], str]) -> bool:
        """Whether ``make`` makes this token with one of the keys."""
        return self.fitting(make, lambda one: hmac.compare_digest(one.encode(), token.encode())) is not None

    def fitting(self, make: Callable[["SigningKey"], str], fits: Callable[[str], bool]) -> str | None:
        """The value of ``make`` under the newest key for which it verifies; None where no kept key made it."""
        return next((token for token in map(make, self.each()) if fits(token)), None)
