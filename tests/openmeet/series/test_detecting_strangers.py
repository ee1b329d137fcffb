"""Series among the events of people who never signed in on this site: shown read-only until they sign in and decide; on
both engines.
"""

import json
import random
from dataclasses import replace

import pytest

from at_protocol.syntax.record_key import parse_record_key
from groundwork.clock import MINUTE, HandClock, Instant
from groundwork.database.transaction import Database
from groundwork.errors import NotFound
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.account_merge import merge
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import SubjectVisibility
from openmeet.domain.series import agenda, date_queries, detection, detection_actions, detection_queries, queries
from openmeet.domain.series.detection import Sighting, find
from openmeet.domain.series.detection_actions import QUIET, STRANGER_INTERVAL, detection_handler
from openmeet.domain.series.detection_queries import Detection, DetectionState
from openmeet.domain.users.model import Caller, UserId
from openmeet.network.records.extension import named_series
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.external_dependencies import fixture_path, needs
from tests.openmeet.ingestion.group_and_series_messages import WEEKLY_URI, date_message, flags_on, series_message
from tests.openmeet.ingestion.network import deletion_of, did, event, message, rev
from tests.openmeet.series.detection import (
    TUESDAYS,
    apply_messages,
    dates_of_rule,
    db,
    original_dates,
    rows_to_keep,
    weekly_events,
)
from tests.openmeet.site_under_test import person, signed_in, site_on
from tests.simulation.oracle import EVENT, Change

__all__ = ["db", "flags_on"]
STRANGER = did(1)


async def take_known(db: Database, *messages: RecordMessage) -> None:
    """Ingest records of an author whose waiting period as a newcomer is over."""
    await apply_messages(db, *messages)
    async with db.transaction() as tx:
        await visibility.release(tx, [one.did for one in messages], SubjectVisibility.ARRIVAL)


async def author_of(db: Database) -> UserId:
    async with db.reader() as reader:
        return (await identity_queries.find(reader, STRANGER)).user_id


async def search(db: Database, clock: HandClock) -> list[Detection]:
    """Deliver the queued detection jobs as the publisher does, once they are due."""
    clock.turn(STRANGER_INTERVAL + QUIET)
    paying = {JobKind.DETECT_FOREIGN_SERIES: one_job_per_call(detection_handler(db, named_series))}
    await dispatcher.run_once(db, paying)
    author = await author_of(db)
    async with db.reader() as reader:
        return await detection_queries.of_person(reader, author)


async def queued(db: Database) -> list[tuple[str, str, int]]:
    async with db.reader() as reader:
        rows = await reader.fetch("select subject, state, due_at from outbox_jobs where kind = 'detect_foreign_series'")
    return [(row["subject"], row["state"], row["due_at"]) for row in rows]


async def left_behind(db: Database) -> dict[str, int]:
    """All rows that would notify somebody or send something."""
    tables = ("events", "publications", "notifications", "notification_emails", "attendances", "webhook_deliveries")
    async with db.reader() as reader:
        return {name: (await reader.fetch_one(f"select count(*) as n from {name}"))["n"] for name in tables}


async def test_a_strangers_weekly_dates_become_a_read_only_series(db: Database, clock: HandClock) -> None:
    """Nothing is generated, published or notified. No record, revision or URL of an event changes, and a second run
    does nothing.
    """
    await take_known(db, *weekly_events(8))
    before, rows = await rows_to_keep(db), await left_behind(db)
    (one,) = await search(db, clock)
    assert (one.state, len(one.found.dates)) == (DetectionState.LINKED, 8)
    assert all((await original_dates(db)).values())
    async with db.reader() as reader:
        series = await queries.by_id(reader, one.series_id)
        assert (series.is_read_only, series.owner_id, series.record_uri) == (True, await author_of(db), None)
        assert series.timing.pattern.rule is None
        assert await agenda.coming(reader, series, None, limit=10) == []
    assert (await rows_to_keep(db), await left_behind(db)) == (before, rows)
    await take_known(db, event(1, "walk", 60, "A walk"))
    assert await search(db, clock) == [one]
    async with db.reader() as reader:
        assert await queries.by_id(reader, one.series_id) == series


