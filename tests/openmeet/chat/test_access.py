"""Random actions are compared with the table of permissions, in plain Python: every room and every person after each
action.
"""

import random
from dataclasses import dataclass, field

import pytest

from groundwork.uuid7 import new_id
from openmeet.domain.chat import rooms
from openmeet.domain.chat.access import access, access_of_each
from openmeet.domain.chat.model import Access, RoomKind, RoomSubject, SubjectKind
from openmeet.domain.chat.room_list import RoomFilter, my_rooms
from tests.hypothesis_profiles import examples
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import NOW, create_weekly_series, dates
from tests.openmeet.site_under_test import event_by, person

# Fewer on PostgreSQL, which plans each query again.
STEPS = {"sqlite": 120, "postgresql": 60}
STATUSES = ("attending", "interested", "declined", "pending", "invited", "rejected", "attended", None)
ROLES = ("admin", "moderator", "member", "pending", "left", "banned", "declined", None)
RUNNING, INSIDE = {"owner", "admin", "moderator"}, {"owner", "admin", "moderator", "member"}


@pytest.fixture
async def db(make_database, clock):
    clock.turn(NOW - clock.now())
    return await make_database("openmeet", clock=clock)


@dataclass
class Facts:
    """A person in the model."""

    answer: str | None = None
    is_unconfirmed: bool = False
    is_co_host: bool = False
    role: str | None = None
    date_answer: str | None = None
    follows: bool = False
    is_suspended: bool = False
    is_blocked: bool = False
    sanctions: set[tuple[str, str]] = field(default_factory=set)


