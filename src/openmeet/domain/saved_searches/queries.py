"""Saved searches and their matches: values and all SQL for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NewType
from urllib.parse import parse_qsl

from groundwork.clock import Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Reader, Row, Transaction
from groundwork.isolation import Position
from openmeet.domain.events.model import Event, EventId, RecordOrigin
from openmeet.domain.events.values import Mode
from openmeet.domain.identities.queries import DEPARTED
from openmeet.domain.paging import ALL_ROWS, Page
from openmeet.domain.saved_searches.matching import SearchFacts
from openmeet.domain.search import query
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.users.model import UserId

SearchId = NewType("SearchId", str)

# Searches per user: as many as a person can keep track of.
MAX_SEARCHES: Final = 30


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A saved search.

    ``asked``: its query string, as ``query.query_string`` writes it. ``is_on``: its owner is notified of matches.
    """

    id: SearchId
    user_id: UserId
    asked: str
    is_on: bool
    created_at: Instant

    @property
    def typed(self) -> dict[str, str]:
        return dict(parse_qsl(self.asked))

    @property
    def name(self) -> str:
        return query.words_of(self.typed)

    @property
    def path(self) -> str:
        return f"/?{self.asked}"

    @property
    def wanted(self) -> SearchQuery:
        return query.parse_query(self.typed, self.user_id)


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event that became public or changed at ``since``.

    ``before``: the fields that searches compared earlier; None if the event is new.
    """

    since: Instant
    before: SearchFacts | None


_COLUMNS = "id, user_id, asked, is_on, created_at"

# Engines limit the number of parameters.
KEYS_AT_ONCE: Final = 10_000

# Events that nobody can be notified of: over, deleted, cancelled, held or not public. Also all events while nobody has
# a saved search or follows a host.
_UNFINDABLE = """
    delete from saved_search_queue where event_id in (
      select n.event_id from saved_search_queue n join events e on e.id = n.event_id
       where n.look_at <= :now
         and (coalesce(e.over_at, 0) <= :now or e.deleted_at is not null or e.removed_at is not null
              or e.status = 'cancelled' or e.visibility <> 'public' or e.is_held = 1
              or not exists (select 1 from saved_searches where is_on = 1)
                 and not exists (select 1 from profile_followers))
       order by n.event_id limit :limit)
"""

# Hosts and attendees already know of the event, and so does everybody who was notified of it for another reason.
_CANDIDATES = """
    select s.id, s.user_id, s.asked, s.is_on, s.created_at from saved_searches s
     where s.id in (select k.search_id from saved_search_keys k where k.key in :keys and k.search_id > :after)
       and s.is_on = 1 and s.created_at < :since and s.user_id <> :author
       and not exists (select 1 from saved_search_matches f where f.search_id = s.id and f.subject = :subject)
       and not exists (select 1 from attendances a where a.event_id = :event_id and a.user_id = s.user_id)
       and not exists (select 1 from event_co_hosts h where h.event_id = :event_id and h.user_id = s.user_id)
       and not exists (select 1 from notifications t where t.user_id = s.user_id and t.subject_id = :event_id
                                                      and t.kind in ('host_event', 'group_event', 'mention'))
     order by s.id limit :limit
"""


def _search_of(row: Row) -> SavedSearch:
    return SavedSearch(SearchId(row["id"]), UserId(row["user_id"]), row["asked"], bool(row["is_on"]), row["created_at"])


async def insert(tx: Transaction, search: SavedSearch, keys: Sequence[str]) -> bool:
    """Insert a search. False if the user has already saved the same one."""
    made = await tx.execute(
        "insert into saved_searches (id, user_id, asked, is_on, created_at)"
        " values (:id, :user_id, :asked, 1, :now) on conflict (user_id, asked) do nothing",
        id=search.id,
        user_id=search.user_id,
        asked=search.asked,
        now=search.created_at,
    )
    if made:
        await tx.execute_many(
            "insert into saved_search_keys (search_id, key) values (:search_id, :key)",
            [{"search_id": search.id, "key": key} for key in keys],
        )
    return made == 1


async def of_person(reader: Reader, user_id: UserId, page: Page = ALL_ROWS) -> list[SavedSearch]:
    """A user's searches, newest first. There are at most ``MAX_SEARCHES``."""
    rows = await reader.fetch(
        f"select {_COLUMNS} from saved_searches where user_id = :user_id{page.clause('created_at', 'id')}",
        user_id=user_id,
        **page.values,
    )
    return [_search_of(row) for row in rows]


