"""The pages of a chat, as people use them."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest

from groundwork.clock import DAY, SECOND, to_datetime
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import messages, reactions, readers, room_queries, sanctions
from openmeet.domain.chat.model import AudienceSwitch, HistoryMode, Room, RoomRetention
from openmeet.domain.chat.sanctions import SanctionKind
from openmeet.domain.covers.drawing import data_url
from openmeet.domain.covers.model import cover_of
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event
from openmeet.domain.moderation.model import ModeratedKind, Subject
from openmeet.domain.safety import actions as safety
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series.model import Timing
from openmeet.domain.users.model import Caller
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import parse_local
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on
from tests.visible_text import visible_text


@dataclass
class Chat:
    """Ana hosts and Ben is going. Both have a browser."""

    site: Site
    ana: Caller
    ben: Caller
    event: Event
    room: Room
    as_ana: httpx.AsyncClient
    as_ben: httpx.AsyncClient

    @property
    def path(self) -> str:
        return f"/events/{self.event.slug}/chat"


@pytest.fixture
async def chat(make_database, clock) -> AsyncIterator[Chat]:
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, starts="2026-03-05T18:00", ends="2026-03-05T20:00")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        room = await room_of(tx, ana, subject_of_event(event))
    async with signed_in(site, ana.user_id) as as_ana, signed_in(site, ben.user_id) as as_ben:
        yield Chat(site, ana, ben, event, room, as_ana, as_ben)


async def test_every_page_shows_the_unread_count(chat):
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "One")
    home = (await chat.as_ben.get("/")).text
    # In the top bar, and in the bar for phones.
    assert home.count('<span class="count">1<span class="hidden"> new</span></span>') == 2
    async with chat.site.db.transaction() as tx:
        last = await send_text(tx, chat.ana, chat.room, "Two", mentions=(chat.ben.user_id,))
    assert (await chat.as_ben.get("/")).text.count('<span class="count">@ 2') == 2
    assert '<span class="count">' not in (await chat.as_ana.get("/")).text
    async with chat.site.db.transaction() as tx:
        await readers.mark_read(tx, chat.ben, chat.room.id, last.number)
    assert '<span class="count">' not in (await chat.as_ben.get("/")).text


async def test_the_chat_of_an_event_says_when_the_event_is(chat):
    shown = visible_text((await chat.as_ben.get(chat.path)).text)
    assert "Thu 5 Mar, 18:00" in shown
    assert shown.count("people who answered ") == 1, "said twice"


async def test_times_of_messages_have_no_seconds(chat, clock):
    clock.turn(34 * SECOND)
    async with chat.site.db.transaction() as tx:
        said = await send_text(tx, chat.ana, chat.room, "At the door")
    (shown,) = re.findall(
        r"<time[^>]*>([^<]*)</time>", (await chat.as_ben.get(chat.path)).text.partition('class="msg')[2]
    )[:1]
    assert to_datetime(said.said_at).second == 34
    assert re.fullmatch(r"\d\d:\d\d", shown)
    clock.turn(DAY)
    tomorrow = (await chat.as_ben.get(chat.path)).text
    assert visible_text(tomorrow).count("Yesterday") == 2, "once above the messages, once in the list of chats"


async def test_a_chat_belongs_to_the_chats_also_below_the_address_of_its_group(chat):
    async with chat.site.db.transaction() as tx:
        group = await group_by(tx, chat.ana)
    for path in (chat.path, f"/groups/{group.slug}/chat/general"):
        page = (await chat.as_ana.get(path)).text.partition("<main")[0]
        assert re.findall(r'<a href="([^"]*)" aria-current="page"', page) == ["/chat"], path


async def test_arrows_turn_with_the_direction_of_the_page(chat):
    """Icons that point in the reading direction have the class that mirrors them."""
    page = (await chat.as_ben.get(chat.path)).text
    assert '<svg class="icon turns"' in page.partition("write-send")[2].partition("</button>")[0]


async def test_people_can_be_mentioned_in_the_first_message(chat):
    """The list is on the page of people, where the script looks for names, and beside the empty conversation."""
    async with chat.site.db.transaction() as tx:
        event = await event_by(tx, chat.ana, starts="2026-03-06T18:00", ends="2026-03-06T20:00")
        await attendance.answer(tx, chat.ben, event.slug, RsvpReply.GOING)
    names = await chat.as_ana.get(f"/events/{event.slug}/chat/people", params={"q": "be"})
    assert re.findall(r"<bdi>(\w+)</bdi>", names.text) == ["Ben"]
    assert "2 people" in visible_text((await chat.as_ana.get(f"/events/{event.slug}/chat")).text)


async def test_only_a_long_list_of_people_can_be_searched(chat):
    async with chat.site.db.transaction() as tx:
        event = await event_by(tx, chat.ana, starts="2026-03-06T18:00", ends="2026-03-06T20:00")
        await attendance.answer(tx, chat.ben, event.slug, RsvpReply.GOING)
    path = f"/events/{event.slug}/chat/people"
    few = (await chat.as_ana.get(path)).text
    async with chat.site.db.transaction() as tx:
        for number in range(8):
            await attendance.answer(tx, await person(tx, f"Guest {number}"), event.slug, RsvpReply.GOING)
    many = (await chat.as_ana.get(path)).text
    assert ['role="search"' in page for page in (few, many)] == [False, True]


async def test_everybody_who_is_not_listed_beside_a_chat_is_counted_there(chat):
    async with chat.site.db.transaction() as tx:
        for number in range(8):
            await attendance.answer(tx, await person(tx, f"Guest {number}"), chat.event.slug, RsvpReply.GOING)
    shown = (await chat.as_ana.get(chat.path)).text
    beside = re.search(r'<section aria-labelledby="beside">.*?</section>', shown, re.DOTALL)[0]
    listed = beside.count("<li")
    assert 0 < listed < 10
    assert "10 people" in visible_text(beside)
    assert f"and {10 - listed} others" in visible_text(beside)


async def test_messages_of_muted_people_are_not_counted(chat):
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "One")
        await safety.mute(tx, chat.ben, Subject(ModeratedKind.PERSON, chat.ana.user_id))
        assert (await readers.unread_counts(tx, chat.ben.user_id)).messages == 0


async def test_messages_of_blocked_and_muted_people_are_folded(chat):
    """The words are inside the closed details only; the button beside them, which has a name for screen readers, does not
    repeat them.
    """
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "Rude words")
        await safety.block(tx, chat.ben, chat.ana.user_id)
    shown = (await chat.as_ben.get(chat.path)).text
    assert "Hidden: you blocked or muted Ana." in visible_text(shown)
    assert "Rude words" in shown
    assert "Rude words" not in re.sub(r"<details.*?</details>", "", shown, flags=re.DOTALL)


async def test_reading_a_part_does_not_mark_the_whole_chat_as_read(chat):
    async with chat.site.db.transaction() as tx:
        await readers.mark_read(tx, chat.ben, chat.room.id, 0)
        await send_text(tx, chat.ana, chat.room, "One")
    assert "data-mark" in (await chat.as_ben.get(chat.path)).text
    of_ana = (await chat.as_ben.get(f"{chat.path}?person={chat.ana.user_id}")).text
    assert "One" in of_ana
    assert "data-mark" not in of_ana


async def test_the_newest_pin_is_on_the_page_of_the_event(chat):
    """The newest pinned message is on the event page, only for people who can read the chat."""
    async with chat.site.db.transaction() as tx:
        for text in ("Ring twice", "The door is at the back"):
            await reactions.pin(tx, chat.ana, (await send_text(tx, chat.ana, chat.room, text)).id)
        # Later messages, because the page also shows the last two.
        for text in ("Is it warm there?", "Yes"):
            await send_text(tx, chat.ana, chat.room, text)
    path = f"/events/{chat.event.slug}"
    shown = (await chat.as_ben.get(path)).text
    assert "The door is at the back" in shown
    assert "Ring twice" not in shown
    async with chat.site.browser() as visitor:
        assert "The door is at the back" not in (await visitor.get(path)).text
    async with chat.site.db.transaction() as tx:
        await safety.mute(tx, chat.ben, Subject(ModeratedKind.PERSON, chat.ana.user_id))
    assert "The door is at the back" not in (await chat.as_ben.get(path)).text


async def test_the_page_of_the_event_shows_the_last_messages(chat):
    """The last two messages are on the event page for people who can read the chat; without removed messages and those
    of people whom they muted. Visitors see them only if the host lets anybody read.
    """
    path = f"/events/{chat.event.slug}"
    assert "Nobody has written yet." in (await chat.as_ben.get(path)).text
    async with chat.site.db.transaction() as tx:
        for author, text in ((chat.ana, "Ring twice"), (chat.ben, "I bring *soup*"), (chat.ana, "Wonderful")):
            await send_text(tx, author, chat.room, text)
        removed = await send_text(tx, chat.ben, chat.room, "Rude words")
        await messages.retract(tx, chat.ben, removed.id)
    shown = visible_text((await chat.as_ben.get(path)).text)
    assert re.search("Chat Open the chat B Ben just now I bring soup A Ana Host just now Wonderful", shown)
    assert not re.search("Ring twice|Rude words", shown)
    async with chat.site.browser() as visitor:
        hidden = (await visitor.get(path)).text
        assert "This chat is for people who answered." in hidden
        assert "Wonderful" not in hidden
        await chat.as_ana.post(
            f"{chat.path}/settings", data={"revision": str(chat.room.revision), "who_anybody": "read"}
        )
        assert "Wonderful" in (await visitor.get(path)).text
    async with chat.site.db.transaction() as tx:
        await safety.mute(tx, chat.ben, Subject(ModeratedKind.PERSON, chat.ana.user_id))
    assert "Wonderful" not in (await chat.as_ben.get(path)).text


async def test_only_people_who_may_enter_can_open_the_chat(chat):
    """Others read who may, and can ask the hosts. Nobody has to open a room before it can be entered."""
    async with chat.site.db.transaction() as tx:
        eve = await person(tx, "Eve")
        other = await event_by(tx, chat.ana, title="No room yet")
        await attendance.answer(tx, chat.ben, other.slug, RsvpReply.GOING)
    async with chat.site.browser() as visitor, signed_in(chat.site, eve.user_id) as as_eve:
        for event in (chat.event, other):
            path = f"/events/{event.slug}"
            link = f'href="{path}/chat"'
            for browser in (chat.as_ana, chat.as_ben):
                page = (await browser.get(path)).text
                assert (link in page, "Nobody has written yet." in page) == (True, True)
            for browser in (visitor, as_eve):
                page = (await browser.get(path)).text
                assert link not in page
                assert "This chat is for people who answered." in page
                assert "Ask the hosts" in page
        async with chat.site.db.transaction() as tx:
            await attendance.answer(tx, eve, chat.event.slug, RsvpReply.GOING)
        assert f'href="{chat.path}"' in (await as_eve.get(f"/events/{chat.event.slug}")).text
    async with chat.site.db.transaction() as tx:
        await sanctions.sanction(tx, chat.ana, chat.room.id, chat.ben.user_id, SanctionKind.BAN, reason="Spam")
    banned = (await chat.as_ben.get(f"/events/{chat.event.slug}")).text
    assert "This chat is closed to you." in visible_text(banned)
    assert "Open the chat" not in banned


async def test_the_page_of_a_series_has_its_chat_for_people_who_may_enter(chat):
    async with chat.site.db.transaction() as tx:
        eve = await person(tx, "Eve")
        timing = Timing(
            pattern(parse_local("2026-03-03T18:00", "starts"), "Europe/Berlin", parse_rule("FREQ=WEEKLY")), None
        )
        series = await series_actions.create(tx, chat.ana, Content("Practice", ""), timing)
    path = f"/series/{series.slug}"
    async with chat.site.browser() as visitor, signed_in(chat.site, eve.user_id) as as_eve:
        for browser, may_enter in ((chat.as_ana, True), (visitor, False), (as_eve, False)):
            assert (f'href="{path}/chat"' in (await browser.get(path)).text) == may_enter


async def test_all_chats_of_somebody_are_listed_page_by_page(chat):
    async with chat.site.db.transaction() as tx:
        for number in range(45):
            await room_of(tx, chat.ana, subject_of_event(await event_by(tx, chat.ana, title=f"Evening {number}")))
    listed, path = set(), "/chat"
    for _ in range(2):
        shown = (await chat.as_ana.get(path)).text
        listed |= set(re.findall(r"Evening [0-9]+", shown))
        (path,) = re.findall(r'href="(/chat[?]after=[^"]+)"', shown) or [""]
    assert len(listed) == 45
    assert path == ""


async def test_a_chat_is_muted_for_a_while(chat):
    path, count = f"{chat.path}/settings", '<span class="count">1<span class="hidden"> new</span></span>'
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "One")
    assert count in (await chat.as_ben.get("/home")).text
    assert "Muted:" not in (await chat.as_ben.get("/chat")).text
    await chat.as_ben.post(f"{path}/notifications", data={"level": "all", "mute": "day"})
    assert count not in (await chat.as_ben.get("/home")).text
    assert "Muted:" in (await chat.as_ben.get("/chat")).text
    (until,) = re.findall(r'value="keep" selected>Until ([^<]+)<', (await chat.as_ben.get(path)).text)
    # Other changes in the form leave the mute on, and it ends a day later.
    await chat.as_ben.post(f"{path}/notifications", data={"level": "usual", "mute": "keep"})
    assert f"Until {until}<" in (await chat.as_ben.get(path)).text
    chat.site.clock.turn(DAY)
    assert "Until" not in (await chat.as_ben.get(path)).text
    assert "Muted:" not in (await chat.as_ben.get("/chat")).text
    for wish, marks in (("week", 1), ("", 0), ("for ever", 0)):
        await chat.as_ben.post(f"{path}/notifications", data={"level": "all", "mute": wish})
        assert (await chat.as_ben.get("/chat")).text.count("Muted:") == marks
    await chat.as_ben.post(f"{path}/notifications", data={"level": "none", "mute": ""})
    assert "Muted:" in (await chat.as_ben.get("/chat")).text


async def test_hosts_change_a_chat_for_everyone(chat):
    path = f"{chat.path}/settings"
    form = (await chat.as_ana.get(path)).text
    assert "Save for everyone" in form
    # The event has no group, so there are no settings for group members.
    assert "People who said maybe" in form
    assert "Members of the group" not in form
    typed = {"revision": str(chat.room.revision), "about": "Bring tea", "who_interested": "read", "slow": "60"}
    saved = await chat.as_ana.post(
        path, data={**typed, "history": "since_joining", "retention": "year", "holds": "yes"}
    )
    assert (saved.status_code, saved.headers["location"]) == (303, path)
    async with chat.site.db.reader() as reader:
        room = await room_queries.by_id(reader, chat.room.id)
    assert (room.about, room.slow_seconds, room.holds_messages) == ("Bring tea", 60, True)
    assert (room.history, room.retention) == (HistoryMode.SINCE_JOINING, RoomRetention.YEAR)
    assert room.switch(AudienceSwitch.INTERESTED) == "read"
    late = await chat.as_ana.post(path, data={**typed, "about": "Bring cake"})
    assert late.status_code == 409
    assert "Bring cake" in late.text
    wrong = await chat.as_ana.post(path, data={"slow": "99999", "who_interested": "never"})
    assert wrong.status_code == 400


async def test_people_change_only_their_own_notifications(chat):
    path = f"{chat.path}/settings"
    assert "Save for everyone" not in (await chat.as_ben.get(path)).text
    assert (await chat.as_ben.post(path, data={"about": "Mine"})).status_code == 403
    assert (await chat.as_ben.post(f"{path}/close", data={"reason": ""})).status_code == 403
    assert (await chat.as_ben.post(f"{path}/notifications", data={"level": "none"})).status_code == 303
    assert 'value="none" checked' in (await chat.as_ben.get(path)).text
    async with chat.site.db.transaction() as tx:
        await send_text(tx, chat.ana, chat.room, "Not news")
        assert (await readers.unread_counts(tx, chat.ben.user_id)).messages == 0


async def test_a_host_closes_a_chat_and_opens_it_again(chat):
    assert (await chat.as_ana.post(f"{chat.path}/settings/close", data={"reason": "Over"})).status_code == 303
    assert "This chat is closed" in (await chat.as_ben.get(chat.path)).text
    assert (await chat.as_ana.post(f"{chat.path}/settings/reopen", data={"x": ""})).status_code == 303
    assert "This chat is closed" not in (await chat.as_ben.get(chat.path)).text


async def test_the_list_shows_the_picture_of_the_event(chat):
    cover = cover_of(chat.event.title, chat.event.content.categories)
    assert f'src="{data_url(cover)}"' in html.unescape((await chat.as_ben.get("/chat")).text)


async def test_a_strangers_id_reveals_no_name_to_hosts(chat):
    async with chat.site.db.transaction() as tx:
        cleo = await person(tx, "Cleopatra")
    path = f"/chat/direct/event/{chat.event.slug}"
    stranger = await chat.as_ana.get(path, params={"with": cleo.user_id})
    guest = await chat.as_ana.get(path, params={"with": chat.ben.user_id})
    assert (stranger.status_code, guest.status_code) == (404, 200)
    assert "Cleopatra" not in stranger.text
    assert "Ben and the hosts" in guest.text


async def test_asking_the_hosts_leads_through_sign_in_and_back(chat):
    """The event page shows the link to everybody. People who are signed out are sent to the sign-in page and back."""
    path = f"/chat/direct/event/{chat.event.slug}"
    async with chat.site.browser() as anybody:
        assert f'href="{path}"' in (await anybody.get(f"/events/{chat.event.slug}")).text
        asked = await anybody.get(path)
        assert (asked.status_code, asked.headers["location"]) == (303, f"/sign-in?next={quote(path, safe='')}")
        assert (await anybody.get("/chat/direct/event/none-5w4kmd399g")).status_code == 404


async def test_a_page_without_scripts_can_reload_itself(chat):
    page = await chat.as_ben.get(chat.path)
    assert "refresh" not in page.headers
    assert f"{chat.path}?follow=yes" in page.text
    following = await chat.as_ben.get(f"{chat.path}?follow=yes")
    assert following.headers["refresh"] == "30"
    assert "<textarea" not in following.text
    assert "Pause to write" in following.text
    refused = await chat.as_ben.post(f"{chat.path}?follow=yes", data={"text": ""})
    assert "refresh" not in refused.headers


async def test_a_chat_shows_its_retention_period(make_database, clock):
    site = site_on(await make_database("openmeet", clock=clock), clock, chat_kept_days=60)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await room_of(tx, ana, subject_of_event(event))
    async with signed_in(site, ana.user_id) as browser:
        assert "Messages are deleted after 60 days." in (await browser.get(f"/events/{event.slug}/chat")).text


async def test_after_the_event_nobody_is_asked_to_answer(chat):
    """Somebody who did not answer reads why they cannot join the chat."""
    async with chat.site.db.transaction() as tx:
        cleo = await person(tx, "Cleo")
    for is_over in (False, True):
        if is_over:
            chat.site.clock.turn(400 * DAY)
        async with signed_in(chat.site, cleo.user_id) as browser:
            shown = visible_text((await browser.get(chat.path)).text)
        assert ("Say you’re going, and you can read" in shown, "The event is over" in shown) == (not is_over, is_over)


async def test_times_in_sentences_are_called_times_in_german(chat):
    """Next to a message, the time stands alone. In a sentence it does not."""
    async with chat.site.db.transaction() as tx:
        message = await send_text(tx, chat.ana, chat.room, "Tea?")
    shown = await chat.as_ana.get(f"/chat/messages/{message.id}", headers={"accept-language": "de"})
    assert re.search(r"Deine Nachricht von \d{1,2}:\d\d\sUhr löschen", shown.text)
    room = await chat.as_ana.get(chat.path, headers={"accept-language": "de"})
    assert re.search(r"Mehr zu deiner Nachricht von \d{1,2}:\d\d\sUhr: Tea", room.text)
    assert re.search(r"<time[^>]*>\d{1,2}:\d\d</time>", room.text)
