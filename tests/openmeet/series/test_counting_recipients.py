"""The database counts the people whom an edit reaches. The number is the same as when checking them one by one, and as
after the edit. Counting takes the same statements for any number of people.
"""

import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from groundwork.database.transaction import Database, Reader, Transaction
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.notify import NOTIFIED_STATUSES, change_payload, people_to_notify_of_events
from openmeet.domain.events import co_host_queries, co_hosts
from openmeet.domain.events.co_host_invitations import CoHost, CoHostId, CoHostState
from openmeet.domain.events.co_host_queries import co_hosts_of
from openmeet.domain.events.edits import details_in, with_details
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.notifications import event_kinds, preferences, rules
from openmeet.domain.notifications.event_kinds import DatesChanged
from openmeet.domain.notifications.model import Channel, NotificationKind
from openmeet.domain.notifications.preferences import AudienceSize
from openmeet.domain.series import actions, apply_edits, cancel_dates, date_queries, follower_queries, impact
from openmeet.domain.series.model import EditScope, Series, StoredOccurrence
from openmeet.domain.series.plan import EditPlan, OccurrenceChange, moved, plan_all, plan_one
from openmeet.domain.users import actions as users
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller, UserId
from tests.openmeet.series.practice import create_weekly_series, dates, lock_series, original_dates, weekly
from tests.openmeet.site_under_test import edited_details, person
from tests.openmeet.statement_counter import StatementCounter

T = TypeVar("T")

# Enough people of all kinds for every combination of two sets to occur.
PEOPLE = 40


async def one_by_one(reader: Reader, series: Series, plan: EditPlan, *, makes_dates: bool) -> AudienceSize:
    """The same count from the code that notifies: every person is read, and their channels are looked up."""
    by = series.changed_by or series.owner_id
    changed = [one.event for one in plan.dates_changed]
    moving = {
        one.event.id
        for one in plan.dates_changed
        if event_kinds.EVENT_CHANGED.is_mailed(change_payload(one.event, with_details(one.event, one.details)))
    }
    answered: dict[UserId, bool] = {}
    for event in changed:
        for user_id in await attendees(reader, event.id):
            answered[user_id] = answered.get(user_id, False) or event.id in moving
    followers = set(await follower_queries.followers_to_notify(reader, series))
    goers = set(await follower_queries.goers_to_notify(reader, series)) if makes_dates else set[UserId]()
    hosts = {event.author_id for event in changed}
    is_of_series = plan.scope is not EditScope.THIS and not plan.vanishing
    hosts |= {series.owner_id} if hosts or is_of_series else set()
    of_all = (followers if changed else set[UserId]()) | hosts
    co_hosted = await co_hosts_of(reader, [event.id for event in changed])
    of_dates = {user_id for several in co_hosted.values() for user_id in several}
    movers = {user_id for event_id in moving for user_id in co_hosted.get(event_id, ())}
    movers |= {one for one in answered.keys() | of_all if answered.get(one, bool(moving))}
    hears = (answered.keys() | of_all | of_dates) - {by}
    authors = {event.author_id for event in plan.vanishing}
    deleted = (followers | authors | {series.owner_id}) - hears - {by} if plan.vanishing else set[UserId]()
    removed_from = await co_hosts_of(reader, [event.id for event in plan.vanishing])
    deleted |= {user_id for several in removed_from.values() for user_id in several} - {by}
    made = ((followers | {series.owner_id}) - hears - deleted | goers) - {by} if makes_dates else set[UserId]()
    notified: set[UserId] = set()
    mailed: set[UserId] = set()
    for kind, people, worth in (
        (event_kinds.EVENT_CHANGED, hears, movers),
        (event_kinds.EVENT_DELETED, deleted, deleted),
        (event_kinds.NEW_DATE, made, made),
    ):
        for one in await preferences.addressees(reader, sorted(people), kind.topic):
            if one.user_id in worth and rules.email_channel(one) is not None:
                mailed.add(one.user_id)
            if one.user_id in mailed or Channel.IN_APP in one.channels:
                notified.add(one.user_id)
    return AudienceSize(len(notified), len(mailed))


