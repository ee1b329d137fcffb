"""Chats as people use them: two windows at once, on a phone and a desktop, and everything without scripts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.chat.model import RoomKind, RoomSubject, SubjectKind
from openmeet.domain.events import queries as events
from openmeet.domain.events.content import Content
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series.agenda import find_for_host
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, context, sideways, small_targets, unclear_names
from tests.external_dependencies import needs
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.series.practice import dates, split_series, weekly
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

pytestmark = needs("chromium")

XSS = '<img src=x onerror="document.title=1"> <script>document.title=1</script>'


@pytest.fixture
async def chat(openmeet):
    """The path of an event's chat, the event's slug, its two guests and their session tokens."""
    async with openmeet.db.transaction() as tx:
        people = [await person(tx, name) for name in ("Ana", "Ben", XSS)]
        event = await event_by(tx, people[0], title=f"Games {XSS}")
        for guest in people[1:]:
            await attendance.answer(tx, guest, event.slug, RsvpReply.GOING, ReplyDetails())
        tokens = [(await sign_in.open_session(tx, one.user_id, SessionTransport.BROWSER)).token for one in people]
    return f"/events/{event.slug}/chat", event.slug, people, tokens


def cookie(openmeet, token: str) -> list[dict[str, str]]:
    return [{"name": "openmeet_session", "value": token, "url": openmeet.url}]


async def test_messages_appear_in_both_windows_until_one_withdraws(openmeet, browser, chat):
    """New messages appear in the other window automatically. Withdrawing closes the chat in an open window. Text is
    never executed as code.
    """
    path, slug, people, tokens = chat
    async with (
        context(browser, openmeet, viewport=PHONE) as phone,
        context(browser, openmeet, viewport=DESK) as desk,
    ):
        await phone.add_cookies(cookie(openmeet, tokens[1]))
        await desk.add_cookies(cookie(openmeet, tokens[2]))
        ben, other = await phone.new_page(), await desk.new_page()
        await ben.goto(path)
        await ben.get_by_label("Message everyone").fill("Who has the key?")
        await ben.get_by_role("button", name="Send").click()
        await expect(ben.locator("li.own")).to_have_count(1)
        # The first message opens the chat. From then on, its people are counted.
        await expect(ben.locator(".talk-head")).to_contain_text("3 people")
        await other.goto(path)
        await expect(other.locator("li.msg")).to_have_count(1)
        title = await other.title()
        await other.get_by_label("Message everyone").fill(XSS)
        await other.keyboard.press("Control+Enter")
        await expect(other.locator("li.own")).to_have_count(1)
        await ben.reload()
        await expect(ben.locator("li.msg")).to_have_count(2)
        await other.get_by_label("Message everyone").fill("Arrives by itself")
        await other.get_by_role("button", name="Send").click()
        await expect(ben.locator("li.msg")).to_have_count(3)
        assert await other.title() == title
        for page in (ben, other):
            assert await sideways(page) <= 0
            assert await small_targets(page) == []
            assert await complaints(page) == []
            assert await unclear_names(page) == []
        await ben.get_by_label("Message everyone").fill("Half a thought")
        async with openmeet.db.transaction() as tx:
            await attendance.answer(tx, people[1], slug, RsvpReply.DECLINED, ReplyDetails())
        await expect(ben.get_by_role("heading", name="This chat is for people who answered")).to_be_visible()


async def test_enter_sends_only_if_chosen(openmeet, browser, chat):
    path, _, _, tokens = chat
    async with context(browser, openmeet) as opened:
        await opened.add_cookies(cookie(openmeet, tokens[1]))
        page = await opened.new_page()
        await page.goto(path)
        text = page.get_by_label("Message everyone")
        await text.fill("One")
        await text.press("Enter")
        await expect(text).to_have_value("One\n")
        await text.press("Control+Enter")
        await expect(page.locator("li.own")).to_have_count(1)
        await page.goto(f"{path}/settings")
        await page.get_by_role("button", name="Send with Enter").click()
        await expect(page.get_by_text("Enter sends the message. Shift+Enter starts a new line.")).to_be_visible()
        await page.goto(path)
        await text.fill("Two")
        await text.press("Shift+Enter")
        await expect(text).to_have_value("Two\n")
        await text.press("Enter")
        await expect(page.locator("li.own")).to_have_count(2)
        await page.goto(f"{path}/settings")
        await page.get_by_role("button", name="Start a new line with Enter").click()
        await expect(page.get_by_role("button", name="Send with Enter")).to_be_visible()


async def test_everything_without_scripts(openmeet, browser, chat):
    """A person sends, edits and deletes a message and replies to one; the host removes a message."""
    path, _, _, tokens = chat
    async with context(browser, openmeet, java_script_enabled=False) as opened:
        await opened.add_cookies(cookie(openmeet, tokens[1]))
        page = await opened.new_page()
        await page.goto(path)
        await page.get_by_label("Message everyone").fill("Hello")
        await page.get_by_role("button", name="Send").click()
        await expect(page).to_have_url(f"{openmeet.url}{path}#m2")
        await page.get_by_role("link", name="More about your message").click()
        await page.get_by_label("Message").last.fill("Hello everyone")
        await page.get_by_role("button", name="Save the message").click()
        await expect(page.locator("li.own")).to_contain_text("Hello everyone")
        await page.get_by_role("link", name="More about your message").click()
        await page.get_by_role("link", name="Reply").click()
        await page.get_by_label("Message everyone").fill("To myself")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator(".quote-line")).to_contain_text("Hello everyone")
        await opened.clear_cookies()
        await opened.add_cookies(cookie(openmeet, tokens[0]))
        await page.goto(path)
        await page.get_by_role("link", name="To myself").click()
        await page.get_by_label("Why").fill("Off topic")
        await page.get_by_role("button", name="Remove the message").click()
        await expect(page.locator("li.msg").last).to_contain_text("Removed by a moderator")


@pytest.fixture
def photos(tmp_path) -> list[str]:
    """Three photos: wide, tall and small."""
    made = []
    for number, (size, colour) in enumerate((((1600, 900), "teal"), ((900, 1600), "orange"), ((200, 200), "navy"))):
        path = tmp_path / f"{number}.jpg"
        Image.new("RGB", size, colour).save(path, comment=b"taken in the garden")
        made.append(str(path))
    return made


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
async def test_photos_are_chosen_together_and_arrive_in_the_other_window(openmeet, browser, chat, photos, viewport):
    """Several photos are sent at once, each with a description. The other window shows them automatically, and removes
    them when they are deleted.
    """
    path, _, _, tokens = chat
    async with context(browser, openmeet, viewport=viewport) as one, context(browser, openmeet, viewport=DESK) as two:
        await one.add_cookies(cookie(openmeet, tokens[1]))
        await two.add_cookies(cookie(openmeet, tokens[0]))
        ben, ana = await one.new_page(), await two.new_page()
        await ben.goto(path)
        await ben.get_by_label("Message everyone").fill("First")
        await ben.get_by_role("button", name="Send").click()
        await expect(ben.locator("li.own")).to_have_count(1)
        await ana.goto(path)
        await ben.get_by_label("Add pictures").click()
        await expect(ben.get_by_label("Picture 2", exact=True)).to_be_hidden()
        await ben.get_by_label("Picture 1", exact=True).set_input_files(photos[:2])
        await ben.get_by_label("What does picture 1 show?").fill("The lake")
        await expect(ben.get_by_label("Picture 3", exact=True)).to_be_visible()
        assert await complaints(ben) == []
        assert await unclear_names(ben) == []
        assert await small_targets(ben) == []
        assert await sideways(ben) <= 0
        await ben.get_by_role("button", name="Send").click()
        for page in (ben, ana):
            shown = page.locator("li.msg").last.get_by_role("img")
            await expect(shown).to_have_count(2)
            await expect(shown.first).to_have_attribute("alt", "The lake")
            await expect(shown.last).to_have_js_property("complete", True)
            assert await shown.last.evaluate("one => one.naturalWidth") > 0
            assert await sideways(page) <= 0
            assert await complaints(page) == []
            assert await small_targets(page) == []
        await expect(ben.get_by_label("What does picture 1 show?")).to_be_hidden()
        await ben.get_by_role("link", name="More about your message").last.click()
        await ben.get_by_role("button", name="Delete your message").click()
        await expect(ana.get_by_role("img", name="The lake")).to_have_count(0)


async def test_photos_without_scripts(openmeet, browser, chat, photos, tmp_path):
    """If one of the files is not a picture, the other files and the text are kept, and are sent with the next try."""
    path, _, _, tokens = chat
    broken = tmp_path / "broken.jpg"
    broken.write_text("no photo")
    async with context(browser, openmeet, viewport=PHONE, java_script_enabled=False) as opened:
        await opened.add_cookies(cookie(openmeet, tokens[1]))
        page = await opened.new_page()
        await page.goto(path)
        await page.get_by_label("Message everyone").fill("From the lake")
        await page.get_by_label("Add pictures").click()
        await page.get_by_label("Picture 1", exact=True).set_input_files(photos[0])
        await page.get_by_label("What does picture 1 show?").fill("The lake")
        await page.get_by_label("Picture 2", exact=True).set_input_files(str(broken))
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("alert")).to_contain_text("Picture 2: ")
        assert await sideways(page) <= 0
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("li.own").get_by_role("img", name="The lake")).to_be_visible()
        await expect(page.locator("li.own")).to_contain_text("From the lake")
        await page.locator("li.own").get_by_role("link", name="The lake", exact=True).click()
        assert page.url.endswith("/large")


# On a phone, on a desktop, and on a phone without scripts.
WAYS = {
    "phone": {"viewport": PHONE},
    "desk": {"viewport": DESK},
    "without scripts": {"viewport": PHONE, "java_script_enabled": False},
}


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def way(request):
    return request.param


@asynccontextmanager
async def window(browser, openmeet, token: str, **options: object) -> AsyncIterator[Page]:
    """A window of somebody who is signed in."""
    async with context(browser, openmeet, **options) as opened:
        await opened.add_cookies(cookie(openmeet, token))
        yield await opened.new_page()


async def looks_right(page: Page) -> None:
    assert await sideways(page) <= 0
    assert await small_targets(page) == []
    assert await complaints(page) == []


async def test_withdrawing_in_one_window_closes_the_chat_in_another(openmeet, browser, chat, way):
    """With scripts, the open window updates by itself; without scripts, at the next action."""
    path, slug, _, tokens = chat
    async with window(browser, openmeet, tokens[1], **way) as page:
        await page.goto(path)
        await page.get_by_label("Message everyone").fill("Hello")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("li.own")).to_have_count(1)
        await page.get_by_label("Message everyone").fill("Half a thought")
        other = await page.context.new_page()
        await other.goto(f"/events/{slug}")
        await other.locator(".answer-others > summary").click()
        await other.locator("button[name=reply][value=declined]").first.click()
        await expect(other.locator("button[name=reply][value=declined][aria-current=true]")).to_have_count(1)
        if way.get("java_script_enabled") is False:
            await page.get_by_role("button", name="Send").click()
            await expect(page.get_by_text("Half a thought")).to_have_count(0)
            await page.goto(path)
        await expect(page.get_by_role("heading", name="This chat is for people who answered")).to_be_visible()
        if way.get("java_script_enabled") is not False:
            await looks_right(page)


async def test_a_search_leads_to_the_message_where_it_was_said(openmeet, browser, way):
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        room = await room_of(tx, ana, subject_of_event(await event_by(tx, ana, title="Games")))
        said = [
            await send_text(tx, ana, room, "The key is under the blue stone" if number == 20 else f"Talk {number}")
            for number in range(140)
        ]
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
        slug = (await tx.fetch_one("select slug from events where id = :id", id=room.event_id))["slug"]
    async with window(browser, openmeet, token, **way) as page:
        await page.goto(f"/events/{slug}/chat")
        await expect(page.get_by_text("under the blue stone")).to_have_count(0)
        await page.get_by_role("link", name="Search this chat").click()
        await page.get_by_label("Words").fill("blue ston")
        await page.get_by_role("button", name="Search", exact=True).click()
        await page.get_by_role("link", name="Go to the message").click()
        row = page.locator(f"#m{said[20].number}")
        await expect(row).to_contain_text("under the blue stone")
        await expect(row).to_be_in_viewport()
        await expect(page.locator(f"#m{said[19].number}")).to_have_count(1)
        await expect(page.locator(f"#m{said[21].number}")).to_have_count(1)
        await page.goto("/chat")
        search = page.get_by_role("searchbox", name="Search your chats")
        await search.fill("blue ston")
        await search.press("Enter")
        await expect(page.get_by_role("heading", name="Messages")).to_be_visible()
        if way.get("java_script_enabled") is not False:
            await looks_right(page)
        await page.get_by_role("link", name="Go to the message").click()
        await expect(row).to_be_in_viewport()


async def test_a_question_to_the_hosts_is_answered(openmeet, browser, way):
    """The question is asked on the page of the event. The host finds it among the chats and answers there, and the
    answer appears on the page of the event.
    """
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, title="Games")
        tokens = [(await sign_in.open_session(tx, one.user_id, SessionTransport.BROWSER)).token for one in (ana, ben)]
    async with (
        window(browser, openmeet, tokens[1], **way) as asking,
        window(browser, openmeet, tokens[0], **way) as host,
    ):
        await asking.goto(f"/events/{event.slug}")
        link = asking.get_by_role("link", name="Ask the hosts")
        if not await link.count():
            await asking.goto(f"/chat/direct/event/{event.slug}")
        else:
            await link.click()
        await asking.get_by_label("Message the hosts").fill("Is there a lift?")
        await asking.get_by_role("button", name="Send").click()
        await expect(asking.locator("li.own")).to_contain_text("Is there a lift?")
        await host.goto("/chat?kind=direct")
        await host.get_by_role("link", name="Ben and the hosts").first.click()
        await expect(host.locator("li.msg")).to_contain_text("Is there a lift?")
        await host.get_by_label("Write a reply").fill("Yes, behind the stairs")
        await host.get_by_role("button", name="Send").click()
        await expect(host.locator("li.own")).to_contain_text("behind the stairs")
        if way.get("java_script_enabled") is False:
            await asking.reload()
        await expect(asking.locator("li.msg").last).to_contain_text("Yes, behind the stairs")
        if way.get("java_script_enabled") is not False:
            for page in (asking, host):
                await looks_right(page)


async def test_a_series_that_is_split_keeps_one_conversation(openmeet, browser, way):
    """Messages from before the split are shown on the pages of both halves, and replies to them are delivered there."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        series = await series_actions.create(
            tx, ana, Content("Practice"), weekly(start=datetime.fromisoformat("2026-03-03T18:00"))
        )
        room = await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
        await send_text(tx, ana, room, "Bring water")
        at = (await dates(tx, series))[2].position_in_series.original_date
        await split_series(tx, await find_for_host(tx, series.slug, ana.user_id), at, "Practice, later")
        tail = (await tx.fetch_one("select slug from event_series where split_from = :id", id=series.id))["slug"]
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with window(browser, openmeet, token, **way) as page:
        await page.goto(f"/series/{tail}/chat")
        await expect(page.locator("li.msg")).to_contain_text("Bring water")
        await page.get_by_label("Message everyone").fill("And a towel")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("li.msg")).to_have_count(2)
        await page.goto(f"/series/{series.slug}/chat")
        await expect(page.locator("li.msg")).to_have_count(2)
        await expect(page.locator("li.msg").last).to_contain_text("And a towel")
        await page.goto("/chat")
        await expect(page.locator(".room-row")).to_have_count(1)


