"""Events that begin within the grace period are cancelled or handed over at once, dates of series too; on both engines."""

from pathlib import Path

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database, Transaction, TransactionTooLong
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.erasure import actions
from openmeet.domain.erasure.actions import preview_deletion
from openmeet.domain.events import co_hosts
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import calendar_feeds
from openmeet.domain.series import queries as series_queries
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.person_erasure import take_due
from openmeet.web.calendar import feed
from tests.databases import MakeDatabase
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import NOW, create_weekly_series, dates, give_rsvp
from tests.openmeet.site_under_test import CODE_KEY, event_by, person, signed_in, site_on
from tests.visible_text import visible_text

GRACE = 14 * DAY
SOON = {"starts": "2026-11-25T18:00", "ends": "2026-11-25T20:00"}


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    """The database, with the clock on Friday 20 November 2026."""
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


async def test_dates_of_a_series_are_cancelled_and_people_told(db: Database) -> None:
    """Dates within the grace period are cancelled, later ones wait for the end, and the preview says so."""
    async with db.transaction() as tx:
        ana, practice = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first = (await dates(tx, practice))[0]
        await give_rsvp(tx, ben, first)
    async with db.reader() as reader:
        before = await dates(reader, practice)
        shown = await preview_deletion(reader, ana.user_id, GRACE)
    soon = [one.id for one in before if one.starts_at < NOW + GRACE]
    assert 0 < len(soon) < len(before)
    assert [(one.heir, one.is_soon) for one in shown.events] == [(None, True)] * len(soon)
    await actions.begin(db, ana.user_id, GRACE)
    async with db.reader() as reader:
        assert [one.id for one in await dates(reader, practice) if one.is_cancelled] == soon
        told = await reader.fetch("select kind from notifications where user_id = :id", id=ben.user_id)
    assert "event_cancelled" in {row["kind"] for row in told}


async def test_events_are_listed_by_their_start(db: Database) -> None:
    """Single events and dates of series together."""
    async with db.transaction() as tx:
        ana, _ = await create_weekly_series(tx)
        await event_by(tx, ana, title="Late", starts="2027-03-01T18:00", ends="2027-03-01T20:00")
        await event_by(tx, ana, title="Soon", **SOON)
    async with db.reader() as reader:
        shown = (await preview_deletion(reader, ana.user_id, GRACE)).events
    starts = [one.starts_at for one in shown if one.starts_at is not None]
    assert starts == sorted(starts)
    assert [one.title for one in shown if one.title in {"Soon", "Late"}] == ["Soon", "Late"]
    assert shown[-1].title == "Late"
    assert shown[0].title != "Soon"


async def test_a_series_with_a_co_host_goes_to_them_at_once(db: Database) -> None:
    async with db.transaction() as tx:
        ana, practice = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        first = (await dates(tx, practice))[0]
        invited = await co_hosts.invite(tx, ana, first.slug, "ben@example.org", for_series=True)
        await co_hosts.accept(tx, ben, invited.id)
    await actions.begin(db, ana.user_id, GRACE)
    async with db.reader() as reader:
        assert (await series_queries.by_id(reader, practice.id)).owner_id == ben.user_id
        assert {one.author_id for one in await dates(reader, practice)} == {ben.user_id}
        assert not any(one.is_cancelled for one in await dates(reader, practice))


async def test_nobody_sees_a_co_host_or_member_who_is_leaving(db: Database, clock: HandClock) -> None:
    """On the page of an event, in the API, and in the number of members. They are back when they return."""
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        dinner = await event_by(tx, ana, title="Dinner", starts="2027-01-25T18:00", ends="2027-01-25T20:00")
        invited = await co_hosts.invite(tx, ana, dinner.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, invited.id)
        group = await group_by(tx, ana)
        await groups.join(tx, ben, group.slug, "")

    async def seen() -> tuple[bool, list[str], bool]:
        async with site.browser() as anybody:
            page = visible_text((await anybody.get(f"/events/{dinner.slug}")).text)
            listed = (await anybody.get(f"/api/events/{dinner.slug}")).json()
            of_group = visible_text((await anybody.get(f"/groups/{group.slug}")).text)
        return "Ben" in page, [one["displayName"] for one in listed["coHosts"]], "2 members" in of_group

    assert await seen() == (True, ["Ben"], True)
    await actions.begin(db, ben.user_id, GRACE)
    assert await seen() == (False, [], False)
    async with db.transaction() as tx:
        await open_session(tx, ben.user_id, SessionTransport.BROWSER)
    assert await seen() == (True, ["Ben"], True)