async def by_query_string(reader: Reader, user_id: UserId, asked: str) -> SavedSearch | None:
    row = await reader.fetch_one(
        f"select {_COLUMNS} from saved_searches where user_id = :user_id and asked = :asked",
        user_id=user_id,
        asked=asked,
    )
    return _search_of(row) if row else None


async def switch(tx: Transaction, user_id: UserId, search_id: SearchId, *, is_on: bool) -> SavedSearch | None:
    """Turn a search on or off. None if the user has no such search.

    After it is turned on again, events created in between are not announced.
    """
    row = await tx.fetch_one(
        f"""
        update saved_searches set created_at = case when is_on = :is_on then created_at else :now end, is_on = :is_on
         where id = :id and user_id = :user_id returning {_COLUMNS}
        """,
        id=search_id,
        user_id=user_id,
        is_on=int(is_on),
        now=tx.now,
    )
    return _search_of(row) if row else None


async def delete(tx: Transaction, user_id: UserId, search_id: SearchId) -> bool:
    deleted_count = await tx.execute(
        "delete from saved_searches where id = :id and user_id = :user_id", id=search_id, user_id=user_id
    )
    return deleted_count == 1


async def active_searches(reader: Reader, user_id: UserId, search_ids: Collection[str]) -> dict[str, SavedSearch]:
    """The given searches that still exist and are turned on."""
    if not search_ids:
        return {}
    rows = await reader.fetch(
        f"select {_COLUMNS} from saved_searches where user_id = :user_id and is_on = 1 and id in :ids order by id",
        user_id=user_id,
        ids=sorted(search_ids),
    )
    return {row["id"]: _search_of(row) for row in rows}


async def drop_unfindable(tx: Transaction, limit: int) -> int:
    """Delete queued events that nobody can be notified of. Returns the number deleted."""
    return await tx.execute(_UNFINDABLE, now=tx.now, limit=limit)


async def due(reader: Reader, after: Position, limit: int) -> list[tuple[int, EventId]]:
    """Queued events that are due, the longest-waiting first."""
    rows = await reader.fetch(
        """
        select look_at, event_id from saved_search_queue
         where look_at <= :now and (look_at, event_id) > (cast(:after_at as bigint), :after_id)
         order by look_at, event_id limit :limit
        """,
        now=reader.now,
        after_at=after[0],
        after_id=after[1],
        limit=limit,
    )
    return [(int(row["look_at"]), EventId(row["event_id"])) for row in rows]


async def queued(reader: Reader, event_id: EventId) -> QueuedEvent | None:
    """The queued event. None if another worker has just taken it or it is not due."""
    row = await reader.fetch_one(
        """
        select n.since, n.was_words as search_words, n.was_mode as mode, e.origin, n.was_starts_local as starts_local,
               n.was_x as place_x, n.was_y as place_y, n.was_z as place_z,
               case when n.was_x is null then '' else e.derived_from end as derived_from
          from saved_search_queue n join events e on e.id = n.event_id where n.event_id = :id and n.look_at <= :now
        """,
        id=event_id,
        now=reader.now,
    )
    if row is None:
        return None
    return QueuedEvent(Instant(row["since"]), None if row["search_words"] is None else _facts_of(row))


