"""The pages with everybody whom a reader may see among the people of an event."""

import re

import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import ListAudience, RegistrationSettings
from openmeet.web.events import people_pages, view
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on

LATER = {"starts": "2026-12-30T18:00", "ends": "2026-12-30T20:00"}


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet"), clock)


async def test_visitors_read_who_else_is_going(
    site: Site, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """The page of the event leads to a list in pages, without people who attend privately."""
    monkeypatch.setattr(view, "SHOWN_PEOPLE", 3)
    monkeypatch.setattr(people_pages, "PAGE_SIZE", 4)
    names = [f"Guest {number}" for number in range(7)]
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), **LATER)
        for name in names:
            await attendance.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING)
        hidden = await person(tx, "Hidden")
        await attendance.answer(tx, hidden, event.slug, RsvpReply.GOING, ReplyDetails(is_private=True))
        await attendance.answer(tx, await person(tx, "Mia"), event.slug, RsvpReply.INTERESTED)
    path = f"/events/{event.slug}"
    async with site.browser() as visitor:
        for language, words in (("en", "See more people"), ("de", "Weitere Leute ansehen")):
            with subtests.test(language=language):
                page = (await visitor.get(path, headers={"accept-language": language})).text
                assert re.findall(r'<a href="([^"]+/people)">([^<]+)<', page) == [(f"{path}/people", words)]
        first = (await visitor.get(f"{path}/people")).text
        (more,) = re.findall(r'<p class="more"><a class="button quiet" href="([^"]+)"', first)
        second = (await visitor.get(f"{path}/people{more}")).text
    assert "Hidden" not in first + second
    assert 'class="more"' not in second
    listed = [re.findall(r'person-name">([^<]+?)[ <]*(?:<|$)', page) for page in (first, second)]
    assert [one.strip() for part in listed for one in part] == [*names, "Mia"]
    assert second.count("· maybe<") == 1
    async with signed_in(site, hidden.user_id) as browser:
        shown = [(await browser.get(f"{path}/people{query}")).text for query in ("", more)]
    assert any("Hidden (you)" in page for page in shown)


@pytest.mark.parametrize(
    ("audience", "visitors", "guests"),
    [(ListAudience.EVERYONE, 200, 200), (ListAudience.ATTENDEES, 404, 200), (ListAudience.HOSTS, 404, 404)],
)
async def test_the_list_is_for_those_to_whom_the_host_shows_names(
    site: Site, audience: ListAudience, visitors: int, guests: int
) -> None:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, **LATER)
        private = await event_by(tx, ana, visibility="private", **LATER)
        settings = RegistrationSettings(list_audience=audience)
        await event_hosting.change_registration_settings(tx, ana, event.slug, settings)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    path = f"/events/{event.slug}/people"
    async with site.browser() as visitor, signed_in(site, ben.user_id) as guest, signed_in(site, ana.user_id) as host:
        found = [(await one.get(path)).status_code for one in (visitor, guest, host)]
        assert (await visitor.get(f"/events/{private.slug}/people")).status_code == 404
        assert (await visitor.get(f"{path}?after=made-up")).status_code == 400
    assert found == [visitors, guests, 200]
