"""The host looks at what was merged, and may have it the other way."""

from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance.actions import event_changed
from openmeet.domain.events import actions as events
from openmeet.domain.events import seeing
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.notifications.model import Kind
from openmeet.domain.paging import WHOLE, Page
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import merge_decisions
from openmeet.network.ingestion.merge_decisions import Conflict
from openmeet.network.ingestion.three_way import Side
from openmeet.network.ingestion.three_way_merge import WAY


async def merged(reader: Reader, caller: Caller, slug: EventSlug, page: Page = WHOLE) -> tuple[Event, list[Conflict]]:
    """What was decided about the caller's event, newest first. Raises NotFound, Forbidden."""
    event = await _editable(reader, caller, slug)
    return event, await merge_decisions.of_records(reader, _uris(event), page)


async def _editable(reader: Reader, caller: Caller, slug: EventSlug) -> Event:
    event = await by_slug(reader, slug)
    if event is None or event.is_gone or not await seeing.may_see(reader, event, caller.user_id, is_invited=False):
        raise NotFound("There is no such event.")
    await seeing.must_be_editable(reader, event, caller.user_id)
    return event


def _uris(event: Event) -> list[str]:
    return [] if event.record_uri is None else [event.record_uri]


async def choose(
    tx: Transaction, caller: Caller, slug: EventSlug, *, field: str, theirs_rev: str, choice: Side
) -> Event:
    """Have this side of a decision, whatever the rule said: an edit of the host's, published like any other.

    Attendees hear of what changes for them. Raises NotFound (no such event, no such decision), Forbidden, and Refused
    where a value cannot be put back.
    """
    before = await _editable(tx, caller, slug)
    conflict = await merge_decisions.named(tx, _uris(before), field, theirs_rev)
    values = conflict.decision.ours_values if choice is Side.OURS else conflict.decision.theirs_values
    if values is None or choice is Side.BOTH:
        raise Refused("This cannot be put the other way here. Edit the event instead.", name="NotReversible")
    after = await events.take_values(tx, caller, slug, WAY.decode_edits(values))
    await merge_decisions.mark_reviewed(tx, conflict, choice)
    if after.revision != before.revision:
        await event_changed(tx, after, _kind(before, after), by=caller.user_id, before=before)
    return after


def _kind(before: Event, after: Event) -> Kind:
    if after.is_cancelled and not before.is_cancelled:
        return Kind.EVENT_CANCELLED
    if before.is_cancelled and not after.is_cancelled:
        return Kind.EVENT_REINSTATED
    return Kind.EVENT_CHANGED
