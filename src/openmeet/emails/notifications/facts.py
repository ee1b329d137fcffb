"""Load all current facts that the texts of one person's notifications need. Uses few queries."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.groups import announcements, rules
from openmeet.domain.groups.membership_queries import members_by_ids
from openmeet.domain.groups.model import Announcement, AnnouncementId, Group, GroupId, GroupRole, MemberId, Membership
from openmeet.domain.groups.queries import by_ids, roles_in
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.notifications.event_kinds import GROUP_EVENT, PHOTOS_ADDED
from openmeet.domain.notifications.kinds import KINDS
from openmeet.domain.notifications.model import NotificationId, SubjectType
from openmeet.domain.notifications.queries import Notification
from openmeet.domain.photos.queries import events_with_photos
from openmeet.domain.search.my_event_lists import events_by_ids
from openmeet.domain.series import date_queries
from openmeet.domain.users.model import UserId
from openmeet.emails.notifications import texts
from openmeet.emails.notifications.chats import chats_of
from openmeet.emails.notifications.current_state import CurrentChatState, CurrentState
from openmeet.emails.notifications.texts import Point
from openmeet.i18n.markdown import one_line


@dataclass(frozen=True, slots=True)
class Facts:
    """The current state of everything that the notifications of ``viewer`` are about. ``seen``: the events that they
    may see. ``groups``: those that the notifications are about, and those whose new events they are about.
    ``next_dates``: see ``CurrentState.next_date``. ``with_photos``: the events whose photos they may still see.
    """

    viewer: UserId
    now: Instant
    events: Mapping[EventId, Event]
    seen: Collection[EventId]
    answers: Mapping[EventId, Attendance]
    groups: Mapping[GroupId, Group]
    roles: Mapping[GroupId, GroupRole]
    memberships: Mapping[MemberId, Membership]
    announced: Mapping[AnnouncementId, Announcement]
    names: Mapping[UserId, str]
    chats: Mapping[NotificationId, CurrentChatState]
    next_dates: Mapping[EventId, Event]
    with_photos: Collection[EventId]

    def of_event(self, event: Event) -> CurrentState:
        group = self.groups.get(event.group.id) if event.group else None
        return CurrentState(
            self.viewer,
            self.now,
            event=event,
            group=group if group is not None and rules.may_see(group, self.roles.get(group.id)) else None,
            own_rsvp=self.answers.get(event.id),
            next_date=self.next_dates.get(event.id),
            has_photos=event.id in self.with_photos,
        )

    def of_chat(self, notification: Notification) -> CurrentState | None:
        """The state for a chat notification. None if the viewer may not read the room, or if the message is gone."""
        chat = self.chats.get(notification.id)
        return None if chat is None else CurrentState(self.viewer, self.now, chat=chat)

    def of_group(self, notification: Notification) -> CurrentState | None:
        """The state for a group notification. None if the viewer may not see the group or this notification about it."""
        group = self.groups.get(GroupId(notification.payload.group_id or ""))
        role = self.roles.get(group.id) if group else None
        if group is None or not rules.may_see(group, role):
            return None
        state = CurrentState(
            self.viewer,
            self.now,
            group=group,
            role=role,
            membership=self.memberships.get(MemberId(notification.subject_id)),
            announcement=self.announced.get(AnnouncementId(notification.subject_id)),
        )
        return state if notification.kind.may_read(notification.payload, state) else None


async def facts_of(reader: Reader, news: Sequence[Notification], viewer: UserId) -> Facts:
    about = {type_: [one.subject_id for one in news if one.kind.subject is type_] for type_ in SubjectType}
    groups = [GroupId(one.payload.group_id) for one in news if one.kind.is_of_group and one.payload.group_id]
    events = await events_by_ids(reader, [EventId(one) for one in dict.fromkeys(about[SubjectType.EVENT])])
    new_in_group = [events.get(EventId(one.subject_id)) for one in news if one.kind is GROUP_EVENT]
    groups += [one.group.id for one in new_in_group if one is not None and one.group is not None]
    return Facts(
        viewer,
        reader.now,
        events,
        await seen_by(reader, list(events.values()), viewer),
        await attendance_queries.of_user(reader, viewer, list(events)),
        await by_ids(reader, groups),
        await roles_in(reader, groups, viewer),
        await members_by_ids(reader, about[SubjectType.MEMBERSHIP]),
        await announcements.by_ids(reader, about[SubjectType.ANNOUNCEMENT]),
        {
            user_id: one_line(name)
            for user_id, name in (
                await shown_names(reader, [one.payload.person_id for one in news if one.payload.person_id])
            ).items()
        },
        await chats_of(reader, [one for one in news if one.kind.subject is SubjectType.ROOM], viewer),
        await _next_dates(reader, events.values(), viewer),
        await events_with_photos(reader, [one.subject_id for one in news if one.kind is PHOTOS_ADDED], viewer),
    )


async def _next_dates(reader: Reader, events: Iterable[Event], viewer: UserId) -> dict[EventId, Event]:
    """The next date of the series after each cancelled event."""
    cancelled = [one.id for one in events if one.is_cancelled and one.position_in_series is not None]
    next_dates = await date_queries.next_after_each(reader, cancelled)
    seen = await seen_by(reader, list(next_dates.values()), viewer)
    return {event_id: one for event_id, one in next_dates.items() if one.id in seen}


def points(news: Sequence[Notification], state: CurrentState, names: Mapping[UserId, str]) -> list[Point]:
    """The points that still apply from these notifications about one event (given oldest first), the most important
    first. A pure function.
    """
    of_kind: dict[str, list[Notification]] = {}
    for one in news:
        of_kind.setdefault(one.kind.name, []).append(one)
    state = replace(state, together=tuple(one.kind.name for one in news))
    news_points = []
    for kind in (kind for name, kind in KINDS.items() if name in of_kind):
        payloads = [one.payload for one in of_kind[kind.name]]
        news_points += [
            texts.point(kind, payload, state, names, payloads=payloads)
            for payload in kind.merged(payloads)
            if kind.still_true(payload, state)
        ]
    return news_points
