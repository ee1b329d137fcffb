"""What went on where a series was split: the halves before and behind it, and who may be led there."""

from groundwork.database.transaction import Reader
from openmeet.events.model import Visibility
from openmeet.series import agenda, queries
from openmeet.series.model import Series, SeriesId
from openmeet.users.model import UserId

# Nobody splits one series more often than once a month for years.
_MOST_PARTS = 50


async def leads_to(reader: Reader, series: Series, other: Series | None, viewer: UserId | None) -> Series | None:
    """The other one, before or behind a series, if that may lead this person there: no page of a public one tells of an unlisted one."""
    if other is None or other.deleted_at is not None or not await agenda.may_see(reader, other, viewer):
        return None
    is_told = other.visibility is not Visibility.UNLISTED or series.visibility is not Visibility.PUBLIC
    return other if is_told or await agenda.may_host(reader, other, viewer) else None


async def behind(reader: Reader, series: Series, viewer: UserId | None) -> list[Series]:
    """The series that took over from this one, as far as this person may be led there."""
    found = [await leads_to(reader, series, one, viewer) for one in await _split_off(reader, series.id)]
    return [one for one in found if one is not None]


async def with_what_goes_on(reader: Reader, series: Series, viewer: UserId | None) -> list[Series]:
    """A series and all that goes on with it, for a feed that somebody follows: it does not end where its host changed the rest of it."""
    found = [await leads_to(reader, series, one, viewer) for one in await _continuing(reader, series.id)]
    return [series, *(one for one in found if one is not None)]


async def _split_off(reader: Reader, series_id: SeriesId) -> list[Series]:
    """The series that took over from this one, in order."""
    rows = await reader.fetch(
        f"select {queries.COLUMNS} from event_series where split_from = :id and deleted_at is null order by starts_local, id",
        id=series_id,
    )
    return [queries.series_of(row) for row in rows]


async def _continuing(reader: Reader, series_id: SeriesId) -> list[Series]:
    """All that goes on with a series behind its end, also where something in between is deleted; in order, as far as anybody follows it."""
    rows = await reader.fetch(
        """
        with recursive behind (id, steps) as (
            select id, 1 from event_series where split_from = :id
             union all
            select s.id, b.steps + 1 from event_series s join behind b on s.split_from = b.id where b.steps < :most
        )
        select id from behind order by steps, id limit :most
        """,
        id=series_id,
        most=_MOST_PARTS,
    )
    found = await queries.by_ids(reader, [SeriesId(row["id"]) for row in rows])
    return sorted(found.values(), key=lambda one: (one.timing.pattern.start, one.id))
