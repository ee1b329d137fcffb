"""Which servers are not asked at present, kept where every program of an installation and its operator see it.

Each program finds out for itself (``at_network.circuits``); here they tell each other. A row is of a server that is not asked, or
only tried: one that works has none.
"""

from collections.abc import Sequence

from at_network.circuits import Circuit, Circuits, CircuitState
from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Database, Reader, Transaction

LIST = """
    select service, failures, pauses, open_until, reason, changed_at from pds_circuits order by changed_at desc, service
"""

KEEP = """
    insert into pds_circuits (service, failures, pauses, open_until, reason, changed_at)
    values (:service, :failures, :pauses, :open_until, :reason, :changed_at)
        on conflict (service) do update
       set failures = excluded.failures, pauses = excluded.pauses, open_until = excluded.open_until,
           reason = excluded.reason, changed_at = excluded.changed_at
"""

CLOSE = "delete from pds_circuits where service = :service"

# Nobody has wanted anything of it since.
FORGET_OLD = "delete from pds_circuits where open_until < :before"


async def known(reader: Reader) -> list[Circuit]:
    """The servers that are not asked, or only tried; the newest first."""
    return [
        Circuit(
            row["service"],
            row["failures"],
            row["pauses"],
            Instant(row["open_until"]),
            row["reason"],
            Instant(row["changed_at"]),
        )
        for row in await reader.fetch(LIST)
    ]


async def tell(db: Database, circuits: Circuits) -> None:
    """What this program has found out since it told last."""
    changed = circuits.take_changed()
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
                    reason=one.reason,
                    changed_at=one.changed_at,
                )


async def hear(db: Database, circuits: Circuits) -> None:
    """What the others have found out."""
    async with db.reader() as reader:
        circuits.adopt(await known(reader))


def counts(circuits: Sequence[Circuit], now: Instant) -> dict[CircuitState, int]:
    """How many are open and half open; nobody counts those that work."""
    return {
        state: sum(1 for one in circuits if one.state(now) is state)
        for state in (CircuitState.OPEN, CircuitState.HALF_OPEN)
    }


async def forget_old(tx: Transaction) -> int:
    """Drop what nobody has asked for a week; how many."""
    return await tx.execute(FORGET_OLD, before=tx.now - 7 * DAY)
