"""Who may see and add photos of an event: its hosts, and people who were going, once it has begun.

Events from the network have no photos here: other servers decide who goes to them, so an answer proves nothing. For the
same reason an answer counts only if it was given before the end of the event, or if a host agreed to it: everybody can
write an RSVP record at any time.
"""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.answer_bar_inputs import is_welcome
from openmeet.domain.attendance.model import Attendance, AttendanceStatus
from openmeet.domain.attendance.rules import rsvp_gives_access
from openmeet.domain.events import event_access
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventSlug, RecordOrigin
from openmeet.domain.events.permissions import EventPermission, may
from openmeet.domain.photos import queries
from openmeet.domain.photos.model import EventPhoto, PhotoAccess, PhotoReason
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason


async def access_to(reader: Reader, event: Event, viewer: UserId | None, rsvp: Attendance | None) -> PhotoAccess:
    """What this person may do with the photos of the event. ``rsvp`` is their own."""
    if viewer is None:
        return PhotoAccess.NONE
    if takes_photos(event, reader.now) and await event_access.may_see(
        reader, event, viewer, has_rsvp_access=rsvp_gives_access(rsvp)
    ):
        if may(await event_access.role_of(reader, event, viewer), EventPermission.DECIDE_ANSWERS):
            return PhotoAccess.HOST
        if rsvp is not None and took_part(event, rsvp) and await is_welcome(reader, event, viewer):
            return PhotoAccess.GUEST
    _, own = await queries.counts(reader, event.id, viewer)
    return PhotoAccess.OWN if own else PhotoAccess.NONE


def takes_photos(event: Event, now: Instant) -> bool:
    """Whether the event can have photos: it is hosted here, was published, and has begun."""
    return (
        event.origin is RecordOrigin.HERE
        and not (event.is_gone or event.is_draft or event.is_held)
        and event.starts_at is not None
        and event.starts_at <= now
    )


def took_part(event: Event, rsvp: Attendance) -> bool:
    """Whether a person with this answer was at the event, as far as the site knows."""
    is_in_time = event.over_at is not None and rsvp.answered_at <= event.over_at
    return rsvp.is_seated and (is_in_time or rsvp.approved_at is not None or rsvp.status is AttendanceStatus.ATTENDED)


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


async def visible_photo(reader: Reader, key: str, viewer: UserId | None) -> tuple[EventPhoto, Event, PhotoAccess]:
    """The photo with its event, if this person may see it now. Raises NotFound."""
    found = await queries.by_keys(reader, [key])
    event = await event_queries.by_id(reader, found[0].event_id) if found else None
    if viewer is None or event is None:
        raise NotFound(PhotoReason.NO_SUCH_PHOTO)
    rsvp = await attendance_queries.find(reader, event.id, viewer)
    access = await access_to(reader, event, viewer, rsvp)
    if access is PhotoAccess.NONE or not await queries.shown_one(reader, found[0], viewer, access):
        raise NotFound(PhotoReason.NO_SUCH_PHOTO)
    return found[0], event, access
