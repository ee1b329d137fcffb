"""A single event gets another owner: offered to somebody who hosts it already, and theirs when they say yes.

An owner cannot leave: they hand the event over, and host it beside the new owner from then on, or leave. Undone is it by being
handed back. Whose account goes is out of every event: what they owned and is coming passes on at once, to who has hosted it for
longest, else to the owner of its group; without either it stays as it is, without anybody who could change it.
"""

from groundwork.clock import Instant
from groundwork.database.transaction import Transaction
from groundwork.errors import Conflict, NotFound, Refused
from groundwork.fresh_id import new_id
from openmeet.domain.events import co_host_queries, owner_queries, ownership, queries, seeing
from openmeet.domain.events.host_model import INVITATION_LIFE, CoHost, CoHostId, CoHostState
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.permissions import Act
from openmeet.domain.groups import queries as groups
from openmeet.domain.moderation.blocks import must_not_be_apart
from openmeet.domain.notifications.model import Kind, Particulars
from openmeet.domain.notifications.notify import tell
from openmeet.domain.users.model import Caller, UserId

# In the news of an offer: what is offered.
EVENT = "event"
# And that they are taken: of an event, of a series.
EVENT_TAKEN = "event taken"
SERIES_TAKEN = "series taken"
# Or that whoever was asked said no.
EVENT_DECLINED = "event declined"
SERIES_DECLINED = "series declined"

_NO_OFFER = "This event is not offered to you, or not any more."


async def offer(tx: Transaction, caller: Caller, slug: EventSlug, co_host_id: CoHostId) -> CoHost:
    """Offer it to a co-host; another offer replaces the one before.

    Raises NotFound, Forbidden, Refused (``DateOfSeries``, ``Draft``, ``NotOutYet``, and what is only a copy).
    """
    event = await queries.lock_by_slug(tx, slug)
    if event is None or event.is_gone or not await seeing.may_see(tx, event, caller.user_id, is_invited=False):
        raise NotFound("There is no such event.")
    await seeing.must_be_editable(tx, event, caller.user_id, Act.HAND_OVER)
    if event.place_in_series is not None:
        raise Refused("It is a date of a series. Hand the whole series over.", name="DateOfSeries")
    if event.is_draft:
        raise Refused("Nobody knows of a draft. Publish it first.", name="Draft")
    if event.is_held:
        raise Refused("It waits for your repository. Hand it over when it is out.", name="NotOutYet")
    one = await co_host_queries.by_id(tx, co_host_id)
    if one is None or one.event_id != event.id or one.state is not CoHostState.ACCEPTED or one.user_id is None:
        raise NotFound("This event has no such co-host.")
    await co_host_queries.offer(tx, event.id, one.id)
    about = Particulars(person_id=caller.user_id, answer=EVENT)
    await tell(tx, [one.user_id], Kind.SERIES_OFFERED, event.id, int(tx.now), about)
    return one


async def accept(tx: Transaction, caller: Caller, slug: EventSlug) -> Event:
    """The caller owns it from now on; the owner before hosts it, too. Raises NotFound where it is not offered to them."""
    event = await queries.lock_by_slug(tx, slug)
    mine = None if event is None else await co_host_queries.of_person(tx, event.id, caller.user_id)
    offered = None if event is None else await co_host_queries.offered(tx, event.id)
    if event is None or mine is None or event.is_gone or offered is None or offered.id != mine.id:
        raise NotFound(_NO_OFFER)
    await must_not_be_apart(tx, event.author_id, caller.user_id, refusal="You cannot take this event over.")
    before = event.author_id
    (after,) = await ownership.change(tx, [event], caller.user_id)
    await co_host_queries.put(tx, beside(tx, event, before, by=caller.user_id))
    about = Particulars(person_id=caller.user_id, answer=EVENT_TAKEN)
    await tell(tx, [before], Kind.SERIES_OFFERED, event.id, int(tx.now), about)
    return after


async def drop(tx: Transaction, caller: Caller, slug: EventSlug) -> None:
    """The owner wants to keep it after all, or who it was offered to does not want it. Raises NotFound, Conflict (no offer stands)."""
    event = await queries.lock_by_slug(tx, slug)
    offered = None if event is None else await co_host_queries.offered(tx, event.id)
    if event is None or event.is_gone or not await seeing.may_see(tx, event, caller.user_id, is_invited=False):
        raise NotFound("There is no such event.")
    if offered is None or caller.user_id not in {event.author_id, offered.user_id}:
        raise Conflict("There is no offer any more.")
    await co_host_queries.offer(tx, event.id, None)
    if caller.user_id != event.author_id:
        about = Particulars(person_id=caller.user_id, answer=EVENT_DECLINED)
        await tell(tx, [event.author_id], Kind.SERIES_OFFERED, event.id, int(tx.now), about)


async def depart(tx: Transaction, user_id: UserId) -> None:
    """A person's account goes: they host nothing any more, and what they owned and is coming passes on. Safe to call again.

    Dates of series pass on with their series.
    """
    await co_host_queries.end_all_of(tx, user_id)
    for event_id in await owner_queries.coming_of(tx, user_id):
        event = await queries.lock_for_update(tx, event_id)
        heir = None if event is None else await heir_of(tx, event)
        if event is not None and heir is not None:
            await ownership.change(tx, [event], heir)


async def heir_of(tx: Transaction, event: Event) -> UserId | None:
    """Who an event passes on to whose owner is gone."""
    beside = await co_host_queries.longest_beside(tx, event.id)
    if beside is not None or event.group is None:
        return beside
    group = await groups.by_id(tx, event.group.id)
    is_there = group is not None and group.deleted_at is None and not group.is_read_only
    return group.owner_id if group is not None and is_there and group.owner_id != event.author_id else None


def beside(tx: Transaction, event: Event, user_id: UserId, *, by: UserId) -> CoHost:
    """Somebody who hosts the event, too, from now on."""
    return CoHost(
        id=CoHostId(new_id(tx.now)),
        event_id=event.id,
        user_id=user_id,
        email=None,
        state=CoHostState.ACCEPTED,
        invited_by=by,
        created_at=tx.now,
        expires_at=Instant(tx.now + INVITATION_LIFE),
        decided_at=tx.now,
    )
