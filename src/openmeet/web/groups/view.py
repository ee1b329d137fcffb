"""View model of the group page for one viewer. All decisions are made in this module; the templates only place the
values.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, assert_never

from markupsafe import Markup

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.http.forms import FormState
from openmeet.domain.attendance.answer_badges import Badge
from openmeet.domain.covers.drawing import data_url
from openmeet.domain.covers.model import cover_of_group, tone_of_group
from openmeet.domain.events.model import Event
from openmeet.domain.groups import announcements, membership_queries, queries
from openmeet.domain.groups.membership_queries import ListedGroup
from openmeet.domain.groups.model import (
    INSIDE,
    MAX_ANNOUNCEMENT,
    MAX_ANSWER,
    Announcement,
    Group,
    GroupId,
    GroupRole,
    GroupVisibility,
    JoinPolicy,
    Membership,
)
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import Picture
from openmeet.domain.moderation import labels
from openmeet.domain.moderation import visibility as moderation_visibility
from openmeet.domain.moderation.labels import NetworkLabel
from openmeet.domain.page_paths import event_path, group_path
from openmeet.domain.search.group_event_lists import coming_in_group, past_in_group, shown_in_group
from openmeet.domain.users.model import UserId
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext, pgettext
from openmeet.i18n.markdown import summary_of
from openmeet.network.ingestion.record_pictures import picture_of_group
from openmeet.recurrence.wall_time import local_of
from openmeet.web.events import badges
from openmeet.web.events.link_preview import card_of_group
from openmeet.web.events.listing import CardList, ListedDay, day_cards, further_dates, with_days
from openmeet.web.groups.feeds import is_own
from openmeet.web.groups.viewed_group import ViewedGroup, context_of
from openmeet.web.media.pages import PictureView, record_picture
from openmeet.web.site.faces import Avatar, Portraits, avatar_of, portraits_of

MAX_OF_ONE = 200
NEXT_SHOWN = 5
ANNOUNCEMENTS_SHOWN = 10
PEOPLE_SHOWN = 12

VISIBILITY_LABELS: Final[Mapping[GroupVisibility, LazyText | None]] = {
    GroupVisibility.PUBLIC: None,
    GroupVisibility.UNLISTED: lazy("Unlisted: only with this link"),
    GroupVisibility.PRIVATE: lazy("Private: only its members see it"),
}
_MINE: Final[Mapping[GroupRole, LazyText | None]] = {
    GroupRole.OWNER: lazy("You own this group"),
    GroupRole.ADMIN: lazy("You’re an admin"),
    GroupRole.MODERATOR: lazy("You’re a moderator"),
    GroupRole.MEMBER: lazy("You’re in"),
    GroupRole.PENDING: lazy("You asked to join"),
    GroupRole.DECLINED: lazy("Your request was declined"),
    GroupRole.LEFT: None,
    GroupRole.BANNED: lazy("You can’t join this group"),
}


class JoinOption(StrEnum):
    """How the viewer of a group can join it."""

    JOIN = "join"
    ASK = "ask"
    INVITED_ONLY = "invited_only"
    ELSEWHERE = "elsewhere"  # in the app that the group comes from


@dataclass(frozen=True, slots=True)
class GroupCard:
    """One group in a list."""

    path: str
    name: str
    about: str
    place: str
    cover: str
    tone: int
    members: str
    next_words: str
    mine: str
    visibility: str
    picture: Picture | None
    badges: Sequence[Badge]


@dataclass(frozen=True, slots=True)
class MonthEntry:
    """An event on a day of the month view."""

    path: str
    clock: str
    title: str
    is_cancelled: bool
    is_foreign: bool


@dataclass(frozen=True, slots=True)
class AnnouncementView:
    """One announcement."""

    id: str
    author: str
    when: Markup
    text: str


@dataclass(frozen=True, slots=True)
class MemberView:
    """A person in the group."""

    user_id: UserId
    name: str
    face: Avatar
    role: GroupRole
    is_you: bool

    @property
    def role_label(self) -> str:
        return "" if self.role is GroupRole.MEMBER else str(ROLE_CHIPS[self.role])


async def badges_of(reader: Reader, groups: Sequence[ListedGroup], public_url: str) -> dict[GroupId, Sequence[Badge]]:
    """Badges of groups in a list. Empty if all groups were created on this site."""
    if not any(one.group.is_read_only for one in groups):
        return {}
    shown = await badges.of_each_group(reader, [one.group for one in groups], public_url)
    return {one.group.id: some for one, some in zip(groups, shown, strict=True)}


def cards_of(
    groups: Sequence[ListedGroup], nexts: Mapping[GroupId, Instant], shown: Mapping[GroupId, Sequence[Badge]]
) -> list[GroupCard]:
    """Cards of groups, in order. ``shown`` comes from ``badges_of``."""
    return [_group_card(one, nexts.get(one.group.id), shown.get(one.group.id, ())) for one in groups]


def _group_card(group: ListedGroup, next_at: Instant | None, shown: Sequence[Badge]) -> GroupCard:
    details = group.group.details
    return GroupCard(
        path=group_path(group.group.slug),
        name=details.name,
        about=summary_of(details.description),
        place=group.group.place,
        cover=data_url(cover_of_group(details.name)),
        tone=tone_of_group(details.name, group.group.picture),
        members=ngettext("%(number)s member", "%(number)s members", group.members),
        next_words=""
        if next_at is None
        else gettext("Next: %(day)s", day=formatting.short_day(local_of(next_at, details.time_zone))),
        mine=str(_MINE[group.role] or "") if group.role in INSIDE or group.role is GroupRole.PENDING else "",
        visibility=details.visibility.value if details.visibility is not GroupVisibility.PUBLIC else "",
        picture=group.group.picture,
        badges=shown,
    )


async def group_context(reader: Reader, seen: ViewedGroup, form_state: FormState, public_url: str) -> dict[str, object]:
    """The template context of a group's page. ``form_state`` has the reply to its question or the announcement being
    written.
    """
    group, viewer = seen.group, seen.viewer
    membership = None if viewer is None else await queries.find_member(reader, group.id, viewer)
    is_member = seen.may(GroupPermission.VIEW)
    announced = await announcements.newest(reader, group.id, limit=ANNOUNCEMENTS_SHOWN) if is_member else []
    people = (
        await queries.members(reader, group.id, INSIDE, after=None, limit=PEOPLE_SHOWN)
        if seen.may(GroupPermission.SEE_MEMBERS)
        else []
    )
    names = await shown_names(
        reader,
        [
            *(one.author_id for one in announced),
            *(one.user_id for one in people),
            *_decider(membership),
            *([group.succession.successor_id] if group.succession else []),
        ],
    )
    portraits = await portraits_of(reader, viewer, [one.user_id for one in people])
    return {
        **context_of(seen, seen.path),
        **await _events_context(reader, seen, public_url),
        **_membership_context(seen, membership, names, reader.now),
        "typed": form_state,
        "face": avatar_of(group.id, group.details.name),
        "tone": tone_of_group(group.details.name, group.picture),
        "picture": await _picture_of(reader, seen),
        "cover": cover_of_group(group.details.name).strip_path,
        "card": card_of_group(group),
        "public_url": public_url,
        "visibility_words": VISIBILITY_LABELS[group.details.visibility],
        "members": seen.members,
        "followers": await membership_queries.count_followers(reader, group.id),
        "labelled": await _hiding_labels(reader, group),
        "is_following": viewer is not None and await membership_queries.is_following(reader, group.id, viewer),
        "badges": (await badges.of_each_group(reader, [group], public_url))[0],
        "announcements": [_announcement_view(one, names, group, reader.now) for one in announced],
        "announcement_key": form_state.value("submission") or secrets.token_urlsafe(16),
        "lengths": {"answer": MAX_ANSWER, "text": MAX_ANNOUNCEMENT},
        "can_announce": seen.may(GroupPermission.ANNOUNCE),
        "can_make": seen.may(GroupPermission.CREATE_EVENT),
        "can_see_log": seen.may(GroupPermission.SEE_LOG),
        "can_follow_dids": seen.may(GroupPermission.FOLLOW),
        "people": [person_of(one, names, portraits, viewer) for one in people],
        "more_people": max(0, seen.members - len(people)) if people else 0,
        "is_offered": group.offer is not None and group.offer.heir_id == viewer,
        "successor": names[group.succession.successor_id] if group.succession and is_member else "",
        "passes_on": passes_on_label(group),
        "has_feed": group.details.visibility is not GroupVisibility.PRIVATE,
    }


async def _events_context(reader: Reader, seen: ViewedGroup, public_url: str) -> dict[str, object]:
    """The next events, or the last ones if there are no next ones."""
    upcoming = await shown_in_group(reader, seen.group.id, None, NEXT_SHOWN + 1, member=seen.member)
    # If the group has a single series and nothing else, show the dates of that series instead of only the next one.
    is_one_series = len(upcoming) == 1 and upcoming[0].group is not None and upcoming[0].position_in_series is not None
    if is_one_series:
        upcoming = await coming_in_group(reader, seen.group.id, None, NEXT_SHOWN + 1, member=seen.member)
    past = [] if upcoming else await past_in_group(reader, seen.group.id, None, NEXT_SHOWN, member=seen.member)
    listed = await days_of(reader, seen, upcoming[:NEXT_SHOWN], public_url, once_per_series=not is_one_series)
    return {
        "coming": listed,
        "dated": with_days(listed),
        "has_more": len(upcoming) > NEXT_SHOWN,
        "past": await days_of(reader, seen, past, public_url),
    }


def _membership_context(
    seen: ViewedGroup, membership: Membership | None, names: Mapping[UserId, str], now: Instant
) -> dict[str, object]:
    """The viewer's membership, and how they can join or leave."""
    return {
        "mine_short": _short_membership_label(membership),
        "mine_words": _MINE[membership.role] if membership else "",
        "mine_hint": _membership_hint(membership, names, seen.group, now),
        "join_option": _join_option(seen.group, membership),
        "can_leave": membership is not None and seen.may(GroupPermission.LEAVE),
        "is_asking": membership is not None and membership.role is GroupRole.PENDING,
        "is_member": seen.may(GroupPermission.VIEW),
        "is_owner": seen.role is GroupRole.OWNER,
        "hears": membership is not None and membership.notifications_enabled,
    }


