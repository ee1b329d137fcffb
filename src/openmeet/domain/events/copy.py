"""Copy an event: everything but its dates, RSVPs and slug.

``attendance.registration`` copies the registration settings.
"""

from dataclasses import replace

from groundwork.database.transaction import Reader
from openmeet.domain.events import queries, rules, seeing
from openmeet.domain.events.model import Details, Event, EventSlug
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.users.model import Caller


async def original_of(reader: Reader, slug: str, caller: Caller) -> Event | None:
    """The event that the form copies, or None if the slug is empty. Raises NotFound, Forbidden."""
    return await event_to_copy(reader, EventSlug(slug), caller) if slug else None


async def event_to_copy(reader: Reader, slug: EventSlug, caller: Caller) -> Event:
    """Return the event if the caller may change it, because the copy includes its private details. Raises NotFound,
    Forbidden.
    """
    event = await seeing.require_visible(reader, await queries.by_slug(reader, slug), caller.user_id)
    await seeing.require_permission(reader, event, caller.user_id, EventPermission.COPY)
    rules.require_changeable(event)
    return event


def with_untyped_fields(details: Details, original: Event | None) -> Details:
    """The typed details of a copy, with the picture and the links of the original."""
    if original is None:
        return details
    typed, its = details.content, original.content
    return replace(details, content=replace(typed, picture=typed.picture or its.picture, links=its.links))