async def test_hosts_see_no_history_of_a_person_who_is_leaving(db: Database, clock: HandClock) -> None:
    """Neither on the page nor in the API."""
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, starts="2027-01-25T18:00", ends="2027-01-25T20:00")
        mine = await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        program = await open_session(tx, ana.user_id, SessionTransport.API)
    paths = (f"/events/{event.slug}/attendees/{mine.id}", f"/api/events/{event.slug}/attendances/{mine.id}/history")
    async with signed_in(site, ana.user_id) as host:
        host.headers["authorization"] = f"Bearer {program.token}"
        assert [(await host.get(path)).status_code for path in paths] == [200, 200]
        await actions.begin(db, ben.user_id, GRACE)
        assert [(await host.get(path)).status_code for path in paths] == [404, 404]


async def test_secret_calendar_addresses_stop_while_their_owner_is_leaving(db: Database, clock: HandClock) -> None:
    """The person's own calendar and that of a group. They work again when the person returns."""
    site = site_on(db, clock)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        group = await group_by(tx, ana)
        membership = await groups.join(tx, ben, group.slug, "")
        paths = [
            f"/calendar/{await feed.open_feed(tx, CODE_KEY, ben.user_id)}.ics",
            f"/group-calendars/{await calendar_feeds.renew(tx, CODE_KEY, group, membership)}.ics",
        ]

    async def statuses() -> list[int]:
        async with site.browser() as program:
            return [(await program.get(path)).status_code for path in paths]

    assert await statuses() == [200, 200]
    await actions.begin(db, ben.user_id, GRACE)
    assert await statuses() == [404, 404]
    async with db.transaction() as tx:
        await open_session(tx, ben.user_id, SessionTransport.BROWSER)
    assert await statuses() == [200, 200]


async def test_an_interrupted_request_is_finished_by_the_next_run(db: Database, tmp_path: Path) -> None:
    """The request was stored, but the process stopped before the next step. The next run still notifies people that the
    event is cancelled.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        soon, later = (
            await event_by(tx, ana, **SOON),
            await event_by(tx, ana, starts="2027-01-25T18:00", ends="2027-01-25T20:00"),
        )
        await actions.request(tx, ana.user_id, GRACE)
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert (await events.by_slug(reader, soon.slug)).is_cancelled
        assert not (await events.by_slug(reader, later.slug)).is_cancelled


async def test_events_beyond_the_first_page_end_at_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many events they host, those who answered are told at once."""
    monkeypatch.setattr(actions, "_SOON_AT_A_TIME", 2)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        hosted = [await event_by(tx, ana, **SOON) for _ in range(5)]
    await actions.begin(db, ana.user_id, GRACE)
    async with db.reader() as reader:
        assert all([(await events.by_slug(reader, one.slug)).is_cancelled for one in hosted])


async def test_returning_people_keep_their_events(db: Database, tmp_path: Path) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        soon = await event_by(tx, ana, **SOON)
        await actions.request(tx, ana.user_id, GRACE)
        await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    await take_due(db, erasing_in(tmp_path))
    await actions.end_soon(db, ana.user_id)
    async with db.reader() as reader:
        assert not (await events.by_slug(reader, soon.slug)).is_cancelled


async def test_a_failed_request_does_not_delay_others(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is stored although cancelling one event fails. The other event is cancelled at once, and the next run
    cancels the first.
    """
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        slow, tea = await event_by(tx, ana, title="Slow", **SOON), await event_by(tx, ana, **SOON)
    cancel = event_hosting.cancel

    async def takes_too_long(tx: Transaction, caller: Caller, slug: EventSlug, reason: str) -> None:
        if slug == slow.slug:
            raise TransactionTooLong("open for too long")
        await cancel(tx, caller, slug, reason)

    with monkeypatch.context() as patched:
        patched.setattr(event_hosting, "cancel", takes_too_long)
        await actions.begin(db, ana.user_id, GRACE)
    async with db.reader() as reader:
        assert [(await events.by_slug(reader, one.slug)).is_cancelled for one in (slow, tea)] == [False, True]
    assert await take_due(db, erasing_in(tmp_path)) == 0
    async with db.reader() as reader:
        assert (await events.by_slug(reader, slow.slug)).is_cancelled
