"""The people who are notified of changes to a series; on both engines."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, HandClock, Instant
from groundwork.database.transaction import Database, Reader, Transaction
from openmeet.domain.attendance import invitations
from openmeet.domain.events import co_hosts
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import EventId
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.queries import newest
from openmeet.domain.series import actions, apply_edits, cancel_dates, date_queries, impact, notify, tasks, undo
from openmeet.domain.series.model import Series
from openmeet.domain.series.plan import moved, plan_all
from openmeet.domain.users.model import Caller
from openmeet.emails.notifications.content import notification_lines
from openmeet.emails.notifications.current_state import CurrentState
from openmeet.emails.notifications.facts import points
from openmeet.recurrence.describe import describe
from tests.openmeet.series.practice import (
    FIRST,
    apply_new_rule,
    create_weekly_series,
    dates,
    give_rsvp,
    kinds_received,
    lock_series,
    move_all_dates,
    original_dates,
    people_to_mail,
    retitle,
    split_series,
)
from tests.openmeet.site_under_test import person


async def test_one_edit_of_all_dates_is_one_mail_for_each(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo, dan = [await person(tx, name) for name in ("Ben", "Cleo", "Dan")]
        found = await dates(tx, series)
        for event in found[:4]:
            await give_rsvp(tx, ben, event)
        await actions.follow(tx, ben, series.slug)
        await actions.follow(tx, cleo, series.slug)
        await actions.follow(tx, dan, series.slug, notifies=False)
        await tx.execute("delete from notification_emails")  # the host's e-mails about Ben's answers
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        assert await people_to_mail(tx) == ["Ben", "Cleo"]
        assert (await kinds_received(tx, ben), await kinds_received(tx, cleo)) == (
            [event_kinds.EVENT_CHANGED],
            [event_kinds.EVENT_CHANGED],
        )
        assert await kinds_received(tx, dan) == []


async def test_attendees_of_several_dates_are_told_about_each_of_theirs(practice_db: Database) -> None:
    """Attendees are notified of their own dates only. If there are very many, the next ones are listed with the number
    of the rest. Followers are notified of all.
    """
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=DAILY")
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        found = await dates(tx, series)
        for event in (found[0], found[2], found[5]):
            await give_rsvp(tx, ben, event)
        await actions.follow(tx, cleo, series.slug)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=2))
        (bens,), (cleos,) = [await newest(tx, one.user_id, 9) for one in (ben, cleo)]
        ((_, said),) = await notification_lines(tx, [bens], ben.user_id)
        ((_, all_of_them),) = await notification_lines(tx, [cleos], cleo.user_id)
        later = original_dates([(await dates(tx, series))[place] for place in (2, 3, 5)])
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), later, "ill")
        ((_, off),) = await notification_lines(tx, (await newest(tx, ben.user_id, 1)), ben.user_id)
    assert (bens.subject_id, bens.payload.more) == (found[0].id, 2)  # type: ignore[attr-defined]  # the payload of its kind
    assert said.after.endswith(
        "Other dates changed, too, and are now on: Thu 26 Nov, 20:00; Sun 29 Nov, 20:00. From now on: every day at 20:00."
    )
    assert off.after == (
        ", Thu 26 Nov, is cancelled: ill. Other dates are cancelled, too: Sun 29 Nov, 20:00. Next: Sat 28 Nov, 20:00."
    )
    assert (len(cleos.payload.others), cleos.payload.more) == (notify.NAMED, len(found) - 1)  # type: ignore[attr-defined]  # the payload of its kind
    assert all_of_them.after.endswith(f" and {len(found) - 1 - notify.NAMED} more. From now on: every day at 20:00.")


async def test_a_cancelled_date_names_the_next_one_that_takes_place(practice_db: Database) -> None:
    """The notification links to the next one after the cancelled date. After the last date, there is none."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=WEEKLY;COUNT=4")
        ben = await person(tx, "Ben")
        _, first, second, third = await dates(tx, series)
        await give_rsvp(tx, ben, first)
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), original_dates([first, second]), "")
        ((_, said),) = await notification_lines(tx, (await newest(tx, ben.user_id, 1)), ben.user_id)
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), original_dates([third]), "")
        ((_, nothing),) = await notification_lines(tx, (await newest(tx, ben.user_id, 1)), ben.user_id)
    assert said.after == ", Tue 1 Dec, is cancelled. Next: Tue 15 Dec, 18:00."
    assert said.next_path == f"/events/{third.slug}"
    assert (nothing.after, nothing.next_path) == (", Tue 1 Dec, is cancelled.", "")