def _short_membership_label(membership: Membership | None) -> str:
    if membership is None:
        return ""
    if membership.role is GroupRole.OWNER:
        return pgettext("your role, on a narrow button", "Owner")
    return str(_MINE[membership.role] if membership.role is GroupRole.MEMBER else ROLE_CHIPS[membership.role])


async def _picture_of(reader: Reader, seen: ViewedGroup) -> PictureView | None:
    """The group's picture. For a remote group, the picture of its record."""
    own_picture = seen.group.picture
    if own_picture is not None:
        return PictureView(f"/media/{own_picture.key}", own_picture.alt, own_picture.width, own_picture.height)
    record_image = await picture_of_group(reader, seen.group)
    return None if record_image is None else record_picture(seen.path, record_image)


def _decider(membership: Membership | None) -> list[UserId]:
    return [membership.decided_by] if membership is not None and membership.decided_by is not None else []


def _join_option(group: Group, membership: Membership | None) -> JoinOption | None:
    """How the viewer can join. None if they are a member already, have asked, or are banned."""
    role = membership.role if membership else None
    if role in INSIDE or role in {GroupRole.PENDING, GroupRole.BANNED}:
        return None
    if group.is_read_only:
        return JoinOption.ELSEWHERE
    match group.details.join_policy:
        case JoinPolicy.OPEN:
            return JoinOption.JOIN
        case JoinPolicy.REQUEST:
            return JoinOption.ASK
        case JoinPolicy.INVITE:
            return JoinOption.INVITED_ONLY
        case _:
            assert_never(group.details.join_policy)


