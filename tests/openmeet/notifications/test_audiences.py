"""Properties that every fan-out audience must have, tested for each on both engines.

If a handler is killed, nobody is notified twice and nobody is left out. People who left, blocked or muted in between
are not notified. A later fan-out of the same subject waits for the earlier one. For attendees and series, see also
``test_many_attendees.py`` and ``test_many_followers.py``.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.tasks import announce_group_events
from openmeet.domain.events import actions as events
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import announcements
from openmeet.domain.groups.model import Group
from openmeet.domain.moderation import blocks
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions as moderation_effects
from openmeet.domain.notifications import event_kinds, fan_out, group_kinds
from openmeet.domain.notifications.model import NotificationKind
from openmeet.domain.notifications.notify import notify_each
from openmeet.domain.profiles import actions as profiles
from openmeet.domain.safety import actions as safety
from openmeet.domain.saved_searches import actions as saved_searches
from openmeet.domain.saved_searches import queries as saved_search_queries
from openmeet.domain.saved_searches.tasks import announce_public_events
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import AUDIENCES
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import NOW, kinds_received
from tests.openmeet.site_under_test import details, event_by, person

MANY = 12
COMING = {"starts": "2026-12-04T18:00", "ends": "2026-12-04T20:00"}
Told = list[NotificationKind[Any]]


class Killed(BaseException):
    """The handler's process was killed."""


@dataclass
class Scene:
    """The recipients, in the order in which they are notified. ``happen`` causes the notification and can be called
    repeatedly.
    """

    db: Database
    clock: HandClock
    kind: NotificationKind[Any]
    host: Caller
    people: Sequence[Caller]
    happen: Callable[[], Awaitable[None]]
    leave: Callable[[Transaction, Caller], Awaitable[object]]
    group: Group | None = None

    @property
    def first(self) -> list[Told]:
        """The kinds that each recipient has received when the causing transaction ends. It notifies three people
        directly, but skips the host of a group if the host is one of the three.
        """
        count = 3 if self.group is None else 2
        return [[self.kind]] * count + [[]] * (MANY - count)

    async def told(self) -> list[Told]:
        async with self.db.reader() as reader:
            return [await kinds_received(reader, one) for one in self.people]


async def deliver(db: Database) -> None:
    while await dispatcher.run_once(db, {JobKind.FAN_OUT: one_job_per_call(fan_out.fan_out_handler(db, AUDIENCES))}):
        pass


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "FIRST", 3)
    monkeypatch.setattr(fan_out, "BATCH", 4)


async def _host(tx: Transaction) -> Caller:
    """Host a public event, so that people can follow them."""
    host = await person(tx, "Hanna")
    await event_by(tx, host, title="Before", **COMING)
    return host


async def _attendees(db: Database, clock: HandClock) -> Scene:
    async with db.transaction() as tx:
        host = await _host(tx)
        event = await event_by(tx, host, **COMING)
        people = [await person(tx, f"Guest {number}") for number in range(MANY)]
        for one in people:
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
    hours = iter(range(1, 3))

    async def happen() -> None:
        async with db.transaction() as tx:
            later = 18 + next(hours)
            wanted = details(starts=f"2026-12-04T{later}:00", ends=f"2026-12-04T{later}:30")
            await event_hosting.revise(tx, host, event.slug, wanted)

    async def leave(tx: Transaction, one: Caller) -> None:
        await attendance.answer(tx, one, event.slug, RsvpReply.DECLINED)

    return Scene(db, clock, event_kinds.EVENT_CHANGED, host, people, happen, leave)


async def _group(db: Database) -> tuple[Caller, Group, list[Caller]]:
    async with db.transaction() as tx:
        host = await person(tx, "Hanna")
        group = await group_by(tx, host)
        return host, group, [await add_member(tx, group, host, f"Member {number}") for number in range(MANY)]


async def _group_members(db: Database, clock: HandClock) -> Scene:
    host, group, people = await _group(db)

    async def happen() -> None:
        clock.turn(MINUTE)
        async with db.transaction() as tx:
            await announcements.announce(tx, host, group.slug, "The hall is open again.")

    async def leave(tx: Transaction, one: Caller) -> None:
        await groups.leave(tx, one, group.slug)

    return Scene(db, clock, group_kinds.ANNOUNCEMENT, host, people, happen, leave, group)