class Crowd:
    """People of every kind. Some of them have answered, co-host dates, follow the series, have a standing RSVP or chose
    notification channels.
    """

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)
        self.people: list[UserId] = []
        self.waiting = 0

    async def gather(self, tx: Transaction, series: Series, events: Sequence[Event]) -> None:
        for number in range(PEOPLE):
            match number % 5:
                case 0:
                    self.people.append(
                        await guests.make(tx, display_name=f"Guest {number}", email=f"g{number}@example.net")
                    )
                case 1:
                    self.people.append(await guests.make(tx, display_name=f"Guest {number}", email=None))
                case 2:
                    self.people.append(await users.create_shadow(tx))
                case _:
                    self.people.append((await person(tx, f"Person {number}")).user_id)
        await tx.execute("update users set email = null where id in :ids", ids=self.some(self.people[3::5]))
        for event in events:
            for user_id in self.some(self.people):
                await self._answers(tx, event, user_id)
            for user_id in self.some(self.people[4::5]):
                await self._is_asked_to_host(tx, event, user_id, by=series.owner_id)
        for user_id in self.some([*self.people, series.owner_id]):
            await follower_queries.follow(tx, series.id, user_id, notifies=self.choose.random() < 0.7)
        for user_id in self.some([*self.people, series.owner_id]):
            await follower_queries.put_standing_rsvp(tx, series.id, user_id, with_limited=False)
        for user_id in [*self.people, series.owner_id]:
            chosen = {
                (topic, channel): self.choose.random() < 0.4
                for topic in (event_kinds.EVENT_CHANGED.topic, event_kinds.NEW_DATE.topic)
                for channel in Channel
                if self.choose.random() < 0.7
            }
            await preferences.put(tx, user_id, chosen)

    def some(self, of: Collection[T]) -> list[T]:
        return [one for one in of if self.choose.random() < 0.4]

    async def _is_asked_to_host(self, tx: Transaction, event: Event, user_id: UserId, *, by: UserId) -> None:
        state = self.choose.choice([CoHostState.ACCEPTED, CoHostState.ACCEPTED, CoHostState.INVITED, CoHostState.LEFT])
        decided_at = None if state is CoHostState.INVITED else tx.now
        one = CoHost(CoHostId(f"{event.id}-{user_id}"), event.id, user_id, None, state, by, tx.now, tx.now, decided_at)
        await co_host_queries.put(tx, one)

    async def _answers(self, tx: Transaction, event: Event, user_id: UserId) -> None:
        status = self.choose.choice(list(AttendanceStatus))
        self.waiting += status is AttendanceStatus.WAITLISTED
        await tx.execute(
            """
            insert into attendances (id, event_id, user_id, status, waitlist_number, source, revision, created_at,
                answered_at)
            values (:id, :event_id, :user_id, :status, :waits, 'here', 1, :now, :now)
            """,
            id=f"{event.id}-{user_id}",
            event_id=event.id,
            user_id=user_id,
            status=status.value,
            waits=self.waiting if status is AttendanceStatus.WAITLISTED else None,
            now=tx.now,
        )


def plans(series: Series, plan: EditPlan, choose: random.Random) -> list[EditPlan]:
    """Possible edits: none, another text, another time, both, each for a single date, and a removal of dates."""
    nothing = replace(plan, changes=(), vanishing=())
    vanishing = tuple(change.event for change in plan.changes[-2:])
    words = tuple(_said(change) for change in plan.changes)
    mixed = tuple(change if choose.random() < 0.5 else _said(change) for change in plan.changes[:-2])
    return [
        nothing,
        plan,
        replace(plan, changes=words),
        replace(plan, changes=mixed, vanishing=vanishing),
        replace(nothing, vanishing=vanishing),
        replace(nothing, scope=EditScope.THIS),
        replace(plan, changes=words[:1], scope=EditScope.THIS),
    ]


def _said(change: OccurrenceChange) -> OccurrenceChange:
    """Another text, with the same time."""
    details = details_in(change.event)
    return replace(change, details=replace(details, content=replace(details.content, description="Bring a stand.")))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("whose", ["public", "private", "of a private group"])
async def test_as_many_people_are_counted_as_are_found_one_by_one(practice_db: Database, whose: str, seed: int):
    crowd = Crowd(seed)
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(
            tx, visibility=Visibility.PUBLIC if whose == "public" else Visibility.PRIVATE
        )
        events = (await dates(tx, series))[:4]
        await crowd.gather(tx, series, events)
        co_host = crowd.people[4]
        await follower_queries.follow(tx, series.id, co_host, notifies=True)
        await follower_queries.put_standing_rsvp(tx, series.id, co_host, with_limited=False)
        if whose == "of a private group":
            group = await groups.create(tx, ana, GroupDetails("Choir", "Europe/Berlin"))
            for user_id in crowd.some(crowd.people[3::5]):
                await groups.join(tx, Caller(user_id, ""), group.slug)
            await tx.execute(
                "update event_series set group_id = :group_id where id = :id", group_id=group.id, id=series.id
            )
        series = await lock_series(tx, ana, series)
        start = series.timing.pattern.start
        timing = moved(series.timing, start, start + timedelta(hours=1), series.timing.length)
        plan = plan_all(series, series.content, timing, await date_queries.stored(tx, series.id), tx.now)
        seen = set()
        for one in plans(series, plan, crowd.choose):
            for by in (None, co_host):
                for makes_dates in (False, True):
                    asked = replace(series, changed_by=by)
                    found = await impact.impact_of_plan(tx, asked, one, makes_dates=makes_dates)
                    assert found == await one_by_one(tx, asked, one, makes_dates=makes_dates), (
                        one.scope,
                        by,
                        makes_dates,
                    )
                    seen.add(found)
        assert len(seen) > 4, "the cases differ"


