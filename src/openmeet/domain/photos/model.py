"""Values, limits and reasons of photos."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, Reason
from openmeet.domain.events.model import EventId
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.markdown import one_line


class PhotoReason(Reason):
    """Why an action on a photo of an event is refused. The messages are in ``i18n/reasons/events.py``."""

    NO_SUCH_PHOTO = "photos.no_such_photo"
    NONE_CHOSEN = "photos.none_chosen"
    TOO_MANY_AT_ONCE = "photos.too_many_at_once"
    TOO_MANY_OF_PERSON = "photos.too_many_of_person"
    TOO_MANY_OF_EVENT = "photos.too_many_of_event"
    TOO_OFTEN = "photos.too_often"
    CANNOT_ADD = "photos.cannot_add"
    CANNOT_DESCRIBE = "photos.cannot_describe"
    EVENT_CANCELLED = "photos.event_cancelled"
    REMOVED_BEFORE = "photos.removed_before"
    NOT_YOURS = "photos.not_yours"


PhotoKey = NewType("PhotoKey", str)

# Photos in one form. Even the largest then fit into the 64 MB that the reverse proxy accepts
# (deploy/reverse-proxy/openmeet.nginx.conf).
MAX_AT_ONCE: Final = 5
# Photos of one person at one event, and of everybody at one event.
MAX_OF_PERSON: Final = 50
MAX_OF_EVENT: Final = 500
MAX_CAPTION: Final = 300


class PhotoAccess(StrEnum):
    """What a person may do with the photos of an event.

    ``OWN``: see and remove what they added, and nothing else, for example because they have declined since.
    ``ATTENDEE``: also see all and add some. ``HOST``: also remove any.
    """

    NONE = "none"
    OWN = "own"
    ATTENDEE = "attendee"
    HOST = "host"

    @property
    def sees_all(self) -> bool:
        return self in {PhotoAccess.ATTENDEE, PhotoAccess.HOST}


@dataclass(frozen=True, slots=True)
class EventPhoto:
    """A stored photo. ``key`` is its id and part of the names of its files; the sides are in pixels. ``is_removed``: only
    moderators see it.
    """

    key: PhotoKey
    event_id: EventId
    user_id: UserId
    caption: str
    width: int
    height: int
    created_at: Instant
    is_removed: bool = False


def checked_caption(text: str) -> str:
    """The caption, which may be empty. Raises InvalidForm (``caption``)."""
    caption = one_line(text)
    if len(caption) > MAX_CAPTION:
        raise InvalidForm({"caption": GeneralReason.TEXT_TOO_LONG(most=MAX_CAPTION)})
    return caption