async def test_cancelled_dates_are_not_listed_among_the_new_times(practice_db: Database) -> None:
    """They move with the series, but nobody is asked to come to them. Who answered only a cancelled date is neither
    notified nor counted.
    """
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        found = await dates(tx, series)
        for event in found[:3]:
            await give_rsvp(tx, ben, event)
        await give_rsvp(tx, cleo, found[1])
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), original_dates(found[1:2]), "ill")
        await tx.execute("delete from notifications")
        series = await lock_series(tx, ana, series)
        timing = moved(series.timing, FIRST, FIRST + timedelta(hours=1), series.timing.length)
        plan = plan_all(series, series.content, timing, await date_queries.stored(tx, series.id), tx.now)
        counted = await impact.impact_of_plan(tx, series, plan, makes_dates=False)
        await apply_edits.apply_plan(tx, series, plan)
        (bens,) = await newest(tx, ben.user_id, 9)
        ((_, said),) = await notification_lines(tx, [bens], ben.user_id)
        assert await kinds_received(tx, cleo) == []
    assert said.after.endswith(
        "Other dates changed, too, and are now on: Tue 8 Dec, 19:00. From now on: every Tuesday at 19:00."
    )
    assert (counted.notified, counted.mailed) == (1, 1)


async def test_a_changed_rule_is_one_mail_for_a_follower_too(practice_db: Database) -> None:
    """The dates that one edit changes, deletes and adds make one notification."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        cleo = await person(tx, "Cleo")
        await actions.follow(tx, cleo, series.slug)
        await apply_new_rule(tx, await lock_series(tx, ana, series), "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU")
        assert await kinds_received(tx, cleo) == [event_kinds.EVENT_DELETED]
        await apply_new_rule(tx, await lock_series(tx, ana, series), "FREQ=WEEKLY;BYDAY=TU,TH")
        assert await kinds_received(tx, cleo) == [event_kinds.EVENT_DELETED, event_kinds.NEW_DATE]
        assert await people_to_mail(tx) == ["Cleo", "Cleo"]


async def test_a_silent_edit_notifies_nobody(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        await give_rsvp(tx, ben, (await dates(tx, series))[0])
        await actions.follow(tx, cleo, series.slug)
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal", notifies=False)
        assert (await kinds_received(tx, ben), await kinds_received(tx, cleo)) == ([], [])


async def cancel_and_reinstate_dates(tx: Transaction, ana: Caller, series: Series, names: list[str]) -> None:
    await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), names, "ill", notifies=False)
    await cancel_dates.reinstate_dates(tx, await lock_series(tx, ana, series), names, notifies=False)


async def cancel_dates_and_undo(tx: Transaction, ana: Caller, series: Series, names: list[str]) -> None:
    await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), names, "ill", notifies=False)
    await undo.undo(tx, await lock_series(tx, ana, series))


async def cancel_for_reasons_and_undo(tx: Transaction, ana: Caller, series: Series, names: list[str]) -> None:
    reasons = dict.fromkeys(names, "ill")
    await cancel_dates.cancel_for_reasons(tx, await lock_series(tx, ana, series), reasons, notifies=False)
    await undo.undo(tx, await lock_series(tx, ana, series))


async def cancel_and_resume_series(tx: Transaction, ana: Caller, series: Series, _names: list[str]) -> None:
    await cancel_dates.cancel(tx, await lock_series(tx, ana, series), "ill", notifies=False)
    await actions.resume(tx, await lock_series(tx, ana, series), notifies=False)


@pytest.mark.parametrize(
    "there_and_back",
    [cancel_and_reinstate_dates, cancel_dates_and_undo, cancel_for_reasons_and_undo, cancel_and_resume_series],
)
async def test_a_silent_cancellation_reaches_everyone_who_answered(
    practice_db: Database, there_and_back: Callable[[Transaction, Caller, Series, list[str]], Awaitable[None]]
) -> None:
    """Nobody comes in vain, or misses a date that takes place after all. Only followers hear nothing."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, capacity=1)
        ben, cleo, dan = [await person(tx, name) for name in ("Ben", "Cleo", "Dan")]
        (first, *_) = await dates(tx, series)
        await give_rsvp(tx, ben, first)
        await give_rsvp(tx, cleo, first)  # waits for a place
        await actions.follow(tx, dan, series.slug)
        await there_and_back(tx, ana, series, original_dates([first]))
        for who in (ben, cleo):
            assert await kinds_received(tx, who) == [event_kinds.EVENT_CANCELLED, event_kinds.EVENT_REINSTATED]
        assert await kinds_received(tx, dan) == []


