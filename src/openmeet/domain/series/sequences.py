"""SEQUENCE of events in calendar files and mails: one number for each, however it is told.

Sources: RFC 5545, section 3.8.7.4; RFC 5546, section 2.1.5: of two entries with one UID and RECURRENCE-ID the one with the higher SEQUENCE
holds. A calendar that has read a series has each of its dates with the number of the series, so that the number of a date counts the
revisions of both: it is above every one that the series had before. What has the name of a date that was removed or moved goes on above
what was said under that name.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import EventId

# Of an event ``e``, whose series is ``s``.
NUMBER: Final = """
    e.revision + coalesce(s.revision, 0) + coalesce(
      (select max(f.sequence) from event_former_places f where f.series_id = e.series_id and f.original_date = e.original_date),
      (select max(f.sequence) from event_former_places f where f.event_id = e.id and f.series_id = '' and e.series_id is null),
      0)"""


async def sequences(reader: Reader, event_ids: Sequence[EventId]) -> dict[EventId, int]:
    """The number of each of these events, as it is now."""
    if not event_ids:
        return {}
    rows = await reader.fetch(
        f"select e.id, {NUMBER} as sequence from events e left join event_series s on s.id = e.series_id"
        " where e.id in :ids order by e.id",
        ids=sorted(event_ids),
    )
    return {EventId(row["id"]): row["sequence"] for row in rows}
