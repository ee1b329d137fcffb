"""Tokens that are derived from a key instead of being stored: made with the newest key, known again by every key that is kept.

Whoever puts another key in front ends nothing that was handed out; dropping a key ends what only that key made.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SigningKey:
    """``newest`` makes tokens; ``before``: the keys that made earlier ones, and are kept for them. Of 32 secret bytes each."""

    newest: bytes = field(repr=False)
    before: tuple[bytes, ...] = field(default=(), repr=False)

    def digest(self, message: bytes) -> bytes:
        """What the newest key makes of this: HMAC-SHA-256 (RFC 2104)."""
        return hmac.digest(self.newest, message, hashlib.sha256)

    def each(self) -> Iterator["SigningKey"]:
        """Every kept key as if it were the only one, the newest first."""
        return (SigningKey(one) for one in (self.newest, *self.before))

    def made(self, token: str, make: Callable[["SigningKey"], str]) -> bool:
        """Whether ``make`` makes this token with one of the keys."""
        return self.fitting(make, lambda one: hmac.compare_digest(one.encode(), token.encode())) is not None

    def fitting(self, make: Callable[["SigningKey"], str], fits: Callable[[str], bool]) -> str | None:
        """What ``make`` makes with the newest key with which that fits; None where no kept key made it."""
        return next((token for token in map(make, self.each()) if fits(token)), None)
