"""Names and titles of the greatest length, as one word, of emoji and from right to left, on a phone and on paper: no page
or list is wider than its window, and the pictures of shared links are drawn.
"""

from typing import Final

import httpx
import pytest
from playwright.async_api import Browser, expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.values import MAX_TITLE
from openmeet.domain.groups.model import MAX_NAME as MAX_GROUP_NAME
from openmeet.domain.series import actions as series
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users.model import MAX_NAME, Caller
from tests.browser.browsers import PHONE, Deployment, context, sideways, squeezed_texts, unfold_all
from tests.external_dependencies import needs
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import details, event_by

pytestmark = needs("chromium")

A4: Final = {"width": 720, "height": 1_000}
TEXTS: Final = {"one word": "W", "emoji": "👩‍👩‍👧‍👦", "right to left": "מפגש"}
# The text of a chat message, which may be longer than a title.
_SAID: Final = 500


async def _examples(openmeet: Deployment, text: str) -> tuple[str, dict[str, str], tuple[str, ...]]:
    """The session token of a host, the paths of the pages, and those of the pictures."""
    async with openmeet.db.transaction() as tx:
        name = _filled(text, MAX_NAME)
        ana, ben = [
            Caller(await users.create_person(tx, display_name=name, email=f"{one}@example.org"), name)
            for one in ("ana", "ben")
        ]
        title = _filled(text, MAX_TITLE)
        group = await group_by(tx, ana, name=_filled(text, MAX_GROUP_NAME), description=_filled(text, _SAID))
        event = await events.create(
            tx, ana, details(title=title, venue_name=_filled(text, 100)), group=as_group_of_event(group)
        )
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        visit = await event_by(tx, ben, title=title)
        await attendance.answer(tx, ana, visit.slug, RsvpReply.GOING)
        practice = await series.create(tx, ana, Content(title, _filled(text, _SAID)), weekly())
        await send_text(tx, ben, await room_of(tx, ben, subject_of_event(event)), _filled(text, _SAID))
        token = (await open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    path, on = f"/events/{event.slug}", event.starts_local[:10]
    return (
        token,
        {
            "event": path,
            "form": f"{path}/edit",
            "attendees": f"{path}/attendees",
            "guest list": f"{path}/guest-list",
            "check-in": f"{path}/check-in",
            "chat": f"{path}/chat",
            "chats": "/chat",
            "ticket": f"/events/{visit.slug}/ticket",
            "list": "/",
            "home": "/home",
            "my events": "/my/events?which=hosting",
            **{f"calendar, {view}": f"/my/calendar?view={view}&on={on}" for view in ("month", "week", "agenda")},
            "news": "/notifications",
            "series": f"/series/{practice.slug}",
            "list of series": "/series",
            "group": f"/groups/{group.slug}",
            "groups": "/groups",
            "members": f"/groups/{group.slug}/members",
            "person": f"/people/{ben.user_id}",
            "embed": f"/embed/groups/{group.slug}",
        },
        (path, f"/series/{practice.slug}", f"/groups/{group.slug}", f"/people/{ana.user_id}"),
    )


def _filled(text: str, length: int) -> str:
    return text * (length // len(text))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_long_names_fit_every_page(browser: Browser, openmeet: Deployment, text: str) -> None:
    token, paths, with_picture = await _examples(openmeet, text)
    found = []
    async with context(browser, openmeet, viewport=PHONE) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        for name, path in paths.items():
            answer = await page.goto(path)
            assert answer is not None
            found += [f"{name}: answers {answer.status}"] if answer.status != 200 else []
            await unfold_all(page)
            found += [f"{name}: {await sideways(page)} px sideways"] if await sideways(page) > 0 else []
            found += [f"{name}: squeezed {words!r}" for words in await squeezed_texts(page)]
        await page.set_viewport_size(A4)
        await page.emulate_media(media="print")
        for name in ("event", "ticket", "guest list", "calendar, month", "calendar, week"):
            await page.goto(paths[name])
            found += [f"{name}, printed: {await sideways(page)} px sideways"] if await sideways(page) > 0 else []
    assert found == []
    async with httpx.AsyncClient(base_url=openmeet.url) as client:
        for path in with_picture:
            picture = await client.get(f"{path}/card.png")
            assert (path, picture.status_code, picture.content[:4]) == (path, 200, b"\x89PNG")


async def test_a_title_that_is_too_long_stays_in_its_field(browser: Browser, openmeet: Deployment) -> None:
    """Without the limit of the field, as a program would send it."""
    token, _, _ = await _examples(openmeet, "W")
    async with context(browser, openmeet, viewport=PHONE) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto("/events/new")
        field = page.get_by_label("Title")
        await field.evaluate("(one) => one.removeAttribute('maxlength')")
        await field.fill("W" * 500)
        await page.get_by_label("Starts").fill("2099-07-04T18:00")
        await page.get_by_role("button", name="Create event").click()
        await page.get_by_role("heading", name="One thing needs your attention").wait_for()
        await expect(page.get_by_label("Title")).to_have_value("W" * 500)
        assert await sideways(page) <= 0
