"""Load at full size where other tests are small: ten thousand unknown people at one event, ten thousand legacy events,
a thousand actions around a chat.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from groundwork.clock import HandClock, Instant
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions, queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpCounts, RsvpReply
from openmeet.domain.legacy_import import queries as legacy_queries
from openmeet.domain.legacy_import.analysis import analyse
from openmeet.domain.legacy_import.read import PostgresDump, read_old
from openmeet.domain.legacy_import.report import differences
from openmeet.domain.legacy_import.rollback import roll_back
from openmeet.domain.legacy_import.run import import_legacy
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from tests.bench.stores import on_postgresql, on_sqlite
from tests.openmeet.attendance.network_answers import apply_answers_of, insert_strangers
from tests.openmeet.chat.random_actions import LONG, play
from tests.openmeet.legacy_import.legacy_site import legacy_site
from tests.openmeet.site_under_test import event_by, person

STRANGERS = 10_000
OLD_EVENTS = 10_000
# A day on which the events of the tests have not started yet.
_CLOCK = HandClock(Instant(1_772_366_400_000_000))
_SOURCE = "file:old.jsonl"
_SCHEMA = f"soak_crowds_{os.getpid()}"
# What one transaction can handle on a busy machine.
_AT_ONCE = 10


async def foreign(_folder: Path, _seed: int) -> str:
    """Unknown people answer an event that has two places. Confirmed answers stay, the host is notified once, and a
    member takes the last place.
    """
    return await _on_both(_strangers_come)


async def legacy(folder: Path, seed: int) -> str:
    """Import a legacy database, compare the result with the source, and roll it back to the last row."""
    town = legacy_site(OLD_EVENTS, seed=seed)
    plan = analyse(await read_old(PostgresDump(town.dump(folder / "old.jsonl"))), "UTC")

    async def come_and_go(db: Database) -> None:
        before = await _rows(db)
        await import_legacy(db, _SOURCE, "UTC", plan, _quiet)
        async with db.reader() as reader:
            run = await legacy_queries.run_of(reader, _SOURCE)
            assert run is not None
            found = await legacy_queries.found_counts(reader, run.id)
        differing = differences(plan.counts(), found)
        assert differing == {}, f"{differing} differ from what was read"
        staying = await roll_back(db, _SOURCE, _quiet)
        after = await _rows(db)
        assert (staying, after) == (0, before), f"{staying} people stay after the rollback, {after} rows of {before}"

    return await _on_both(come_and_go)


async def chats(_folder: Path, seed: int) -> str:
    """People join and leave a chat, are banned and readmitted. Nobody reads a message that they may not see, and every
    open page shows all the others.
    """
    # A separate clock, because every action moves it.
    clock = HandClock(_CLOCK.now())
    return await _on_both(lambda db: play(db, clock, seed, LONG), clock)


async def _strangers_come(db: Database) -> None:
    async with db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="2")
        await actions.answer(tx, ben, event.slug, RsvpReply.GOING)
    for _ in range(0, STRANGERS, _AT_ONCE):
        async with db.transaction() as tx:
            await apply_answers_of(tx, event, await insert_strangers(tx, _AT_ONCE))
    async with db.transaction() as tx:
        counts = (await queries.counts(tx, [event.id]))[event.id]
        assert counts == RsvpCounts(going=1, seats=1, pending_people=STRANGERS, pending_rsvps=STRANGERS), f"{counts}"
        told = [one.kind for one in await newest(tx, ana.user_id, 50)]
        assert told.count(event_kinds.FOREIGN_ANSWERS) == 1, f"the host was notified of {told}"
        last = await actions.answer(tx, cleo, event.slug, RsvpReply.GOING)
        assert last.status is AttendanceStatus.ATTENDING, f"a member is {last.status}"


async def _on_both(work: Callable[[Database], Awaitable[None]], clock: HandClock = _CLOCK) -> str:
    said = []
    for engine, store in (("SQLite", on_sqlite(clock)), ("PostgreSQL", on_postgresql(_SCHEMA, clock))):
        async with store as db:
            began = monotonic()
            await work(db)
            said.append(f"{monotonic() - began:.0f} s on {engine}")
    return ", ".join(said)


async def _rows(db: Database) -> list[int]:
    async with db.reader() as reader:
        return [
            (await reader.fetch(f"select count(*) from {table}"))[0][0]
            for table in ("users", "events", "event_series", "event_series_followers", "attendances", "groups")
        ]


def _quiet(_what: str, _done: int, _of: int) -> None:
    return
