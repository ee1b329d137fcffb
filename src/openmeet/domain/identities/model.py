"""A DID of a person, their consent, and the account that may be kept for them."""

from dataclasses import dataclass
from enum import StrEnum

from at_protocol.syntax.did import Did
from groundwork.clock import Instant
from openmeet.domain.users.model import UserId

# Of ``Identity.status``: everything else hides what the account wrote, and nothing is written for it.
ACTIVE = "active"


# Where people say on the network what they are called.
PROFILE = "app.bsky.actor.profile"


class IdentityKind(StrEnum):
    """Connected: the person signed in with it. Custodial: kept for them after they agreed. Shadow: seen, unclaimed."""

    CONNECTED = "connected"
    CUSTODIAL = "custodial"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Identity:
    """One DID. ``handle`` counts only after two-way resolution, ``""`` until then; ``pds_url`` likewise.

    ``status``: ``active`` or what the PDS said; ``is_default``: new records of the person go here.
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
    """Whether a person's public events and answers may be published, and under which handle. Absent means no."""

    is_given: bool
    asked_at: Instant | None
    answered_at: Instant | None
    handle: str
    revision: int


NOT_ASKED = Consent(is_given=False, asked_at=None, answered_at=None, handle="", revision=0)


@dataclass(frozen=True, slots=True)
class CustodialAccount:
    """The account that is (being) made for a person: fixed before the PDS is asked, so that asking twice is safe."""

    user_id: UserId
    handle: str
    email: str
    sealed_password: bytes
    did: Did | None


class PdsSessionKind(StrEnum):
    """How the tokens were had: with a password of the account, or by OAuth (bound to a key of ours)."""

    PASSWORD = "password"  # noqa: S105 - a kind of session
    OAUTH = "oauth"


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a sign-in left us with. ``issuer``, ``client_id``, ``client_key_id`` and the scopes are empty without OAuth.

    ``asked_scope`` is what the person was asked for, ``scope`` what they granted: what is in the first alone they refused.
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
    """Tokens of a repository as stored. ``version`` grows with each refresh and guards it; no two sessions share one."""

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


@dataclass(frozen=True, slots=True)
class ConsentPreview:
    """What a yes to publishing means for one person.

    ``record``: one of their records (an example where they have none) as JSON for people. ``events`` and ``answers``:
    how many a yes publishes. ``published``: how many records are in their repository now, also while being taken back.
    """

    record: str
    events: int
    answers: int
    published: int
