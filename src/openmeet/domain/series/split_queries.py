"""SQL for series that were split: their parts before and after. Needs only the column ``split_from``."""

from collections.abc import Sequence
from typing import Final

from groundwork.database.transaction import Reader
from openmeet.domain.series.model import SeriesId

# Nobody makes more splits, even with one a month for years.
MAX_PARTS: Final = 50


def chain_sql(series_id: str, source: str = "") -> str:
    """Common table expression ``chain (head, id, steps)`` for ``with recursive``: a series and all that were split off
    from it. ``series_id`` is an SQL expression for the ``head``; with ``source`` (``from … where …``), for several.
    """
    return f"""chain (head, id, steps) as (
        select {series_id}, {series_id}, 0 {source} union all
        select chain.head, cs.id, chain.steps + 1 from event_series cs join chain on cs.split_from = chain.id
         where chain.steps < {MAX_PARTS})"""


def earlier_sql(series_ids: str) -> str:
    """Common table expression ``earlier (id, split_from, steps)`` for ``with recursive``: these series (an SQL
    parameter or query) and all from which they were split off.
    """
    return f"""earlier (id, split_from, steps) as (
        select es.id, es.split_from, 0 from event_series es where es.id in {series_ids} union all
        select es.id, es.split_from, earlier.steps + 1 from event_series es join earlier on es.id = earlier.split_from
         where earlier.steps < {MAX_PARTS})"""


async def head_of(reader: Reader, series_id: SeriesId) -> SeriesId:
    """The first of the series from which this one was split off, or the series itself."""
    row = await reader.fetch_one(
        f"with recursive {earlier_sql('(:id)')} select id from earlier order by steps desc limit 1", id=series_id
    )
    return SeriesId(row["id"]) if row else series_id


async def chain_of(reader: Reader, head: SeriesId) -> list[SeriesId]:
    """A series and all that were split off from it, in the order of splitting. Deleted ones are left out."""
    rows = await reader.fetch(
        f"""
        with recursive {chain_sql("cast(:head as text)")}
        select s.id from chain join event_series s on s.id = chain.id where s.deleted_at is null
         order by chain.steps, s.id
        """,
        head=head,
    )
    return [SeriesId(row["id"]) for row in rows]


async def living_halves(reader: Reader, deleted: Sequence[SeriesId]) -> dict[SeriesId, SeriesId]:
    """For each of these series, the first one that was split off from it and is not deleted. Series without one are
    left out.
    """
    if not deleted:
        return {}
    rows = await reader.fetch(
        f"""
        with recursive {chain_sql("h.id", "from event_series h where h.id in :ids")}
        select chain.head, s.id from chain join event_series s on s.id = chain.id where s.deleted_at is null
         order by chain.head, chain.steps desc, s.id desc
        """,
        ids=list(deleted),
    )
    # The last row of each head is kept, which is the series that was split off first.
    return {SeriesId(row["head"]): SeriesId(row["id"]) for row in rows}