async def queue_again(tx: Transaction, event_id: EventId, event: QueuedEvent, look_at: Instant) -> None:
    """Queue an event again because not all owners of searches were notified. A later change is announced together with
    it.
    """
    was = event.before
    x, y, z = (None, None, None) if was is None or was.spot is None else was.spot
    await tx.execute(
        """
        insert into saved_search_queue (event_id, since, look_at, was_words, was_mode, was_starts_local, was_x, was_y,
            was_z)
        values (:event_id, :since, :look_at, :words, :mode, :starts_local, :x, :y, :z)
            on conflict (event_id) do update
           set since = excluded.since, look_at = excluded.look_at, was_words = excluded.was_words,
               was_mode = excluded.was_mode, was_starts_local = excluded.was_starts_local, was_x = excluded.was_x,
               was_y = excluded.was_y, was_z = excluded.was_z
        """,
        event_id=event_id,
        since=event.since,
        look_at=look_at,
        words=None if was is None else was.words,
        mode=None if was is None else was.mode.value,
        starts_local=None if was is None else was.starts_local,
        x=x,
        y=y,
        z=z,
    )


async def facts(reader: Reader, event_id: EventId) -> SearchFacts:
    """The fields of an existing event that searches compare."""
    (row,) = await reader.fetch(
        "select search_words, mode, origin, starts_local, place_x, place_y, place_z, derived_from"
        " from events where id = :id",
        id=event_id,
    )
    return _facts_of(row)


def _facts_of(row: Row) -> SearchFacts:
    place = None if row["place_x"] is None else (row["place_x"], row["place_y"], row["place_z"])
    return SearchFacts(
        row["search_words"],
        Mode(row["mode"]),
        RecordOrigin(row["origin"]),
        row["starts_local"] or "",
        place,
        is_of_town=row["derived_from"] != "",
    )


async def candidates(
    reader: Reader, event: Event, subject: str, keys: Sequence[str], *, since: Instant, after: str, limit: int
) -> list[SavedSearch]:
    """Searches that may match the event because they share a key (a word or a tile of the map) with it, and were saved
    before it was created; ordered by id, starting after ``after``.

    Leaves out searches whose owner already knows of the event.
    """
    searches_by_id: dict[str, SavedSearch] = {}
    # The longest possible text has about fifty thousand keys, which take a handful of statements.
    for start in range(0, len(keys), KEYS_AT_ONCE):
        rows = await reader.fetch(
            _CANDIDATES,
            keys=list(keys[start : start + KEYS_AT_ONCE]),
            after=after,
            since=since,
            author=event.author_id,
            subject=subject,
            event_id=event.id,
            limit=limit,
        )
        searches_by_id |= {row["id"]: _search_of(row) for row in rows}
    return [searches_by_id[search_id] for search_id in sorted(searches_by_id)][:limit]


async def note_notified(tx: Transaction, searches: Sequence[SavedSearch], subject: str) -> None:
    """Record that these searches' owners were notified of this event, or of a date of this series."""
    await tx.execute_many(
        "insert into saved_search_matches (search_id, subject, notified_at) values (:search_id, :subject, :now)"
        " on conflict (search_id, subject) do nothing",
        [{"search_id": one.id, "subject": subject, "now": tx.now} for one in searches],
    )


async def is_first_of_series(reader: Reader, event: Event) -> bool:
    """Whether this is the first date of its series: no date was created before it, or together with it for an earlier
    day.
    """
    position = event.position_in_series
    if position is None:
        return True
    row = await reader.fetch_one(
        """
        select 1 as found from events o where o.series_id = :series_id and o.id <> :id
           and (o.created_at < :created_at or (o.created_at = :created_at and o.starts_at < :starts_at)) limit 1
        """,
        series_id=position.series_id,
        id=event.id,
        created_at=event.created_at,
        starts_at=event.starts_at,
    )
    return row is None


async def postpone(tx: Transaction, event_id: EventId, until: Instant) -> None:
    await tx.execute("update saved_search_queue set look_at = :until where event_id = :id", id=event_id, until=until)


async def drop(tx: Transaction, event_id: EventId) -> None:
    await tx.execute("delete from saved_search_queue where event_id = :id", id=event_id)


async def drop_departed(tx: Transaction) -> int:
    """Delete the searches of users whose accounts are gone."""
    return await delete_some(tx, "saved_searches", f"user_id in ({DEPARTED})")
