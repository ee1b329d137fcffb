"""What an account has beside its password, and what the server keeps its secrets with."""

from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.sealing import Sealer


@dataclass(frozen=True, slots=True)
class FactorKeys:
    """``sealer`` keeps the secrets of authenticator apps, ``codes`` is the secret key under which recovery codes are hashed
    and challenges are signed.
    """

    sealer: Sealer
    codes: bytes


@dataclass(frozen=True, slots=True)
class Passkey:
    """``sign_count`` is what the device said last; 0 for devices that do not count."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    name: str
    created_at: Instant
    used_at: Instant | None


@dataclass(frozen=True, slots=True)
class Factors:
    """``totp_since`` and ``mail_since`` are None where there is none."""

    totp_since: Instant | None
    passkeys: tuple[Passkey, ...]
    mail_since: Instant | None
    recovery_codes_left: int

    @property
    def are_set(self) -> bool:
        """Whether more than the password is asked for."""
        return self.totp_since is not None or bool(self.passkeys) or self.mail_since is not None
