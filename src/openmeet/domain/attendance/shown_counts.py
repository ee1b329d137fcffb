"""Numbers of attendees as pages show them. Those of large events are cached for a few seconds."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from groundwork.clock import SECOND, Instant
from groundwork.database.recorded_reads import note_unrecorded
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries
from openmeet.domain.attendance.model import RsvpCounts
from openmeet.domain.events.model import Event, EventId

# With this many people, nobody notices a count that is a few seconds old.
CACHED_FROM: Final = 500
CACHE_SECONDS: Final = 5
# About 300 bytes each; few events have very many RSVPs.
_MAX_CACHED: Final = 1_000

# Event ids are unique among all tenants of a process.
_cache: OrderedDict[EventId, tuple[Instant, RsvpCounts]] = OrderedDict()


async def counts_shown(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, RsvpCounts]:
    """``queries.counts``, up to ``CACHE_SECONDS`` old for events with at least ``CACHED_FROM`` RSVPs."""
    now = reader.now
    counts_by_event = {
        one: cached[1] for one in event_ids if (cached := _cache.get(one)) and cached[0] <= now < _until(cached[0])
    }
    if counts_by_event:
        note_unrecorded()
    read = await queries.counts(reader, [one for one in event_ids if one not in counts_by_event])
    for event_id, counts in read.items():
        if counts.going + counts.interested + counts.waitlisted + counts.unconfirmed >= CACHED_FROM:
            _cache[event_id] = (now, counts)
            _cache.move_to_end(event_id)
    while len(_cache) > _MAX_CACHED:
        _cache.popitem(last=False)
    return {one: counts_by_event[one] if one in counts_by_event else read[one] for one in event_ids}


def _until(read_at: Instant) -> Instant:
    return Instant(read_at + CACHE_SECONDS * SECOND)


def places_left(event: Event, counts: RsvpCounts) -> int | None:
    """The number of free places; None without a limit."""
    return None if event.content.capacity is None else max(0, event.content.capacity - counts.seats)
