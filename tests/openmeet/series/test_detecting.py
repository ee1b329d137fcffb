"""Detected series in the database: shown, confirmed, refused, undone. Records never change. On both engines."""

import asyncio

import pytest

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.open_transactions import transaction_is_open
from groundwork.database.transaction import Database, TransactionConflict
from groundwork.errors import NotFound, Refused
from groundwork.outbox.jobs import Job, JobState
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import actions, agenda, date_queries, detection_actions, detection_queries, queries, tasks
from openmeet.domain.series.detection import find
from openmeet.domain.series.detection_queries import DetectionState
from openmeet.domain.users.model import Caller
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import Flag
from openmeet.network import flag_changes
from openmeet.network.records.extension import named_series
from openmeet.network.records.message import RecordMessage
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deletion_of, did, event
from tests.openmeet.series.detection import (
    BERLIN,
    TUESDAYS,
    ana,
    apply_messages,
    dates_of_rule,
    db,
    detect_series,
    original_dates,
    rows_to_keep,
    utc_text,
    weekly_events,
)
from tests.openmeet.site_under_test import api_session, person, signed_in, site_on

__all__ = ["ana", "db"]


S = DetectionState


async def test_a_detected_series_creates_nothing_until_its_author_confirms(
    db: Database, ana: Caller, clock: HandClock
) -> None:
    """The detected series is read-only and consists of existing events. Moving windows, running jobs and opening a date
    create nothing.
    """
    await apply_messages(db, *weekly_events(8))
    before = await rows_to_keep(db)
    (one,) = await detect_series(db, ana)
    assert (one.state, len(one.found.dates)) == (S.LINKED, 8)
    assert all((await original_dates(db)).values())
    clock.turn(20 * DAY)
    await tasks.roll_windows(db, clock.now())
    await tasks.complete_dates(db)
    async with db.transaction() as tx:
        series = await queries.by_id(tx, one.series_id)
        assert series.is_read_only
        assert await agenda.coming(tx, series, ana.user_id, limit=10) == []
        with pytest.raises(NotFound):
            await actions.open_date(tx, series.slug, "2026-03-31T19:00:00", viewer=ana.user_id)
    with pytest.raises(Refused):
        async with db.transaction() as tx:
            await actions.lock_managed(tx, ana, series.slug)
    assert await rows_to_keep(db) == before
    assert await detect_series(db, ana) == [one]
    assert await rows_to_keep(db) == before


async def test_confirming_makes_it_an_ordinary_series(db: Database, ana: Caller) -> None:
    """The series has the inferred rule and its coming dates. Confirming twice has no further effect, and undoing
    removes only what the confirmation created.
    """
    await apply_messages(db, *weekly_events(8))
    before = await rows_to_keep(db)
    (one,) = await detect_series(db, ana)
    for _ in range(2):
        async with db.transaction() as tx:
            series = await detection_actions.accept(tx, ana, one.id)
    assert not series.is_read_only
    assert str(series.timing.pattern.rule) == TUESDAYS
    async with db.reader() as reader:
        coming = await agenda.coming(reader, series, ana.user_id, limit=4)
        held = await date_queries.stored(reader, series.id)
    assert [line.original_date for line in coming][:2] == ["2026-03-03T19:00:00", "2026-03-10T19:00:00"]
    assert len(held) > 8
    made = [line.event for line in coming if line.event is not None]
    async with db.transaction() as tx:
        await attendance.answer(tx, await person(tx, "Ben"), made[1].slug, RsvpReply.GOING)
        assert (await detection_actions.undo(tx, ana, one.id)).detection.state is S.LINKED
    async with db.reader() as reader:
        left = [held.event for held in await date_queries.stored(reader, series.id) if not held.event.is_gone]
        again = await queries.by_id(reader, series.id)
    assert again.is_read_only
    assert again.timing.pattern.rule is None
    assert {event.id for event in left} == {event.id for event in left if event.origin == "network"} | {made[1].id}
    assert (await rows_to_keep(db))[:8] == before[:8]


