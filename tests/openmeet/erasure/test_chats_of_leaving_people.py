"""Chats while a person is deleting their account: their messages count as taken back, they are in no list and no count,
and all of it is back when they change their mind; on both engines.
"""

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, people, polls, queries, reactions, readers, sanctions
from openmeet.domain.chat.access import access
from openmeet.domain.chat.messages import removal_sealer
from openmeet.domain.chat.model import Access, MessageKind, NotificationLevel
from openmeet.domain.chat.queries import MessageFilter
from openmeet.domain.erasure import actions
from openmeet.domain.events import co_host_queries, co_hosts, ownership
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation import moderators
from openmeet.domain.moderation.model import ReportReason
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller, UserId
from openmeet.web.site.chat_stream_feed import ChatSource, ChatStreamFeed
from openmeet.web.site.chat_streams import ChatStream
from tests.databases import MakeDatabase
from tests.openmeet.chat.open_pages import OpenPage, encode
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.series.practice import NOW
from tests.openmeet.site_under_test import CODE_KEY, event_by, person, signed_in, site_on
from tests.visible_text import visible_text

GRACE = 14 * DAY
LATER = {"starts": "2027-01-25T18:00", "ends": "2027-01-25T20:00"}
SEALER = removal_sealer(CODE_KEY)


