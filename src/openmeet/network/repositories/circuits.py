"""Circuit breakers of servers, stored where all programs of an installation and its operator can read them.

Each program opens its own breakers (``at_network.circuits``); here they are shared. A row is an open or half-open
breaker; a working server has no row.
"""

from collections.abc import Iterable, Sequence

from at_network.circuits import Circuit, Circuits, CircuitState
from groundwork.clock import DAY, Instant
from groundwork.database.pages import delete_some
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.errors import decode_explanation, encode_explanation

LIST = """
    select service, failures, pauses, open_until, reason, changed_at from circuit_breakers
        order by changed_at desc, service
"""

KEEP = """
    insert into circuit_breakers (service, failures, pauses, open_until, reason, changed_at)
    values (:service, :failures, :pauses, :open_until, :reason, :changed_at)
        on conflict (service) do update
       set failures = excluded.failures, pauses = excluded.pauses, open_until = excluded.open_until,
           reason = excluded.reason, changed_at = excluded.changed_at
"""

CLOSE = "delete from circuit_breakers where service = :service"

# How long a breaker is stored after its pause ended, if no program has called the server since.
KEPT_FOR = 7 * DAY


async def known(reader: Reader) -> list[Circuit]:
    """Return open and half-open breakers, newest first."""
    return [
        Circuit(
            row["service"],
            row["failures"],
            row["pauses"],
            Instant(row["open_until"]),
            decode_explanation(row["reason"]),
            Instant(row["changed_at"]),
        )
        for row in await reader.fetch(LIST)
    ]


async def store_changes(db: Database, circuits: Circuits) -> None:
    """Store this program's changes. If that fails, they are stored by the next call."""
    changed = circuits.changed()
    if not changed:
        return
    async with db.transaction() as tx:
        for one in changed:
            if one.open_until is None:
                await tx.execute(CLOSE, service=one.service)
            else:
                await tx.execute(
                    KEEP,
                    service=one.service,
                    failures=one.failures,
                    pauses=one.pauses,
                    open_until=one.open_until,
                    reason=encode_explanation(one.reason),
                    changed_at=one.changed_at,
                )
    circuits.note_stored(changed)


async def load_changes(db: Database, circuits: Circuits) -> None:
    """Load the other programs' changes."""
    async with db.reader() as reader:
        circuits.adopt(await known(reader))


def addresses_of(servers: Iterable[str]) -> list[str]:
    """The addresses of these servers as identities have them: with and without a trailing slash."""
    return [address for server in servers for address in (server, f"{server}/")]


def counts(circuits: Sequence[Circuit], now: Instant) -> dict[CircuitState, int]:
    """Return how many breakers are open and how many half open. Closed ones are not counted."""
    return {
        state: sum(1 for one in circuits if one.state(now) is state)
        for state in (CircuitState.OPEN, CircuitState.HALF_OPEN)
    }


async def forget_old(tx: Transaction) -> int:
    """Delete breakers whose servers were not called for ``KEPT_FOR``; return their number."""
    return await delete_some(tx, "circuit_breakers", "open_until < :before", before=tx.now - KEPT_FOR)