async def test_refusing_is_permanent_and_can_be_undone(db: Database, ana: Caller) -> None:
    """The events stay single ones, whatever is detected later. The refusal can be undone, and leaves no change in the
    events.
    """
    await apply_messages(db, *weekly_events(6))
    before = await rows_to_keep(db)
    async with db.reader() as reader:
        rows = [tuple(row) for row in await reader.fetch("select * from events order by id")]
    (one,) = await detect_series(db, ana)
    async with db.transaction() as tx:
        await detection_actions.refuse(tx, ana, one.id)
    assert not any((await original_dates(db)).values())
    async with db.reader() as reader:
        assert [tuple(row) for row in await reader.fetch("select * from events order by id")] == rows
    await apply_messages(db, *weekly_events(2, 6))
    (still,) = await detect_series(db, ana)
    assert still.state is S.REFUSED
    async with db.transaction() as tx:
        await detection_actions.undo(tx, ana, one.id)
    (again,) = await detect_series(db, ana)
    assert (again.state, again.series_id, len(again.found.dates)) == (S.LINKED, one.series_id, 8)
    assert (await rows_to_keep(db))[:6] == before[:6]


async def test_new_events_are_searched_again(db: Database, ana: Caller) -> None:
    """There are too few events at first, then a possible series, then a certain one. An event that its author deletes
    is no longer a date.
    """
    tea = weekly_events(8)
    await apply_messages(db, *tea[:2])
    assert await detect_series(db, ana) == []
    await apply_messages(db, tea[2], tea[5])
    (perhaps,) = await detect_series(db, ana)
    assert perhaps.state is S.SUGGESTED
    assert not any((await original_dates(db)).values())
    await apply_messages(db, *tea[3:5], *tea[6:])
    (surely,) = await detect_series(db, ana)
    assert (surely.id, surely.state, len(surely.found.dates)) == (perhaps.id, S.LINKED, 8)
    await apply_messages(db, deletion_of(tea[7], 30))
    (shorter,) = await detect_series(db, ana)
    assert (shorter.series_id, len(shorter.found.dates)) == (surely.series_id, 7)
    for gone in tea[2:7]:
        await apply_messages(db, deletion_of(gone, 31))
    assert await detect_series(db, ana) == []
    async with db.reader() as reader:
        assert (await queries.by_id(reader, surely.series_id)).deleted_at is not None


async def test_later_events_of_the_author_join_the_confirmed_series(db: Database, ana: Caller) -> None:
    """The author continues with single events in another app. An event on a free date of the rule joins the series."""
    await apply_messages(db, *weekly_events(6))
    (one,) = await detect_series(db, ana)
    async with db.transaction() as tx:
        await detection_actions.accept(tx, ana, one.id)
    late = weekly_events(1, 6)[0]
    await apply_messages(db, late)
    await detect_series(db, ana)
    assert (await original_dates(db))["Tea 6"] == "2026-02-17T19:00:00"


async def test_nothing_is_detected_while_it_is_switched_off(db: Database, ana: Caller) -> None:
    await apply_messages(db, *weekly_events(6))
    async with db.transaction() as tx:
        await flags.switch(tx, Flag.DETECTION, is_on=False, changed_by="test")
    assert await detect_series(db, ana) == []
    async with db.transaction() as tx:
        await flags.switch(tx, Flag.DETECTION, is_on=True, changed_by="test")
    assert [one.state for one in await detect_series(db, ana)] == [S.LINKED]


async def test_events_of_users_are_searched_once_they_stop_changing(
    db: Database, ana: Caller, clock: HandClock
) -> None:
    """A stranger with only one event causes no detection."""
    await apply_messages(db, *weekly_events(3), event(2, "other", 1))
    async with db.reader() as reader:
        rows = await reader.fetch("select kind, subject, due_at from outbox_jobs where kind like 'detect%'")
    assert [(row["kind"], row["subject"], row["due_at"] > clock.now()) for row in rows] == [
        ("detect_series", ana.user_id, True)
    ]