async def _hiding_labels(reader: Reader, group: Group) -> list[NetworkLabel]:
    """The labels that hide the group from everyone but its admins. Empty if a moderator has already decided about it."""
    if not group.is_hidden:
        return []
    decided = await moderation_visibility.statuses_of(reader, [group.id, group.owner_id])
    if any(one.state.hides for one in decided.values()):
        return []
    return await labels.hiding(reader, None, group.owner_id)


def _membership_hint(membership: Membership | None, names: Mapping[UserId, str], group: Group, now: Instant) -> str:
    """When the viewer requested to join, and who decided."""
    if membership is None:
        return ""
    if membership.role is GroupRole.PENDING and membership.requested_at is not None:
        return gettext(
            "You asked on %(day)s. The organisers decide, and we’ll let you know.",
            day=day_label(membership.requested_at, group, now),
        )
    if (
        membership.role is GroupRole.DECLINED
        and membership.decided_at is not None
        and membership.decided_by is not None
    ):
        return gettext(
            "Decided on %(day)s by %(decided_by)s. You can ask again.",
            day=day_label(membership.decided_at, group, now),
            decided_by=names[membership.decided_by],
        )
    if membership.role in INSIDE and membership.joined_at is not None:
        return gettext("Since %(day)s.", day=day_label(membership.joined_at, group, now))
    return ""


