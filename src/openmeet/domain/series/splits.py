"""Parts of a series that was split: those before and after it, and who may be redirected to them."""

from collections.abc import Sequence

from groundwork.database.transaction import Reader
from openmeet.domain.events.values import Visibility
from openmeet.domain.series import agenda, queries, visibility
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.series.split_queries import MAX_PARTS, chain_sql
from openmeet.domain.users.model import UserId


async def visible_part(reader: Reader, series: Series, other: Series | None, viewer: UserId | None) -> Series | None:
    """The part before or after a series, if this person may be redirected to it. Pages of public parts do not reveal
    unlisted ones.
    """
    visible = await _visible_parts(reader, series, [] if other is None else [other], viewer)
    return visible[0] if visible else None


async def visible_continuations(reader: Reader, series: Series, viewer: UserId | None) -> list[Series]:
    """The series that continue this one, if this person may be redirected to them."""
    return await _visible_parts(reader, series, await _split_off(reader, series.id), viewer)


async def with_continuations(reader: Reader, series: Series, viewer: UserId | None) -> list[Series]:
    """A series and all its continuations, for a feed, which must not end where the host split the series."""
    return [series, *await _visible_parts(reader, series, await all_continuations(reader, series.id), viewer)]


async def all_continuations(reader: Reader, series_id: SeriesId) -> list[Series]:
    """All continuations of a series in order, at most ``MAX_PARTS``, including those after deleted parts."""
    rows = await reader.fetch(
        f"""
        with recursive {chain_sql("cast(:id as text)")}
        select id from chain where steps > 0 order by steps, id limit :most
        """,
        id=series_id,
        most=MAX_PARTS,
    )
    continuations = await queries.by_ids(reader, [SeriesId(row["id"]) for row in rows])
    return sorted(continuations.values(), key=lambda one: (one.timing.pattern.start, one.id))


async def _visible_parts(
    reader: Reader, series: Series, others: Sequence[Series], viewer: UserId | None
) -> list[Series]:
    seen = await visibility.seen(reader, [one for one in others if one.deleted_at is None], viewer)
    if series.visibility is not Visibility.PUBLIC:
        return seen
    # Checked one by one, because a public series has few unlisted parts.
    return [
        one for one in seen if one.visibility is not Visibility.UNLISTED or await agenda.may_host(reader, one, viewer)
    ]


async def _split_off(reader: Reader, series_id: SeriesId) -> list[Series]:
    """The direct continuations of this series in order, at most ``MAX_PARTS``."""
    rows = await reader.fetch(
        f"select {queries.COLUMNS} from event_series where split_from = :id and deleted_at is null"
        " order by starts_local, id limit :most",
        id=series_id,
        most=MAX_PARTS,
    )
    return [queries.series_of(row) for row in rows]