async def test_a_silent_edit_still_announces_a_new_time(practice_db: Database) -> None:
    """As the correction of a single event does. Its undo is announced, too."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        await give_rsvp(tx, ben, (await dates(tx, series))[1])
        await actions.follow(tx, cleo, series.slug)
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1), notifies=False)
        await undo.undo(tx, await lock_series(tx, ana, series))
        for who in (ben, cleo):
            assert await kinds_received(tx, who) == [event_kinds.EVENT_CHANGED, event_kinds.EVENT_CHANGED]


async def test_a_silent_rule_still_announces_the_dates_that_it_deletes(practice_db: Database) -> None:
    """Nobody comes in vain: neither people who were invited to such a date, nor followers. The undo is announced, too."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo, dan = [await person(tx, name) for name in ("Ben", "Cleo", "Dan")]
        first, second, *_ = await dates(tx, series)
        await invitations.invite(tx, ana, second.slug, "ben@example.org")
        await give_rsvp(tx, dan, first)
        await actions.follow(tx, cleo, series.slug)
        await tx.execute("delete from notifications")
        rule = "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"
        await apply_new_rule(tx, await lock_series(tx, ana, series), rule, notifies=False)
        for who in (ben, cleo):
            assert await kinds_received(tx, who) == [event_kinds.EVENT_DELETED]
        await undo.undo(tx, await lock_series(tx, ana, series))
        for who in (ben, cleo):
            assert await kinds_received(tx, who) == [event_kinds.EVENT_DELETED, event_kinds.EVENT_REINSTATED]
        assert await kinds_received(tx, dan) == []


async def test_dates_removed_silently_are_announced_to_people_who_answered(practice_db: Database) -> None:
    """Followers do not learn of it, as the host chose."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        first, *_ = await dates(tx, series)
        await give_rsvp(tx, ben, first)
        await actions.follow(tx, cleo, series.slug)
        removed = original_dates([first])
        await cancel_dates.remove_dates(tx, await lock_series(tx, ana, series), removed, notifies=False)
        assert await kinds_received(tx, ben) == [event_kinds.EVENT_DELETED]
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert await kinds_received(tx, ben) == [event_kinds.EVENT_DELETED, event_kinds.EVENT_REINSTATED]
        assert await kinds_received(tx, cleo) == []


async def test_followers_learn_only_of_dates_that_a_silent_edit_moves(practice_db: Database) -> None:
    """Hosts learn of all changed dates."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        bea, ben, cleo = [await person(tx, name) for name in ("Bea", "Ben", "Cleo")]
        first, second, third, *_ = await dates(tx, series)
        for who in (ben, cleo):
            await actions.follow(tx, who, series.slug)
        asked = await co_hosts.invite(tx, ana, first.slug, "cleo@example.org")
        await co_hosts.accept(tx, cleo, asked.id)
        renamed = [(one, replace(one, content=replace(one.content, title="Rehearsal"))) for one in (first, second)]
        assert third.starts_at is not None
        moved_date = replace(third, starts_at=Instant(third.starts_at + HOUR))
        locked = replace(await lock_series(tx, ana, series), changed_by=bea.user_id)
        news = await notify.of_changes(
            tx, locked, [*renamed, (third, moved_date)], event_kinds.EVENT_CHANGED, notifies=False
        )
        await notify.notify_people(tx, locked, news)
        for who, others in ((ana, 2), (ben, 0), (cleo, 1)):
            (told,) = [one for one in await newest(tx, who.user_id, 9) if one.kind is event_kinds.EVENT_CHANGED]
            assert isinstance(told.payload, DatesChanged)
            assert (told.subject_id, told.payload.more) == (third.id, others)


