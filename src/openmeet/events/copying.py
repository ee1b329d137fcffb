"""A new event that says what another one says: everything but its dates, its answers and its address."""

from dataclasses import replace

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.events import queries, seeing
from openmeet.events.model import Details, Event, EventSlug
from openmeet.users.model import Caller


async def to_be_copied(reader: Reader, slug: EventSlug, caller: Caller) -> Event:
    """The event, if the caller may change it: what it says for some people only is in the copy. Raises NotFound, Forbidden."""
    event = await queries.by_slug(reader, slug)
    if event is None or event.is_gone or not await seeing.may_see(reader, event, caller.user_id, is_invited=False):
        raise NotFound("There is no such event.")
    await seeing.must_be_editable(reader, event, caller.user_id)
    return event


async def with_what_nobody_types(reader: Reader, details: Details, copy_of: str, caller: Caller) -> Details:
    """Details of a copy as they were typed, with the picture, the links and the coordinates of what was copied."""
    if not copy_of:
        return details
    event = await to_be_copied(reader, EventSlug(copy_of), caller)
    is_same_place = replace(event.venue, latitude="", longitude="") == details.venue
    return replace(
        details,
        picture=event.picture,
        links=event.links,
        venue=event.venue if is_same_place else details.venue,
    )
