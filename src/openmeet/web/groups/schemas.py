"""JSON types of groups and members, with names in lowerCamelCase."""

from typing import Literal

import msgspec

from openmeet.domain.groups.model import INSIDE, Group, GroupRole, Membership
from openmeet.domain.page_paths import group_path
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.external_identity import RecordSource
from openmeet.web.groups.forms import ON, TICKS, GroupSubmission
from openmeet.web.media.uploads import PictureOutput, picture_shown

RoleName = Literal["owner", "admin", "moderator", "member", "pending", "declined", "left", "banned"]
GrantedName = Literal["admin", "moderator", "member"]
PolicyName = Literal["open", "request", "invite"]
VisibilityName = Literal["public", "unlisted", "private"]
LevelName = Literal["private", "members", "public"]


class GroupInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The whole group. Fields left out get their default value.

    ``promotionLevel`` says how much of its public events is published: nothing, name and time with a link, or
    everything. ``syncEnabled`` says whether the group itself can be published. ``announcesEvents`` says whether the
    name, time and a join link of members-only events can be published. Only the owner can change it.
    """

    name: str
    time_zone: str
    description: str = ""
    locality: str = ""
    country: str = ""
    join_policy: PolicyName = "open"
    join_question: str = ""
    visibility: VisibilityName = "public"
    promotion_level: LevelName = "public"
    sync_enabled: bool = False
    announces_events: bool = False

    def submission(self) -> GroupSubmission:
        """The same values as a form submission, so that the same rules validate both."""
        texts = {name: getattr(self, name) for name in self.__struct_fields__ if name not in TICKS}
        return GroupSubmission(**texts, **{name: ON if getattr(self, name) else "" for name in TICKS})


class GroupDeletionPlanned(msgspec.Struct, rename="camel"):
    """What happens if the group is deleted. ``events`` is the number of upcoming events. They stay with their hosts.

    ``eventsForMembers`` of them become visible to their hosts only. ``members`` is the number of other members, and
    ``wait`` the number of people waiting for approval. All these people lose access to the group.
    """

    events: int
    events_for_members: int
    members: int
    waiting: int
    revision: int


class GroupOutput(msgspec.Struct, rename="camel"):
    """A group. ``myRole`` is null for callers who are not members. ``ownerId`` is shown to members only."""

    id: str
    slug: str
    url: str
    name: str
    description: str
    locality: str
    country: str
    picture: PictureOutput | None
    time_zone: str
    join_policy: PolicyName
    join_question: str
    visibility: VisibilityName
    promotion_level: LevelName
    sync_enabled: bool
    announces_events: bool
    members: int
    my_role: RoleName | None
    owner_id: str | None
    source: RecordSource
    revision: int
    created_at: str
    updated_at: str


class GroupList(msgspec.Struct, rename="camel"):
    """One page of a list of groups. ``cursor`` is null on the last page."""

    groups: list[GroupOutput]
    cursor: str | None


class MembershipOutput(msgspec.Struct, rename="camel"):
    """The caller's membership: when they requested it and who decided."""

    role: RoleName
    answer: str
    requested_at: str | None
    joined_at: str | None
    decided_by: str | None
    decided_at: str | None


class MemberOutput(msgspec.Struct, rename="camel"):
    """One member. ``answer`` is their reply to the group's question; only people who decide about members see it.

    ``source`` is the origin of the record in which they publish their membership. ``pictureUrl`` is their own picture.
    """

    user_id: str
    display_name: str
    role: RoleName
    answer: str
    requested_at: str | None
    joined_at: str | None
    source: RecordSource
    picture_url: str | None


class MemberList(msgspec.Struct, rename="camel"):
    """One page of the members of a group. ``cursor`` is null on the last page."""

    members: list[MemberOutput]
    cursor: str | None


class JoinInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The reply to the group's question, if the group has one."""

    answer: str = ""


class RoleInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A role that is lower than the caller's own."""

    role: GrantedName


class Decision(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Requests to decide in one call."""

    user_ids: list[str]
    lets_in: bool


def group_shown(
    group: Group, role: GroupRole | None, members: int, public_url: str, source: RecordSource
) -> GroupOutput:
    """The group as a person with this membership sees it."""
    details = group.details
    return GroupOutput(
        id=group.id,
        slug=group.slug,
        url=f"{public_url}{group_path(group.slug)}",
        name=details.name,
        description=details.description,
        locality=details.locality,
        country=details.country,
        picture=picture_shown(group.picture, public_url),
        time_zone=details.time_zone,
        join_policy=details.join_policy.value,
        join_question=details.join_question,
        visibility=details.visibility.value,
        promotion_level=details.promotion_level.value,
        sync_enabled=details.sync_enabled,
        announces_events=details.announces_events,
        members=members,
        my_role=role.value if role else None,
        owner_id=group.owner_id if role in INSIDE else None,
        source=source,
        revision=group.revision,
        created_at=iso(group.created_at),
        updated_at=iso(group.updated_at),
    )


def membership_shown(membership: Membership) -> MembershipOutput:
    return MembershipOutput(
        membership.role.value,
        membership.answer,
        iso_or_none(membership.requested_at),
        iso_or_none(membership.joined_at),
        membership.decided_by,
        iso_or_none(membership.decided_at),
    )
