"""What a group is, and how somebody stands towards one."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from groundwork.clock import DAY, Instant
from openmeet.users.model import UserId

GroupId = NewType("GroupId", str)
GroupSlug = NewType("GroupSlug", str)
MemberId = NewType("MemberId", str)
InvitationId = NewType("InvitationId", str)

MAX_NAME = 120
MAX_DESCRIPTION = 20_000
MAX_PLACE = 200
MAX_QUESTION = 300
MAX_ANSWER = 1_000
MAX_KEY = 200

# A link is passed on; two weeks are long enough to be found in a chat and short enough to be forgotten about.
INVITATION_LIFE = 14 * DAY
MAX_USES = 200
# Letters to strangers in our name: what a group of people who know each other needs, and little to spammers.
MAX_MAILS_A_DAY = 30


class JoinPolicy(StrEnum):
    """How people get in: by themselves, after a yes of those who run it, or by invitation only."""

    OPEN = "open"
    REQUEST = "request"
    INVITE = "invite"


class GroupVisibility(StrEnum):
    """Who may see it. Unlisted: whoever has the address. Private: its members."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class PromotionLevel(StrEnum):
    """How much of its events the network may get: nothing, name and time with a link, or everything."""

    PRIVATE = "private"
    MEMBERS = "members"
    PUBLIC = "public"


class Role(StrEnum):
    """How a person stands. Who is ``PENDING`` asked to get in; ``DECLINED``, ``LEFT`` and ``BANNED`` are out."""

    OWNER = "owner"
    ADMIN = "admin"
    MODERATOR = "moderator"
    MEMBER = "member"
    PENDING = "pending"
    DECLINED = "declined"
    LEFT = "left"
    BANNED = "banned"


# Those who are in, the most trusted first.
INSIDE = (Role.OWNER, Role.ADMIN, Role.MODERATOR, Role.MEMBER)
# Whose membership somebody else has to decide about.
RUNNING = (Role.OWNER, Role.ADMIN, Role.MODERATOR)


class Act(StrEnum):
    """What the log of roles calls a change."""

    CREATED = "created"
    JOINED = "joined"
    ASKED = "asked"
    APPROVED = "approved"
    DECLINED = "declined"
    ACCEPTED = "accepted"
    LEFT = "left"
    REMOVED = "removed"
    BANNED = "banned"
    UNBANNED = "unbanned"
    ROLE_CHANGED = "role_changed"
    HANDED_OVER = "handed_over"
    SUCCESSION_ASKED = "succession_asked"
    SUCCESSION_STOPPED = "succession_stopped"
    TAKEN_OVER = "taken_over"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True, slots=True)
class GroupDetails:
    """What those who run a group decide about it, already checked by ``rules.check``."""

    name: str
    time_zone: str
    description: str = ""
    locality: str = ""
    country: str = ""
    join_policy: JoinPolicy = JoinPolicy.OPEN
    join_question: str = ""
    visibility: GroupVisibility = GroupVisibility.PUBLIC
    promotion_level: PromotionLevel = PromotionLevel.PUBLIC


@dataclass(frozen=True, slots=True)
class Succession:
    """An admin has asked to take over from an owner who is not there."""

    successor_id: UserId
    asked_at: Instant


@dataclass(frozen=True, slots=True)
class Group:
    """A group as kept. ``latitude`` and ``longitude`` are decimal degrees as text."""

    id: GroupId
    slug: GroupSlug
    details: GroupDetails
    latitude: str
    longitude: str
    owner_id: UserId
    backup_admin_did: str | None
    succession: Succession | None
    revision: int
    deleted_at: Instant | None
    created_at: Instant
    updated_at: Instant

    @property
    def place(self) -> str:
        return ", ".join(part for part in (self.details.locality, self.details.country) if part)


@dataclass(frozen=True, slots=True)
class Membership:
    """One person's standing in one group. ``answer``: what they said to the group's question."""

    id: MemberId
    group_id: GroupId
    user_id: UserId
    role: Role
    answer: str
    requested_at: Instant | None
    joined_at: Instant | None
    decided_by: UserId | None
    decided_at: Instant | None
    notifications_enabled: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """A door that opens ``uses_left`` times until ``expires_at``; by mail it opens once."""

    id: InvitationId
    group_id: GroupId
    email: str | None
    invited_by: UserId
    uses_left: int
    expires_at: Instant
    revoked_at: Instant | None
    created_at: Instant

    def is_open(self, now: Instant) -> bool:
        return self.revoked_at is None and self.uses_left > 0 and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Logged:
    """One line of the log of roles."""

    id: str
    user_id: UserId
    acted_by: UserId
    act: Act
    before: Role | None
    after: Role | None
    created_at: Instant
