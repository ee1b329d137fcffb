"""An event becomes a draft again: only while nobody has answered, because nobody can be told what then is not there."""

from groundwork.database.transaction import Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance import queries
from openmeet.domain.events import drafts
from openmeet.domain.events.actions import lock_hosted
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.permissions import Act
from openmeet.domain.users.model import Caller


async def unpublish(tx: Transaction, caller: Caller, slug: EventSlug, *, expected_revision: int | None = None) -> Event:
    """Nobody but its hosts sees the event from now on; its record is taken back. A draft stays as it is.

    Raises NotFound, Forbidden, PreconditionFailed and Refused (``Answered``, ``InSeries``, a copy of the network's).
    """
    event = await lock_hosted(tx, caller, slug, expected_revision, Act.PUBLISH_DRAFT)
    if event.is_draft:
        return event
    if event.place_in_series is not None:
        raise Refused("A date of a series is no draft. Cancel it, or delete it.", name="InSeries")
    if await queries.is_answered(tx, event.id):
        raise Refused(
            "Somebody has answered already. Cancel the event instead, so that they hear of it.", name="Answered"
        )
    return await drafts.take_back(tx, event)
