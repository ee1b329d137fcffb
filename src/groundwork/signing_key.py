"""Tokens that are derived from a key instead of being stored: created with the newest key, verified with every kept
key.

Adding a new key in front invalidates no issued tokens. Removing a key invalidates the tokens that were created with it.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from groundwork.sealing import Sealer


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Keys from which tokens are derived, 32 secret bytes each.

    ``newest`` creates tokens. ``before`` are older keys, kept to verify tokens.
    """

    newest: bytes = field(repr=False)
    before: tuple[bytes, ...] = field(default=(), repr=False)

    def digest(self, message: bytes) -> bytes:
        """Return the HMAC-SHA-256 (RFC 2104) with the newest key."""
        return hmac.digest(self.newest, message, hashlib.sha256)

    def each(self) -> Iterator["SigningKey"]:
        """Yield every kept key as a separate ``SigningKey``, the newest first."""
        return (SigningKey(one) for one in (self.newest, *self.before))

    def sealer(self, purpose: bytes) -> Sealer:
        """Return a sealer for one purpose. It seals with a key derived from the newest key and opens with those of
        every kept key.
        """
        return Sealer([one.digest(purpose) for one in self.each()])

    def verifies(self, token: str, make: Callable[["SigningKey"], str]) -> bool:
        """Whether ``make`` creates this token with one of the keys."""
        return self.find_valid(make, lambda one: hmac.compare_digest(one.encode(), token.encode())) is not None

    def find_valid(self, make: Callable[["SigningKey"], str], fits: Callable[[str], bool]) -> str | None:
        """Make a token with each key, the newest first, and return the first one that ``fits``; None if none does."""
        return next((token for token in map(make, self.each()) if fits(token)), None)