async def test_chat_of_one_date_updates_automatically(openmeet, browser):
    """Messages about its date appear in an open page; those about another date do not."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        series = await series_actions.create(
            tx, ana, Content("Practice"), weekly(start=datetime.fromisoformat("2026-03-03T18:00"))
        )
        room = await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
        first, second = (await dates(tx, series))[:2]
        abouts = [one.position_in_series.original_date for one in (first, second)]
        await send_text(tx, ana, room, "Of the first", about=abouts[0])
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with window(browser, openmeet, token, viewport=PHONE) as page:
        await page.goto(f"/events/{first.slug}/chat")
        await expect(page.locator("li.msg")).to_have_count(1)
        async with openmeet.db.transaction() as tx:
            await send_text(tx, ana, room, "Of the second", about=abouts[1])
            await send_text(tx, ana, room, "Again of the first", about=abouts[0])
        await expect(page.locator("li.msg")).to_have_count(2)
        await expect(page.locator("li.msg").last).to_contain_text("Again of the first")
        await page.get_by_role("link", name="Whole chat").click()
        await expect(page.locator("li.msg")).to_have_count(3)
        async with openmeet.db.transaction() as tx:
            await send_text(tx, ana, room, "Of the second, too", about=abouts[1])
        await expect(page.locator("li.msg")).to_have_count(4)


async def test_the_head_of_a_chat_has_room_for_a_hundred_people_in_german(openmeet, browser, chat):
    """On a phone, the number of people is not cut off."""
    path, _, (ana, *_), (token, *_) = chat
    async with openmeet.db.transaction() as tx:
        series = await series_actions.create(
            tx, ana, Content("Practice"), weekly(start=datetime.fromisoformat("2026-03-03T18:00"))
        )
        room = await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
        await send_text(tx, ana, room, "Bring water")
    async with window(browser, openmeet, token, viewport=PHONE, locale="de-DE") as page:
        for one, said in (
            (path, "3 haben geantwortet"),
            (f"/series/{series.slug}/chat", "1 Person aus der Reihe"),
        ):
            await page.goto(one)
            subtitle = page.locator(".subtitle")
            assert await subtitle.inner_text() == said
            await subtitle.evaluate("it => { it.textContent = it.textContent.replace(/^./, '100'); }")
            assert await subtitle.evaluate("it => it.scrollWidth <= it.clientWidth")


async def test_drafts_are_deleted_at_sign_out(openmeet, browser, chat):
    path, _, _, tokens = chat
    async with window(browser, openmeet, tokens[1], viewport=DESK) as page:
        await page.goto(path)
        await page.get_by_label("Message everyone").fill("For Cleo only")
        await page.reload()
        await expect(page.get_by_label("Message everyone")).to_have_value("For Cleo only")
        await page.evaluate("document.querySelector('form[action=\"/sign-out\"]').requestSubmit()")
        await expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
        assert await page.evaluate("Object.keys(localStorage).filter((key) => key.includes('draft'))") == []


async def test_a_host_removes_a_message_and_then_the_person(openmeet, browser, chat, way):
    """The message disappears from another person's window. Its author is then banned, and unbanned on the same page."""
    path, _, _, tokens = chat
    async with window(browser, openmeet, tokens[0], **way) as host, window(browser, openmeet, tokens[1], **way) as ben:
        await ben.goto(path)
        await ben.get_by_label("Message everyone").fill("Buy this")
        await ben.get_by_role("button", name="Send").click()
        await expect(ben.locator("li.own")).to_have_count(1)
        await host.goto(path)
        await host.get_by_role("link", name="More about Ben’s message").click()
        message = host.url
        await host.get_by_label("Why").fill("Spam")
        await host.get_by_role("button", name="Remove the message").click()
        await expect(host.locator("li.msg")).to_contain_text("Removed by a moderator")
        await host.goto(message)
        await host.get_by_role("button", name="Ban the author from this chat").click()
        await expect(host.get_by_label("Why")).to_have_attribute("aria-invalid", "true")
        await host.get_by_label("Why").fill("Spam again")
        await host.get_by_role("button", name="Ban the author from this chat").click()
        await expect(host.locator("li.msg")).to_have_count(1)
        if way.get("java_script_enabled") is False:
            await ben.goto(path)
        await expect(ben.get_by_label("Message everyone")).to_have_count(0)
        await expect(ben.get_by_text("Buy this")).to_have_count(0)
        await host.goto(message)
        if way.get("java_script_enabled") is not False:
            await looks_right(host)
            assert await unclear_names(host) == []
        await host.get_by_role("button", name="Let the author back in").click()
        await expect(host.locator("li.msg")).to_have_count(1)
        await ben.goto(path)
        await expect(ben.get_by_label("Message everyone")).to_be_visible()


