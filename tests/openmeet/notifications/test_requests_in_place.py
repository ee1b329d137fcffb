"""Requests to join are decided where the notifications are, one by one or all at once, and the page is shown again."""

import re
from collections.abc import Sequence
from html import unescape

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, queries
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.model import Event
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.users.model import Caller
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on

NAMES = ("Ben", "Cleo", "Dan", "Emil", "Finn", "Gil", "Hana", "Ida", "Jo")


@pytest.fixture
async def site(make_sqlite, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def _asked(site: Site, names: Sequence[str], title: str = "Supper") -> tuple[Caller, Event]:
    """An event that these people ask to join, and its host."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title=title)
        asks = RegistrationSettings(needs_approval=True)
        await event_hosting.change_registration_settings(tx, ana, event.slug, asks)
        for name in names:
            await attendance.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING)
    return ana, event


def _form(page: str, key: str) -> str:
    return page.partition(f'id="asking-{key}"')[2].partition("</form>")[0]


def _fields(form: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: unescape(value) for name, value in found}


def _buttons(form: str) -> dict[str, dict[str, str]]:
    """The fields that each button sends, by its label for screen readers."""
    found = re.findall(r'<button [^>]*name="([^"]+)" value="([^"]+)"[^>]*aria-label="([^"]+)"', form)
    return {unescape(label): {name: unescape(value)} for name, value, label in found}


async def _numbers(site: Site, event: Event) -> tuple[int, int]:
    """How many people are going, and how many requests wait."""
    async with site.db.reader() as reader:
        counts = (await queries.counts(reader, [event.id]))[event.id]
    return counts.going, counts.pending_rsvps


async def _press(browser: httpx.AsyncClient, form: str, label: str, action: str) -> str:
    """Press a button of the form. Returns the path that is shown afterwards."""
    response = await browser.post(action, data=_fields(form) | _buttons(form)[label])
    assert response.status_code == 303
    return response.headers["location"]


@pytest.mark.parametrize("path", ["/notifications", "/notifications?show=events", "/home"])
async def test_one_by_one_and_then_all(site: Site, path: str) -> None:
    ana, event = await _asked(site, NAMES[:8])
    action = f"/events/{event.slug}/attendees"
    async with signed_in(site, ana.user_id) as browser:
        form = _form((await browser.get(path)).text, event.id)
        assert len(_buttons(form)) == 1 + 2 * 8
        assert "<details>" in form, "eight people are collapsed"
        back = await _press(browser, form, "Approve Ben: Supper", action)
        assert back.startswith(path)
        assert back.endswith(f"asking={event.id}#asking-{event.id}")
        assert await _numbers(site, event) == (1, 7)
        form = _form((await browser.get(back.partition("#")[0])).text, event.id)
        assert "<details open>" in form, "the list stays open for the next decision"
        back = await _press(browser, form, "Decline Cleo: Supper", action)
        assert await _numbers(site, event) == (1, 6)
        form = _form((await browser.get(back.partition("#")[0])).text, event.id)
        back = await _press(browser, form, "Approve all 6: Supper", action)
        assert await _numbers(site, event) == (7, 0)
        page = (await browser.get(back.partition("#")[0])).text
    assert "6 approved." in page
    assert f'id="asking-{event.id}"' not in page


async def test_the_ninth_person_is_behind_the_link(site: Site) -> None:
    ana, event = await _asked(site, NAMES)
    async with signed_in(site, ana.user_id) as browser:
        form = _form((await browser.get("/notifications")).text, event.id)
    assert "Approve all 9: Supper" in _buttons(form)
    assert "Approve Jo: Supper" not in _buttons(form)
    assert f'href="/events/{event.slug}/attendees?tab=asking"' in form


async def test_a_decision_leads_only_to_pages_of_this_site(site: Site) -> None:
    ana, event = await _asked(site, NAMES[:1])
    async with signed_in(site, ana.user_id) as browser:
        for path in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
            sent = {"act": "approve_all", "next": path}
            response = await browser.post(f"/events/{event.slug}/attendees", data=sent)
            assert response.headers["location"].startswith(f"/events/{event.slug}/attendees")


async def test_people_who_no_longer_host_see_nobody(site: Site) -> None:
    _, event = await _asked(site, NAMES[:2])
    async with site.db.transaction() as tx:
        zoe = await person(tx, "Zoe")
    async with signed_in(site, zoe.user_id) as browser:
        for path in ("/notifications", "/notifications?show=events", "/home"):
            assert f"asking-{event.id}" not in (await browser.get(path)).text


async def test_requests_to_join_a_group(site: Site) -> None:
    """Above the notifications for all, and in a filtered list with each notification."""
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        group = await group_by(tx, ana, join_policy="request")
        for one in (ben, cleo):
            await group_actions.join(tx, one, group.slug)
    action = f"/groups/{group.slug}/requests"
    async with signed_in(site, ana.user_id) as browser:
        page = (await browser.get("/notifications?show=groups")).text
        form = _form(page, f"{group.id}-{ben.user_id}")
        assert set(_buttons(form)) == {"Let in Ben: Chess club", "Decline Ben: Chess club"}
        back = await _press(browser, form, "Decline Ben: Chess club", action)
        assert back.startswith("/notifications?show=groups&")
        form = _form((await browser.get("/notifications")).text, group.id)
        assert set(_buttons(form)) == {"Let in Cleo: Chess club", "Decline Cleo: Chess club"}
        await _press(browser, form, "Let in Cleo: Chess club", action)
        assert f"asking-{group.id}" not in (await browser.get("/notifications")).text
    async with site.db.reader() as reader:
        roles = [await group_queries.role_in(reader, group.id, one.user_id) for one in (ben, cleo)]
    assert roles == [GroupRole.DECLINED, GroupRole.MEMBER]


async def test_several_requests_to_join_a_group_at_once(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        group = await group_by(tx, ana, join_policy="request")
        for one in (ben, cleo):
            await group_actions.join(tx, one, group.slug)
    async with signed_in(site, ana.user_id) as browser:
        form = _form((await browser.get("/home")).text, group.id)
        back = await _press(browser, form, "Let 2 people in: Chess club", f"/groups/{group.slug}/requests")
        assert back.startswith("/home")
    async with site.db.reader() as reader:
        roles = [await group_queries.role_in(reader, group.id, one.user_id) for one in (ben, cleo)]
    assert roles == [GroupRole.MEMBER] * 2
