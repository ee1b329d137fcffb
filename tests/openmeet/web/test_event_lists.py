"""Lists of events show covers, hosts, the attendees whom the viewer may see, and at most two badges."""

import re
from dataclasses import replace
from datetime import datetime

import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_decisions
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import ListAudience, RegistrationSettings
from openmeet.domain.events.content import Content
from openmeet.domain.events.queries import by_slug
from openmeet.domain.series import actions as series
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import Timing
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.events.badges import BY_A_MEMBER, OF_A_SERIES
from openmeet.web.events.cards import facts_of
from openmeet.web.events.listing import MOST_BADGES, card_of
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import Site, event_by, person, site_on
from tests.openmeet.statement_counter import StatementCounter

PUBLIC = "https://openmeet.test"


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def test_a_card_shows_the_first_three_who_are_going_and_the_places_left(site: Site) -> None:
    """People who attend privately and people who answered maybe are not shown."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="9")
        shy = await person(tx, "Shy")
        await attendance.answer(tx, shy, event.slug, RsvpReply.GOING, ReplyDetails(is_private=True))
        await attendance.answer(tx, await person(tx, "Maybe"), event.slug, RsvpReply.INTERESTED)
        people = [await person(tx, name) for name in ("Ben", "Cleo", "Dora", "Emil")]
        for one in people:
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        facts = await facts_of(tx, PUBLIC, None, [event])
        card = card_of(event, facts)
    assert ([one.initial for one in card.faces], card.going) == (["B", "C", "D"], "5 going, 4 places left")
    assert (card.host, card.thumbnail[:18]) == ("Ana", "data:image/svg+xml")
    async with site.browser() as anybody:
        page = (await anybody.get("/")).text
    row = page.split('<article class="event-card')[1].split("</article>")[0]
    assert re.findall(r'<span class="by">(\w+)<', row) == ["Ana"]
    assert re.findall(r'avatar small tone-\d"[^>]*>(\w)<', row) == ["B", "C", "D"]


@pytest.mark.parametrize(
    ("audience", "strangers", "guests"),
    [(ListAudience.EVERYONE, 1, 1), (ListAudience.ATTENDEES, 0, 1), (ListAudience.HOSTS, 0, 0)],
)
async def test_faces_are_shown_to_those_who_may_see_the_list(
    site: Site, audience: ListAudience, strangers: int, guests: int
) -> None:
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana)
        await host_decisions.change_registration_settings(
            tx, ana, event.slug, RegistrationSettings(list_audience=audience)
        )
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        seen = [
            len((await facts_of(tx, PUBLIC, viewer, [event])).faces.get(event.id, ()))
            for viewer in (None, cleo.user_id, ben.user_id, ana.user_id)
        ]
    assert seen == [strangers, strangers, guests, 1]


async def test_a_list_takes_as_many_statements_for_thirty_events_as_for_two(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        events = []
        for number in range(30):
            made = await event_by(tx, ana, title=f"Event {number}")
            await attendance.answer(tx, ben, made.slug, RsvpReply.GOING)
            events.append(await by_slug(tx, made.slug))
        known = [event for event in events if event is not None]
        asked = []
        for some in (known[:2], known):
            counting = StatementCounter(tx)
            await facts_of(counting, PUBLIC, ben.user_id, some, with_sync=True)
            asked.append(counting.statements)
    assert asked[0] == asked[1]


async def test_no_card_has_more_than_two_badges(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, capacity="1")
        await host_decisions.change_registration_settings(
            tx, ana, event.slug, RegistrationSettings(needs_approval=True)
        )
        await attendance.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.GOING)
        facts = await facts_of(tx, PUBLIC, ana.user_id, [event], with_sync=True)
        badges = [str(one.words) for one in card_of(event, facts).badges]
        assert badges == ["1 person wants to join"], "an unpublished event needs no badge"
        several = [OF_A_SERIES, BY_A_MEMBER]
        crowded = replace(facts, badges={event.id: several}, sync={event.id: "Changed only here"})
        badges = [str(one.words) for one in card_of(event, crowded).badges]
    assert badges == ["1 person wants to join", "Changed only here"]
    assert len(badges) == MOST_BADGES


async def test_only_the_first_of_several_dates_is_shown_as_repeating(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        timing = Timing(pattern(datetime(2026, 3, 3, 19), "Europe/Berlin", parse_rule("FREQ=WEEKLY;COUNT=3")), None)  # noqa: DTZ001  # wall time is naive
        made = await series.create(tx, ana, Content("Choir"), timing)
        dates = [one.event for one in await date_queries.stored(tx, made.id)]
        facts = await facts_of(tx, PUBLIC, None, dates)
    assert [OF_A_SERIES in card_of(one, facts).badges for one in dates] == [True, False, False]


async def test_groups_in_a_list_have_a_cover_a_text_and_a_place(site: Site) -> None:
    """The country is shown by its name, and only if there is no town."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        text = "*Chess* in the park.\n\nBring a board."
        await group_by(tx, ana, name="Chess club", description=text, locality="Graz", country="AT")
        await group_by(tx, ana, name="Far walks", locality="", country="AT")
    async with site.browser() as browser:
        page = (await browser.get("/groups", headers={"accept-language": "de"})).text
        cards = re.findall(r'<li class="group-card.*?</li>', page, re.DOTALL)
    drawn = [found for card in cards for found in re.findall(r'src="(data:image/svg[^"]+)"', card)]
    assert len(set(drawn)) == 2
    assert "Chess in the park. Bring a board." in cards[0]
    assert "Graz" in cards[0]
    assert "Österreich" not in cards[0]
    assert "Österreich" in cards[1]
