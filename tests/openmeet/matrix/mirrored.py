"""A town whose chat rooms are mirrored, with people and an event. Tests run the workers by hand."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from groundwork.clock import MINUTE, SECOND, HandClock
from groundwork.database.transaction import Database
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import JobDelivery, one_job_per_call
from groundwork.outbox.retry import RetryPolicy
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import matrix_people, messages, mirroring
from openmeet.domain.chat.matrix_people import MatrixConsent
from openmeet.domain.chat.model import ChatMessage, Room
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.matrix import store
from openmeet.matrix.bridge import Bridge
from openmeet.matrix.call_jobs import call_handler, person_handler
from openmeet.matrix.delivery import room_handler
from openmeet.matrix.reader import read_once
from openmeet.outbox.kinds import JobKind
from tests.external_dependencies import ROOT
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.identities.refresher_processes import next_line_of
from tests.openmeet.matrix.homeserver import SERVER_NAME, MatrixAccount, Synapse
from tests.openmeet.site_under_test import event_by, person


@dataclass
class MirroredTown:
    """Ana hosts an event and Ben goes to it. The event's room is mirrored."""

    db: Database
    bridge: Bridge
    ana: Caller
    ben: Caller
    event: Event
    room: Room
    clock: HandClock
    passed_on: list[str] = field(default_factory=list)

    async def read(self) -> None:
        """Read until nothing is new, then deliver the jobs that result."""
        while await read_once(self.bridge, "the test", wait_seconds=0):
            pass
        await self.deliver()

    async def linked(self, who: Caller, account: MatrixAccount) -> None:
        """Link the account as people do: by a code in a direct chat with the bot."""
        async with self.db.transaction() as tx:
            code, _ = await matrix_people.new_link_code(tx, who)
        await self.bridge.bot.prepare()
        await self.read()
        chat = (
            await account.call(
                "POST",
                "createRoom",
                {"is_direct": True, "invite": [self.bridge.bot.user_id], "preset": "trusted_private_chat"},
            )
        )["room_id"]
        await self.read()
        await account.say(chat, f" {code.lower()} ", "code")
        await self.read()

    async def texts(self) -> list[str]:
        """The texts of the room on this site, oldest first, read page by page."""
        found: list[str] = []
        before: int | None = None
        async with self.db.reader() as reader:
            while True:
                page = await page_of_messages(reader, self.room, self.ana.user_id, MessageFilter(before=before))
                found[:0] = [one.message.body for one in page.messages if not one.message.is_removed]
                if not page.has_before:
                    return found
                before = page.messages[0].message.number

    def deliveries(self) -> dict[str, JobDelivery]:
        return {
            JobKind.MATRIX_ROOM: one_job_per_call(
                room_handler(self.bridge, self.passed_on.append),
                partitions_at_once=50,
                retry=RetryPolicy(first_seconds=0.0),
            ),
            JobKind.MATRIX_CALL: one_job_per_call(call_handler(self.bridge), retry=RetryPolicy(first_seconds=0.0)),
            JobKind.MATRIX_PERSON: one_job_per_call(person_handler(self.bridge), retry=RetryPolicy(first_seconds=0.0)),
        }

    async def deliver(self) -> None:
        """Run the workers until nothing is due."""
        while await dispatcher.run_once(self.db, self.deliveries()):
            pass

    async def say(self, who: Caller, text: str, **more: Any) -> ChatMessage:
        async with self.db.transaction() as tx:
            return await send_text(tx, who, self.room, text, **more)

    async def edit(self, who: Caller, message: ChatMessage, text: str) -> None:
        async with self.db.transaction() as tx:
            await messages.edit(tx, who, message.id, text)

    async def take_back(self, who: Caller, message: ChatMessage) -> None:
        async with self.db.transaction() as tx:
            await messages.retract(tx, who, message.id)

    async def agree(self, who: Caller, consent: MatrixConsent = MatrixConsent.NAME_AND_WORDS) -> None:
        self.clock.turn(SECOND)
        async with self.db.transaction() as tx:
            await matrix_people.answer_consent(tx, who, consent)

    async def answer(self, who: Caller, reply: RsvpReply) -> None:
        async with self.db.transaction() as tx:
            await attendance.answer(tx, who, self.event.slug, reply)

    async def matrix_room(self) -> str:
        async with self.db.reader() as reader:
            room = await store.room(reader, self.room.id)
        assert room is not None
        assert room.matrix_room_id is not None
        return room.matrix_room_id

    async def events(self) -> list[dict[str, Any]]:
        """All events of the Matrix room, oldest first."""
        room, found, start = await self.matrix_room(), [], ""
        while True:
            page = await self.bridge.bot.messages(room, start)
            found += page["chunk"]
            if not page["chunk"] or "end" not in page:
                return found[::-1]
            start = page["end"]

    async def seen(self) -> list[tuple[str, str]]:
        """(name, text) of each message in the Matrix room as the bot sees it, with edits applied and redacted
        messages left out.
        """
        room = await self.matrix_room()
        names = {one["state_key"]: one["content"].get("displayname", "") for one in await self.bridge.bot.members(room)}
        texts: dict[str, tuple[str, str]] = {}
        for event in await self.events():
            inner = event["content"]
            relation = inner.get("m.relates_to", {})
            if event["type"] != "m.room.message" or "body" not in inner:
                continue
            if relation.get("rel_type") == "m.replace":
                if relation["event_id"] in texts:
                    texts[relation["event_id"]] = (texts[relation["event_id"]][0], inner["m.new_content"]["body"])
            else:
                texts[event["event_id"]] = (names.get(event["sender"], ""), inner["body"])
        return list(texts.values())


async def mirrored_town(
    db: Database, bridge: Bridge, clock: HandClock, host: str = "Ana", guest: str = "Ben"
) -> MirroredTown:
    async with db.transaction() as tx:
        ana, ben = await person(tx, host), await person(tx, guest)
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
        await send_text(tx, ana, room, "Said before it was mirrored")
        await mirroring.switch_on(tx, ana, room.id, is_confirmed=False)
    return MirroredTown(db, bridge, ana, ben, event, room, clock)


@asynccontextmanager
async def running(town: MirroredTown, url: str, synapse: Synapse) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a bridge in its own process. It is killed with SIGKILL, at the latest when the block ends."""
    town.clock.turn(30 * MINUTE)  # so that the leases of the killed process expire
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.openmeet.matrix.bridge_process", url, "", str(town.clock.now())),
        *(synapse.url, SERVER_NAME, str(synapse.token_file), town.bridge.tenant),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert await next_line_of(process) == "ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
