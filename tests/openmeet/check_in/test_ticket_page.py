"""A ticket on a page: the code for check-in on site, the link for online events."""

import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def ticket(site: Site, **typed: str) -> str:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, **typed)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
    async with signed_in(site, ben.user_id) as browser:
        return (await browser.get(f"/events/{event.slug}/ticket")).text


async def test_in_person_the_code_comes_first(site: Site) -> None:
    page = await ticket(site, door_note="Ring twice")
    assert page.index("<svg", page.index("ticket-picture")) < page.index("Ring twice")
    assert "<details" not in page
    assert "Town library" in page


async def test_online_the_link_comes_first(site: Site) -> None:
    page = await ticket(site, mode="online", online_url="https://meet.example/x")
    assert page.index("https://meet.example/x") < page.index("<details") < page.index("ticket-code")


async def test_a_country_alone_is_no_place(site: Site) -> None:
    """The form fills in the country, so that an event without a place has one."""
    page = await ticket(site, venue_name="", street="", locality="", country="Germany")
    assert "Germany" not in page
    page = await ticket(site, country="Germany", title="Chess")
    assert ("Town library" in page, "Germany" in page) == (True, False)
