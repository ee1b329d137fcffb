"""A record that cannot be applied is quarantined and all others are applied; on both engines, with real refusals."""

from dataclasses import replace

import pytest

from at_protocol.syntax.nsid import parse_nsid
from groundwork.clock import SECOND, HandClock
from groundwork.database.transaction import Database, TransactionConflict, TransactionTooLong
from openmeet.feature_flags.flags import MAX_AGE, Flag, Switchboard
from openmeet.i18n.reasons.messages import explain
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.backfill import apply_export
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure, store_result
from openmeet.network.records.collections import CONCERNING, SERIES
from tests.databases import MakeDatabase, patiently
from tests.openmeet.ingestion.group_and_series_messages import series_message
from tests.openmeet.ingestion.network import HERE, deletion_of, did, event, rev, rsvp
from tests.openmeet.ingestion.poison_messages import (
    REFER,
    REFUSE,
    accept_again,
    apply_repository,
    poison,
    quarantined_keys,
    quarantined_records,
)
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.simulation.oracle import EVENT, RSVP

KEYS = ("a", "b", "c", "d", "e", "f", "g")
TEAS = [event(1, key, 0, f"Tea {key}") for key in KEYS]


async def titles(db: Database) -> list[str]:
    return sorted((await view_of(db)).events.values())


async def history(db: Database, author: int = 1) -> tuple[str, bool]:
    """The floor of a repository, and whether it has been read."""
    async with db.reader() as reader:
        row = await reader.fetch_one("select floor_rev, synced_at from repositories where did = :did", did=did(author))
    assert row is not None
    return row["floor_rev"], row["synced_at"] is not None


@pytest.mark.parametrize(
    ("table", "keys"),
    [("events", "a"), ("events", "d"), ("events", "g"), ("events", "ag"), ("records", "cde"), ("records", "abcdefg")],
)
async def test_all_other_records_are_applied(db: Database, table: str, keys: str):
    """Any records can be bad and fail in any table. They leave no rows except their quarantine entry with the reason."""
    for key in keys:
        await poison(db, table, key)
    taken = await apply_repository(db, 1, *TEAS)
    assert await titles(db) == [f"Tea {key}" for key in KEYS if key not in keys]
    assert await quarantined_keys(db) == list(keys) == [one.uri[-1] for one in taken.failed]
    assert all(
        "poisoned" in explain(one.reason) and one.times == 1 and one.step is FailedStep.APPLY
        for one in await quarantined_records(db)
    )
    assert await history(db) == ("", True), "it was read, and quarantined records are not in the history"
    async with db.reader() as reader:
        kept = await reader.fetch("select rkey from records order by rkey")
    assert [row["rkey"] for row in kept] == [key for key in KEYS if key not in keys]


async def test_a_read_without_failures_is_complete(db: Database):
    """Without a bad record the floor rises and nothing is quarantined."""
    assert (await apply_repository(db, 1, *TEAS)).failed == []
    assert await history(db) == (rev(1), True)
    assert await quarantined_records(db) == []


@pytest.mark.parametrize("statements", [REFUSE, REFER], ids=["refused", "foreign key"])
async def test_only_the_bad_rsvp_is_quarantined(db: Database, statements: dict[str, str]):
    """The event in the same repository is applied, and the other RSVPs count."""
    tea = event(1, "tea", 0)
    others = [event(2, f"x{number}", 0, f"Other {number}") for number in range(3)]
    await apply_messages(db, *others)
    answers = [rsvp(1, f"to{number}", 0, one.uri) for number, one in enumerate([tea, *others])]
    await poison(db, "attendances", "to2", statements)
    await apply_repository(db, 1, tea, *answers)
    counted = {subject for _, subject in (await view_of(db)).answers}
    assert counted == {one.uri for one in (tea, others[0], others[2])}
    (one,) = await quarantined_records(db)
    assert one.uri == answers[2].uri
    assert explain(one.reason).startswith(
        "ForeignKeyViolated" if statements is REFER else ("ConstraintViolated", "RaiseError")
    )


