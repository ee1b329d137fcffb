"""When and where, on the page of an event: how many days ahead, its series, and how many people are going."""

import re
from datetime import timedelta

import pytest

from groundwork.clock import HandClock, to_datetime
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import invitations
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events.content import Content
from openmeet.domain.events.values import Tickets
from openmeet.domain.events.vocabulary import Category
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Timing
from openmeet.domain.users.model import Caller
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import FIRST, NOW, ZONE, dates
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on
from tests.visible_text import visible_text

LATER = {"starts": "2026-12-30T18:00", "ends": "2026-12-30T20:00"}


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    clock.turn(NOW - clock.now())
    return site_on(await make_sqlite("openmeet"), clock)


async def facts(site: Site, slug: str) -> str:
    async with site.browser() as nobody:
        page = (await nobody.get(f"/events/{slug}")).text
    return page.partition('class="facts"')[2].partition("</section>")[0]


@pytest.mark.parametrize(
    ("days", "words"), [(0, "today"), (1, "tomorrow"), (2, "in 2 days"), (14, "in 14 days"), (15, ""), (-1, "")]
)
async def test_near_events_say_how_many_days_ahead_they_are(site: Site, days: int, words: str) -> None:
    day = to_datetime(NOW).date() + timedelta(days=days)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, starts=f"{day}T23:00", ends=f"{day}T23:30", time_zone=ZONE)
    shown = await facts(site, event.slug)
    assert (f'<span class="when-ahead off-paper">{words}</span>' in shown) == bool(words)
    assert words or not any(one in shown for one in ("today", "tomorrow", "days"))
    async with site.db.transaction() as tx:
        await tx.execute("update events set status = 'cancelled' where id = :id", id=event.id)
    assert "when-ahead" not in await facts(site, event.slug)


async def people_of(site: Site, slug: str, viewer: Caller | None) -> list[str]:
    """The sentences below the faces on the page of an event."""
    async with site.browser() if viewer is None else signed_in(site, viewer.user_id) as browser:
        page = (await browser.get(f"/events/{slug}")).text
    return re.findall(r'<span class="crowd-names(?: when-closed)?">(.*?)</span>', page)


async def test_guests_are_faces_and_a_sentence(site: Site) -> None:
    """The reader comes first. Who attends privately is counted but not named, not even to the host."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, **LATER)
        guests = [await person(tx, name) for name in ("Ben", "Cleo", "Dora", "Emil")]
        await attendance.answer(tx, guests[0], event.slug, RsvpReply.GOING, ReplyDetails(is_private=True))
    assert await people_of(site, event.slug, ana) == []
    assert await people_of(site, event.slug, guests[0]) == ["You"]
    async with site.db.transaction() as tx:
        await attendance.answer(tx, guests[1], event.slug, RsvpReply.GOING)
    assert await people_of(site, event.slug, ana) == ["Cleo and 1 more"]
    async with site.db.transaction() as tx:
        await attendance.answer(tx, guests[0], event.slug, RsvpReply.GOING, ReplyDetails(is_private=False))
    assert await people_of(site, event.slug, None) == ["Ben and Cleo"]
    async with site.db.transaction() as tx:
        for one in guests[2:]:
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
    assert await people_of(site, event.slug, None) == ["Ben, Cleo, Dora and 1 more"]
    assert await people_of(site, event.slug, guests[3]) == ["You, Ben, Cleo and 1 more"]


async def test_a_page_says_once_that_somebody_is_invited_or_that_it_is_full(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1", **LATER)
        await invitations.invite(tx, ana, event.slug, "ben@example.org")
    async with signed_in(site, ben.user_id) as browser:
        page = (await browser.get(f"/events/{event.slug}")).text
    assert visible_text(page).count("You’re invited") == 1, visible_text(page)
    async with site.db.transaction() as tx:
        await attendance.answer(tx, cleo, event.slug, RsvpReply.GOING)
        await attendance.answer(tx, await person(tx, "Dora"), event.slug, RsvpReply.GOING)
    async with site.browser() as browser:
        page = (await browser.get(f"/events/{event.slug}")).text
    assert len(re.findall(r"\bFull\b", visible_text(page))) == 1


async def test_a_date_names_its_series_by_the_rule_unless_its_own_title_differs(site: Site) -> None:
    weekly = Timing(pattern(FIRST, ZONE, parse_rule("FREQ=WEEKLY")), timedelta(hours=1))
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        made = await series.create(tx, ana, Content("Choir"), weekly)
        first, second, *_ = await dates(tx, made)
        await tx.execute("update events set title = 'Choir, outdoors' where id = :id", id=second.id)
    link = f'<a href="/series/{made.slug}">'
    shown = await facts(site, first.slug)
    assert f"{link}Every " in shown
    assert shown.count("Choir") == 1
    other = await facts(site, second.slug)
    assert f"{link}Choir</a>" in other
    assert '<p class="hint">Every ' in other


async def test_the_offer_to_follow_comes_after_the_facts(site: Site) -> None:
    weekly = Timing(pattern(FIRST, ZONE, parse_rule("FREQ=WEEKLY")), timedelta(hours=1))
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        first, *_ = await dates(tx, await series.create(tx, ana, Content("Choir"), weekly))
        await attendance.answer(tx, ben, first.slug, RsvpReply.GOING)
    async with signed_in(site, ben.user_id) as guest:
        page = (await guest.get(f"/events/{first.slug}")).text
    assert page.index('class="facts"') < page.index('id="answer"') < page.index("This event repeats")


async def test_a_host_reads_nobody_yet_instead_of_zero(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, capacity="", starts=f"{FIRST.date()}T23:00", ends="")
        await attendance.answer(tx, ben, event.slug, RsvpReply.INTERESTED)
    async with signed_in(site, ana.user_id) as host:
        page = (await host.get(f"/events/{event.slug}")).text
    shown = page.partition('id="places"')[2].partition("</div>")[0]
    assert '<p class="fact-main">Nobody yet</p>' in shown
    assert '<p class="hint">1 maybe</p>' in shown
    assert "0 going" not in page


async def test_a_series_shows_its_topics_and_that_it_is_free(site: Site) -> None:
    weekly = Timing(pattern(FIRST, ZONE, parse_rule("FREQ=WEEKLY")), timedelta(hours=1))
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        content = Content("Choir", categories=(Category.MUSIC,), tickets=Tickets(price="Free"))
        free, paid = await series.create(tx, ana, content, weekly), await series.create(tx, ana, Content("Run"), weekly)
    async with site.browser() as nobody:
        head, other = [
            (await nobody.get(f"/series/{one.slug}")).text.partition("<h1")[0].rpartition('class="event-head"')[2]
            for one in (free, paid)
        ]
    assert '<a href="/?category=music"><span class="chip tone">Music</span></a>' in head
    assert '<span class="chip plain">Free</span>' in head
    assert "Music" not in other
    assert "Free" not in other