class Scene:
    """Ana hosts; Ben, who leaves, and Cleo go to her event and write in its chat. Cleo quotes Ben's message."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def prepare(self) -> "Scene":
        async with self.db.transaction() as tx:
            self.ana, self.ben, self.cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
            self.event = await event_by(tx, self.ana, **LATER)
            for who in (self.ben, self.cleo):
                await attendance.answer(tx, who, self.event.slug, RsvpReply.GOING)
            self.room = await room_of(tx, self.ana, subject_of_event(self.event))
            self.said = await send_text(tx, self.ben, self.room, "I bring the cups")
            self.quoting = await send_text(tx, self.cleo, self.room, "Which ones?", reply_to=self.said.id)
        return self

    async def leave(self) -> None:
        await actions.begin(self.db, self.ben.user_id, GRACE)
        await readers.apply_access_changes(self.db)

    async def come_back(self) -> None:
        async with self.db.transaction() as tx:
            await open_session(tx, self.ben.user_id, SessionTransport.BROWSER)
        await readers.apply_access_changes(self.db)

    async def lines(self, viewer: Caller) -> list[tuple[str, str, bool]]:
        """Name, text and whether it was taken back, of each message."""
        async with self.db.reader() as reader:
            page = await queries.page_of_messages(reader, self.room, viewer.user_id, MessageFilter())
        return [(one.name, one.message.body, one.message.is_taken_back) for one in page.messages]


@pytest.fixture
async def scene(make_database: MakeDatabase, clock: HandClock) -> Scene:
    clock.turn(NOW - clock.now())
    return await Scene(await make_database("openmeet", clock=clock)).prepare()


async def test_messages_count_as_taken_back_until_the_person_returns(scene: Scene) -> None:
    """Their place remains, for guests and for hosts, and replies to them quote nothing."""
    before = [("Ben", "I bring the cups", False), ("Cleo", "Which ones?", False)]
    hidden = [("Somebody who is leaving", "", True), ("Cleo", "Which ones?", False)]
    for viewer in (scene.ana, scene.cleo):
        assert await scene.lines(viewer) == before
    await scene.leave()
    for viewer in (scene.ana, scene.cleo):
        assert await scene.lines(viewer) == hidden
    async with scene.db.reader() as reader:
        (quoting,) = await queries.visible_among(reader, scene.room, [scene.quoting.id], scene.ana.user_id)
    assert quoting.reply is not None
    assert (quoting.reply.name, quoting.reply.text, quoting.reply.is_removed) == ("Somebody who is leaving", "", True)
    await scene.come_back()
    for viewer in (scene.ana, scene.cleo):
        assert await scene.lines(viewer) == before


async def test_the_number_of_people_is_that_of_the_list(scene: Scene, clock: HandClock) -> None:
    async def listed() -> tuple[list[str], int | None, bool]:
        async with scene.db.reader() as reader:
            found = await people.some_members(reader, scene.room, scene.ana.user_id, 10)
        async with signed_in(site_on(scene.db, clock), scene.ana.user_id) as browser:
            page = visible_text((await browser.get(f"/events/{scene.event.slug}/chat")).text)
        return [one.name for one in found.people], found.total, f"{found.total} people" in page

    assert await listed() == (["Ana", "Ben", "Cleo"], 3, True)
    await scene.leave()
    assert await listed() == (["Ana", "Cleo"], 2, True)
    await scene.come_back()
    assert await listed() == (["Ana", "Ben", "Cleo"], 3, True)


async def test_hosts_list_and_count_the_same_answers(scene: Scene, clock: HandClock) -> None:
    """The list, its tab and the check-in page. A ticket of somebody who is leaving is not valid."""

    async def listed() -> tuple[bool, bool, bool]:
        async with signed_in(site_on(scene.db, clock), scene.ana.user_id) as host:
            page = visible_text((await host.get(f"/events/{scene.event.slug}/attendees")).text)
            arrivals = visible_text((await host.get(f"/events/{scene.event.slug}/check-in")).text)
        return "Ben" in page, "Going 2" in page, "0 of 2" in arrivals

    assert await listed() == (True, True, True)
    await scene.leave()
    assert await listed() == (False, False, False)
    await scene.come_back()
    assert await listed() == (True, True, True)


async def test_reactions_and_votes_do_not_count(scene: Scene) -> None:
    async with scene.db.transaction() as tx:
        details = await polls.checked_poll(tx, scene.room.id, ["Tea", "Coffee"], several=False, ends_at=None)
        poll = await send_text(tx, scene.cleo, scene.room, "What?", kind=MessageKind.POLL, details=details)
        for who in (scene.ben, scene.ana):
            await reactions.vote(tx, who, poll.id, [0])
            await reactions.react(tx, who, poll.id, "👍")

    async def counted() -> tuple[int, list[int]]:
        async with scene.db.reader() as reader:
            (one,) = await queries.visible_among(reader, scene.room, [poll.id], scene.ana.user_id)
        return one.votes[0], [each.number for each in one.reactions]

    assert await counted() == (2, [2])
    await scene.leave()
    assert await counted() == (1, [1])
    await scene.come_back()
    assert await counted() == (2, [2])


async def test_hidden_messages_are_not_unread(scene: Scene) -> None:
    async def unread() -> int:
        async with scene.db.reader() as reader:
            return (await readers.unread_counts(reader, scene.cleo.user_id)).messages

    assert await unread() == 1
    await scene.leave()
    assert await unread() == 0
    await scene.come_back()
    assert await unread() == 1


async def test_moderators_can_neither_see_nor_lose_a_hidden_message(scene: Scene) -> None:
    """Removing, holding, pinning or restoring it changes nothing, so that it is intact when the person returns. A text
    that was removed before can be restored then.
    """
    async with scene.db.transaction() as tx:
        removed = await send_text(tx, scene.ben, scene.room, "Rubbish")
        await messages.remove(tx, scene.ana, removed.id, "Not here", SEALER)
        assert await messages.sealed_content(tx, removed.id, SEALER) == ("Rubbish", ())
    await scene.leave()
    async with scene.db.transaction() as tx:
        await messages.remove(tx, scene.ana, scene.said.id, "Gone anyway", SEALER)
        await messages.hold(tx, scene.ana, scene.said.id)
        with pytest.raises(Refused):
            await messages.restore(tx, scene.ana, scene.said.id, SEALER)
        with pytest.raises(Refused):
            await reactions.pin(tx, scene.ana, scene.said.id)
        with pytest.raises(Forbidden):
            await messages.edit(tx, scene.ana, scene.said.id, "I bring nothing")
        assert await messages.sealed_content(tx, removed.id, SEALER) == ("", ())
    await scene.come_back()
    async with scene.db.transaction() as tx:
        await messages.restore(tx, scene.ana, removed.id, SEALER)
    assert [text for _, text, _ in await scene.lines(scene.cleo)] == ["I bring the cups", "Which ones?", "Rubbish"]


async def test_the_moderators_of_the_site_read_a_reported_message_until_they_decide(
    scene: Scene, clock: HandClock
) -> None:
    async with scene.db.transaction() as tx:
        await sanctions.report(tx, scene.cleo, scene.said.id, ReportReason.SPAM, to_tenant=True)
        moderator = await person(tx, "Mod")
        await moderators.appoint(tx, moderator.user_id, by=None)
    await scene.leave()
    async with signed_in(site_on(scene.db, clock), moderator.user_id) as browser:
        path = f"/moderation/chat/{scene.said.id}"
        assert path in (await browser.get("/moderation/chat")).text
        page = visible_text((await browser.get(path)).text)
        assert "Message by Ben" in page
        assert "I bring the cups The author is deleting their account." in page
        assert "Bring the message back" not in page
        other = await browser.get(f"/moderation/chat/{scene.quoting.id}")
        assert other.status_code == 404
        assert (await browser.post(path, data={"act": "dismiss"})).status_code == 303
        assert "I bring the cups" not in (await browser.get(path)).text
    for viewer in (scene.ana, scene.cleo):
        assert (await scene.lines(viewer))[0] == ("Somebody who is leaving", "", True)


async def test_a_message_taken_back_while_leaving_does_not_return(scene: Scene) -> None:
    """People who linked their Matrix account can take back their messages there at any time."""
    await scene.leave()
    async with scene.db.transaction() as tx:
        await messages.retract(tx, scene.ben, scene.said.id)
    await scene.come_back()
    assert await scene.lines(scene.ana) == [("Ben", "", True), ("Cleo", "Which ones?", False)]


async def test_marks_and_settings_are_kept(scene: Scene) -> None:
    """A person who is leaving cannot read the room, and reads on where they stopped when they return."""
    async with scene.db.transaction() as tx:
        await readers.mark_read(tx, scene.ben, scene.room.id, scene.said.number)
        await readers.choose_notifications(tx, scene.ben, scene.room.id, NotificationLevel.ALL, None)
    await scene.leave()
    async with scene.db.reader() as reader:
        assert await access(reader, scene.room.id, scene.ben.user_id) is Access.NONE
    await scene.come_back()
    async with scene.db.reader() as reader:
        assert await access(reader, scene.room.id, scene.ben.user_id) is Access.WRITE
        reading = await readers.reading_of(reader, scene.room.id, scene.ben.user_id)
    assert (reading.read_number, reading.level) == (scene.said.number, NotificationLevel.ALL)


async def test_open_pages_reload_when_an_author_leaves_and_returns(scene: Scene) -> None:
    """A program that resumes the stream afterwards gets the message without its text."""
    live, source = ChatStreamFeed(), ChatSource(scene.db, "", "")

    def opened(after: int) -> OpenPage:
        stream = ChatStream(
            room=scene.room.id,
            person=scene.cleo.user_id,
            slot=live.slots.take(scene.cleo.user_id, 10),
            language="en",
            entered=0,
            number=after,
            credential=None,
            encode=encode,
        )
        return OpenPage(live, source, stream)

    open_page = opened(scene.quoting.number)
    for step in (None, scene.leave, scene.come_back):
        if step is not None:
            await step()
        before = len(open_page.sent)
        await live.look(scene.db)
        await open_page.drained()
        reloads = [b"event: again" in frame for frame in open_page.sent[before:]]
        assert reloads == ([] if step is None else [True])
        if step == scene.leave:
            resumed = opened(0)
            await resumed.until_number(scene.quoting.number)
            assert [entry[2] for entry in resumed.entries][-2:] == ["", "Which ones?"]
            await resumed.close()
    await open_page.close()


async def test_hosts_neither_list_nor_choose_a_leaving_co_host(scene: Scene, clock: HandClock) -> None:
    """They can neither be invited nor be offered the event; their co-hosting is kept for their return."""
    did = "did:plc:" + "b" * 24
    async with scene.db.transaction() as tx:
        await identities.link(tx, did, scene.ben.user_id, handle="ben.example", pds_url="https://pds.example")
        one = await co_hosts.invite(tx, scene.ana, scene.event.slug, "ben@example.org")
        await co_hosts.accept(tx, scene.ben, one.id)
        other = await event_by(tx, scene.ana, **LATER)

    async def lists() -> tuple[bool, list[UserId | None]]:
        async with signed_in(site_on(scene.db, clock), scene.ana.user_id) as host:
            page = visible_text((await host.get(f"/events/{scene.event.slug}/hosts")).text)
        async with scene.db.reader() as reader:
            listed = await co_host_queries.listed(reader, scene.event.id)
        return "Ben" in page, [each.user_id for each in listed]

    assert await lists() == (True, [scene.ben.user_id])
    await scene.leave()
    assert await lists() == (False, [])
    async with scene.db.transaction() as tx:
        with pytest.raises(NotFound):
            await ownership.offer(tx, scene.ana, scene.event.slug, one.id)
        with pytest.raises(InvalidForm):
            await co_hosts.invite(tx, scene.ana, other.slug, "@ben.example")
    await scene.come_back()
    assert await lists() == (True, [scene.ben.user_id])


async def test_only_the_moderators_of_the_site_see_the_name(scene: Scene) -> None:
    """They decide about people and what they host, also while these are leaving."""
    await scene.leave()
    async with scene.db.reader() as reader:
        ben = scene.ben.user_id
        assert await shown_names(reader, [ben]) == {ben: "Somebody who is leaving"}
        assert await shown_names(reader, [ben], with_leaving=True) == {ben: "Ben"}