async def test_followers_are_notified_of_cancelled_and_reinstated_dates(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        await actions.follow(tx, ben, series.slug)
        some = original_dates(await dates(tx, series))[:3]
        await cancel_dates.cancel_dates(tx, await lock_series(tx, ana, series), some, "ill")
        await cancel_dates.reinstate_dates(tx, await lock_series(tx, ana, series), some)
        assert await kinds_received(tx, ben) == [event_kinds.EVENT_CANCELLED, event_kinds.EVENT_REINSTATED]


async def test_a_pause_is_notified_with_its_reason(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        await actions.follow(tx, ben, series.slug)
        await give_rsvp(tx, cleo, (await dates(tx, series))[0])
        await actions.pause(tx, await lock_series(tx, ana, series), "The hall is being mended.")
        await actions.resume(tx, await lock_series(tx, ana, series))
        row = await tx.fetch_one("select particulars from notifications where kind = 'series_paused' limit 1")
        assert row is not None
        assert "The hall is being mended." in row["particulars"]
        for who in (ben, cleo):
            assert await kinds_received(tx, who) == [event_kinds.SERIES_PAUSED, event_kinds.SERIES_RESUMED]


async def test_dates_added_by_the_clock_are_notified_to_followers_once(practice_db: Database, clock: HandClock) -> None:
    async with practice_db.transaction() as tx:
        _, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        await actions.follow(tx, ben, series.slug)
        assert await kinds_received(tx, ben) == []
    clock.turn(14 * DAY)
    await tasks.roll_windows(practice_db, clock.now())
    await tasks.roll_windows(practice_db, clock.now())
    async with practice_db.reader() as reader:
        assert await kinds_received(reader, ben) == [event_kinds.NEW_DATE]


async def test_a_follower_who_cannot_see_a_private_series_is_not_notified(practice_db: Database) -> None:
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        await actions.follow(tx, ben, series.slug)
        await tx.execute("update event_series set template = replace(template, '\"public\"', '\"private\"')")
        await tx.execute("update events set visibility = 'private'")
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(hours=1))
        assert await kinds_received(tx, ben) == []


async def rules_told(reader: Reader, who: Caller) -> list[str]:
    told = [one.payload.repeats for one in reversed(await newest(reader, who.user_id, 100))]  # type: ignore[attr-defined]  # the payload of its kind
    return ["" if repeats is None else describe(repeats.pattern) for repeats in told]


async def test_a_new_rule_is_described_in_words(practice_db: Database, clock: HandClock) -> None:
    """Followers, and attendees whose dates move, read the rule on the page and in the e-mail. The notification about
    the undo has the previous rule.
    """
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben, cleo = await person(tx, "Ben"), await person(tx, "Cleo")
        await actions.follow(tx, cleo, series.slug)
        await give_rsvp(tx, ben, (await dates(tx, series))[1])
        await move_all_dates(tx, await lock_series(tx, ana, series), timedelta(days=2, hours=1))
        assert await rules_told(tx, ben) == ["Every Thursday at 19:00"]
        assert await rules_told(tx, cleo) == ["Every Thursday at 19:00"]
        (one,) = await newest(tx, ben.user_id, 10)
        event = await events.by_id(tx, EventId(one.subject_id))
        assert event is not None
        ((_, shown),) = await notification_lines(tx, [one], ben.user_id)
        assert shown.after.endswith(" From now on: every Thursday at 19:00.")
        (point,) = points([one], CurrentState(ben.user_id, tx.now, event=event), {})
        assert point.words == "From now on: every Thursday at 19:00."
    clock.turn(MINUTE)
    async with practice_db.transaction() as tx:
        await undo.undo(tx, await lock_series(tx, ana, series))
        assert (await rules_told(tx, ben))[-1] == "Every Tuesday at 18:00"


async def test_edits_that_keep_the_rule_describe_none(practice_db: Database) -> None:
    """These edits are another text, and the same days under new names after a split."""
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, "FREQ=WEEKLY;BYDAY=TU;COUNT=8")
        ben = await person(tx, "Ben")
        found = await dates(tx, series)
        for one in found[2:4]:
            await give_rsvp(tx, ben, one)
        await retitle(tx, await lock_series(tx, ana, series), "Rehearsal")
        await split_series(tx, await lock_series(tx, ana, series), original_dates(found)[2], "Choir")
        assert await rules_told(tx, ben) == ["", ""]
