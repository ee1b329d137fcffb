"""Flash messages after creating an event or a series. They say "published" only if other people can see it."""

from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.events import queries
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility

# Keys of ``site.flash_messages.FLASH_MESSAGES``.
_OF_EVENT: Final = {
    Visibility.PUBLIC: "event_created",
    Visibility.UNLISTED: "event_created",
    Visibility.PRIVATE: "event_created_private",
}
_OF_SERIES: Final = {
    Visibility.PUBLIC: "series_created",
    Visibility.UNLISTED: "series_created_unlisted",
    Visibility.PRIVATE: "series_created_private",
}


async def flash_of_event(reader: Reader, made: Event) -> str:
    """The flash message for an event that is now visible on its page."""
    event = await queries.by_id(reader, made.id)
    return "event_waits" if event is not None and event.is_hidden else _OF_EVENT[made.visibility]


def flash_of_series(visibility: Visibility, *, is_hidden: bool) -> str:
    """The flash message for a series that was created or changed."""
    return "series_waits" if is_hidden else _OF_SERIES[visibility]