async def test_a_guest_writes_from_the_link_in_a_mail(openmeet, browser, chat, way):
    """The guest has no account and does not sign in. The message appears in the chat under the name that they gave."""
    path, slug, people, tokens = chat
    async with openmeet.db.transaction() as tx:
        gil = await guests.find_or_make(tx, email="gil@example.org", display_name="Gil")
        await attendance.answer(tx, Caller(gil, "Gil"), slug, RsvpReply.GOING, ReplyDetails())
        event = await events.by_slug(tx, slug)
        await send_text(tx, people[0], await room_of(tx, people[0], subject_of_event(event)), "Who has the key?")
        link = f"/mail/answer/{await email_links.token_for(tx, CODE_KEY, EmailLink(gil, LinkPurpose.ANSWER, event.id))}"
    async with context(browser, openmeet, **way) as nobody, window(browser, openmeet, tokens[0], **way) as host:
        page = await nobody.new_page()
        await page.goto(link)
        await page.locator(f"a[href='{link}/chat']").click()
        await expect(page.locator("li.msg")).to_contain_text("Who has the key?")
        await page.get_by_role("button", name="Send message").click()
        await expect(page.get_by_label("Message", exact=True)).to_have_attribute("aria-invalid", "true")
        await page.get_by_label("Message", exact=True).fill("I have it")
        await page.get_by_role("button", name="Send message").click()
        await expect(page.get_by_text("Sent. Everyone in this chat can read it now.")).to_be_visible()
        if way.get("java_script_enabled") is not False:
            await looks_right(page)
        await host.goto(path)
        await expect(host.locator("li.msg").last).to_contain_text("I have it")
        await expect(host.locator("li.msg").last).to_contain_text("Gil")