async def attendees(reader: Reader, event_id: EventId) -> list[UserId]:
    return await people_to_notify_of_events(reader, [event_id], NOTIFIED_STATUSES, after=UserId(""), limit=1_000)


async def effect_one_by_one(
    reader: Reader, series: Series, held: Sequence[StoredOccurrence], kind: NotificationKind[DatesChanged]
) -> AudienceSize:
    """The people whom an action on these dates reaches, from the code that notifies."""
    answered = [user_id for one in held for user_id in await attendees(reader, one.event.id)]
    concerned = set(answered) | set(await follower_queries.followers_to_notify(reader, series))
    concerned |= {series.owner_id}
    if kind is not event_kinds.SERIES_PAUSED:
        concerned |= {one.event.author_id for one in held}
        concerned |= {
            user_id
            for several in (await co_hosts_of(reader, [one.event.id for one in held])).values()
            for user_id in several
        }
    notified = mailed = 0
    by = series.changed_by or series.owner_id
    for one in await preferences.addressees(reader, sorted(concerned - {by}), kind.topic):
        gets_mail = rules.email_channel(one) is not None
        mailed += gets_mail
        notified += gets_mail or Channel.IN_APP in one.channels
    return AudienceSize(notified, mailed)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("visibility", [Visibility.PUBLIC, Visibility.PRIVATE])
async def test_an_action_reaches_as_many_as_are_found_one_by_one(
    practice_db: Database, visibility: Visibility, seed: int
):
    """Cancelling and deleting all dates, one, and none, and pausing."""
    crowd = Crowd(seed)
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx, visibility=visibility)
        await crowd.gather(tx, series, (await dates(tx, series))[:4])
        series = await lock_series(tx, ana, series)
        stored = await date_queries.coming(tx, series.id)
        seen = set()
        for held in (stored, stored[:1], stored[-1:], []):
            for by in (None, ana.user_id, crowd.people[4]):
                for kind in (event_kinds.EVENT_CANCELLED, event_kinds.EVENT_DELETED, event_kinds.SERIES_PAUSED):
                    one = replace(series, changed_by=by)
                    found = await impact.impact_of_action(tx, one, held, kind)
                    wanted = await effect_one_by_one(tx, one, held, kind)
                    assert (found.notified, found.mailed) == (wanted.notified, wanted.mailed)
                    seen.add(wanted)
        assert len(seen) > 2, "the cases differ"


async def test_counting_takes_the_same_statements_however_many_follow(practice_db: Database):
    """The series is locked during the count, so the people are not read. For an action, one statement looks for dates
    whose RSVPs are not all stored yet.
    """
    async with practice_db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        for number in range(30):
            await follower_queries.follow(tx, series.id, (await person(tx, f"P {number}")).user_id, notifies=True)
        series = await lock_series(tx, ana, series)
        start = series.timing.pattern.start
        timing = moved(series.timing, start, start + timedelta(hours=1), series.timing.length)
        plan = plan_all(series, series.content, timing, await date_queries.stored(tx, series.id), tx.now)
        counted = StatementCounter(tx)
        assert await impact.impact_of_plan(counted, series, plan, makes_dates=True) == AudienceSize(30, 30)
        held = await date_queries.coming(tx, series.id)
        assert (await impact.impact_of_action(counted, series, held, event_kinds.EVENT_CANCELLED)).notified == 30
    assert (counted.statements, counted.rows) == (3, 2)


async def with_co_hosts(tx: Transaction, **more: object) -> tuple[Series, dict[str, Caller]]:
    """Ana's series. Ben co-hosts every date, Cleo the second one; Dan follows; Eve no longer co-hosts."""
    ana, series = await create_weekly_series(tx, **more)
    people = {"Ana": ana} | {name: await person(tx, name) for name in ("Ben", "Cleo", "Dan", "Eve")}
    first, second, *_ = await dates(tx, series)
    for name, event, is_of_all in (("Ben", first, True), ("Cleo", second, False), ("Eve", first, True)):
        one = await co_hosts.invite(tx, ana, event.slug, f"{name.lower()}@example.org", for_series=is_of_all)
        await co_hosts.accept(tx, people[name], one.id)
    await co_hosts.leave(tx, people["Eve"], first.slug)
    await follower_queries.follow(tx, series.id, people["Dan"].user_id, notifies=True)
    await tx.execute("delete from notifications")
    await tx.execute("delete from notification_emails")
    return series, people