async def test_one_job_is_enqueued_per_stranger_and_interval(db: Database, clock: HandClock) -> None:
    """One job is enqueued however often the stranger writes, and none for a single event. Events after the interval
    cause a new job.
    """
    first, *others = weekly_events(8)
    await apply_messages(db, first)
    assert await queued(db) == []
    for one in others[:5]:
        await apply_messages(db, one)
    ends = clock.now() - clock.now() % STRANGER_INTERVAL + STRANGER_INTERVAL
    assert await queued(db) == [(await author_of(db), "due", ends + QUIET)]
    (found,) = await search(db, clock)
    assert len(found.found.dates) == 6
    await apply_messages(db, *others[5:])
    assert [state for _, state, _ in await queued(db)] == ["due"]
    (again,) = await search(db, clock)
    assert (again.series_id, len(again.found.dates)) == (found.series_id, 8)


@needs("fixtures")
async def test_irregular_events_of_a_real_repository_stay_single(db: Database, clock: HandClock) -> None:
    """The complete path yields neither a series nor a suggestion."""
    kept = json.loads(fixture_path("data/calendar-records/repo-events-irregular-monthly.json").read_text())["records"]
    await take_known(
        db,
        *(
            message(Change(STRANGER, EVENT, parse_record_key(one["uri"].rpartition("/")[2]), rev(n), one["value"]))
            for n, one in enumerate(kept)
        ),
    )
    assert len(kept) > 20
    assert await search(db, clock) == []
    assert not any((await original_dates(db)).values())


async def test_the_author_decides_after_signing_in(db: Database, clock: HandClock) -> None:
    """The detection row passes to the author who signs in: they confirm and undo. Until then nobody else can decide."""
    await take_known(db, *weekly_events(8))
    (one,) = await search(db, clock)
    before = await rows_to_keep(db)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        with pytest.raises(NotFound):
            await detection_actions.accept(tx, ben, one.id)
        ana = Caller(await identities.connect(tx, STRANGER, handle="ana.example", pds_url=""), "Ana")
    async with db.transaction() as tx:
        series = await detection_actions.accept(tx, ana, one.id)
    assert (series.is_read_only, str(series.timing.pattern.rule)) == (False, TUESDAYS)
    async with db.transaction() as tx:
        await detection_actions.refuse(tx, ana, one.id)
    after = await original_dates(db)
    assert not any(after[f"Tea {number}"] for number in range(8)), "single events again"
    assert (await rows_to_keep(db))[:8] == before[:8]


async def test_claiming_an_account_brings_the_series_along(db: Database, clock: HandClock) -> None:
    await take_known(db, *weekly_events(8))
    (one,) = await search(db, clock)
    shadow = await author_of(db)
    async with db.transaction() as tx:
        eva = await person(tx, "Eva")
        await merge.merge(tx, shadow, eva.user_id)
    async with db.transaction() as tx:
        (theirs,) = await detection_queries.of_person(tx, eva.user_id)
        assert (theirs.id, theirs.state) == (one.id, DetectionState.LINKED)
        series = await detection_actions.accept(tx, eva, one.id)
    assert (series.owner_id, series.is_read_only) == (eva.user_id, False)


