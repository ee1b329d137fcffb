"""The printable guest list: for hosts only, sorted by name, with a maximum length."""

import re

import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.web.attendance import guest_list_pages
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


def names_in(html: str) -> list[str]:
    return re.findall(r"<td>([^<]+)<", html)


async def test_everybody_who_is_going_is_listed_by_name_for_hosts_alone(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, zoe, asa, ben = [await person(tx, name) for name in ("Ana", "Zoë", "Åsa", "ben <b>")]
        event = await event_by(tx, ana, title="Supper club")
        for who in (zoe, asa, ben):
            await attendance.answer(tx, who, event.slug, RsvpReply.GOING)
        maybe = await person(tx, "Maybe")
        await attendance.answer(tx, maybe, event.slug, RsvpReply.INTERESTED)
    path = f"/events/{event.slug}/guest-list"
    async with signed_in(site, ana.user_id) as host, signed_in(site, zoe.user_id) as guest:
        page = await host.get(path)
        assert names_in(page.text) == ["Åsa", "ben &lt;b&gt;", "Zoë"]
        assert page.headers["cache-control"] == "no-store"
        assert (await guest.get(path)).status_code in {403, 404}


async def test_a_long_list_has_letters_and_an_end(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_list_pages, "MAX_ON_PAPER", 3)
    monkeypatch.setattr(guest_list_pages, "MAX_WITHOUT_LETTERS", 2)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        for name in ("Ben", "Bea", "4 friends", "Cleo"):
            await attendance.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING)
    async with signed_in(site, ana.user_id) as host:
        page = (await host.get(f"/events/{event.slug}/guest-list")).text
    assert names_in(page) == ["4 friends", "Bea", "Ben"]
    assert re.findall(r'colspan="3">(.)</th>', page) == ["#", "B"]
    assert "These are the first 3 answers." in page


async def test_names_that_begin_with_no_letter_have_one_section(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_list_pages, "MAX_WITHOUT_LETTERS", 2)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        for name in ("Åsa", "Ben", "4 friends", "~ Tilda", "Ωmega", "★ Star", "ß"):
            await attendance.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING)
    async with signed_in(site, ana.user_id) as host:
        page = (await host.get(f"/events/{event.slug}/guest-list")).text
    assert re.findall(r'colspan="3">(.)</th>', page) == ["#", "A", "B", "S", "Ω"]
    assert names_in(page) == ["4 friends", "~ Tilda", "★ Star", "Åsa", "Ben", "ß", "Ωmega"]


async def test_a_list_of_exactly_the_maximum_length_is_complete(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_list_pages, "MAX_ON_PAPER", 2)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        for name in ("Ben", "Bea"):
            await attendance.answer(tx, await person(tx, name), event.slug, RsvpReply.GOING)
    async with signed_in(site, ana.user_id) as host:
        page = (await host.get(f"/events/{event.slug}/guest-list")).text
    assert names_in(page) == ["Bea", "Ben"]
    assert "These are the first" not in page


async def test_an_empty_list_says_once_that_nobody_is_going(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
    async with signed_in(site, ana.user_id) as host:
        page = (await host.get(f"/events/{event.slug}/guest-list")).text
    assert "Nobody is going yet." in page
    assert "paper-count" not in page
