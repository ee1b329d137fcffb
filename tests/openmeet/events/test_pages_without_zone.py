"""Pages of events from other apps whose record names no time zone."""

from dataclasses import replace

import pytest

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.record_changes import apply_from_network
from openmeet.domain.events.values import EventLink, Mode
from tests.databases import MakeDatabase
from tests.openmeet.events.network_event import PARTY_FROM_NETWORK, PARTY_URI
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on

ROOM = "https://talk.example/room"
TALK = replace(
    PARTY_FROM_NETWORK,
    name="Talk",
    time_zone="UTC",
    is_zone_assumed=True,
    starts_text="2026-07-04T16:00:00Z",
    mode=Mode.ONLINE,
    venues=(),
    online_url=ROOM,
    links=(EventLink(ROOM, ""), EventLink("https://slides.example", "Slides")),
)


@pytest.fixture
async def site(make_database: MakeDatabase, clock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def talk_on(site: Site) -> Event:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event_id = await apply_from_network(tx, uri=PARTY_URI, cid="bafy", author_id=ana.user_id, event=TALK)
        event = await by_id(tx, event_id)
    assert event is not None
    return event


def text_of(html: str) -> str:
    return html.replace("\N{NO-BREAK SPACE}", " ")


async def test_an_online_event_is_shown_on_the_clock_of_a_reader_who_chose_a_zone(site: Site):
    """Everybody else reads that the time is in UTC."""
    event = await talk_on(site)
    async with site.db.transaction() as tx:
        ben = await person(tx, "Ben")
        await tx.execute("update users set time_zone = 'Asia/Tokyo' where id = :id", id=ben.user_id)
    async with site.browser() as browser:
        for path in (f"/events/{event.slug}", "/?q=talk"):
            page = text_of((await browser.get(path)).text)
            assert "16:00" in page, path
            assert ">UTC</span>" in page, path
        assert 'data-zone="UTC"' in (await browser.get(f"/events/{event.slug}")).text
    async with signed_in(site, ben.user_id) as browser:
        page = text_of((await browser.get(f"/events/{event.slug}")).text)
        assert "Sunday 5 July" in page
        assert "01:00" in page
        assert "UTC" not in page
        assert 'data-your-time="2026-07-04T16:00:00Z" data-zone="Asia/Tokyo"' in page


async def test_events_of_more_like_this_name_their_zone(site: Site):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        fields = {"mode": "online", "online_url": ROOM, "starts": "2026-03-05T18:00", "ends": ""}
        await event_by(tx, ana, title="Far call", time_zone="America/New_York", **fields)
        event = await event_by(tx, ana, title="Near call", **fields)
    async with site.browser() as browser:
        page = (await browser.get(f"/events/{event.slug}")).text
    assert ">New York time</span>" in page.partition("More like this")[2]


async def test_the_week_of_a_reader_without_a_zone_says_that_a_time_is_in_utc(site: Site):
    """The first event of the week is a card of its own. All others are rows beside it."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for title in ("Near call", "Far call"):
            call = await event_by(tx, ana, title=title, mode="online", online_url=ROOM, time_zone="UTC")
            await attendance.answer(tx, ana, call.slug, RsvpReply.GOING)
    async with signed_in(site, ana.user_id) as browser:
        page = text_of((await browser.get("/home")).text)
    week = page.partition('<ul class="week">')[2].partition("</ul>")[0]
    assert week.count(">UTC</span>") == week.count("<li") > 0


async def test_the_link_to_join_is_not_repeated_among_the_links(site: Site):
    event = await talk_on(site)
    async with site.browser() as browser:
        page = (await browser.get(f"/events/{event.slug}")).text
    assert page.count(f'href="{ROOM}"') == 1
    assert 'href="https://slides.example"' in page