async def days_of(
    reader: Reader, seen: ViewedGroup, events: Sequence[Event], public_url: str, *, once_per_series: bool = False
) -> list[ListedDay]:
    """Events grouped by day. With ``once_per_series``, each series is represented by one event, and its other dates are
    counted.
    """
    further = await further_dates(reader, events) if once_per_series else {}
    return await day_cards(
        reader,
        events,
        CardList(
            public_url,
            seen.viewer,
            further=further,
            within=seen.group.id,
            is_hosting=all(one.author_id == seen.viewer for one in events),
        ),
    )


def entries_of(group: Group, events: Sequence[Event]) -> list[tuple[date, MonthEntry]]:
    """Events with the local day on which they start."""
    entries = []
    for event in events:
        if event.starts_at is None:
            continue
        starts = local_of(event.starts_at, event.time_zone)
        path = event_path(event.slug)
        entry = MonthEntry(path, formatting.clock(starts), event.title, event.is_cancelled, not is_own(group, event))
        entries.append((starts.date(), entry))
    return entries


def person_of(
    membership: Membership, names: Mapping[UserId, str], portraits: Portraits, viewer: UserId | None
) -> MemberView:
    name = names[membership.user_id]
    return MemberView(
        membership.user_id,
        name,
        avatar_of(membership.user_id, name, portraits),
        membership.role,
        membership.user_id == viewer,
    )


def day_label(at: Instant, group: Group, now: Instant | None = None) -> str:
    """``Saturday 4 July 2026`` in the group's time zone. If ``now`` is given, the year is left out where it is obvious."""
    zone = group.details.time_zone
    return formatting.day(local_of(at, zone), None if now is None else local_of(now, zone).date())


def short_day_label(at: Instant, group: Group, now: Instant) -> str:
    """``Sat 4 Jul``, with the year where it is not obvious, in the group's time zone."""
    zone = group.details.time_zone
    return formatting.short_day(local_of(at, zone), local_of(now, zone).date())


def passes_on_label(group: Group) -> str:
    """The day on which ownership is transferred. Empty if nobody has claimed it."""
    succession = group.succession
    return "" if succession is None else day_label(Instant(succession.asked_at + group.succession_plan.wait), group)


# Labels for chips and lists of choices.
ROLE_CHIPS: Final[Mapping[GroupRole, LazyText]] = {
    GroupRole.OWNER: lazy("Owner"),
    GroupRole.MEMBER: lazy("Member"),
    GroupRole.ADMIN: lazy("Admin"),
    GroupRole.MODERATOR: lazy("Moderator"),
    GroupRole.PENDING: lazy("Asked to join"),
    GroupRole.DECLINED: lazy("Declined"),
    GroupRole.BANNED: lazy("Banned"),
    GroupRole.LEFT: lazy("Left"),
}
_ROLE_LABELS: Final[Mapping[GroupRole, LazyText]] = {
    GroupRole.OWNER: lazy("the owner"),
    GroupRole.ADMIN: lazy("an admin"),
    GroupRole.MODERATOR: lazy("a moderator"),
    GroupRole.MEMBER: lazy("a member"),
}


def role_label(role: GroupRole) -> str:
    """A role as part of a sentence: ``an admin``."""
    return str(_ROLE_LABELS[role])


def _announcement_view(
    announcement: Announcement, names: Mapping[UserId, str], group: Group, now: Instant
) -> AnnouncementView:
    when = formatting.time_tag(announcement.created_at, day_label(announcement.created_at, group, now))
    return AnnouncementView(announcement.id, names[announcement.author_id], when, announcement.text)
