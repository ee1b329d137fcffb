"""Values of identities: a user's DIDs, consent, custodial account and repository sessions."""

from dataclasses import dataclass
from enum import StrEnum

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from groundwork.errors import Reason
from openmeet.domain.users.model import UserId


class IdentityReason(Reason):
    """Why an action on a person’s network accounts or their consent is refused. The messages are in
    ``i18n/reasons/accounts.py``.
    """

    NOT_YOUR_ACCOUNT = "identity.not_your_account"
    KEPT_HERE = "identity.kept_here"
    RECOVERY_KEY_WAITS = "identity.recovery_key_waits"
    LAST_WAY_IN = "identity.last_way_in"
    ACCOUNT_OF_ANOTHER_PERSON = "identity.account_of_another_person"
    CANNOT_DELETE_ACCOUNT = "identity.cannot_delete_account"
    MAY_STILL_BE_MADE = "identity.may_still_be_made"
    SERVER_WAS_AWAY = "identity.server_was_away"
    CHANGED_SINCE_OPENED = "identity.changed_since_opened"


# The only ``Identity.status`` in which an account's content is shown and records are written for it.
ACTIVE = "active"


# The profile record, which contains the display name.
PROFILE = "app.bsky.actor.profile"


class IdentityKind(StrEnum):
    """Connected: the user signed in with the DID. Custodial: created for a user who consented. Shadow: seen on the
    network, not claimed by anybody.
    """

    CONNECTED = "connected"
    CUSTODIAL = "custodial"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Identity:
    """One DID of a user.

    ``handle`` and ``pds_url`` are ``""`` until verified; a handle is verified in both directions. ``status``:
    ``active`` or what the PDS reported. ``is_default``: the user's new records are written to this repository.
    """

    did: Did
    user_id: UserId
    kind: IdentityKind
    handle: str
    display_name: str
    pds_url: str
    status: str
    is_default: bool
    created_at: Instant

    @property
    def can_write(self) -> bool:
        return self.kind is not IdentityKind.SHADOW


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether a user's public events and RSVPs may be published, and under which handle. No row means no."""

    is_given: bool
    asked_at: Instant | None
    answered_at: Instant | None
    handle: str
    revision: int


NOT_ASKED = Consent(is_given=False, asked_at=None, answered_at=None, handle="", revision=0)


@dataclass(frozen=True, slots=True)
class CustodialAccount:
    """A user's custodial account. Stored before the request to the PDS, so that the request can be repeated.

    ``handle`` is empty while no request is open, because the PDS refused the latest one.
    """

    user_id: UserId
    handle: str
    email: str
    sealed_password: bytes
    did: Did | None


class PdsSessionKind(StrEnum):
    """How the tokens were obtained: with a password, or by OAuth (bound to one of our keys by DPoP)."""

    PASSWORD = "password"  # noqa: S105 - a kind of session
    OAUTH = "oauth"


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session from a sign-in. ``issuer``, ``client_id``, ``client_key_id`` and the scopes are empty without OAuth.

    ``asked_scope`` was requested and ``scope`` was granted. Anything that is only in ``asked_scope`` was refused.
    """

    did: Did
    kind: PdsSessionKind
    pds_url: str
    sealed: bytes
    issuer: str = ""
    client_id: str = ""
    client_key_id: str = ""
    scope: str = ""
    asked_scope: str = ""
    access_ends_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class SealedSession:
    """A session's tokens as stored. ``version`` grows with each refresh and guards against concurrent ones; no two
    sessions share a version.
    """

    did: Did
    kind: PdsSessionKind
    pds_url: str
    sealed: bytes
    issuer: str
    client_id: str
    client_key_id: str
    scope: str
    asked_scope: str
    access_ends_at: Instant | None
    version: int
    needs_login: bool
    refreshed_at: Instant
