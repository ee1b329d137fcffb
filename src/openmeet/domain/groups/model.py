"""Values of groups: details, roles, memberships, invitations, log, announcements."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import DAY, Instant
from openmeet.domain.media.pictures import Picture
from openmeet.domain.users.model import UserId
from openmeet.i18n.countries import name_of

GroupId = NewType("GroupId", str)
GroupSlug = NewType("GroupSlug", str)
MemberId = NewType("MemberId", str)
InvitationId = NewType("InvitationId", str)
AnnouncementId = NewType("AnnouncementId", str)

MAX_NAME = 120
MAX_DESCRIPTION = 20_000
MAX_PLACE = 200
MAX_QUESTION = 300
MAX_ANSWER = 1_000
MAX_KEY = 200

# Links are passed on to others. Two weeks leave time to find one in a chat and limit how long a leaked link works.
INVITATION_DAYS, MAX_LINK_DAYS = 14, 90
INVITATION_LIFE = INVITATION_DAYS * DAY
MAX_USES = 200
# Kinds of e-mail.
INVITATION_MAIL = "group_invitation"
SUCCESSION_MAIL = "group_succession"
LAST_CALL_MAIL = "group_last_call"
# These e-mails are sent in our name to people who may not know us. The limit is enough for a group of people who know
# each other, and too low to be useful to spammers.
MAX_MAILS_A_DAY = 30
MAX_ADDRESS = 48
MAX_ANNOUNCEMENT = 5_000
# Each announcement is an e-mail to all members. More than this in a day suggests spam or a stolen account.
MAX_ANNOUNCEMENTS_A_DAY = 10
MAX_FOLLOWED = 200

# In days: how long an owner must have been absent before a succession may start, and how long they can object after
# that.
ABSENCE_DAYS, SHORTEST_ABSENCE, LONGEST_ABSENCE = 90, 60, 730
WAIT_DAYS, SHORTEST_WAIT, LONGEST_WAIT = 14, 7, 90
# The second e-mail to the owner goes out this long before the waiting period ends.
REMINDED_BEFORE = 3 * DAY


class JoinPolicy(StrEnum):
    """How people become members: freely, with approval, or by invitation only."""

    OPEN = "open"
    REQUEST = "request"
    INVITE = "invite"


class GroupVisibility(StrEnum):
    """Who may see the group. Unlisted: anyone who has the link. Private: only its members."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class PromotionLevel(StrEnum):
    """How much of the group's events may be published: nothing, name and time with a link, or everything."""

    PRIVATE = "private"
    MEMBERS = "members"
    PUBLIC = "public"


class GroupRole(StrEnum):
    """A person's role. ``PENDING`` has asked to join; ``DECLINED``, ``LEFT`` and ``BANNED`` are not members."""

    OWNER = "owner"
    ADMIN = "admin"
    MODERATOR = "moderator"
    MEMBER = "member"
    PENDING = "pending"
    DECLINED = "declined"
    LEFT = "left"
    BANNED = "banned"


# Roles of members, most trusted first. What each of them may do is decided by ``rules.ALLOWED``.
INSIDE = (GroupRole.OWNER, GroupRole.ADMIN, GroupRole.MODERATOR, GroupRole.MEMBER)
# Roles that members can be given, and that they have until they leave.
BELOW_OWNER = tuple(role for role in INSIDE if role is not GroupRole.OWNER)
# Roles of people who left or were banned: they no longer see what members see, whatever they answered before.
FORMER_ROLES = (GroupRole.LEFT, GroupRole.BANNED)


def roles_sql(roles: Iterable[GroupRole]) -> str:
    """The roles as a list for an SQL statement: ``'left', 'banned'``."""
    return ", ".join(f"'{role.value}'" for role in roles)


class GroupLogAction(StrEnum):
    """Actions recorded in the group log."""

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
    OWNERSHIP_OFFERED = "ownership_offered"
    OFFER_ENDED = "offer_ended"
    SUCCESSION_ARRANGED = "succession_arranged"
    PASSED_ON = "passed_on"  # the owner deleted their account
    EDITED = "edited"
    ADDRESS_CHANGED = "address_changed"
    LINK_MADE = "link_made"
    INVITED = "invited"  # by e-mail
    INVITATION_REVOKED = "invitation_revoked"
    DID_FOLLOWED = "did_followed"
    DID_UNFOLLOWED = "did_unfollowed"
    ANNOUNCED = "announced"
    ANNOUNCEMENT_REMOVED = "announcement_removed"
    DELETED = "deleted"
    ACCOUNT_OPENED = "account_opened"  # the group got its own repository
    SUCCEEDED = "succeeded"  # another record on the network replaces the group's


@dataclass(frozen=True, slots=True)
class GroupRevision:
    """A group as a decision about something of the group found it."""

    group_id: GroupId
    revision: int