async def test_a_series_is_hidden_with_its_events(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """While the author's first events are held, or their account is deactivated, neither the series' page nor its title
    is shown.
    """
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
    await apply_messages(db, *weekly_events(8))
    (one,) = await search(db, clock)
    async with db.reader() as reader:
        slug = (await queries.by_id(reader, one.series_id)).slug
    async with signed_in(site_on(db, clock), ben.user_id) as browser:
        assert (await browser.get(f"/series/{slug}")).status_code == 404
        async with db.transaction() as tx:
            await visibility.release(tx, [STRANGER], SubjectVisibility.ARRIVAL)
        shown = await browser.get(f"/series/{slug}")
        assert shown.status_code == 200
        assert "hasn’t confirmed" in shown.text
        async with db.transaction() as tx:
            await tx.execute("update identities set status = 'deactivated' where did = :did", did=STRANGER)
        for path in (f"/series/{slug}", f"/series/{slug}.ics", f"/api/series/{slug}"):
            assert (await browser.get(path)).status_code == 404, path


@pytest.mark.usefixtures("flags_on")
@pytest.mark.parametrize("is_named_later", [True, False])
async def test_the_authors_series_record_overrules_detection(
    db: Database, clock: HandClock, *, is_named_later: bool
) -> None:
    """A series record appears and events refer to it: they become its dates, and are no longer dates of the inferred
    series.
    """
    days = [f"2026-03-{day:02}" for day in (7, 14, 21, 28)] + [f"2026-04-{day:02}" for day in (4, 11, 18, 25)]
    dates = [date_message(f"tea{n}", 1 + n, day) for n, day in enumerate(days)]
    plain = [event(1, f"tea{n}", 1 + n, "Games", startsAt=f"{day}T17:00:00Z") for n, day in enumerate(days)]
    await take_known(db, *(plain if is_named_later else dates))
    (one,) = await search(db, clock)
    assert len(one.found.dates) == 8
    await take_known(db, series_message(50))
    if is_named_later:
        await take_known(db, *(replace(named, rev=rev(60 + n)) for n, named in enumerate(dates)))
    async with db.reader() as reader:
        own = await queries.by_record_uri(reader, WEEKLY_URI)
        held = await date_queries.stored(reader, own.id)
    assert len(held) == 8
    assert own.id != one.series_id
    await take_known(db, event(1, "walk", 80, "A walk"))
    assert await search(db, clock) == []


async def test_deleted_events_leave_the_series_and_erased_accounts_leave_nothing(
    db: Database, clock: HandClock
) -> None:
    tea = weekly_events(8)
    await take_known(db, *tea)
    (one,) = await search(db, clock)
    await apply_messages(db, *(deletion_of(gone, 70) for gone in tea[3:]), event(1, "walk", 71, "A walk"))
    (shorter,) = await search(db, clock)
    assert (shorter.id, len(shorter.found.dates)) == (one.id, 3)
    author = await author_of(db)
    async with db.transaction() as tx:
        await detection_queries.erase_from(tx, STRANGER)
    async with db.reader() as reader:
        assert await detection_queries.of_person(reader, author) == []
        assert (await queries.by_id(reader, one.series_id)).content.title == ""


def test_names_that_are_slow_to_compare_are_compared_a_limited_number_of_times() -> None:
    """The names are anagrams, which cannot be told apart by their letters alone."""
    chance = random.Random(1)
    letters = list("ab" * 90)

    def name() -> str:
        chance.shuffle(letters)
        return "x " + "".join(letters)

    sightings = [Sighting(f"e{n}", name(), "Hall", Instant(n * MINUTE), "UTC") for n in range(300)]
    lengths: list[int] = []

    def counting(one: str, other: str) -> bool:
        lengths.append(len(one[: detection.MAX_CHARACTERS]))
        return False

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(detection, "_is_same", counting)
        find(sightings)
    assert 0 < len(lengths) <= detection.MAX_COMPARED


async def test_only_the_newest_events_of_a_stranger_are_searched(db: Database, clock: HandClock) -> None:
    """For a stranger a limited number of the newest events is searched. For a person who signs in the limit is higher."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(detection_queries, "MAX_EVENTS_OF_STRANGER", 4)
        await take_known(db, *weekly_events(8))
        (one,) = await search(db, clock)
        assert [day for _, day in one.found.dates] == [day.replace(hour=18) for day in dates_of_rule(TUESDAYS, 8)[4:]]
