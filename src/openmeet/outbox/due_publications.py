"""The publications that are due, in the order in which they are leased, with the server that each of them is for.

Rows of servers that are not called are passed over. If there are many, they are set aside until their server is called
again, so that the work does not grow with them.
"""

from collections.abc import Sequence

from groundwork.clock import Instant
from groundwork.database.bulk import execute_each
from groundwork.database.transaction import Reader, Row, Transaction
from openmeet.outbox.publications import PublicationState

READY = """(
        (state in ('due', 'retrying', 'waiting') and due_at <= :now)
        or (state = 'retracting' and due_at <= :now and leased_until is null)
        or (state in ('sending', 'retracting') and leased_until <= :now))"""

# For an RSVP of a person with several accounts: the server of the account with their effective record about the event
# (``network/publishing/repository_choice.py``), if there is one.
_SERVER_OF_EFFECTIVE_RSVP = """
                 case when publications.kind = 'rsvp' and exists (
                     select 1 from identities i
                      where i.user_id = publications.user_id and i.is_default = 0 and i.kind <> 'shadow') then (
                     select i.pds_url from attendances a
                       join events e on e.id = a.event_id
                       join identities i on i.user_id = publications.user_id and i.kind <> 'shadow'
                       join records r on r.subject_uri = e.record_uri and r.did = i.did
                      where a.id = publications.subject_id and r.state in ('mapped', 'awaits_event')
                        and r.collection = 'community.lexicon.calendar.rsvp'
                      order by r.is_verified desc, r.precedence desc, r.uri desc limit 1) end"""

# Where the record is or will be: the address of its server, empty without a repository. A record that was never sent has
# no DID yet; the decision will choose one. For an event, that is usually the account of its group if there is one, for
# other records usually the default DID of their person. Only these two expressions read tables of higher packages here.
SERVER = f"""coalesce(
        case when did is not null then (select i.pds_url from identities i where i.did = publications.did)
             else coalesce({_SERVER_OF_EFFECTIVE_RSVP},
                 (select min(i.pds_url) from events e
                    join groups g on g.id = e.group_id
                    join identities i on i.user_id = g.account_id and i.is_default = 1
                   where publications.kind = 'event' and e.id = publications.subject_id),
                 (select min(i.pds_url) from identities i
                   where i.user_id = publications.user_id and i.is_default = 1)) end, '')"""

# A server is not called now if its circuit is open or another round is calling it.
NOT_EXCLUDED = f"{SERVER} not in :excluded_servers"

# Retractions come first.
_RANK = "case when state = 'retracting' then 0 else 1 end"
_ORDER = f"{_RANK}, due_at, kind, subject_id"
# Rows that are read at once to find some whose server is called.
_ROWS_IN_WINDOW = 500
_WINDOW_PART = f"""
    select * from (select kind, subject_id, {_RANK} as rank, due_at from publications
                    where awaited_server is null and {{}} limit {_ROWS_IN_WINDOW}) as part"""
# Written so that an index in this order is used (migration 0064): no part reads more rows than it returns.
_UNLEASED = f"""leased_until is null and state in ('due', 'retrying', 'waiting', 'retracting')
                      and {_RANK} = {{}} and due_at <= :now order by due_at, kind, subject_id"""
_EXPIRED = """leased_until <= :now and coalesce(state, '') in ('due', 'retrying', 'waiting', 'sending', 'retracting')
                    order by leased_until"""
# The next due rows of any server that are not set aside.
_WINDOW = "select kind, subject_id from ({}) as next order by rank, due_at, kind, subject_id limit {}".format(
    " union all ".join(_WINDOW_PART.format(part) for part in (_UNLEASED.format(0), _UNLEASED.format(1), _EXPIRED)),
    _ROWS_IN_WINDOW,
)
_WITH_SERVERS = f"""
    select kind, subject_id, {SERVER} as server from publications where (kind, subject_id) in ({_WINDOW}) order by {_ORDER}
"""

# The condition of an update of rows that were read before: they are still ready.
IS_GIVEN_AND_READY = f"kind = given.of_kind and subject_id = given.of_subject and {READY}"
_SET_ASIDE = f"""
    update publications set awaited_server = given.server
      from each(of_kind text, of_subject text, server text) as given where {IS_GIVEN_AND_READY}
"""

# One look at the index for each server, whatever number of rows is set aside for it. Those with the oldest rows first.
_SERVERS_TO_RESUME = f"""
    with recursive awaited(server) as (
        select min(awaited_server) from publications where awaited_server is not null
         union all
        select (select min(awaited_server) from publications where awaited_server > awaited.server)
          from awaited where awaited.server is not null)
    select server from awaited
     where server is not null and server not in :excluded_servers
     order by (select due_at from publications where awaited_server = awaited.server order by {_ORDER} limit 1), server
     limit :limit
"""
_RESUME = f"""
    update publications set awaited_server = null
     where (kind, subject_id) in (
           select kind, subject_id from publications where awaited_server = :server order by {_ORDER} limit :limit)
"""


async def next_due(reader: Reader) -> Sequence[Row]:
    """The ``kind``, ``subject_id`` and ``server`` of the first due rows that are not set aside, at most 500."""
    return await reader.fetch(_WITH_SERVERS, now=reader.now)


async def oldest_due(reader: Reader, *, before: Instant) -> Instant | None:
    """When the oldest due publication was due, if that was before an instant."""
    (row,) = await reader.fetch(
        "select min(due_at) as oldest from publications where state = :state and due_at < :before",
        state=PublicationState.DUE,
        before=before,
    )
    return None if row["oldest"] is None else Instant(row["oldest"])


def given_row_of(row: Row) -> dict[str, object]:
    """A row of ``next_due`` as a row of the table ``given`` that ``IS_GIVEN_AND_READY`` is compared with: the columns
    ``of_kind`` and ``of_subject``.
    """
    return {"of_kind": row["kind"], "of_subject": row["subject_id"]}


async def set_aside(tx: Transaction, *, excluded_servers: Sequence[str], limit: int) -> bool:
    """Set the next due rows of ``excluded_servers`` aside if there are so many that fewer than ``limit`` others would be
    found behind them. They keep their order, and ``resume`` brings them back when their server is called.

    Returns whether to repeat this in another transaction.
    """
    rows = await next_due(tx)
    excluded = [row for row in rows if row["server"] in excluded_servers]
    if len(rows) < _ROWS_IN_WINDOW or len(rows) - len(excluded) >= limit:
        return False
    await execute_each(tx, _SET_ASIDE, [{**given_row_of(row), "server": row["server"]} for row in excluded], now=tx.now)
    return True


async def resume(tx: Transaction, *, excluded_servers: Sequence[str], limit: int) -> None:
    """Stop setting aside the first rows, at most ``limit`` for each server, of servers that are called again."""
    servers = await tx.fetch(_SERVERS_TO_RESUME, excluded_servers=list(excluded_servers), limit=limit)
    await tx.execute_many(_RESUME, [{"server": row["server"], "limit": limit} for row in servers])
