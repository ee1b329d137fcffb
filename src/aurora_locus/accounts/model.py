"""Account, session scopes and session tokens."""

from dataclasses import dataclass
from enum import StrEnum

from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from aurora_locus.repository.model import HostingStatus
from groundwork.clock import Instant
from groundwork.database.transaction import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account with the status of its repository.

    ``awaits`` is what an account that was never announced is waiting for (``account_requests.UnannouncedReason``).
    ``recovery_key`` is its owner's did:key. ``moved_to`` is the other server that its identity names, if any.
    ``asks_mail_code`` is True if signing in takes an e-mailed code or another second factor. ``language`` is the tag of
    the language that its owner used last, empty if unknown.
    """

    did: Did
    handle: Handle
    email: str | None
    email_confirmed_at: Instant | None
    password_hash: str | None
    status: HostingStatus
    tokens_valid_after: Instant
    created_at: Instant
    awaits: str | None
    recovery_key: str | None
    moved_to: str | None
    asks_mail_code: bool
    language: str

    @property
    def is_deleted(self) -> bool:
        """Whether the account was deleted permanently. Only its DID remains."""
        return self.status is HostingStatus.DELETED


@dataclass(frozen=True, slots=True)
class GuessContext:
    """Dependencies of the counters of wrong passwords, for accounts and operators. ``key`` is a server secret used to
    hash sources; ``is_wide`` multiplies the limits by a thousand, for development.
    """

    db: Database
    key: bytes
    is_wide: bool


class SessionScope(StrEnum):
    """Scope of a session token, with the same values as in other PDS implementations."""

    FULL = "com.atproto.access"
    APP_PASSWORD = "com.atproto.appPass"  # noqa: S105 - a scope's name
    PRIVILEGED_APP_PASSWORD = "com.atproto.appPassPrivileged"  # noqa: S105 - a scope's name
    TAKENDOWN = "com.atproto.takendown"
    REFRESH = "com.atproto.refresh"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified access token."""

    did: Did
    scope: SessionScope
    issued_at: Instant
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A verified refresh token. ``id`` is the key of its row in ``sessions``."""

    did: Did
    id: str
    expires_at: Instant


@dataclass(frozen=True, slots=True)
class TokenPair:
    """The tokens that signing in or refreshing returns."""

    access: str
    refresh: str
