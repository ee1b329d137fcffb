"""Second factors of an account, and the server keys that protect their secrets."""

from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.sealing import Sealer


@dataclass(frozen=True, slots=True)
class FactorKeys:
    """Server keys. ``sealer`` encrypts the secrets of authenticator apps; ``codes`` is the secret key that hashes recovery
    codes and signs challenges.
    """

    sealer: Sealer
    codes: bytes


@dataclass(frozen=True, slots=True)
class Passkey:
    """A registered passkey. ``sign_count`` is the counter value that the device sent last; 0 for devices without a
    counter.
    """

    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    created_at: Instant
    used_at: Instant | None


@dataclass(frozen=True, slots=True)
class Factors:
    """Second factors of one account. ``totp_since`` and ``mail_since`` are None if that factor is not set up."""

    totp_since: Instant | None
    passkeys: tuple[Passkey, ...]
    mail_since: Instant | None
    recovery_codes_left: int

    @property
    def are_set(self) -> bool:
        """Whether sign-in requires a second factor."""
        return self.totp_since is not None or bool(self.passkeys) or self.mail_since is not None
