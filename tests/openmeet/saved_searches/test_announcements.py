"""Owners of a saved search are notified of each new public event that matches, once; on both engines."""

import pytest

from groundwork.clock import DAY, MINUTE, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, drafts
from openmeet.domain.events.content import Content
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.moderation import blocks
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions as moderation_effects
from openmeet.domain.notifications import event_kinds, fan_out
from openmeet.domain.notifications import queries as notifications
from openmeet.domain.profiles import actions as profiles
from openmeet.domain.profiles.actions import ProfileReason
from openmeet.domain.safety import actions as safety
from openmeet.domain.saved_searches import actions, queries, tasks
from openmeet.domain.saved_searches.actions import SavedSearchReason
from openmeet.domain.saved_searches.queries import MAX_SEARCHES
from openmeet.domain.series import actions as series
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import AUDIENCES
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import add_member, group_by
from tests.openmeet.series.practice import NOW, weekly
from tests.openmeet.site_under_test import details, event_by, person

AFTER_QUIET_TIME = 6 * MINUTE


@pytest.fixture
async def db(make_database: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_database("openmeet")


async def announce(db: Database) -> None:
    await tasks.announce_public_events(db)
    while await dispatcher.run_once(db, {JobKind.FAN_OUT: one_job_per_call(fan_out.fan_out_handler(db, AUDIENCES))}):
        pass


async def looking_for(tx: Transaction, name: str, **typed: str) -> Caller:
    caller = await person(tx, name)
    await actions.save(tx, caller, typed)
    return caller


async def heard(db: Database, clock: HandClock, who: Caller) -> list[tuple[str, str]]:
    """Deliver after the quiet period. Return (search, event title) of each notification."""
    clock.turn(AFTER_QUIET_TIME)
    await announce(db)
    async with db.reader() as reader:
        news = await notifications.newest(reader, who.user_id, 50)
        titles = {row["id"]: row["title"] for row in await reader.fetch("select id, title from events order by id")}
    found = [(one.payload, titles[one.subject_id]) for one in reversed(news) if one.kind is event_kinds.SEARCH_FIND]
    return [(payload.search_name, title) for payload, title in found]  # type: ignore[attr-defined]  # the payload of its kind


COMING = {"starts": "2026-12-04T18:00", "ends": "2026-12-04T20:00"}


async def test_a_new_matching_event_is_announced_once(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        host = await person(tx, "Hanna")
        await event_by(tx, host, title="Old jazz", **COMING)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        ana = await looking_for(tx, "Ana", q="jazz")
        both = await looking_for(tx, "Ben", q="jazz")
        await actions.save(tx, both, {"q": "jazz", "near": "52.5, 13.4"})
        await actions.save(tx, both, {"q": "night"})
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        night = await event_by(tx, host, title="Jazz night", **COMING)
        await event_by(tx, host, title="Chess", **COMING)
    for _ in range(2):
        assert await heard(db, clock, ana) == [("jazz", "Jazz night")], (
            "no notification of older events, and none twice"
        )
        assert len(await heard(db, clock, both)) == 1, "two matching searches cause one notification"
    async with db.transaction() as tx:
        await event_hosting.revise(tx, host, night.slug, details(title="Jazz and blues", **COMING))
    assert len(await heard(db, clock, ana)) == 1
    async with db.reader() as reader:
        assert await reader.fetch("select event_id from saved_search_queue order by event_id") == []


async def test_nothing_is_announced_early_or_if_it_is_not_public(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        host, ana = await person(tx, "Hanna"), await looking_for(tx, "Ana", q="jazz")
        group = await group_by(tx, host, visibility="private")
        inside = await add_member(tx, group, host, "Ina", GroupRole.MEMBER)
        await actions.save(tx, inside, {"q": "jazz"})
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await event_by(tx, host, title="Jazz for friends", visibility="private", **COMING)
        hidden = await event_by(tx, host, title="Jazz by link", visibility="unlisted", **COMING)
        await event_by(tx, host, title="Jazz yesterday", starts="2026-11-19T18:00", ends="2026-11-19T20:00")
        called_off = await event_by(tx, host, title="Jazz called off", **COMING)
        await event_hosting.cancel(tx, host, called_off.slug, "")
        draft = await drafts.begin(tx, host, Submission(title="Jazz in the making", time_zone="Europe/Berlin"), {})
        await events.create(tx, host, details(title="Jazz of the group", **COMING), group=as_group_of_event(group))
    assert await heard(db, clock, ana) == []
    assert await heard(db, clock, inside) == [], "the group's notification includes it"
    async with db.transaction() as tx:
        await event_hosting.revise(tx, host, hidden.slug, details(title="Jazz by link", **COMING))
        typed = Submission(title="Jazz made", time_zone="Europe/Berlin", starts="2026-12-04T18:00")
        await drafts.publish(tx, host, draft.slug, check(typed))
    assert {title for _, title in await heard(db, clock, ana)} == {"Jazz by link", "Jazz made"}


async def test_an_event_held_by_moderation_is_announced_once_it_is_shown(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        host, mo, ana = await person(tx, "Hanna"), await person(tx, "Mo"), await looking_for(tx, "Ana", q="jazz")
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        event = await event_by(tx, host, title="Jazz night", **COMING)
        step = await moderation_effects.decide(
            tx, mo, Subject(ModeratedKind.EVENT, event.id), SubjectVisibility.HIDDEN, "Look at it first."
        )
    assert await heard(db, clock, ana) == []
    assert await heard(db, clock, ana) == []
    async with db.transaction() as tx:
        await moderation_effects.undo(tx, mo, step.action_id)
    clock.turn(DAY)
    assert await heard(db, clock, ana) == [("jazz", "Jazz night")]


async def test_people_who_block_or_mute_the_host_are_not_notified(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        host = await person(tx, "Hanna")
        people = [await looking_for(tx, name, q="jazz") for name in ("Ana", "Ben", "Cleo", "Dan")]
        await safety.block(tx, people[0], host.user_id)
        await safety.block(tx, host, people[1].user_id)
        await blocks.mute(tx, people[2].user_id, Subject(ModeratedKind.PERSON, host.user_id))
        await actions.save(tx, host, {"q": "jazz"})
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await event_by(tx, host, title="Jazz night", **COMING)
    assert [len(await heard(db, clock, one)) for one in (*people, host)] == [0, 0, 0, 1, 0]


async def test_only_the_first_date_of_a_series_is_announced(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        host, ana = await person(tx, "Hanna"), await looking_for(tx, "Ana", q="practice")
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await series.create(tx, host, Content("Practice"), weekly())
    assert await heard(db, clock, ana) == [("practice", "Practice")]
    clock.turn(30 * DAY)
    assert len(await heard(db, clock, ana)) == 1


async def test_followers_of_a_host_are_notified_once(
    db: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Followers are notified of public events, including those that the host co-hosts, and once per series. A matching
    saved search does not notify a second time.
    """
    monkeypatch.setattr(fan_out, "FIRST", 2)
    async with db.transaction() as tx:
        host, other = await person(tx, "Hanna"), await person(tx, "Olga")
        await event_by(tx, host, title="Before", **COMING)
        fans = [await person(tx, f"Fan {number}") for number in range(5)]
        for fan in fans:
            await profiles.follow(tx, fan, host.user_id)
        await actions.save(tx, fans[0], {"q": "jazz"})
        await safety.block(tx, fans[1], host.user_id)
        with pytest.raises(Refused, match=ProfileReason.CANNOT_FOLLOW):
            await profiles.follow(tx, fans[1], host.user_id)
    await heard(db, clock, host)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        jazz = await event_by(tx, host, title="Jazz night", **COMING)
        await event_by(tx, host, title="For few", visibility="private", **COMING)
        await series.create(tx, host, Content("Practice"), weekly())
        together = await event_by(tx, other, title="Together", **COMING)
        invited = await co_hosts.invite(tx, other, together.slug, "hanna@example.org")
        await co_hosts.accept(tx, host, invited.id)
        await attendance.answer(tx, fans[2], jazz.slug, RsvpReply.GOING)
    clock.turn(AFTER_QUIET_TIME)
    await announce(db)
    titles = []
    async with db.reader() as reader:
        for fan in fans:
            news = await notifications.newest(reader, fan.user_id, 50)
            rows = await reader.fetch("select id, title from events order by id")
            named = {row["id"]: row["title"] for row in rows}
            assert {one.kind for one in news} <= {event_kinds.HOST_EVENT}
            titles.append(sorted(named[one.subject_id] for one in news))
    every = ["Jazz night", "Practice", "Together"]
    assert titles == [every, [], ["Practice", "Together"], every, every]


async def test_the_longest_text_is_compared_with_every_search_sharing_a_word(db: Database, clock: HandClock) -> None:
    words = [f"{number:x}z" for number in range(4_000)]
    async with db.transaction() as tx:
        host = await person(tx, "Hanna")
        first, last = await looking_for(tx, "Ana", q=words[0]), await looking_for(tx, "Ben", q=words[-1])
        await looking_for(tx, "Cleo", q="jazz")
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await event_by(tx, host, title="Long", description=" ".join(words)[:20_000], **COMING)
    assert [len(await heard(db, clock, one)) for one in (first, last)] == [1, 1]


async def test_a_search_that_is_switched_off_is_silent_and_starts_anew(db: Database, clock: HandClock) -> None:
    async with db.transaction() as tx:
        host, ana = await person(tx, "Hanna"), await looking_for(tx, "Ana", q="jazz")
        (kept,) = await queries.of_person(tx, ana.user_id)
        await actions.switch(tx, ana, kept.id, is_on=False)
        with pytest.raises(NotFound):
            await actions.switch(tx, host, kept.id, is_on=True)
        with pytest.raises(NotFound):
            await actions.remove(tx, host, kept.id)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await event_by(tx, host, title="Jazz one", **COMING)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        again = await actions.save(tx, ana, {"q": " jazz "})
        assert (again.id, again.is_on) == (kept.id, True)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await event_by(tx, host, title="Jazz two", **COMING)
    assert await heard(db, clock, ana) == [("jazz", "Jazz two")]
    async with db.transaction() as tx:
        await actions.remove(tx, ana, kept.id)
        assert await tx.fetch("select key from saved_search_keys order by key") == []


@pytest.mark.parametrize(
    ("typed", "failure"),
    [
        ({"mode": "online"}, Refused),
        ({}, Refused),
        ({"q": "??"}, Refused),
        ({"q": "jazz", "groups": "mine"}, Refused),
        ({"q": "jazz", "from": "soon"}, InvalidForm),
    ],
)
async def test_a_search_that_nearly_everything_matches_is_refused(
    db: Database, typed: dict[str, str], failure: type[Exception]
) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        with pytest.raises(failure):
            await actions.save(tx, ana, typed)
        assert await queries.of_person(tx, ana.user_id) == []


async def test_the_number_of_searches_is_limited(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in range(MAX_SEARCHES):
            await actions.save(tx, ana, {"q": f"word{number}"})
        with pytest.raises(Refused, match=SavedSearchReason.TOO_MANY_SEARCHES):
            await actions.save(tx, ana, {"q": "more"})
        await actions.save(tx, ana, {"q": "word1"})


async def test_deleted_accounts_have_no_searches_and_follow_nobody(db: Database) -> None:
    async with db.transaction() as tx:
        host, ana, ben = await person(tx, "Hanna"), await person(tx, "Ana"), await person(tx, "Ben")
        await event_by(tx, host, **COMING)
        for one in (ana, ben):
            await actions.save(tx, one, {"q": "jazz"})
            await profiles.follow(tx, one, host.user_id)
        # A person who was known only by a DID, and whose account was erased.
        await tx.execute("update users set email = null where id = :id", id=ana.user_id)
    assert await tasks.forget_departed(db) == 2
    async with db.reader() as reader:
        assert await queries.of_person(reader, ana.user_id) == []
        assert len(await queries.of_person(reader, ben.user_id)) == 1
        assert len(await reader.fetch("select user_id from profile_followers order by user_id")) == 1


async def test_an_event_edited_so_that_it_matches_is_announced_once(db: Database, clock: HandClock) -> None:
    """The event is not announced to searches that it matched before, nor after further changes, nor to followers of its
    host.
    """
    async with db.transaction() as tx:
        host = await person(tx, "Hanna")
        chess = await event_by(tx, host, title="Chess", **COMING)
        old = await event_by(tx, host, title="Jazz", **COMING)
    clock.turn(AFTER_QUIET_TIME)
    await announce(db)
    async with db.transaction() as tx:
        ana = await looking_for(tx, "Ana", q="jazz")
        near = await looking_for(tx, "Nora", near="52.5, 13.4", within="20")
        fan = await person(tx, "Fan")
        await profiles.follow(tx, fan, host.user_id)
    clock.turn(MINUTE)
    async with db.transaction() as tx:
        await event_hosting.revise(tx, host, chess.slug, details(title="Chess and jazz", **COMING))
        await event_hosting.revise(tx, host, old.slug, details(title="Jazz", description="Bring a friend", **COMING))
    assert await heard(db, clock, ana) == [("jazz", "Chess and jazz")]
    assert await heard(db, clock, near) == []
    async with db.transaction() as tx:
        await event_hosting.revise(tx, host, chess.slug, details(title="Jazz chess", point="52.51, 13.41", **COMING))
    assert len(await heard(db, clock, ana)) == 1
    assert [title for _, title in await heard(db, clock, near)] == ["Jazz chess"]
    async with db.reader() as reader:
        assert await notifications.newest(reader, fan.user_id, 9) == []
        assert await reader.fetch("select event_id from saved_search_queue order by event_id") == []


async def test_edits_that_searches_ignore_cause_no_comparison(db: Database, clock: HandClock) -> None:
    """Searches do not consider changes of a limit or a cancellation."""
    async with db.transaction() as tx:
        host = await person(tx, "Hanna")
        await looking_for(tx, "Ana", q="jazz")
        event = await event_by(tx, host, title="Jazz", **COMING)
    await heard(db, clock, host)
    async with db.transaction() as tx:
        await event_hosting.revise(tx, host, event.slug, details(title="Jazz", capacity="9", **COMING))
        await event_hosting.cancel(tx, host, event.slug, "")
        assert await tx.fetch("select event_id from saved_search_queue order by event_id") == []


async def test_a_search_near_a_point_reveals_no_restricted_address(db: Database, clock: HandClock) -> None:
    """Saved searches around ever smaller circles do not reveal an address, not even to members of the group."""
    async with db.transaction() as tx:
        host = await person(tx, "Hanna")
        group = await group_by(tx, host, visibility="private")
        nora = await add_member(tx, group, host, "Nora")
        await actions.save(tx, nora, {"near": "52.5, 13.4", "within": "1"})
        there = COMING | {"point": "52.5, 13.4"}
        inner = await events.create(tx, host, details(title="At home", **there), group=as_group_of_event(group))
        kept = await event_by(tx, host, title="In my garden", place_audience="attendees", **there)
        await attendance.answer(tx, nora, kept.slug, RsvpReply.GOING)
    assert await heard(db, clock, nora) == []
    async with db.transaction() as tx:
        await event_hosting.revise(tx, host, inner.slug, details(title="At home again", **there))
        await event_hosting.revise(
            tx, host, kept.slug, details(title="In the garden", place_audience="attendees", **there)
        )
    assert await heard(db, clock, nora) == []
    async with db.transaction() as tx:
        await event_by(tx, host, title="In the hall", **there)
    assert [title for _, title in await heard(db, clock, nora)] == ["In the hall"]
