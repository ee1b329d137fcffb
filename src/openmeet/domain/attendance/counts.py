"""Counts of answers for pages and lists: those of crowds are read every few seconds, not for every viewer.

Reading 20,000 answers takes ten times as long as all else on an event's page. What decides about places reads
``queries.held`` or ``queries.counts``, never this.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from groundwork.clock import SECOND, Instant
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import queries
from openmeet.domain.attendance.model import Counts
from openmeet.domain.events.model import EventId

# From so many people on, one more or fewer is no news to a viewer for the next seconds.
CROWD: Final = 500
KEPT_SECONDS: Final = 5
# About 300 bytes each; the events that very many people answered are few.
_MAX_KEPT: Final = 1_000

# Identifiers of events are unique among all communities of a process.
_kept: OrderedDict[EventId, tuple[Instant, Counts]] = OrderedDict()


async def counts_shown(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, Counts]:
    """As ``queries.counts``, at most ``KEPT_SECONDS`` old where at least ``CROWD`` people answered."""
    now = reader.now
    found = {one: kept[1] for one in event_ids if (kept := _kept.get(one)) and kept[0] <= now < _until(kept[0])}
    read = await queries.counts(reader, [one for one in event_ids if one not in found])
    for event_id, counts in read.items():
        if counts.going + counts.interested + counts.waitlisted + counts.unconfirmed >= CROWD:
            _kept[event_id] = (now, counts)
            _kept.move_to_end(event_id)
    while len(_kept) > _MAX_KEPT:
        _kept.popitem(last=False)
    return {one: found[one] if one in found else read[one] for one in event_ids}


def _until(read_at: Instant) -> Instant:
    return Instant(read_at + KEPT_SECONDS * SECOND)
