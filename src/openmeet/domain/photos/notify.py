"""Notify people of new photos of an event that they hosted or were at: at most once a day for each event."""

from typing import Final

import msgspec

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance.notify import hosts_of
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import lock_subject
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications.event_kinds import PhotosAdded
from openmeet.domain.notifications.fan_out import NOBODY_LEFT, FanOutAudience, RecipientPage
from openmeet.domain.notifications.notify import Notice, notify
from openmeet.domain.photos import queries
from openmeet.domain.photos.access import attendees_after, takes_photos
from openmeet.domain.photos.model import EventPhoto, PhotoAccess
from openmeet.domain.users.model import UserId


class PhotosNotice(msgspec.Struct, frozen=True):
    """``by`` added photos on this day (days since 1970, UTC) and is not notified. The day is the revision."""

    by: UserId
    day: int


async def announce(tx: Transaction, event: Event, photo: EventPhoto) -> None:
    """Notify hosts and attendees of the first photo that somebody adds on a day. The event is locked.

    Later photos of the day reach nobody new, except people who block or mute that person, but not another one who adds
    photos. Nobody is notified of a photo that only its author and moderators see.
    """
    day = photo.created_at // DAY
    if event.is_hidden or await queries.has_earlier_since(tx, photo, Instant(day * DAY)):
        return
    if not await queries.shown_one(tx, photo, event.author_id, PhotoAccess.HOST, with_blocked=True):
        return
    hosts = [one for one in await hosts_of(tx, event) if one != photo.user_id]
    about = PhotosAdded(person_id=photo.user_id, is_host=True)
    await notify(tx, event_kinds.PHOTOS_ADDED, Notice(hosts, event.id, day, about))
    await fan_out.start(tx, PHOTO_VIEWERS, event, PhotosNotice(photo.user_id, day))


async def _viewers(tx: Transaction, event: Event, notice: PhotosNotice, after: str, limit: int) -> RecipientPage:
    if event.is_hidden or not takes_photos(event, tx.now):
        return NOBODY_LEFT
    people = await attendees_after(tx, event, after, limit + 1)
    to = [one for one in people[:limit] if one != notice.by]
    notices = [Notice(to, event.id, notice.day, PhotosAdded(person_id=notice.by))]
    return RecipientPage([(event_kinds.PHOTOS_ADDED, notices)], None if len(people) <= limit else people[limit - 1])


PHOTO_VIEWERS: Final = FanOutAudience("photo_viewers", PhotosNotice, lock_subject, _viewers)