async def notified_and_mailed(reader: Reader) -> tuple[set[str], set[str]]:
    names = [
        {
            row["display_name"]
            for row in await reader.fetch(
                f"select distinct u.display_name from {table} n join users u on u.id = n.user_id order by 1"
            )
        }
        for table in ("notifications", "notification_emails")
    ]
    return names[0], names[1]


Counted = Callable[[Transaction, Series], Awaitable[AudienceSize]]


async def _plan(tx: Transaction, series: Series, plan: EditPlan) -> AudienceSize:
    counted = await impact.impact_of_plan(tx, series, plan, makes_dates=False)
    await apply_edits.apply_plan(tx, series, plan)
    return counted


async def _action(
    tx: Transaction, series: Series, held: Sequence[StoredOccurrence], kind: NotificationKind[DatesChanged]
) -> AudienceSize:
    effect = await impact.impact_of_action(tx, series, held, kind)
    return AudienceSize(effect.notified, effect.mailed)


async def move_all(tx: Transaction, series: Series) -> AudienceSize:
    start = series.timing.pattern.start
    timing = moved(series.timing, start, start + timedelta(hours=1), series.timing.length)
    held = await date_queries.stored(tx, series.id)
    return await _plan(tx, series, plan_all(series, series.content, timing, held, tx.now))


async def retitle_second(tx: Transaction, series: Series) -> AudienceSize:
    second = (await date_queries.stored(tx, series.id))[1]
    return await _plan(tx, series, plan_one(series, second, edited_details(second.event, title="Guests")))


async def end_after_first(tx: Transaction, series: Series) -> AudienceSize:
    """The later dates vanish."""
    timing = weekly("FREQ=WEEKLY;COUNT=1")
    held = await date_queries.stored(tx, series.id)
    return await _plan(tx, series, plan_all(series, series.content, timing, held, tx.now))


async def cancel_first(tx: Transaction, series: Series) -> AudienceSize:
    first = (await date_queries.coming(tx, series.id))[:1]
    counted = await _action(tx, series, first, event_kinds.EVENT_CANCELLED)
    await cancel_dates.cancel_dates(tx, series, original_dates([first[0].event]), "Rain")
    return counted


async def cancel_all(tx: Transaction, series: Series) -> AudienceSize:
    coming = await date_queries.coming(tx, series.id)
    counted = await _action(tx, series, coming, event_kinds.EVENT_CANCELLED)
    await cancel_dates.cancel(tx, series, "No hall")
    return counted


async def remove_second(tx: Transaction, series: Series) -> AudienceSize:
    second = (await date_queries.coming(tx, series.id))[1:2]
    counted = await _action(tx, series, second, event_kinds.EVENT_DELETED)
    await cancel_dates.remove_dates(tx, series, original_dates([second[0].event]))
    return counted


async def delete(tx: Transaction, series: Series) -> AudienceSize:
    counted = await _action(tx, series, await date_queries.coming(tx, series.id), event_kinds.EVENT_DELETED)
    await actions.delete(tx, series, keeps_events=False)
    return counted


async def pause(tx: Transaction, series: Series) -> AudienceSize:
    counted = await _action(tx, series, await date_queries.coming(tx, series.id), event_kinds.SERIES_PAUSED)
    await actions.pause(tx, series, "Summer")
    return counted


@pytest.mark.parametrize("by", ["Ana", "Ben"])
@pytest.mark.parametrize(
    ("act", "co_hosts_reached"),
    [
        (move_all, {"Ben", "Cleo"}),
        (retitle_second, {"Ben", "Cleo"}),
        (end_after_first, {"Ben", "Cleo"}),
        (cancel_first, {"Ben"}),
        (cancel_all, {"Ben", "Cleo"}),
        (remove_second, {"Ben", "Cleo"}),
        (delete, {"Ben", "Cleo"}),
        (pause, set()),
    ],
)
async def test_co_hosts_of_the_dates_are_counted_and_notified(
    practice_db: Database, act: Counted, co_hosts_reached: set[str], by: str
):
    """Except for the one who acts. Whoever hosts other dates only, or no longer hosts, is not notified."""
    async with practice_db.transaction() as tx:
        series, people = await with_co_hosts(tx)
        locked = await lock_series(tx, people["Ana"], series)
        counted = await act(tx, replace(locked, changed_by=people[by].user_id))
        notified, mailed = await notified_and_mailed(tx)
    assert notified == ({"Ana", "Dan"} | co_hosts_reached) - {by}
    assert counted == AudienceSize(len(notified), len(mailed))