async def test_the_job_runs_outside_of_a_transaction(
    db: Database, ana: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that arrive during the detection are not in its result. The job becomes due again, and its next run finds
    them.
    """
    tea = weekly_events(8)
    await apply_messages(db, *tea[:7])
    handler = detection_actions.detection_handler(db, named_series)
    job = Job("detect_series", ana.user_id, 1, JobState.LEASED, 0, Instant(0), "", 1)
    real = find

    def find_while_something_comes(sightings, zones):
        assert not transaction_is_open()
        asyncio.run_coroutine_threadsafe(apply_messages(db, tea[7]), loop).result(20)
        return real(sightings, zones)

    loop = asyncio.get_running_loop()
    with monkeypatch.context() as patched, pytest.raises(TransactionConflict):  # noqa: PT012 - one call, patched
        patched.setattr(detection_actions, "find", find_while_something_comes)
        await handler(job)
    async with db.reader() as reader:
        assert await detection_queries.of_person(reader, ana.user_id) == []
    await handler(job)
    async with db.reader() as reader:
        (one,) = await detection_queries.of_person(reader, ana.user_id)
    assert len(one.found.dates) == 8


async def test_only_its_author_decides(db: Database, ana: Caller) -> None:
    await apply_messages(db, *weekly_events(6))
    (one,) = await detect_series(db, ana)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
    for does in (detection_actions.accept, detection_actions.refuse, detection_actions.undo):
        with pytest.raises(NotFound):
            async with db.transaction() as tx:
                await does(tx, ben, one.id)
    async with db.reader() as reader:
        assert await detection_queries.of_person(reader, ana.user_id) == [one]
        assert await detection_queries.of_person(reader, ben.user_id) == []


async def test_the_page_asks_and_undoes(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The page describes the detected series and its dates. The author confirms it, then undoes this."""
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        await tx.execute("update users set time_zone = :zone where id = :id", zone=BERLIN, id=user_id)
    await apply_messages(db, *weekly_events(8))
    (one,) = await detect_series(db, Caller(user_id, "Ana"))
    async with signed_in(site_on(db, clock), user_id) as browser:
        assert "/my/series/found" in (await browser.get("/my/series")).text
        shown = (await browser.get("/my/series/found")).text
        assert "Every Tuesday" in shown
        assert "8 dates" in shown
        for does, words in (
            ("accept", "You said it’s a series"),
            ("undo", "Yes, it’s a series"),
            ("refuse", "You said they’re single events"),
        ):
            done = await browser.post(f"/my/series/found/{one.id}", data={"does": does})
            assert done.status_code == 303
            assert words in (await browser.get("/my/series/found")).text
            assert "/my/series/found" in (await browser.get("/my/series")).text
        assert (await browser.post(f"/my/series/found/{one.id}", data={"does": "unknown"})).status_code == 400
        assert "You said they’re single events" in (await browser.get("/my/series/found")).text


async def test_the_api_does_the_same(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The same with the JSON API. Detections of other people answer 404."""
    db = await make_sqlite("openmeet", clock=clock)
    site = site_on(db, clock)
    async with site.browser() as browser:
        headers = await api_session(browser, "ana@example.org", "Ana")
        async with db.transaction() as tx:
            row = await tx.fetch_one("select id from users where email = 'ana@example.org'")
            await tx.execute("update users set time_zone = :zone", zone=BERLIN)
            await identities.link(tx, did(1), row["id"], handle="ana.example", pds_url="")
        await apply_messages(db, *weekly_events(8))
        await detect_series(db, Caller(row["id"], "Ana"))
        (found,) = (await browser.get("/api/me/series-found", headers=headers)).json()["found"]
        assert (found["state"], found["title"], found["rule"], len(found["dates"])) == ("linked", "Tea", TUESDAYS, 8)
        for answer, state in (("accept", "accepted"), ("undo", "linked"), ("refuse", "refused")):
            path = f"/api/me/series-found/{found['id']}"
            said = await browser.post(path, json={"answer": answer}, headers=headers)
            assert (said.status_code, said.json()["state"]) == (200, state)
        strangers = await api_session(browser, "ben@example.org", "Ben")
        assert (await browser.post(path, json={"answer": "undo"}, headers=strangers)).status_code == 404
        assert (await browser.get("/api/me/reading", headers=headers)).json() == {"readings": [], "cursor": None}


def named(number: int, at_: str, title: str, series: str = "tea-nights", **fields: object) -> RecordMessage:
    """A record as an older OpenMeet wrote it."""
    meta = {"seriesSlug": series, "isRecurring": True, **fields}
    return event(1, f"old{number}", 1 + number, title, startsAt=at_, openMeetMeta=meta)


async def test_records_that_name_their_series_are_certain(db: Database, ana: Caller) -> None:
    """Two events are enough, also with different names and no interval. An event that names another series, or says
    that it does not repeat, does not become a date of the series.
    """
    await apply_messages(
        db,
        named(1, "2026-01-06T18:00:00Z", "Tea"),
        named(2, "2026-01-23T11:30:00Z", "A walk instead"),
        named(3, "2026-02-04T18:00:00Z", "Another", "other-nights"),
        named(4, "2026-02-05T18:00:00Z", "Once", isRecurring=False),
    )
    before = await rows_to_keep(db)
    (one,) = await detect_series(db, ana)
    assert (one.state, one.found.confidence, one.found.rule) == (S.LINKED, 1.0, None)
    assert await original_dates(db) == {
        "Tea": "2026-01-06T19:00:00",
        "A walk instead": "2026-01-23T12:30:00",
        "Another": None,
        "Once": None,
    }
    assert [at.isoformat() for _, at in one.found.dates] == ["2026-01-06T19:00:00", "2026-01-23T12:30:00"]
    assert await detect_series(db, ana) == [one]
    async with db.transaction() as tx:
        series = await detection_actions.accept(tx, ana, one.id)
    assert series.timing.pattern.rule is None
    await apply_messages(db, named(5, "2026-03-11T17:00:00Z", "Tea, later"))
    await detect_series(db, ana)
    assert (await original_dates(db))["Tea, later"] == "2026-03-11T18:00:00"
    async with db.transaction() as tx:
        await detection_actions.undo(tx, ana, one.id)
        await detection_actions.refuse(tx, ana, one.id)
    assert not any((await original_dates(db)).values())
    assert [one for one in await rows_to_keep(db) if one in before] == before
    (still,) = await detect_series(db, ana)
    assert still.state is S.REFUSED


async def test_records_that_name_their_series_get_a_rule_if_one_fits(db: Database, ana: Caller) -> None:
    """One date does not fit the rule, and is still a date of the series."""
    dates = [named(n, utc_text(one), f"Evening of {n}") for n, one in enumerate(dates_of_rule(TUESDAYS, 6))]
    await apply_messages(db, *dates, named(9, "2026-01-10T09:00:00Z", "In the morning"))
    (one,) = await detect_series(db, ana)
    assert (str(one.found.rule), len(one.found.dates)) == (TUESDAYS, 7)
    assert [one.isoformat() for one in one.found.pattern.added] == ["2026-01-10T10:00:00"]


async def test_a_refused_series_is_not_suggested_again_by_its_name(db: Database, ana: Caller) -> None:
    """The series was detected by its dates and refused. If its records name a series later, it is still not suggested."""
    await apply_messages(db, *weekly_events(6))
    (one,) = await detect_series(db, ana)
    async with db.transaction() as tx:
        await detection_actions.refuse(tx, ana, one.id)
    dates = dates_of_rule(TUESDAYS, 6)
    meta = {"seriesSlug": "tea-nights"}
    await apply_messages(
        db,
        *(
            event(1, f"tea{n}", 40 + n, f"Tea {n}", startsAt=utc_text(d), openMeetMeta=meta)
            for n, d in enumerate(dates)
        ),
    )
    assert [(found.id, found.state) for found in await detect_series(db, ana)] == [(one.id, S.REFUSED)]


async def test_after_switching_on_again_missed_events_are_searched(db: Database, ana: Caller):
    """Events of strangers have a separate kind of job."""
    async with db.transaction() as tx:
        await flag_changes.switch(tx, Flag.DETECTION, is_on=False, changed_by="a test")
    await apply_messages(db, *weekly_events(6), event(2, "walk", 9))
    assert await detect_series(db, ana) == []
    async with db.transaction() as tx:
        # they were delivered while the flag was off
        await tx.execute("delete from outbox_jobs where kind like 'detect%'")
    async with db.transaction() as tx:
        await flag_changes.switch(tx, Flag.DETECTION, is_on=True, changed_by="a test")
    async with db.reader() as reader:
        queued = await reader.fetch("select kind, subject from outbox_jobs where kind like 'detect%' order by kind")
    assert [row["kind"] for row in queued] == ["detect_foreign_series", "detect_series"]
    assert queued[1]["subject"] == ana.user_id != queued[0]["subject"]
    assert len(await detect_series(db, ana)) == 1