async def test_rsvps_to_a_quarantined_event_wait_for_it(db: Database):
    """RSVPs to a quarantined event do not count as failures, and they count as answers once the event is applied."""
    tea, cake = event(1, "tea", 0), event(1, "cake", 0)
    answers = [rsvp(1, "one", 0, tea.uri), rsvp(1, "two", 0, cake.uri)]
    await poison(db, "events", "tea")
    await apply_repository(db, 1, tea, cake, *answers)
    assert await quarantined_keys(db) == ["tea"]
    assert set((await view_of(db)).answers) == {(did(1), cake.uri)}
    await accept_again(db, "events", "tea")
    await apply_repository(db, 1, tea, cake, *answers)
    assert set((await view_of(db)).answers) == {(did(1), cake.uri), (did(1), tea.uri)}


async def test_only_the_bad_series_is_quarantined(db: Database, clock: HandClock):
    async with db.transaction() as tx:
        await switch(tx, Flag.SERIES_LEXICON, is_on=True, changed_by="a test")
    clock.turn(MAX_AGE)
    here = replace(HERE, flags=Switchboard())
    await poison(db, "event_series", "weekly")
    weekly = replace(series_message(1), rev=rev(1), is_read=True)
    tea = replace(event(1, "tea", 1), is_read=True)
    await apply_export(db, here, did(1), rev(1), [tea, weekly])
    assert (await titles(db), await quarantined_keys(db)) == (["Tea"], ["weekly"])
    await accept_again(db, "event_series", "weekly")
    await apply_export(db, here, did(1), rev(1), [tea, weekly])
    async with db.reader() as reader:
        (row,) = await reader.fetch("select record_uri from event_series")
    assert row["record_uri"] == f"at://{did(1)}/{SERIES}/weekly"
    assert await quarantined_records(db) == []


async def test_deletions_are_applied_next_to_a_bad_record(db: Database):
    """A quarantined record is not treated as deleted: its older version stays, while deleted records are removed. A
    deletion can fail too.
    """
    await apply_messages(db, *TEAS)
    await poison(db, "events", "b")
    await poison(db, "events", "c")
    there = [event(1, key, 0, "New") for key in "ab"]
    await apply_repository(db, 1, *there)
    # An update of one and the deletion of the other fail. Everything else is as in the repository.
    assert await titles(db) == ["New", "Tea b", "Tea c"]
    assert await quarantined_keys(db) == ["b", "c"]
    for key in "bc":
        await accept_again(db, "events", key)
    await apply_repository(db, 1, *there)
    assert await titles(db) == ["New", "New"]
    assert (await quarantined_records(db), await history(db)) == ([], (rev(1), True))


async def test_a_healed_record_is_applied_as_at_first(db: Database, make_database: MakeDatabase, clock: HandClock):
    """The next read applies the record with the same rev. Afterwards old messages are ignored, as if it had been
    applied at first.
    """
    await poison(db, "records", "c")
    answers = [rsvp(1, f"r{key}", 0, tea.uri) for key, tea in zip(KEYS, TEAS, strict=True)]
    await apply_repository(db, 1, *TEAS, *answers)
    clock.turn(SECOND)
    await apply_repository(db, 1, *TEAS, *answers)
    (one,) = await quarantined_records(db)
    assert (one.uri, one.times, one.tried_at - one.found_at) == (TEAS[2].uri, 2, SECOND)
    await accept_again(db, "records", "c")
    await apply_repository(db, 1, *TEAS, *answers)
    well = await make_database("openmeet", clock=clock)
    await apply_repository(well, 1, *TEAS, *answers)
    assert await view_of(db) == await view_of(well)
    assert (await quarantined_records(db), await history(db)) == ([], await history(well))
    await apply_messages(db, deletion_of(TEAS[0], 0))
    assert len(await titles(db)) == len(KEYS)


