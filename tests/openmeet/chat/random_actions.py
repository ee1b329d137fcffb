"""Random actions around a chat room are compared with a plain model. People without access find no message by any
route. An open page shows the same as a reloaded one, even if its stream was cut many times.
"""

import json
import os
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

from httpx import AsyncClient

from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.sealing import KEY_BYTES, Sealer
from groundwork.uuid7 import new_id
from openmeet.domain.chat import messages, reactions, readers, room_queries, rooms, sanctions
from openmeet.domain.chat.access import reading_floor
from openmeet.domain.chat.model import Access, HistoryMode, LogKind, NewMessage
from openmeet.domain.chat.rooms import RoomSettings
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.data_export import person as person_export
from openmeet.domain.moderation import blocks
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.web.site.chat_stream_feed import ChatSource, ChatStreamFeed
from openmeet.web.site.chat_streams import ChatStream
from tests.openmeet.chat.model import Guest, Said
from tests.openmeet.chat.open_pages import OpenPage, encode
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import ORIGIN, Site, event_by, person, site_on

SHORT, LONG = 60, 1_000
# Number of newest messages to compare, because a page has no more.
_COMPARED: Final = 40
_STATUSES: Final = ("attending", "attending", "interested", "declined", "rejected", "pending", None)
_ROLES: Final = ("admin", "member", "left", "banned", None)
_RUNNING, _INSIDE = {"owner", "admin", "moderator"}, {"owner", "admin", "moderator", "member"}
_PATIENCE: Final = 2_000


