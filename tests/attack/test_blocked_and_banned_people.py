"""People blocked by a host, banned from a group or blocked by a moderator: nothing that they try has an effect."""

from dataclasses import dataclass
from typing import Final

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat import rooms
from openmeet.domain.chat.model import RoomKind, RoomSubject, SubjectKind
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups.model import Group
from openmeet.domain.safety.actions import block
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import create_weekly_series, dates
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on

_GOING: Final = {"reply": "going"}
# Requests that Ben sends, with placeholders for Ana and for her event, series, date and group, and whether a ban from
# the group is a reason for refusal. A block by Ana always is.
_TRIES: Final = (
    ("/events/{event}/answer", _GOING, False),
    ("/events/{date}/answer", _GOING, False),
    ("/events/{of_group}/answer", _GOING, True),
    ("/events/{of_group}/answer", {"reply": "interested"}, True),
    ("/series/{series}/answer", _GOING, True),
    ("/series/{series}/follow", {"follow": "yes"}, True),
    ("/groups/{group}/join", {"asked": "yes"}, True),
    ("/groups/{group}/follow", {"follow": "yes"}, True),
    ("/people/{ana}/follow", {"follow": "yes"}, False),
    ("/events/{event}/chat", {"text": "Hello"}, False),
    ("/events/{of_group}/chat", {"text": "Hello"}, True),
    ("/chat/direct/event/{event}", {"text": "Hello"}, False),
    ("/chat/direct/group/{group}", {"text": "Hello"}, True),
)
# What Ben must not have afterwards.
_OWN: Final = (
    """select 1 as found from attendances a
        where a.user_id = :ben and a.status not in ('declined', 'rejected')""",
    "select 1 as found from event_series_standing_rsvps where user_id = :ben",
    "select 1 as found from event_series_followers where user_id = :ben",
    "select 1 as found from group_members where user_id = :ben and role not in ('left', 'banned')",
    "select 1 as found from group_followers where user_id = :ben",
    "select 1 as found from profile_followers where user_id = :ben",
    "select 1 as found from chat_messages where user_id = :ben",
)


@dataclass(frozen=True)
class Scene:
    ana: Caller
    ben: Caller
    names: dict[str, str]
    group: Group


async def scene_on(db: Database) -> Scene:
    """Ana's event, weekly series and group with an event; Ben takes part in all of them."""
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        ben = await person(tx, "Ben")
        group = await group_by(tx, ana)
        event, of_group = await event_by(tx, ana), await event_by(tx, ana)
        await tx.execute("update events set group_id = :group where id = :id", group=group.id, id=of_group.id)
        date = (await dates(tx, series))[0]
        for one in (event, of_group, date):
            await attendance.answer(tx, ben, one.slug, RsvpReply.GOING, ReplyDetails())
        await groups.join(tx, ben, group.slug)
        await groups.follow(tx, ben, group.slug)
        await series_actions.follow(tx, ben, SeriesSlug(series.slug))
        for one in (event, of_group):
            subject = RoomSubject(SubjectKind.EVENT, one.id)
            await rooms.open_room(tx, ana, await rooms.target_of(tx, RoomKind.EVENT, subject))
    names = {
        "event": event.slug,
        "of_group": of_group.slug,
        "series": series.slug,
        "date": date.slug,
        "group": group.slug,
        "ana": ana.user_id,
    }
    return Scene(ana, ben, names, group)


async def left_of(db: Database, scene: Scene) -> list[str]:
    async with db.reader() as reader:
        return [one for one in _OWN if await reader.fetch(one, ben=scene.ben.user_id)]


async def test_unblocked_person_can_do_everything(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """All requests succeed for a person who is not blocked. Otherwise the refusals below would prove nothing."""
    db = await make_sqlite("openmeet", clock=clock)
    scene = await scene_on(db)
    async with signed_in(site_on(db, clock), scene.ben.user_id) as browser:
        for path, form, _ in _TRIES:
            answer = await browser.post(path.format(**scene.names), data=form)
            assert answer.status_code == 303, (path, answer.status_code)


async def test_blocked_person_can_do_nothing(make_database: MakeDatabase, clock: HandClock) -> None:
    db = await make_database("openmeet", clock=clock)
    scene = await scene_on(db)
    async with db.transaction() as tx:
        await block(tx, scene.ana, scene.ben.user_id)
        # They stay in the group until they are removed there.
        await administration.remove(tx, scene.ana, scene.group.slug, scene.ben.user_id)
    assert await left_of(db, scene) == []
    async with signed_in(site_on(db, clock), scene.ben.user_id) as browser:
        for path, form, _ in _TRIES:
            answer = await browser.post(path.format(**scene.names), data=form)
            assert answer.status_code in {400, 403, 404, 422}, (path, answer.status_code)
            assert await left_of(db, scene) == [], path


async def test_banned_person_can_do_nothing(make_database: MakeDatabase, clock: HandClock) -> None:
    """Everything that a banned person tries is refused, even where the group is public. Earlier answers stay until a
    host removes them.
    """
    db = await make_database("openmeet", clock=clock)
    scene = await scene_on(db)
    async with db.transaction() as tx:
        await tx.execute("update event_series set group_id = :group", group=scene.group.id)
        await administration.ban(tx, scene.ana, scene.group.slug, scene.ben.user_id)
        for one in ("event_series_followers", "attendances"):
            await tx.execute(f"delete from {one} where user_id = :ben", ben=scene.ben.user_id)
    async with signed_in(site_on(db, clock), scene.ben.user_id) as browser:
        for path, form, is_refused in _TRIES:
            if is_refused:
                answer = await browser.post(path.format(**scene.names), data=form)
                assert answer.status_code in {400, 403, 404, 422}, (path, answer.status_code)
                assert await left_of(db, scene) == [], path
