"""Events on the front page and in its feed, without a search: see ``events.trust``."""

from dataclasses import replace
from typing import Final

from groundwork.clock import DAY
from groundwork.database.transaction import Reader
from openmeet.domain.events.model import Event, RecordOrigin
from openmeet.domain.events.queries import columns_of, event_of
from openmeet.domain.events.series_dates import is_first_of_series
from openmeet.domain.events.trust import FAMILIAR_DIDS, FrontPageChoice, FrontPagePolicy
from openmeet.domain.events.visibility import is_hidden, is_listed, is_public
from openmeet.domain.moderation.blocks import is_out_of_lists
from openmeet.domain.search import search
from openmeet.domain.search.event_lists import EventCursor
from openmeet.domain.search.search import EventOrigin, SearchQuery
from openmeet.domain.users.model import UserId

# No event lasts longer than this.
_LONGEST: Final = 367 * DAY


# Each repository is read by its own index of starts, so the cost grows with the number of users of this site, not with
# the number of records that other people write.
def _fits(table: str) -> str:
    return f"""
        {table}.origin = '{RecordOrigin.NETWORK.value}' and {is_listed(table)} and {table}.over_at > :now
        and {is_public(table)} and not {is_hidden(table)} and not {is_out_of_lists(f"{table}.author_id", f"{table}.group_id")}
    """


_OF_FAMILIAR: Final = f"""
    select {columns_of("e")} from ({FAMILIAR_DIDS}) d join events e on e.record_did = d.did
     where {_fits("e")} and e.starts_at > :began
       and (e.starts_at, e.id) > (cast(:after_start as bigint), :after_id)
       and {{of_series}}
     order by e.starts_at, e.id limit :limit
"""
_EVERY_DATE: Final = _OF_FAMILIAR.format(of_series="1 = 1")
_FIRST_DATES: Final = _OF_FAMILIAR.format(of_series=is_first_of_series("e", _fits, by="over_at"))
_FIRST_DATES_ALONE: Final = _OF_FAMILIAR.format(
    of_series=f"e.series_id is not null and {is_first_of_series('e', _fits, by='over_at')}"
)


async def coming(
    reader: Reader,
    viewer: UserId | None,
    policy: FrontPagePolicy,
    after: EventCursor | None,
    limit: int,
    *,
    once_per_series: bool = False,
    only_series: bool = False,
) -> list[Event]:
    """Upcoming events after ``after``, ordered by start like ``search.coming`` without words."""
    source = EventOrigin.ALL if policy.choice is FrontPageChoice.EVERYTHING else EventOrigin.OPENMEET
    query = SearchQuery(source=source, viewer=viewer, once_per_series=once_per_series, only_series=only_series)
    created_here = await search.coming(reader, query, after, limit)
    if policy.choice is not FrontPageChoice.FAMILIAR:
        return created_here
    sql = _FIRST_DATES_ALONE if only_series else _FIRST_DATES if once_per_series else _EVERY_DATE
    rows = await reader.fetch(
        sql,
        viewer=viewer or "",
        began=reader.now - _LONGEST,
        now=reader.now,
        after_start=after.starts_at if after else -1,
        after_id=after.event_id if after else "",
        limit=limit,
    )
    nearby_query = replace(query, source=EventOrigin.ATPROTO, near=policy.near)
    nearby = [] if policy.near is None else await search.coming(reader, nearby_query, after, limit)
    event_by_id = {event.id: event for event in (*created_here, *nearby, *map(event_of, rows))}
    return sorted(event_by_id.values(), key=lambda event: (event.starts_at or 0, event.id))[:limit]