async def test_a_newer_version_clears_the_quarantine(db: Database):
    """The author wrote the record again and the stream brought it, so no operator has to act."""
    await poison(db, "events", "c")
    await apply_repository(db, 1, *TEAS)
    await accept_again(db, "events", "c")
    await apply_messages(db, event(1, "c", 2, "Written anew"))
    assert await quarantined_records(db) == []
    async with db.reader() as reader:
        assert await quarantine.count(reader) == 0
    async with db.transaction() as tx:
        assert await quarantine.delete_obsolete(tx) == 1
        assert await quarantine.delete_obsolete(tx) == 0


async def test_only_a_read_of_the_record_clears_its_quarantine(db: Database):
    """A read of some collections does not clear records of others, and a read of another repository does not clear
    records of this one.
    """
    failed = [
        RecordFailure(f"at://{did(author)}/{collection}/x", rev(1), ValueError("a\0b \ud800"))
        for author in (1, 2)
        for collection in (EVENT, RSVP)
    ]
    async with db.transaction() as tx:
        for author in (1, 2):
            of_author = [one for one in failed if did(author) in one.uri]
            await store_result(tx, did(author), FailedStep.APPLY, CONCERNING, of_author)
        await store_result(tx, did(1), FailedStep.REPAIR, CONCERNING, [])
        await store_result(tx, did(1), FailedStep.APPLY, [parse_nsid(RSVP)], [])
    left = await quarantined_records(db)
    assert [one.uri for one in left] == [one.uri for one in failed if one.uri != failed[1].uri]
    assert {explain(one.reason) for one in left} == {"ValueError: ab ?"}


SLOW = {
    "sqlite": (
        "select count(*) from (with recursive n(i) as (select 1 union all select i + 1 from n "
        "limit 50000000) select i from n)"
    ),
    "postgresql": "perform pg_sleep(30)",
}


async def test_a_slow_database_quarantines_nothing(make_database: MakeDatabase, clock: HandClock):
    """The read fails as a whole and is retried. Nothing is quarantined."""
    db = await make_database("openmeet", clock=clock, transaction_seconds=0.5)
    await patiently(lambda: poison(db, "events", "c", SLOW))
    with pytest.raises(TransactionTooLong):
        await apply_repository(db, 1, *TEAS)
    assert await quarantined_records(db) == []
    await patiently(lambda: accept_again(db, "events", "c"))
    await patiently(lambda: apply_repository(db, 1, *TEAS))
    assert await history(db) == (rev(1), True)


LOST = {
    "40001": "raise exception 'lost' using errcode = 'serialization_failure'",
    "40P01": "raise exception 'lost' using errcode = 'deadlock_detected'",
    "55P03": "raise exception 'waited too long' using errcode = 'lock_not_available'",
}


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("code", LOST)
async def test_a_lost_race_quarantines_nothing(db: Database, code: str):
    """Runs on PostgreSQL only: SQLite has a single writer, so there are no conflicts."""
    await poison(db, "events", "c", {"postgresql": LOST[code]})
    with pytest.raises(TransactionConflict):
        await apply_repository(db, 1, *TEAS)
    assert await quarantined_records(db) == []


async def test_if_every_record_fails_the_read_fails(db: Database):
    """Above the limit the cause is not a single record: an operator sees one failed job instead of thousands of rows."""
    number = quarantine.MAX_QUARANTINED + 1
    teas = [event(1, f"bad{one}", 0) for one in range(number)]
    for digit in range(10):
        # Every key ends in a digit, so these patterns match all of them.
        await poison(db, "events", f"bad%{digit}")
    with pytest.raises(Exception, match="poisoned"):
        await apply_repository(db, 1, *teas)
    assert (await quarantined_records(db), await titles(db)) == ([], [])
    await apply_repository(db, 1, *teas[1:])
    assert len(await quarantined_records(db)) == quarantine.MAX_QUARANTINED


async def test_the_limit_counts_existing_and_deleted_records_alike(db: Database):
    gone = [event(2, f"x{one}", 0) for one in range(quarantine.MAX_QUARANTINED)]
    await apply_messages(db, *gone)
    for digit in range(10):
        await poison(db, "records", f"x%{digit}")
    await poison(db, "records", "bad")
    with pytest.raises(Exception, match="poisoned"):
        await apply_repository(db, 1, event(2, "bad", 0), author=2)