@dataclass(frozen=True, slots=True)
class GroupDetails:
    """Details of a group, validated by ``rules.check``.

    ``announces_events``: events for members only may be announced on the network. Only the owner can change it.
    """

    name: str
    time_zone: str
    description: str = ""
    locality: str = ""
    country: str = ""
    join_policy: JoinPolicy = JoinPolicy.OPEN
    join_question: str = ""
    visibility: GroupVisibility = GroupVisibility.PUBLIC
    promotion_level: PromotionLevel = PromotionLevel.PUBLIC
    sync_enabled: bool = False
    announces_events: bool = False


@dataclass(frozen=True, slots=True)
class GroupSuccession:
    """A running succession: a member has asked to take over from an absent owner.

    ``reminded_at``: when the second e-mail to the owner was sent.
    """

    successor_id: UserId
    asked_at: Instant
    reminded_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class GroupOffer:
    """The owner's offer to transfer the group, which takes effect when it is accepted."""

    heir_id: UserId
    offered_at: Instant


@dataclass(frozen=True, slots=True)
class SuccessionPlan:
    """Who takes over if the owner is absent, and after how long. ``backup_admin_did`` is that person's DID."""

    backup_admin_id: UserId | None = None
    backup_admin_did: str | None = None
    absence_days: int = ABSENCE_DAYS
    wait_days: int = WAIT_DAYS

    @property
    def absence(self) -> int:
        """How long the owner must be absent, in microseconds."""
        return self.absence_days * DAY

    @property
    def wait(self) -> int:
        """How long the owner may still object, in microseconds."""
        return self.wait_days * DAY


@dataclass(frozen=True, slots=True)
class GroupPublication:
    """How a group is published.

    ``record_uri``: the group's own record or, if ``is_read_only``, the record it was read from. ``account_id``: the
    custodial account of the group's own repository; nobody signs in with it. ``avatar_cid``: a picture that another app
    put into the record of a group created on this site; it is kept until a picture is chosen on this site.
    ``picture_revision``: the revision of the group in which this last happened.
    """

    record_uri: str | None = None
    account_id: UserId | None = None
    is_read_only: bool = False
    avatar_cid: str | None = None
    picture_revision: int = 0


NOT_PUBLISHED: Final = GroupPublication()


@dataclass(frozen=True, slots=True)
class Group:
    """A stored group.

    ``latitude`` and ``longitude`` are decimal degrees as text. ``is_hidden``: a moderator, or a label on the owner,
    hides the group from everybody but its admins; computed, never stored.
    """

    id: GroupId
    slug: GroupSlug
    details: GroupDetails
    latitude: str
    longitude: str
    owner_id: UserId
    succession_plan: SuccessionPlan
    succession: GroupSuccession | None
    offer: GroupOffer | None
    revision: int
    deleted_at: Instant | None
    created_at: Instant
    updated_at: Instant
    is_hidden: bool = False
    network: GroupPublication = NOT_PUBLISHED
    picture: Picture | None = None

    @property
    def is_read_only(self) -> bool:
        """Whether the group is managed in another app and only displayed on this site."""
        return self.network.is_read_only

    @property
    def place(self) -> str:
        """The group's town or, if it has none, the name of its country."""
        return self.details.locality or name_of(self.details.country)


@dataclass(frozen=True, slots=True)
class Membership:
    """A person's membership in a group.

    ``answer``: their answer to the group's question. ``sync_enabled``: they want their membership to be public.
    ``statement_uri``: the record in which they state their membership. ``network_role``: their role according to the
    records of a group managed in another app; it grants no permission on this site.
    """

    id: MemberId
    group_id: GroupId
    user_id: UserId
    role: GroupRole
    answer: str
    requested_at: Instant | None
    joined_at: Instant | None
    decided_by: UserId | None
    decided_at: Instant | None
    notifications_enabled: bool
    revision: int
    sync_enabled: bool = False
    statement_uri: str | None = None
    network_role: GroupRole | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation link with ``uses`` uses until ``expires_at``.

    An invitation by e-mail has a single use, and its addressee can decline it.
    """

    id: InvitationId
    group_id: GroupId
    email: str | None
    invited_by: UserId
    uses: int
    uses_left: int
    expires_at: Instant
    revoked_at: Instant | None
    declined_at: Instant | None
    created_at: Instant

    def is_open(self, now: Instant) -> bool:
        return self.revoked_at is None and self.declined_at is None and self.uses_left > 0 and now < self.expires_at


@dataclass(frozen=True, slots=True)
class GroupLogEntry:
    """An entry of a group's log. ``note`` describes a subject that is not a person, never by an e-mail address."""

    id: str
    user_id: UserId
    acted_by: UserId
    act: GroupLogAction
    before: GroupRole | None
    after: GroupRole | None
    created_at: Instant
    note: str = ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """An announcement to all members."""

    id: AnnouncementId
    group_id: GroupId
    author_id: UserId
    text: str
    created_at: Instant
    removed_at: Instant | None
