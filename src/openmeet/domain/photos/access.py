"""Who may see and add photos of an event once it has begun: its hosts, people who were going when it began, and people
whom a host approved or checked in.

A later answer proves nothing: anybody can answer during the event, and write or edit an RSVP record at any time. The
history of the RSVP says what it was when the event began, by our own clock. Events from the network have no photos
here, because other servers decide who goes to them.
"""

from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.attendance import history
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.answer_bar_inputs import is_welcome
from openmeet.domain.attendance.model import SEATED_STATUSES, Attendance, AttendanceStatus
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events import event_access
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventSlug, RecordOrigin
from openmeet.domain.events.permissions import EventPermission, EventRole, may
from openmeet.domain.groups.membership_queries import is_unwelcome_at
from openmeet.domain.photos import queries
from openmeet.domain.photos.model import EventPhoto, PhotoAccess, PhotoReason
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason


async def access_to(reader: Reader, event: Event, viewer: UserId | None, rsvp: Attendance | None) -> PhotoAccess:
    """What this person may do with the photos of the event. ``rsvp`` is their own."""
    if (
        viewer is not None
        and takes_photos(event, reader.now)
        and await event_access.may_see(reader, event, viewer, has_rsvp_access=rsvp_gives_access(rsvp))
    ):
        return await access_with_role(reader, event, viewer, rsvp, await event_access.role_of(reader, event, viewer))
    return await _own_access(reader, event, viewer)


async def access_with_role(
    reader: Reader, event: Event, viewer: UserId | None, rsvp: Attendance | None, role: EventRole
) -> PhotoAccess:
    """``access_to`` for somebody who may see the event and has this role in it."""
    if viewer is not None and takes_photos(event, reader.now):
        if may(role, EventPermission.DECIDE_ANSWERS):
            return PhotoAccess.HOST
        if rsvp is not None and await took_part(reader, event, rsvp) and await is_welcome(reader, event, viewer):
            return PhotoAccess.ATTENDEE
    return await _own_access(reader, event, viewer)


def takes_photos(event: Event, now: Instant) -> bool:
    """Whether the event can have photos: it is hosted here, was published, and has begun."""
    return (
        event.origin is RecordOrigin.HERE
        and not (event.is_gone or event.is_draft or event.is_held)
        and event.starts_at is not None
        and event.starts_at <= now
    )


async def took_part(reader: Reader, event: Event, rsvp: Attendance) -> bool:
    """Whether a person with this answer has a place, and had one when the event began or was let in by a host."""
    if not rsvp.is_seated or event.starts_at is None:
        return False
    if rsvp.approved_at is not None or rsvp.status is AttendanceStatus.ATTENDED:
        return True
    return await history.status_at(reader, rsvp.id, event.starts_at) in SEATED_STATUSES


# ``took_part`` and ``is_welcome`` for all attendees of an event, who can be thousands.
_ATTENDEES: Final = f"""
    select a.user_id from attendances a
        join users u on u.id = a.user_id and u.kind = 'person'
        join events e on e.id = a.event_id
     where a.event_id = :event_id and a.user_id > :after and a.status in ('attending', 'attended')
       and (a.approved_at is not null or a.status = 'attended'
            or (select h.after_status from attendance_history h where h.attendance_id = a.id and h.changed_at <= :starts_at
                 order by h.revision desc, h.id desc limit 1) in ('attending', 'attended'))
       and not ({is_unwelcome_at("e.author_id", "e.group_id", "a.user_id")})
     order by a.user_id limit :limit
"""


async def attendees_after(reader: Reader, event: Event, after: str, limit: int) -> list[UserId]:
    """Attendees with an account who see the photos of an event that takes them, ordered by id, after ``after``."""
    rows = await reader.fetch(_ATTENDEES, event_id=event.id, after=after, starts_at=event.starts_at, limit=limit)
    return [UserId(row["user_id"]) for row in rows]


async def event_with_photos(reader: Reader, slug: EventSlug, viewer: UserId) -> tuple[Event, PhotoAccess]:
    """The event and the viewer's access to its photos. Raises NotFound if they have none, as for an event that does not
    exist.
    """
    event = await event_queries.by_slug(reader, slug)
    if event is None:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    rsvp = await attendance_queries.find(reader, event.id, viewer)
    access = await access_to(reader, event, viewer, rsvp)
    if access is PhotoAccess.NONE:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    return event, access


async def visible_photo(
    reader: Reader, key: str, viewer: UserId | None, *, with_blocked: bool = False
) -> tuple[EventPhoto, Event, PhotoAccess]:
    """The photo with its event, if this person may see it now. ``with_blocked``: also if they and the person who added it
    blocked each other. Raises NotFound.
    """
    photo = await queries.by_key(reader, key)
    event = await event_queries.by_id(reader, photo.event_id) if photo is not None else None
    if viewer is None or photo is None or event is None:
        raise NotFound(PhotoReason.NO_SUCH_PHOTO)
    rsvp = await attendance_queries.find(reader, event.id, viewer)
    access = await access_to(reader, event, viewer, rsvp)
    is_shown = await queries.shown_one(reader, photo, viewer, access, with_blocked=with_blocked)
    if access is PhotoAccess.NONE or not is_shown:
        raise NotFound(PhotoReason.NO_SUCH_PHOTO)
    return photo, event, access


async def _own_access(reader: Reader, event: Event, viewer: UserId | None) -> PhotoAccess:
    if viewer is None or not _may_have_photos(event, reader.now):
        return PhotoAccess.NONE
    return PhotoAccess.OWN if await queries.has_own(reader, event.id, viewer) else PhotoAccess.NONE


def _may_have_photos(event: Event, now: Instant) -> bool:
    """Whether the event has begun, or may have begun before it was moved. Every edit increases the revision."""
    return event.revision > 1 or (event.starts_at is not None and event.starts_at <= now)