class Play:
    """Ana hosts an event of her group. The others join, leave, and follow the chat."""

    def __init__(self, db: Database, clock: HandClock, dice: random.Random) -> None:
        self.db, self.clock, self.dice = db, clock, dice
        self.live = ChatStreamFeed()
        self.source = ChatSource(db, "", "")
        self.said: list[Said] = []
        self.is_closed = self.is_since_joining = False
        # Newcomers can read messages after this number if the whole history is open to them.
        self.history_floor = 0
        self.sealer = Sealer([os.urandom(KEY_BYTES)])
        self.site: Site = site_on(db, clock, dev_mode=True)
        self.done: list[str] = []

    async def build(self) -> None:
        async with self.db.transaction() as tx:
            self.ana = await person(tx, "Ana")
            self.group = await group_by(tx, self.ana)
            self.event = await event_by(tx, self.ana)
            await tx.execute(
                "update events set group_id = :group where id = :id", group=self.group.id, id=self.event.id
            )
            self.room = await room_of(tx, self.ana, subject_of_event(self.event))
            self.guests = [await self._guest(tx, await person(tx, name)) for name in ("Ben", "Cleo", "Dan")]
        self.host = Guest(self.ana, "", "", role="owner")
        await self._follow_changes()

    async def _guest(self, tx: Transaction, caller: Caller) -> Guest:
        sessions = [
            await open_session(tx, caller.user_id, one) for one in (SessionTransport.API, SessionTransport.BROWSER)
        ]
        return Guest(caller, *(one.token for one in sessions))

    # The actions.

    async def act(self) -> None:
        who = self.dice.choice(self.guests)
        moves: list[Callable[[Guest], Awaitable[str]]] = [
            self.answer,
            self.answer,
            self.change_role,
            self.block,
            self.block_another,
            self.sanction,
            self.close,
            self.change_history,
            *[self.say] * 6,
            self.edit,
            self.take_back,
            self.remove,
            self.restore,
            self.hold,
            self.react,
            self.cut,
        ]
        move = self.dice.choice(moves)
        self.done.append(f"{move.__name__} {who.caller.display_name}: {await move(who)}")
        self.clock.turn(MINUTE)
        await self._follow_changes()

    async def answer(self, who: Guest) -> str:
        status = self.dice.choice(_STATUSES)
        async with self.db.transaction() as tx:
            await tx.execute("delete from attendances where user_id = :who", who=who.caller.user_id)
            if status is not None:
                await tx.execute(
                    "insert into attendances (id, event_id, user_id, status, source, revision, created_at, answered_at)"
                    " values (:id, :event, :who, :status, 'here', 1, :now, :now)",
                    id=new_id(tx.now),
                    event=self.event.id,
                    who=who.caller.user_id,
                    status=status,
                    now=tx.now,
                )
        who.answer = status
        return f"{status}"

    async def change_role(self, who: Guest) -> str:
        role = self.dice.choice(_ROLES)
        async with self.db.transaction() as tx:
            await tx.execute(
                "delete from group_members where group_id = :group and user_id = :who",
                group=self.group.id,
                who=who.caller.user_id,
            )
            if role is not None:
                await tx.execute(
                    "insert into group_members (id, group_id, user_id, role, answer, revision, created_at, updated_at)"
                    " values (:id, :group, :who, :role, '', 1, :now, :now)",
                    id=new_id(tx.now),
                    group=self.group.id,
                    who=who.caller.user_id,
                    role=role,
                    now=tx.now,
                )
        who.role = role
        return f"{role}"

    async def block(self, who: Guest) -> str:
        """Blocked by the host."""
        who.is_blocked = not who.is_blocked
        await self._set_blocked(self.ana, who.caller, on=who.is_blocked)
        return f"{who.is_blocked}"

    async def block_another(self, who: Guest) -> str:
        other = self.dice.choice([one for one in self.guests if one is not who])
        who.blocks ^= {other.caller.user_id}
        await self._set_blocked(who.caller, other.caller, on=other.caller.user_id in who.blocks)
        return other.caller.display_name

    async def _set_blocked(self, by: Caller, whom: Caller, *, on: bool) -> None:
        async with self.db.transaction() as tx:
            await (blocks.block if on else blocks.unblock)(tx, by.user_id, whom.user_id)

    async def sanction(self, who: Guest) -> str:
        if self.allowed(who) is Access.MODERATE:
            return "runs the room"
        async with self.db.reader() as reader:
            if not await sanctions.is_known_in(reader, self.room, who.caller.user_id):
                return "is not in the room"
        async with self.db.transaction() as tx:
            if who.sanctions:
                await sanctions.lift(tx, self.ana, self.room.id, who.caller.user_id)
                who.sanctions = set()
            else:
                kind = self.dice.choice(list(SanctionKind))
                await sanctions.sanction(tx, self.ana, self.room.id, who.caller.user_id, kind, reason="Spam")
                who.sanctions = {kind}
        return f"{who.sanctions}"

    async def close(self, _: Guest) -> str:
        self.is_closed = not self.is_closed
        async with self.db.transaction() as tx:
            await (rooms.close if self.is_closed else rooms.reopen)(tx, self.ana, self.room.id)
        return f"{self.is_closed}"

    async def change_history(self, _: Guest) -> str:
        mode = HistoryMode.ALL if self.is_since_joining else HistoryMode.SINCE_JOINING
        if mode is HistoryMode.SINCE_JOINING:
            for one in self.guests:
                if self.allowed(one) is not Access.NONE and one.floor is None:
                    one.floor = self.history_floor
        else:
            self.history_floor = self.last
        self.is_since_joining = not self.is_since_joining
        async with self.db.transaction() as tx:
            await rooms.change_settings(tx, self.ana, self.room.id, RoomSettings(history=mode))
        return mode.value

    async def say(self, who: Guest) -> str:
        author = self.host if self.dice.random() < 0.4 else who
        if not self._may_write(author):
            return "may not write"
        text = f"w{len(self.said)}w{self.dice.randrange(10**6)}"
        seen = [one for one in self.said[-5:] if not one.is_removed and not one.is_held] if author is self.host else []
        reply = self.dice.choice(seen).message.id if seen and self.dice.random() < 0.5 else None
        async with self.db.transaction() as tx:
            one, _ = await messages.send(tx, author.caller, self.room.id, NewMessage(text, reply_to=reply))
        self.said.append(Said(one.number, one, author.caller.user_id, text, [text]))
        return text

    async def edit(self, who: Guest) -> str:
        mine = self._own(who)
        if not mine or not self._may_write(who):
            return "nothing"
        one = self.dice.choice(mine)
        if one.is_removed or not self._sees(who, one):
            return "nothing"
        text = f"{one.text}e"
        async with self.db.transaction() as tx:
            one.message = await messages.edit(tx, who.caller, one.message.id, text)
        one.text = text
        one.words.append(text)
        return text

    async def take_back(self, who: Guest) -> str:
        """Take a message back. People without access can do this too."""
        mine = [one for one in self._own(who) if not one.is_taken_back]
        if not mine:
            return "nothing"
        one = self.dice.choice(mine)
        async with self.db.transaction() as tx:
            await messages.retract(tx, who.caller, one.message.id)
        one.is_removed, one.is_taken_back, one.is_held = True, True, False
        return one.text

    async def remove(self, _: Guest) -> str:
        there = [one for one in self.said if not one.is_removed and one.author != self.ana.user_id]
        if not there:
            return "nothing"
        one = self.dice.choice(there)
        async with self.db.transaction() as tx:
            await messages.remove(tx, self.ana, one.message.id, "Not here", self.sealer)
        one.is_removed, one.is_held = True, False
        return one.text

    async def restore(self, _: Guest) -> str:
        there = [one for one in self.said if one.is_removed and not one.is_taken_back]
        if not there:
            return "nothing"
        one = self.dice.choice(there)
        async with self.db.transaction() as tx:
            await messages.restore(tx, self.ana, one.message.id, self.sealer)
        one.is_removed = False
        return one.text

    async def hold(self, _: Guest) -> str:
        there = [one for one in self.said[-8:] if not one.is_removed]
        if not there:
            return "nothing"
        one = self.dice.choice(there)
        async with self.db.transaction() as tx:
            await (messages.release if one.is_held else messages.hold)(tx, self.ana, one.message.id)
        one.is_held = not one.is_held
        return f"{one.text} {one.is_held}"

    async def react(self, who: Guest) -> str:
        there = [one for one in self.said[-5:] if not one.is_removed and self._sees(who, one)]
        if not there or not self._may_write(who):
            return "nothing"
        async with self.db.transaction() as tx:
            await reactions.react(tx, who.caller, self.dice.choice(there).message.id, "👍")
        return "👍"

    async def cut(self, who: Guest) -> str:
        """Cut the connection of the open page."""
        if who.page is not None:
            self._take(who)
            await who.page.close()
            who.page = None
        return ""

    def _own(self, who: Guest) -> list[Said]:
        return [one for one in self.said if one.author == who.caller.user_id]

    # The invariants.

    def allowed(self, who: Guest) -> Access:
        """The expected access, from the table of permissions."""
        runs = who.role in _RUNNING
        if (
            who.role == "banned"
            or SanctionKind.BAN in who.sanctions
            or (who.is_blocked and who.role not in {"owner", "admin"})
        ):
            return Access.NONE
        if runs:
            return Access.READ if SanctionKind.MUTE in who.sanctions else Access.MODERATE
        if who.answer not in {"attending", "interested"} and who.role not in _INSIDE:
            return Access.NONE
        return Access.READ if self.is_closed or SanctionKind.MUTE in who.sanctions else Access.WRITE

    def _may_write(self, who: Guest) -> bool:
        return self.allowed(who) >= Access.WRITE and not self.is_closed

    def _sees(self, who: Guest, one: Said) -> bool:
        found = self.allowed(who)
        if found is Access.NONE:
            return False
        if found is Access.MODERATE:
            return True
        if one.is_held and one.author != who.caller.user_id:
            return False
        newcomers_from = self.last if self.is_since_joining else self.history_floor
        return one.number > (newcomers_from if who.floor is None else who.floor)

    async def _follow_changes(self) -> None:
        async with self.db.reader() as reader:
            changed = {
                row["user_id"] for row in await reader.fetch("select user_id from chat_access_changes order by id")
            }
            room = await room_queries.by_id(reader, self.room.id)
        assert room is not None
        self.last = room.last_number
        for one in self.guests:
            if one.caller.user_id in changed:
                if self.allowed(one) is Access.NONE:
                    one.floor = None
                elif one.floor is None:
                    one.floor = room.last_number if self.is_since_joining else self.history_floor
        while await readers.apply_access_changes(self.db):
            pass

    async def compare(self) -> None:
        """Compare every open page, and compare every other route for one person."""
        for who in self.guests:
            await self._compare_page(who)
        await self._compare_ways(self.dice.choice(self.guests))

    async def _compare_page(self, who: Guest) -> None:
        if who.page is None and self.allowed(who) is not Access.NONE and self.dice.random() < 0.7:
            await self._open(who)
        if who.page is None:
            return
        page = who.page
        for _ in range(_PATIENCE):
            await self.live.look(self.db)
            await page.drained()
            if page.stream.frames.has_ended or page.stream.number == self.last:
                break
        self._take(who)
        if self.allowed(who) is Access.NONE:
            assert page.sent[-1].startswith(b"event: out"), self._told(who)
        assert page.stream.frames.has_ended is (self.allowed(who) is Access.NONE), self._told(who)
        if page.stream.frames.has_ended:
            await page.ended()
            who.page, who.shown = None, {}
            # Some pages resume at their last position, others are loaded again.
            if self.dice.random() < 0.5:
                who.last = 0
            return
        expected = {
            one.number: ("" if one.is_removed else one.text, one.author in who.blocks)
            for one in self.said
            if self._sees(who, one) and one.number > who.since
        }
        shown = {number: row for number, row in who.shown.items() if number in expected}
        assert shown == expected, self._told(who)

    async def _open(self, who: Guest) -> None:
        """Resume at the position where the last stream was cut, or load the page now."""
        async with self.db.reader() as reader:
            entered = await reading_floor(reader, self.room, who.caller.user_id, Access.READ)
        if not who.last or who.sight != self._sight(who):
            # Load the page again: a resumed stream brings only messages, not other changes made in the meantime.
            who.last = who.since = self.last
            who.shown = {}
        stream = ChatStream(
            room=self.room.id,
            person=who.caller.user_id,
            slot=self.live.slots.take(who.caller.user_id, 100),
            language="en",
            entered=entered,
            number=who.last,
            credential=None,
            encode=encode,
        )
        who.page, who.taken = OpenPage(self.live, self.source, stream), 0

    def _sight(self, who: Guest) -> object:
        return self.allowed(who), frozenset(who.blocks), self.is_since_joining, self.history_floor, who.floor

    def _read_anew(self, who: Guest) -> None:
        who.shown = {
            one.number: ("" if one.is_removed else one.text, one.author in who.blocks)
            for one in self.said
            if self._sees(who, one)
        }

    def _take(self, who: Guest) -> None:
        """Apply what has arrived, as a browser does."""
        assert who.page is not None
        frames, who.taken = who.page.sent[who.taken :], len(who.page.sent)
        for frame in frames:
            if b"event: again" in frame:
                who.last = max(who.last, int(frame.split(b"\n")[0].rpartition(b":")[2]))
                self._read_anew(who)
            elif frame.startswith(b"data: ["):
                number, kind, text, _, is_folded, _, about_number = json.loads(frame.removeprefix(b"data: "))
                assert number > who.last, f"{number} came twice; {self._told(who)}"
                who.last = number
                assert self.allowed(who) is not Access.NONE or not text, (
                    f"{text} after they lost access; {self._told(who)}"
                )
                if kind == LogKind.ROOM:
                    self._read_anew(who)
                elif about_number is not None:
                    who.shown[about_number] = (text, is_folded)
        who.last = max(who.last, who.page.stream.number)
        who.sight = self._sight(who)

    async def _compare_ways(self, who: Guest) -> None:
        """Compare the API, the page, the site's own stream, the search and the export."""
        visible = [one for one in self.said if self._sees(who, one)]
        texts = {one.number: "" if one.is_removed else one.text for one in visible}
        hidden = {word for one in self.said if one not in visible or one.is_removed for word in one.words}
        hidden -= {one.text for one in visible if not one.is_removed}
        api = {"authorization": f"Bearer {who.token}"}
        async with self.site.browser() as browser:
            listed = await browser.get(f"/api/chat/rooms/{self.room.id}/messages?limit={_COMPARED}", headers=api)
            if self.allowed(who) is Access.NONE:
                assert listed.status_code == 404, self._told(who)
            else:
                read: list[dict[str, Any]] = [one for one in listed.json()["messages"] if one["authorId"]]
                found = {one["number"]: one["text"] for one in read}
                assert found == {number: texts[number] for number in found}, self._told(who)
                newest = min(found, default=0)
                assert {one for one in texts if one >= newest} <= found.keys() or len(read) >= _COMPARED - 10, (
                    self._told(who)
                )
                self._must_lack(who, hidden, json.dumps(listed.json()))
            if self.said:
                one = self.dice.choice(self.said)
                wanted = await browser.get(f"/api/chat/search?q={one.text}", headers=api)
                hits = [each["number"] for each in wanted.json()["messages"]]
                is_there = one in visible and not one.is_removed and not one.is_held
                assert (one.number in hits) is is_there, self._told(who)
            await self._compare_browser(who, hidden, browser)
        exported = json.dumps(await person_export.export_document(self.db, who.caller.user_id, ORIGIN))
        for other in self.said:
            if other.author != who.caller.user_id:
                assert not any(f'"{word}"' in exported for word in other.words), self._told(who)

    async def _compare_browser(self, who: Guest, hidden: set[str], browser: AsyncClient) -> None:
        browser.cookies.set("openmeet_session", who.cookie)
        shown = await browser.get(f"/events/{self.event.slug}/chat")
        self._must_lack(who, hidden, shown.text)
        if self.allowed(who) is Access.NONE:
            assert (await browser.get(f"/chat/live?room={self.room.id}&after=0")).status_code == 404, self._told(who)

    def _must_lack(self, who: Guest, hidden: set[str], text: str) -> None:
        assert [word for word in hidden if f"{word}<" in text or f'{word}"' in text] == [], self._told(who)

    def _told(self, who: Guest) -> str:
        return f"{who.caller.display_name}, after {self.done[-25:]}"

    async def end(self) -> None:
        for who in self.guests:
            await self.cut(who)


async def play(db: Database, clock: HandClock, seed: int, acts: int) -> None:
    """Carry out this many actions and compare everything after each. Raises AssertionError."""
    one = Play(db, clock, random.Random(seed))
    await one.build()
    try:
        for _ in range(acts):
            await one.act()
            await one.compare()
    finally:
        await one.end()
