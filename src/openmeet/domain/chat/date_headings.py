"""Dates of a series as headings in its chat. A message stores the original date of its heading and does not refer to an
event.
"""

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound
from openmeet.domain.chat.model import HEADING_AFTER_END, Room, RoomKind
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.dates import checked_name, original_of
from openmeet.domain.series.model import SeriesId
from openmeet.domain.series.split_queries import chain_of
from openmeet.recurrence import expansion

_LATEST = "9999-12-31T23:59:59"


async def checked_heading(reader: Reader, room: Room, text: str | None) -> str | None:
    """Validate the name of the date that a message is about. Raises InvalidForm (``about``) if it is not one."""
    if text is None:
        return None
    if room.kind is not RoomKind.SERIES or room.series_id is None:
        raise InvalidForm({"about": ChatReason.NO_DATES_HERE()})
    try:
        name = checked_name(text)
    except NotFound:
        name = ""
    if not name or name > _LATEST or not await _is_date(reader, room.series_id, name):
        raise InvalidForm({"about": ChatReason.NO_SUCH_DATE()})
    return name


async def _is_date(reader: Reader, head: SeriesId, name: str) -> bool:
    parts = await chain_of(reader, head)
    if not parts:
        return False
    stored = await reader.fetch_one(
        "select 1 as found from events where series_id in :ids and original_date = :name", ids=parts, name=name
    )
    if stored is not None:
        return True
    series = await series_queries.by_ids(reader, parts)
    return any(expansion.is_date_of(one.timing.pattern, original_of(name)) for one in series.values())


async def default_heading(reader: Reader, room: Room) -> str | None:
    """The heading for messages whose authors choose none: the current date until six hours after its end, then the next
    one. None if there is none.
    """
    if room.kind is not RoomKind.SERIES or room.series_id is None:
        return None
    parts = await chain_of(reader, room.series_id)
    if not parts:
        return None
    row = await reader.fetch_one(
        "select original_date from events where series_id in :ids and deleted_at is null and status <> 'cancelled'"
        " and over_at > :since order by starts_at, id limit 1",
        ids=parts,
        since=Instant(reader.now - HEADING_AFTER_END),
    )
    return str(row["original_date"]) if row else None
