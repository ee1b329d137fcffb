"""An author undoes the confirmation of a detected series after it was split, handed over or deleted; on both engines."""

from datetime import timedelta

import pytest

from groundwork.clock import DAY, HandClock, Instant
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Refused
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events.model import Event, RecordOrigin
from openmeet.domain.events.queries import by_id
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import (
    actions,
    cancel_dates,
    date_queries,
    detection_actions,
    existing_events,
    follower_queries,
    new_date_rsvps,
    ownership,
    queries,
    standing_rsvps,
)
from openmeet.domain.series.detection_queries import Detection, DetectionState
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.users.model import Caller, UserId
from openmeet.recurrence.wall_time import local_of
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deletion_of, did
from tests.openmeet.series.detection import ana, apply_messages, db, detect_series, original_dates, weekly_events
from tests.openmeet.series.new_dates import add_rsvps
from tests.openmeet.series.practice import dates, give_rsvp, lock_series, move_all_dates, split_series, status_of
from tests.openmeet.series.practice import original_dates as original_dates_of
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on

__all__ = ["ana", "db"]

TENTH, SEVENTEENTH = "2026-03-10T19:00:00", "2026-03-17T20:00:00"


async def accepted(db: Database, ana: Caller) -> tuple[Detection, Series]:
    """Twelve Tuesdays, four of them still to come, confirmed by the author."""
    await apply_messages(db, *weekly_events(12))
    (one,) = await detect_series(db, ana)
    async with db.transaction() as tx:
        return one, await detection_actions.accept(tx, ana, one.id)


async def halved(db: Database, ana: Caller, series: Series) -> Series:
    """Split the series at 10 March; the new part is an hour later."""
    async with db.transaction() as tx:
        half = await split_series(tx, await lock_series(tx, ana, series), TENTH, "Late tea")
        return await move_all_dates(tx, await lock_series(tx, ana, half), timedelta(hours=1))


async def found_ones(reader: Reader, series_id: SeriesId | None) -> list[Event]:
    """The dates of a series that came from other repositories."""
    assert series_id is not None
    series = await queries.by_id(reader, series_id)
    assert series is not None
    return [event for event in await dates(reader, series) if event.origin is RecordOrigin.NETWORK]


def found_names(one: Detection) -> list[str]:
    return [at.isoformat() for _, at in one.found.dates]


async def test_later_events_of_the_author_join_the_part_with_that_date(db: Database, ana: Caller) -> None:
    """The events also join after a split: one with a date beyond the stored ones, and one with a date that the first
    part had before.
    """
    await apply_messages(db, *weekly_events(6))
    (one,) = await detect_series(db, ana)
    async with db.transaction() as tx:
        series = await detection_actions.accept(tx, ana, one.id)
        half = await split_series(tx, await lock_series(tx, ana, series), TENTH, "Late tea")
    await apply_messages(db, *weekly_events(1, 6), *weekly_events(1, 100))
    await detect_series(db, ana)
    async with db.reader() as reader:
        assert [event.title for event in await found_ones(reader, half.id)] == ["Tea 100"]
        assert "Tea 6" in [event.title for event in await found_ones(reader, series.id)]


async def test_every_part_gives_back_its_detected_events(db: Database, ana: Caller) -> None:
    """Even a part that was split again and moved gives its events back. The events get their earlier names back; added
    dates with answers stay, and the rest is deleted.
    """
    one, series = await accepted(db, ana)
    half = await halved(db, ana, series)
    async with db.transaction() as tx:
        third = await split_series(tx, await lock_series(tx, ana, half), SEVENTEENTH, "Last teas")
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        answered = next(event for event in await dates(tx, third) if event.origin is RecordOrigin.HERE)
        await give_rsvp(tx, ben, answered)
        await actions.follow(tx, cleo, third.slug)
        assert len(await found_ones(tx, series.id)) == 9
    async with db.transaction() as tx:
        undone = await detection_actions.undo(tx, ana, one.id)
    assert (undone.detection.state, undone.keeps_answered, undone.keeps_others) == (DetectionState.LINKED, True, False)
    async with db.reader() as reader:
        again = await queries.by_id(reader, series.id)
        assert again is not None
        assert (again.is_read_only, again.timing.pattern.rule) == (True, None)
        assert original_dates_of(await found_ones(reader, series.id)) == found_names(one)
        assert {event.id for event in await dates(reader, again)} == {*dict(one.found.dates), answered.id}
        for gone in (half, third):
            gone_now = await queries.by_id(reader, gone.id)
            assert gone_now is not None
            assert gone_now.deleted_at is not None
            assert await dates(reader, gone_now) == []
        assert await follower_queries.following(reader, series.id, cleo.user_id) is not None