class Scene:
    """Ana hosts an event in her group and a series without a group. The others join and leave."""

    def __init__(self, tx, chance: random.Random) -> None:
        self.tx, self.chance = tx, chance
        self.facts: dict[str, Facts] = {}
        self.switches: dict[str, dict[str, str]] = {"event": {}, "series": {}, "channel": {}}
        self.closed: set[str] = set()

    async def build(self) -> None:
        tx = self.tx
        self.ana, self.series = await create_weekly_series(tx)
        self.group = await group_by(tx, self.ana)
        self.event = await event_by(tx, self.ana, starts="2026-12-04T18:00", ends="2026-12-04T20:00")
        await tx.execute("update events set group_id = :group where id = :id", group=self.group.id, id=self.event.id)
        self.date = (await dates(tx, self.series))[0]
        self.rooms = {
            "event": await room_of(tx, self.ana, subject_of_event(self.event)),
            "series": await room_of(tx, self.ana, RoomSubject(SubjectKind.SERIES, self.series.id), RoomKind.SERIES),
            "channel": await room_of(tx, self.ana, RoomSubject(SubjectKind.GROUP, self.group.id), RoomKind.CHANNEL),
        }
        for name in ("Ben", "Cleo", "Dan", "Eva"):
            self.facts[(await person(tx, name)).user_id] = Facts()

    async def act(self) -> str:
        who = self.chance.choice(sorted(self.facts))
        move = self.chance.choice(
            [
                self.answer,
                self.answer_date,
                self.change_role,
                self.change_role,
                self.co_host,
                self.follow,
                self.suspend,
                self.block,
                self.sanction,
                self.sanction,
                self.close,
                self.turn_switch,
            ]
        )
        return f"{move.__name__} {await move(who, self.facts[who])}"

    async def answer(self, who: str, facts: Facts) -> str:
        facts.answer = self.chance.choice(STATUSES)
        facts.is_unconfirmed = facts.answer == "pending" and self.chance.random() < 0.5
        await self._attend(self.event.id, who, facts.answer, "apart" if facts.is_unconfirmed else None)
        return f"{facts.answer}"

    async def answer_date(self, who: str, facts: Facts) -> str:
        facts.date_answer = self.chance.choice(STATUSES)
        await self._attend(self.date.id, who, facts.date_answer, None)
        return f"{facts.date_answer}"

    async def _attend(self, event_id: str, who: str, status: str | None, pending_for: str | None) -> None:
        await self.tx.execute(
            "delete from attendances where event_id = :event and user_id = :who", event=event_id, who=who
        )
        if status is not None:
            await self.tx.execute(
                """
                insert into attendances (id, event_id, user_id, status, source, revision, created_at, answered_at,
                    pending_for)
                values (:id, :event, :who, :status, 'here', 1, :now, :now, :pending_for)
                """,
                id=new_id(self.tx.now),
                event=event_id,
                who=who,
                status=status,
                now=self.tx.now,
                pending_for=pending_for,
            )

    async def change_role(self, who: str, facts: Facts) -> str:
        facts.role = self.chance.choice(ROLES)
        await self.tx.execute(
            "delete from group_members where group_id = :group and user_id = :who", group=self.group.id, who=who
        )
        if facts.role is not None:
            await self.tx.execute(
                """
                insert into group_members (id, group_id, user_id, role, answer, revision, created_at, updated_at)
                values (:id, :group, :who, :role, '', 1, :now, :now)
                """,
                id=new_id(self.tx.now),
                group=self.group.id,
                who=who,
                role=facts.role,
                now=self.tx.now,
            )
        return f"{facts.role}"

    async def co_host(self, who: str, facts: Facts) -> str:
        facts.is_co_host = not facts.is_co_host
        await self.tx.execute("delete from event_co_hosts where user_id = :who", who=who)
        if facts.is_co_host:
            await self.tx.execute(
                """
                insert into event_co_hosts (id, event_id, user_id, state, invited_by, created_at, expires_at, decided_at)
                values (:id, :event, :who, 'accepted', :by, :now, :now, :now)
                """,
                id=new_id(self.tx.now),
                event=self.event.id,
                who=who,
                by=self.ana.user_id,
                now=self.tx.now,
            )
        return f"{facts.is_co_host}"

    async def follow(self, who: str, facts: Facts) -> str:
        facts.follows = not facts.follows
        await self.tx.execute("delete from event_series_followers where user_id = :who", who=who)
        if facts.follows:
            await self.tx.execute(
                "insert into event_series_followers (series_id, user_id, created_at, updated_at)"
                " values (:series, :who, :now, :now)",
                series=self.series.id,
                who=who,
                now=self.tx.now,
            )
        return f"{facts.follows}"

    async def suspend(self, who: str, facts: Facts) -> str:
        facts.is_suspended = not facts.is_suspended
        await self.tx.execute("delete from moderation_states where subject = :who", who=who)
        if facts.is_suspended:
            await self.tx.execute(
                "insert into moderation_states (subject, kind, state, reason, decided_by, since)"
                " values (:who, 'person', 'hidden', '', :by, :now)",
                who=who,
                by=self.ana.user_id,
                now=self.tx.now,
            )
        return f"{facts.is_suspended}"

    async def block(self, who: str, facts: Facts) -> str:
        facts.is_blocked = not facts.is_blocked
        await self.tx.execute("delete from user_blocks where blocked_id = :who", who=who)
        if facts.is_blocked:
            await self.tx.execute(
                "insert into user_blocks (user_id, blocked_id, is_known, created_at) values (:ana, :who, 1, :now)",
                ana=self.ana.user_id,
                who=who,
                now=self.tx.now,
            )
        return f"{facts.is_blocked}"

    async def sanction(self, who: str, facts: Facts) -> str:
        name, kind = self.chance.choice(sorted(self.rooms)), self.chance.choice(("mute", "ban"))
        facts.sanctions ^= {(name, kind)}
        await self.tx.execute(
            "delete from chat_sanctions where room_id = :room and user_id = :who and kind = :kind",
            room=self.rooms[name].id,
            who=who,
            kind=kind,
        )
        if (name, kind) in facts.sanctions:
            await self.tx.execute(
                "insert into chat_sanctions (room_id, user_id, kind, reason, by_user_id, at)"
                " values (:room, :who, :kind, '', :by, :now)",
                room=self.rooms[name].id,
                who=who,
                kind=kind,
                by=self.ana.user_id,
                now=self.tx.now,
            )
        return f"{name} {kind}"

    async def close(self, _who: str, _facts: Facts) -> str:
        name = self.chance.choice(sorted(self.rooms))
        self.closed ^= {name}
        act = rooms.close if name in self.closed else rooms.reopen
        await act(self.tx, self.ana, self.rooms[name].id)
        return name

    async def turn_switch(self, _who: str, _facts: Facts) -> str:
        name, switch, value = self.chance.choice(
            [
                ("event", "interested", "read"),
                ("event", "interested", "none"),
                ("event", "interested", "write"),
                ("event", "members", "none"),
                ("event", "members", "write"),
                ("event", "pending", "read"),
                ("event", "pending", "none"),
                ("event", "anybody", "read"),
                ("event", "anybody", "none"),
                ("series", "followers", "none"),
                ("series", "followers", "read"),
                ("series", "interested", "read"),
                ("series", "anybody", "read"),
                ("series", "anybody", "none"),
                ("channel", "announcements", "yes"),
                ("channel", "announcements", "no"),
            ]
        )
        self.switches[name][switch] = value
        await rooms.change_settings(
            self.tx, self.ana, self.rooms[name].id, rooms.RoomSettings(audience={switch: value})
        )
        return f"{name} {switch} {value}"

    def expected(self, name: str, facts: Facts) -> Access:
        """The expected access, from the table of permissions."""
        switches = self.switches[name]
        widest = {"event": self._event, "series": self._series, "channel": self._channel}[name](facts, switches)
        runs_group = facts.role == "admin"
        is_out = (
            facts.is_suspended
            or (name, "ban") in facts.sanctions
            or (name != "series" and facts.role == "banned")
            or (facts.is_blocked and not (name != "series" and runs_group))
        )
        if is_out:
            return Access.NONE
        if (name, "mute") in facts.sanctions or (name in self.closed and widest < Access.MODERATE):
            return min(widest, Access.READ)
        return widest

    def _event(self, facts: Facts, switches: dict[str, str]) -> Access:
        if facts.is_co_host or facts.role in RUNNING:
            return Access.MODERATE
        found = [Access.READ if switches.get("anybody") == "read" else Access.NONE]
        if facts.answer in {"attending", "attended"}:
            found.append(Access.WRITE)
        if facts.role in INSIDE and switches.get("members") != "none":
            found.append(Access.WRITE)
        if facts.answer == "interested":
            found.append({"read": Access.READ, "none": Access.NONE}.get(switches.get("interested", ""), Access.WRITE))
        if facts.answer in {"pending", "invited"} and not facts.is_unconfirmed and switches.get("pending") == "read":
            found.append(Access.READ)
        return max(found)

    def _series(self, facts: Facts, switches: dict[str, str]) -> Access:
        found = [Access.READ if switches.get("anybody") == "read" else Access.NONE]
        if facts.date_answer in {"attending", "attended"}:
            found.append(Access.WRITE)
        if facts.date_answer == "interested":
            found.append(Access.READ if switches.get("interested") == "read" else Access.WRITE)
        if facts.follows and switches.get("followers") != "none":
            found.append(Access.READ)
        return max(found)

    def _channel(self, facts: Facts, switches: dict[str, str]) -> Access:
        if facts.role in RUNNING:
            return Access.MODERATE
        if facts.role == "member":
            return Access.READ if switches.get("announcements") == "yes" else Access.WRITE
        return Access.NONE


@pytest.mark.parametrize("seed", range(examples(8)))
async def test_access_is_what_the_table_says(db, seed):
    async with db.transaction() as tx:
        scene = Scene(tx, random.Random(seed))
        await scene.build()
        history = []
        for _ in range(STEPS[tx.engine]):
            history.append(await scene.act())
            for name, room in scene.rooms.items():
                found = await access_of_each(tx, room, list(scene.facts))
                expected = {who: scene.expected(name, facts) for who, facts in scene.facts.items()}
                assert found == expected, (name, history)
        for who in scene.facts:
            listed = {
                one.room.id: one.access
                for is_archived in (False, True)
                for one in await my_rooms(tx, who, RoomFilter(archived=is_archived), limit=10)
            }
            for room in scene.rooms.values():
                # A room that everybody can read is listed only for people with a connection to it.
                assert listed.get(room.id, Access.NONE) in {await access(tx, room.id, who), Access.NONE}
                if await access(tx, room.id, who) >= Access.WRITE:
                    assert room.id in listed
