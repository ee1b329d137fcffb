"""What went on where a series was split: the halves before and behind it, and who may be led there."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Visibility
from openmeet.domain.series import agenda, queries, visibility
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import UserId

# Nobody splits one series more often than once a month for years.
_MOST_PARTS = 50


async def leads_to(reader: Reader, series: Series, other: Series | None, viewer: UserId | None) -> Series | None:
    """The other one, before or behind a series, if that may lead this person there: no page of a public one tells of an unlisted one."""
    found = await _led_to(reader, series, [] if other is None else [other], viewer)
    return found[0] if found else None


async def behind(reader: Reader, series: Series, viewer: UserId | None) -> list[Series]:
    """The series that took over from this one, as far as this person may be led there."""
    return await _led_to(reader, series, await _split_off(reader, series.id), viewer)


async def with_what_goes_on(reader: Reader, series: Series, viewer: UserId | None) -> list[Series]:
    """A series and all that goes on with it, for a feed that somebody follows: it does not end where its host changed the rest of it."""
    return [series, *await _led_to(reader, series, await continuing(reader, series.id), viewer)]


async def continuing(reader: Reader, series_id: SeriesId) -> list[Series]:
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


async def _led_to(reader: Reader, series: Series, others: Sequence[Series], viewer: UserId | None) -> list[Series]:
    seen = await visibility.seen(reader, [one for one in others if one.deleted_at is None], viewer)
    if series.visibility is not Visibility.PUBLIC:
        return seen
    # Asked one by one: parts of a public series that are unlisted are few.
    return [
        one for one in seen if one.visibility is not Visibility.UNLISTED or await agenda.may_host(reader, one, viewer)
    ]


async def _split_off(reader: Reader, series_id: SeriesId) -> list[Series]:
    """The series that took over from this one, in order."""
    rows = await reader.fetch(
        f"select {queries.COLUMNS} from event_series where split_from = :id and deleted_at is null order by starts_local, id",
        id=series_id,
    )
    return [queries.series_of(row) for row in rows]