async def test_an_added_date_whose_rsvps_a_job_has_still_to_add_stays(
    db: Database, ana: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ben goes to all dates. He was notified of the new one, and would not hear that it is deleted."""
    one, series = await accepted(db, ana)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        await standing_rsvps.answer_all(tx, ben, series.slug, RsvpReply.GOING)
        (*_, last) = await dates(tx, series)
        assert last.starts_at is not None
        at = local_of(Instant(last.starts_at + 7 * DAY), series.zone_name).replace(tzinfo=None)
        monkeypatch.setattr(new_date_rsvps, "ANSWERED_AT_ONCE", 0)
        added = await actions.open_date(tx, series.slug, at.isoformat())
        assert await status_of(tx, added, ben) is None
    async with db.transaction() as tx:
        assert (await detection_actions.undo(tx, ana, one.id)).keeps_answered
    await add_rsvps(db)
    async with db.reader() as reader:
        assert await status_of(reader, added, ben) is AttendanceStatus.ATTENDING


async def test_refusing_after_confirming_leaves_single_events(db: Database, ana: Caller) -> None:
    """None of the events stays in a part of the series."""
    one, series = await accepted(db, ana)
    await halved(db, ana, series)
    async with db.transaction() as tx:
        await detection_actions.refuse(tx, ana, one.id)
    async with db.reader() as reader:
        rows = await reader.fetch("select title from events where origin = 'network' and series_id is not null")
    assert rows == []


async def test_a_part_hosted_by_somebody_else_stays_theirs(db: Database, ana: Caller) -> None:
    """The part keeps its dates. The remaining events are detected again, and the author reads this."""
    one, series = await accepted(db, ana)
    half = await halved(db, ana, series)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        await actions.follow(tx, ben, half.slug)
        await ownership.offer(tx, ana, await lock_series(tx, ana, half), ben.user_id)
        theirs = await ownership.accept(tx, ben, await _reread(tx, half))
        kept = original_dates_of(await dates(tx, theirs))
    async with db.transaction() as tx:
        undone = await detection_actions.undo(tx, ana, one.id)
    assert undone.keeps_others
    async with db.reader() as reader:
        now = await queries.by_id(reader, half.id)
        assert now is not None
        assert (now.owner_id, now.deleted_at, original_dates_of(await dates(reader, now))) == (ben.user_id, None, kept)
        assert original_dates_of(await found_ones(reader, series.id)) == found_names(one)[:9]


async def test_a_series_that_was_handed_over_is_not_undone(db: Database, ana: Caller) -> None:
    """The whole series belongs to somebody else, and the author reads whom to ask."""
    one, series = await accepted(db, ana)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        await actions.follow(tx, ben, series.slug)
        await ownership.offer(tx, ana, await lock_series(tx, ana, series), ben.user_id)
        await ownership.accept(tx, ben, await _reread(tx, series))
    for does in (detection_actions.undo, detection_actions.refuse):
        async with db.transaction() as tx:
            with pytest.raises(Refused, match=r"series\.other_host_now") as refused:
                await does(tx, ana, one.id)
        assert refused.value.name == "SomebodyElses"


@pytest.mark.parametrize("keeps_events", [True, False])
async def test_a_deleted_series_comes_back_with_its_remaining_events(
    db: Database, ana: Caller, keeps_events: bool
) -> None:
    """The series comes back under its URL, with the events that still exist."""
    one, series = await accepted(db, ana)
    half = await halved(db, ana, series)
    async with db.transaction() as tx:
        for part in (series, half):
            await actions.delete(tx, await lock_series(tx, ana, part), keeps_events=keeps_events)
    async with db.transaction() as tx:
        assert (await detection_actions.undo(tx, ana, one.id)).detection.state is DetectionState.LINKED
    async with db.reader() as reader:
        again = await queries.by_id(reader, series.id)
        assert again is not None
        assert (again.deleted_at, again.is_read_only) == (None, True)
        assert original_dates_of(await found_ones(reader, series.id)) == found_names(one)[: 12 if keeps_events else 8]


async def test_a_series_without_events_is_no_longer_shown(db: Database, ana: Caller) -> None:
    """All events were deleted in their repositories. After the next detection the author is no longer asked, and a
    confirmation before that is refused with the reason.
    """
    one, _ = await accepted(db, ana)
    await apply_messages(db, *(deletion_of(message, 40) for message in weekly_events(12)))
    async with db.transaction() as tx:
        rows = await tx.fetch("select id from events where origin = 'here' and deleted_at is null")
        assert rows
    async with db.transaction() as tx:
        assert (await detection_actions.undo(tx, ana, one.id)).detection.state is DetectionState.SUGGESTED
    assert not any((await original_dates(db)).values())
    async with db.transaction() as tx:
        with pytest.raises(Refused) as refused:
            await detection_actions.accept(tx, ana, one.id)
    assert refused.value.name == "NothingLeft"
    assert await detect_series(db, ana) == []


async def test_a_suggestion_becomes_a_suggestion_again(db: Database, ana: Caller) -> None:
    """The suggestion's events are single ones again, as before the author was asked. They are not shown as a series,
    because the detection was uncertain.
    """
    await apply_messages(db, *(weekly_events(6)[n] for n in (0, 1, 2, 5)))
    (one,) = await detect_series(db, ana)
    assert one.state is DetectionState.SUGGESTED
    async with db.transaction() as tx:
        await detection_actions.accept(tx, ana, one.id)
    async with db.transaction() as tx:
        assert (await detection_actions.undo(tx, ana, one.id)).detection.state is DetectionState.SUGGESTED
    assert not any((await original_dates(db)).values())
    assert [(again.id, again.state) for again in await detect_series(db, ana)] == [(one.id, DetectionState.SUGGESTED)]


async def test_an_extra_date_at_the_time_of_a_detected_one_is_kept(db: Database, ana: Caller) -> None:
    """A detected date was moved, an extra date was added at its old time, and somebody answered the extra date. Both
    remain dates.
    """
    one, series = await accepted(db, ana)
    async with db.transaction() as tx:
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        await cancel_dates.add_date(tx, await lock_series(tx, ana, series), TENTH)
        extra = await date_queries.date_of(tx, series.id, TENTH)
        assert extra is not None
        await give_rsvp(tx, await person(tx, "Ben"), extra)
        assert TENTH in found_names(one)
    async with db.transaction() as tx:
        assert (await detection_actions.undo(tx, ana, one.id)).keeps_answered
    async with db.reader() as reader:
        assert original_dates_of(await found_ones(reader, series.id)) == found_names(one)
        everything = {event.id: name for event, name in zip(*await _with_names(reader, series), strict=True)}
    assert everything[extra.id] == "2026-03-10T19:01:00"


async def test_a_deleted_extra_date_does_not_block_a_detected_one(db: Database, ana: Caller) -> None:
    """The same, but the extra date has been removed again."""
    one, series = await accepted(db, ana)
    async with db.transaction() as tx:
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        await cancel_dates.add_date(tx, await lock_series(tx, ana, series), TENTH)
        await cancel_dates.remove_dates(tx, await lock_series(tx, ana, series), [TENTH])
    async with db.transaction() as tx:
        await detection_actions.undo(tx, ana, one.id)
    async with db.reader() as reader:
        assert original_dates_of(await found_ones(reader, series.id)) == found_names(one)


async def test_an_added_event_becomes_a_single_one_again(db: Database, ana: Caller) -> None:
    """The event was the author's before it joined the series, and it stays even if nobody answered it."""
    one, series = await accepted(db, ana)
    async with db.transaction() as tx:
        alone = await event_by(
            tx, ana, title="Cake", starts="2026-03-14T15:00", ends="2026-03-14T16:00", time_zone="Europe/Berlin"
        )
        await existing_events.add(tx, ana, await lock_series(tx, ana, series), alone.slug)
    async with db.transaction() as tx:
        await detection_actions.undo(tx, ana, one.id)
        again = await by_id(tx, alone.id)
    assert again is not None
    assert (again.is_gone, again.position_in_series, again.is_published_by_policy) == (False, None, True)


async def test_the_page_says_what_stays(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The page says this before the author undoes the confirmation, and after it."""
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        await tx.execute("update users set time_zone = 'Europe/Berlin' where id = :id", id=user_id)
        ben = await person(tx, "Ben")
    caller = Caller(UserId(user_id), "Ana")
    one, series = await accepted(db, caller)
    half = await halved(db, caller, series)
    async with signed_in(site_on(db, clock), user_id) as browser:
        assert "even if you’ve split the series" in (await browser.get("/my/series/found")).text
        done = await browser.post(f"/my/series/found/{one.id}", data={"does": "undo"})
        said = (await browser.get(done.headers["location"])).text
        assert "Undone. The suggestion is back." in said
        await browser.post(f"/my/series/found/{one.id}", data={"does": "accept"})
        async with db.transaction() as tx:
            added = next(event for event in await dates(tx, series) if event.origin is RecordOrigin.HERE)
            await give_rsvp(tx, ben, added)
        done = await browser.post(f"/my/series/found/{one.id}", data={"does": "undo"})
        assert "Dates that somebody answered stay" in (await browser.get(done.headers["location"])).text
        assert (await browser.get(f"/series/{half.slug}")).status_code in {404, 410}


async def _with_names(reader: Reader, series: Series) -> tuple[list[Event], list[str]]:
    there = await dates(reader, series)
    return there, original_dates_of(there)


async def _reread(reader: Reader, series: Series) -> Series:
    found = await queries.by_id(reader, series.id)
    assert found is not None
    return found
