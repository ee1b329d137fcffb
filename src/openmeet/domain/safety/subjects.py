"""Resolve the event, series, group, user or photo of a report: by slug for people who can see it, by id for moderators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound, Reason
from openmeet.domain.attendance.attendee_summary import sees_attendee_names_sql
from openmeet.domain.attendance.invitation_queries import IS_UNANSWERED_INVITATION
from openmeet.domain.attendance.visibility import visible_event
from openmeet.domain.chat.people import is_known_author
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.events.visibility import is_hidden, is_public
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import INSIDE, Group, GroupId, GroupRole, GroupSlug, roles_sql
from openmeet.domain.groups.rules import GroupPermission, roles_with
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation.model import ModeratedKind, Subject
from openmeet.domain.notifications.preferences import AT_ONCE
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.photos.access import visible_photo
from openmeet.domain.photos.model import EventPhoto
from openmeet.domain.photos.queries import for_moderators as photos_for_moderators
from openmeet.domain.series import agenda
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import Series, SeriesId, SeriesSlug
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext


class SafetyReason(Reason):
    """Why a report, block or mute is refused. The messages are in ``i18n/reasons/accounts.py``."""

    OWN_CONTENT = "safety.own_content"
    CANNOT_BLOCK_ONESELF = "safety.cannot_block_oneself"
    NOT_BLOCKED = "safety.not_blocked"
    CANNOT_MUTE_ONESELF = "safety.cannot_mute_oneself"
    NO_SUCH_PERSON_OR_GROUP = "safety.no_such_person_or_group"
    NOT_MUTED = "safety.not_muted"
    NO_SUCH_PAGE = "safety.no_such_page"


@dataclass(frozen=True, slots=True)
class ReportedSubject:
    """A subject and how to show it.

    ``owner``: its owner, or the user themselves. ``path``: its page, if it has one. ``group_id``: the group that it
    belongs to or, for a group, its own id. ``when`` and ``text`` are for moderators, who need to see the content that
    they decide about.
    """

    subject: Subject
    title: str
    path: str = ""
    owner: UserId | None = None
    owner_name: str = ""
    group_id: GroupId | None = None
    when: str = ""
    text: str = ""
    did: str = ""

    @property
    def is_there(self) -> bool:
        return bool(self.title)


async def by_address(reader: Reader, kind: ModeratedKind, address: str, viewer: UserId | None) -> ReportedSubject:
    """The subject with this slug (for a user or a photo, with this id) if the viewer can see it. Raises NotFound, also
    for hidden subjects.
    """
    match kind:
        case ModeratedKind.EVENT:
            event, _ = await visible_event(reader, EventSlug(address), viewer)
            subject = _of_event(event, reader.now)
        case ModeratedKind.SERIES:
            subject = _of_series(await agenda.visible(reader, SeriesSlug(address), viewer))
        case ModeratedKind.GROUP:
            group, _ = await group_actions.visible(reader, GroupSlug(address), viewer)
            subject = _of_group(group)
        case ModeratedKind.PERSON:
            if not await may_know(reader, viewer, UserId(address)):
                raise NotFound(GeneralReason.NO_SUCH_PERSON)
            subject = _of_person(UserId(address))
        case ModeratedKind.PHOTO:
            photo, event, _ = await visible_photo(reader, address, viewer, with_blocked=True)
            subject = _of_photo(photo, event)
        case ModeratedKind.DID | ModeratedKind.HOST:
            raise NotFound(SafetyReason.NO_SUCH_PAGE)
        case _:
            assert_never(kind)
    return (await _named(reader, [subject], with_leaving=False))[0]


async def described(reader: Reader, subjects: Sequence[Subject]) -> dict[str, ReportedSubject]:
    """Subjects as moderators see them, whatever their visibility. Subjects that no longer exist have no title."""
    subjects_by_id = {subject.id: ReportedSubject(subject, "") for subject in subjects}
    ids = {kind: [subject.id for subject in subjects if subject.kind is kind] for kind in ModeratedKind}
    for event in await event_queries.several(reader, [EventId(event_id) for event_id in ids[ModeratedKind.EVENT]]):
        subjects_by_id[event.id] = _of_event(event, reader.now)
    for series_id in ids[ModeratedKind.SERIES]:
        series = await series_queries.by_id(reader, SeriesId(series_id))
        if series is not None:
            subjects_by_id[series_id] = _of_series(series)
    for group in (
        await group_queries.by_ids(reader, [GroupId(group_id) for group_id in ids[ModeratedKind.GROUP]])
    ).values():
        subjects_by_id[group.id] = _of_group(group)
    for person in ids[ModeratedKind.PERSON]:
        if await user_queries.by_id(reader, UserId(person)) is not None:
            subjects_by_id[person] = _of_person(UserId(person))
    photos = await photos_for_moderators(reader, ids[ModeratedKind.PHOTO])
    events = {one.id: one for one in await event_queries.several(reader, [photo.event_id for photo in photos])}
    for photo in photos:
        subjects_by_id[photo.key] = _of_photo(photo, events[photo.event_id])
    for did in ids[ModeratedKind.DID]:
        identity = await identity_queries.find(reader, did)
        handle = f"@{identity.handle}" if identity and identity.handle else did
        subjects_by_id[did] = ReportedSubject(
            Subject(ModeratedKind.DID, did), handle, owner=identity.user_id if identity else None, did=did
        )
    for host in ids[ModeratedKind.HOST]:
        subjects_by_id[host] = ReportedSubject(Subject(ModeratedKind.HOST, host), host)
    return {
        reported.subject.id: reported
        for reported in await _named(reader, list(subjects_by_id.values()), with_leaving=True)
    }


async def newest_events(reader: Reader, author: UserId, limit: int) -> list[Subject]:
    """The newest public events of an author."""
    rows = await reader.fetch(
        "select id from events where author_id = :author and visibility = 'public' and is_draft = 0"
        " and deleted_at is null and removed_at is null order by created_at desc, id desc limit :limit",
        author=author,
        limit=limit,
    )
    return [Subject(ModeratedKind.EVENT, row["id"]) for row in rows]


async def _named(reader: Reader, reported: list[ReportedSubject], *, with_leaving: bool) -> list[ReportedSubject]:
    owners = [one.owner for one in reported if one.owner is not None]
    names = await shown_names(reader, owners, with_leaving=with_leaving)
    with_names = []
    for one in reported:
        owner_name = names.get(one.owner, "") if one.owner else ""
        title = one.title or (owner_name if one.subject.kind is ModeratedKind.PERSON else "")
        with_names.append(
            ReportedSubject(
                one.subject,
                title,
                one.path,
                one.owner,
                owner_name,
                one.group_id,
                one.when,
                one.text,
                one.did,
            )
        )
    return with_names


def _of_event(event: Event, now: Instant) -> ReportedSubject:
    return ReportedSubject(
        Subject(ModeratedKind.EVENT, event.id),
        event.title or "Untitled",
        event_path(event.slug),
        event.author_id,
        group_id=event.group.id if event.group else None,
        when=time_and_place.short_start_label(event, now),
        text=event.content.description,
        did=event.record_did or "",
    )


def _of_series(series: Series) -> ReportedSubject:
    return ReportedSubject(
        Subject(ModeratedKind.SERIES, series.id),
        series.content.title,
        series_path(series.slug),
        series.owner_id,
        group_id=series.group.id if series.group else None,
        text=series.content.description,
    )


def _of_group(group: Group) -> ReportedSubject:
    return ReportedSubject(
        Subject(ModeratedKind.GROUP, group.id),
        group.details.name,
        group_path(group.slug),
        group.owner_id,
        group_id=group.id,
        text=group.details.description,
    )


def _of_photo(photo: EventPhoto, event: Event) -> ReportedSubject:
    return ReportedSubject(
        Subject(ModeratedKind.PHOTO, photo.key),
        gettext("Photo from “%(event)s”", event=event.title),
        f"{event_path(event.slug)}/photos/{photo.key}",
        photo.user_id,
        group_id=event.group.id if event.group else None,
        text=photo.caption,
    )


def _of_person(person: UserId) -> ReportedSubject:
    return ReportedSubject(Subject(ModeratedKind.PERSON, person), "", path=f"/people/{person}", owner=person)


_INSIDE: Final = roles_sql(INSIDE)
_APPROVING: Final = roles_sql(roles_with(GroupPermission.APPROVE))

# People whose name the viewer may learn: hosts of public events and owners of groups that are not private; members of a
# common group, and for its moderators also those who ask to join; followers of a series of the viewer or of a group that
# the viewer is in; attendees of the viewer's events, unless they were
# invited by address and have not answered; hosts of events that the viewer answered or is invited to; non-private
# attendees of a common event whose list the viewer may see; users whom the viewer knew when blocking them.
_MAY_KNOW: Final = f"""
    select u.id from users u where u.id in :people and (
      u.id = :viewer
      or exists (select 1 from events e where e.author_id = u.id and {is_public("e")} and not {is_hidden("e")}
                   and e.is_held = 0 and e.deleted_at is null)
      or exists (select 1 from event_co_hosts h join events e on e.id = h.event_id
                  where h.user_id = u.id and h.state = 'accepted' and {is_public("e")} and not {is_hidden("e")}
                    and e.is_held = 0 and e.deleted_at is null)
      or exists (select 1 from groups g where g.owner_id = u.id and g.deleted_at is null and g.visibility <> 'private')
      or exists (select 1 from group_members t join group_members m on m.group_id = t.group_id
                  where t.user_id = u.id and m.user_id = :viewer and (m.role in ({_INSIDE}) and t.role in ({_INSIDE})
                         or m.role in ({_APPROVING}) and t.role <> '{GroupRole.LEFT}'))
      or exists (select 1 from event_series_followers f join event_series s on s.id = f.series_id
          and s.deleted_at is null
                  where f.user_id = u.id and (s.user_id = :viewer or exists (
                        select 1 from group_members m
                         where m.group_id = s.group_id and m.user_id = :viewer and m.role in ({_INSIDE}))))
      or exists (select 1 from attendances a join events e on e.id = a.event_id
                  where a.user_id = u.id and a.status <> 'invited' and not {IS_UNANSWERED_INVITATION}
                    and (e.author_id = :viewer or exists (select 1 from event_co_hosts h where h.event_id = e.id
                                                            and h.user_id = :viewer and h.state = 'accepted')))
      or exists (select 1 from attendances m join events e on e.id = m.event_id
                  where m.user_id = :viewer
                    and (e.author_id = u.id or exists (select 1 from event_co_hosts h where h.event_id = e.id
                                                          and h.user_id = u.id and h.state = 'accepted')))
      or exists (select 1 from attendances m join attendances t on t.event_id = m.event_id
          join events e on e.id = t.event_id
                  where m.user_id = :viewer and t.user_id = u.id and t.is_private = 0
                    and t.status in ('attending', 'attended', 'interested') and {sees_attendee_names_sql("e", ":viewer")})
      or exists (select 1 from user_blocks k where k.user_id = :viewer and k.blocked_id = u.id and k.is_known = 1)
      or exists (select 1 from user_mutes q where q.user_id = :viewer and q.subject = u.id and q.is_known = 1))
    and (u.id = :viewer or not {is_leaving("u.id")})
     order by u.id
"""


async def may_know(reader: Reader, viewer: UserId | None, person: UserId) -> bool:
    """Whether the viewer may learn this user's name. Also False if there is no such user.

    A chat shows the names of its authors to everyone who may read it, so the viewer may know them elsewhere, too.
    Otherwise they could not report somebody whose messages they read, or find them in the list of people they blocked.
    """
    return person in await known_among(reader, viewer, [person])


async def known_among(reader: Reader, viewer: UserId | None, people: Sequence[UserId]) -> set[UserId]:
    """``may_know`` for several users: those whose names the viewer may learn."""
    known: set[UserId] = set()
    for start in range(0, len(people), AT_ONCE):
        rows = await reader.fetch(_MAY_KNOW, people=list(people[start : start + AT_ONCE]), viewer=viewer or "")
        known |= {UserId(row["id"]) for row in rows}
    # Few are left: almost everybody whom people block or mute is somebody whom they know.
    return known | {one for one in people if one not in known and await is_known_author(reader, one, viewer)}
