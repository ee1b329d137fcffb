"""The state of the platform after a storm: wait until nothing is queued, then compare it with what was announced."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from groundwork.clock import SystemClock
from groundwork.database.open_ import open_database
from tests.openmeet.ingestion.view import view_of
from tests.simulation.oracle import View

TIMEOUT_SECONDS = 180.0
# The leases of a killed worker expire after a minute. After this long without progress, the test expires them.
STANDSTILL_SECONDS = 3.0

QUEUED = """
    select (select count(*) from publications where state not in ('published', 'withheld', 'retracted')),
           (select count(*) from outbox_jobs where state in ('due', 'leased'))
"""
END_WAITING = (
    "update publications set leased_until = 0 where leased_until is not null",
    "update publications set due_at = 0 where state in ('retrying', 'waiting')",
    "update outbox_jobs set leased_until = 0 where leased_until is not null",
    "update outbox_jobs set due_at = 0 where state = 'due'",
)


class NeverDone(AssertionError):
    """Something is still queued. The message says what."""


async def wait_until_done(folder: Path) -> None:
    """Wait until queue, publications and jobs of the platform in ``folder`` are empty."""

    async def look() -> tuple[int, ...]:
        return (
            *_look(folder / "openmeet.db", QUEUED),
            *_look(folder / "queue.db", "select waiting from queue_counters"),
        )

    async def end_waiting() -> None:
        _end_waiting(folder)

    try:
        await until_all_is_done(look, end_waiting, TIMEOUT_SECONDS)
    except NeverDone as still:
        raise NeverDone(f"{still}\n{_unfinished(folder)}") from None


async def until_all_is_done(
    look: Callable[[], Awaitable[tuple[int, ...]]], end_waiting: Callable[[], Awaitable[None]], timeout_seconds: float
) -> None:
    """Wait until nothing is left. ``look`` counts what still has to be done; ``end_waiting`` acts as if a long time had
    passed.
    """
    deadline, before, since = time.monotonic() + timeout_seconds, None, time.monotonic()
    while any(now := await look()):
        if now != before:
            before, since = now, time.monotonic()
        elif time.monotonic() - since > STANDSTILL_SECONDS:
            await end_waiting()
            since = time.monotonic()
        if time.monotonic() > deadline:
            raise NeverDone(f"publications, jobs, messages still to be done: {now}")
        await asyncio.sleep(0.1)


def _look(file: Path, question: str) -> tuple[int, ...]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as database:
        return tuple(database.execute(question).fetchone())


def _end_waiting(folder: Path) -> None:
    """Act as if a long time had passed: end the leases of dead workers and all back-offs."""
    with closing(sqlite3.connect(folder / "openmeet.db", timeout=10)) as database, database:
        for statement in END_WAITING:
            database.execute(statement)
    with closing(sqlite3.connect(folder / "queue.db", timeout=10)) as database, database:
        database.execute("update queue_messages set available_at = 0 where available_at is not null")


def _unfinished(folder: Path) -> str:
    with closing(sqlite3.connect(f"file:{folder / 'openmeet.db'}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "select kind, state, attempts, reason, uri from publications where state <> 'published'"
        )
        jobs = database.execute(
            "select kind, subject, state, attempts, reason_code, reason_params from outbox_jobs where state <> 'completed'"
        )
        return "\n".join(str(row) for row in [*rows, *jobs])


def dead_letters(folder: Path) -> list[str]:
    """The reasons why messages were given up. The list should be empty."""
    with closing(sqlite3.connect(f"file:{folder / 'queue.db'}?mode=ro", uri=True)) as database:
        return [f"{row[0]}: {row[1]}" for row in database.execute("select message_id, reason from queue_dead_letters")]


def states(folder: Path, kind: str) -> list[str]:
    """The state of each publication of a kind."""
    with closing(sqlite3.connect(f"file:{folder / 'openmeet.db'}?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute("select state from publications where kind = ?", (kind,))]


def revisions(folder: Path) -> dict[tuple[str, str], int]:
    """How often OpenMeet changed each answer, by DID and the event's slug."""
    question = """
        select i.did, e.slug, a.revision from attendances a
          join events e on e.id = a.event_id join identities i on i.user_id = a.user_id
    """
    with closing(sqlite3.connect(f"file:{folder / 'openmeet.db'}?mode=ro", uri=True)) as database:
        return {(did, slug): revision for did, slug, revision in database.execute(question)}


async def view_here(folder: Path) -> View:
    """Events and answers in the platform's database."""
    database = await open_database(f"sqlite://{folder / 'openmeet.db'}", clock=SystemClock())
    try:
        return await view_of(database)
    finally:
        await database.close()


def difference(shown: View, announced: View) -> str:
    """Events and answers that are shown but were never announced, and those that were announced but are not shown."""
    too_much = [
        *(shown.events.items() - announced.events.items()),
        *(shown.answers.items() - announced.answers.items()),
    ]
    missing = [*(announced.events.items() - shown.events.items()), *(announced.answers.items() - shown.answers.items())]
    return f"shown only: {sorted(map(str, too_much))}; announced only: {sorted(map(str, missing))}"