async def _group_listeners(db: Database, clock: HandClock) -> Scene:
    """Half of them are members, half followers."""
    host, group, people = await _group(db)
    async with db.transaction() as tx:
        for one in people[MANY // 2 :]:
            await groups.leave(tx, one, group.slug)
            await groups.follow(tx, one, group.slug)

    async def happen() -> None:
        async with db.transaction() as tx:
            await events.create(tx, host, details(**COMING), group=as_group_of_event(group))
        clock.turn(6 * MINUTE)
        assert await announce_group_events(db) == 1

    async def leave(tx: Transaction, one: Caller) -> None:
        if one in people[MANY // 2 :]:
            await groups.unfollow(tx, one, group.slug)
        else:
            await groups.leave(tx, one, group.slug)

    return Scene(db, clock, event_kinds.GROUP_EVENT, host, people, happen, leave, group)


async def _followers(db: Database, clock: HandClock) -> Scene:
    async with db.transaction() as tx:
        host = await _host(tx)
        people = [await person(tx, f"Fan {number}") for number in range(MANY)]
        for one in people:
            await profiles.follow(tx, one, host.user_id)

    async def happen() -> None:
        await _publish(db, clock, host)

    async def leave(tx: Transaction, one: Caller) -> None:
        await profiles.unfollow(tx, one, host.user_id)

    await _publish(db, clock, host, title="Nobody follows yet")  # the first event; nobody is notified of it
    await deliver(db)
    async with db.transaction() as tx:
        await tx.execute("delete from notifications")
    return Scene(db, clock, event_kinds.HOST_EVENT, host, people, happen, leave)


async def _searchers(db: Database, clock: HandClock) -> Scene:
    async with db.transaction() as tx:
        host = await person(tx, "Hanna")
        people = [await person(tx, f"Searcher {number}") for number in range(MANY)]
        kept = [await saved_searches.save(tx, one, {"q": "jazz"}) for one in people]

    async def happen() -> None:
        await _publish(db, clock, host)

    async def leave(tx: Transaction, one: Caller) -> None:
        await saved_searches.remove(tx, one, kept[people.index(one)].id)

    return Scene(db, clock, event_kinds.SEARCH_FIND, host, people, happen, leave)


async def _publish(db: Database, clock: HandClock, host: Caller, title: str = "Jazz night") -> Event:
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        event = await event_by(tx, host, title=title, **COMING)
    clock.turn(6 * MINUTE)
    assert await announce_public_events(db) > 0
    return event


SCENES = [_attendees, _group_members, _group_listeners, _followers, _searchers]
# Kinds of notifications from a person whom recipients can block or mute.
WITH_AUTHOR = SCENES[1:]


@pytest.mark.parametrize("make", SCENES)
async def test_killed_handler_notifies_everyone_exactly_once(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Awaitable[Scene]]
) -> None:
    scene = await make(db, clock)
    await scene.happen()
    kind = scene.kind
    assert await scene.told() == scene.first
    left, whole = 2, notify_each

    async def dying(tx: Transaction, of: NotificationKind[Any], notices: Sequence[Any]) -> None:
        nonlocal left
        await whole(tx, of, notices)
        left -= of is kind
        if left <= 0:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(fan_out, "notify_each", dying)
        with pytest.raises(Killed):
            await deliver(db)
    told = len([one for one in scene.first if one]) + fan_out.BATCH
    assert await scene.told() == [[kind]] * told + [[]] * (MANY - told)
    clock.turn(11 * MINUTE)  # so that its lease expires
    await deliver(db)
    assert await scene.told() == [[kind]] * MANY
    async with db.transaction() as tx:
        await tx.execute("update outbox_jobs set state = 'due' where kind = 'fan_out'")
    await deliver(db)
    assert await scene.told() == [[kind]] * MANY
    async with db.reader() as reader:
        assert await kinds_received(reader, scene.host) in ([], [event_kinds.NEW_ANSWER] * MANY)
        assert await reader.fetch("select id from fan_outs") == []


@pytest.mark.parametrize("make", SCENES)
async def test_people_who_leave_in_between_are_not_notified(
    db: Database, clock: HandClock, make: Callable[..., Awaitable[Scene]]
) -> None:
    scene = await make(db, clock)
    await scene.happen()
    async with db.transaction() as tx:
        for place in (1, 3, MANY - 1):
            await scene.leave(tx, scene.people[place])
    await deliver(db)
    expected = [[scene.kind] for _ in scene.people]
    expected[3] = expected[MANY - 1] = []
    assert await scene.told() == expected


@pytest.mark.parametrize("make", WITH_AUTHOR)
async def test_people_who_block_or_mute_in_between_are_not_notified(
    db: Database, clock: HandClock, make: Callable[..., Awaitable[Scene]]
) -> None:
    scene = await make(db, clock)
    await scene.happen()
    host, people = scene.host, scene.people
    muted = Subject(ModeratedKind.GROUP, scene.group.id) if scene.group else Subject(ModeratedKind.PERSON, host.user_id)
    async with db.transaction() as tx:
        await safety.block(tx, people[4], host.user_id)
        await safety.block(tx, host, people[5].user_id)
        await blocks.mute(tx, people[6].user_id, Subject(ModeratedKind.PERSON, host.user_id))
        await blocks.mute(tx, people[7].user_id, muted)
    await deliver(db)
    expected = [[scene.kind] for _ in people]
    for place in (4, 5, 6, 7):
        expected[place] = []
    assert await scene.told() == expected


@pytest.mark.parametrize("make", [_attendees, _group_members])
async def test_a_second_fan_out_of_a_kind_waits_for_the_first(
    db: Database, clock: HandClock, make: Callable[..., Awaitable[Scene]]
) -> None:
    scene = await make(db, clock)
    await scene.happen()
    await scene.happen()
    assert await scene.told() == scene.first, "the second begins when the first is complete"
    await deliver(db)
    assert await scene.told() == [[scene.kind] * 2] * MANY


async def test_a_changed_event_of_a_group_is_announced_before_the_change(db: Database, clock: HandClock) -> None:
    scene = await _group_listeners(db, clock)
    await scene.happen()
    async with db.transaction() as tx:
        (row,) = await tx.fetch("select slug from events")
        for one in scene.people:
            await attendance.answer(tx, one, row["slug"], RsvpReply.GOING)
        await event_hosting.revise(tx, scene.host, row["slug"], details(starts="2026-12-05T18:00", ends=""))
    assert await scene.told() == scene.first
    await deliver(db)
    assert await scene.told() == [[event_kinds.GROUP_EVENT, event_kinds.EVENT_CHANGED]] * MANY


async def test_searches_wait_for_followers_and_do_not_notify_them_again(db: Database, clock: HandClock) -> None:
    """The order also applies to the last followers, who are notified by the job. Nobody gets notifications of both
    kinds about one event.
    """
    scene = await _followers(db, clock)
    async with db.transaction() as tx:
        other = await person(tx, "Ana")
        for one in (*scene.people, other):
            await saved_searches.save(tx, one, {"q": "jazz"})
    await scene.happen()
    await deliver(db)
    assert await scene.told() == [[event_kinds.HOST_EVENT]] * MANY
    async with db.reader() as reader:
        assert await kinds_received(reader, other) == [event_kinds.SEARCH_FIND]


async def test_a_removed_announcement_reaches_nobody_else(db: Database, clock: HandClock) -> None:
    scene = await _group_members(db, clock)
    await scene.happen()
    assert scene.group is not None
    async with db.transaction() as tx:
        (said,) = await announcements.newest(tx, scene.group.id, limit=9)
        await announcements.remove(tx, scene.host, scene.group.slug, said.id)
    await deliver(db)
    assert await scene.told() == scene.first


@pytest.mark.parametrize("make", [_group_listeners, _followers, _searchers])
async def test_an_event_cancelled_in_between_is_not_announced_further(
    db: Database, clock: HandClock, make: Callable[..., Awaitable[Scene]]
) -> None:
    scene = await make(db, clock)
    await scene.happen()
    async with db.transaction() as tx:
        (row,) = await tx.fetch("select slug from events order by created_at desc limit 1")
        await event_hosting.cancel(tx, scene.host, row["slug"], "")
    await deliver(db)
    assert await scene.told() == scene.first


@pytest.mark.parametrize("make", [_group_listeners, _followers, _searchers])
async def test_an_event_hidden_in_between_is_announced_once_it_is_shown(
    db: Database, clock: HandClock, make: Callable[..., Awaitable[Scene]]
) -> None:
    scene = await make(db, clock)
    await scene.happen()
    async with db.transaction() as tx:
        (row,) = await tx.fetch("select id from events order by created_at desc limit 1")
        moderator = await person(tx, "Mo")
        step = await moderation_effects.decide(
            tx, moderator, Subject(ModeratedKind.EVENT, row["id"]), SubjectVisibility.HIDDEN, "Look at it first."
        )

    async def announce() -> None:
        clock.turn(6 * MINUTE)
        await announce_public_events(db)
        await announce_group_events(db)
        await deliver(db)

    await deliver(db)
    await announce()
    assert await scene.told() == scene.first
    async with db.transaction() as tx:
        await moderation_effects.undo(tx, moderator, step.action_id)
    for _ in range(3):  # the interval grows after each check that found nothing
        await announce()
    assert await scene.told() == [[scene.kind]] * MANY


async def test_two_searches_of_one_person_on_two_pages_notify_once(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        host, ana = await person(tx, "Hanna"), await person(tx, "Ana")
        await saved_searches.save(tx, ana, {"q": "jazz"})
        for number in range(MANY):
            await saved_searches.save(tx, await person(tx, f"Searcher {number}"), {"q": "jazz"})
        await saved_searches.save(tx, ana, {"q": "jazz", "mode": "in_person"})
        assert len(await saved_search_queries.of_person(tx, ana.user_id)) == 2
    await _publish(db, clock, host)
    await deliver(db)
    async with db.reader() as reader:
        assert await kinds_received(reader, ana) == [event_kinds.SEARCH_FIND]
