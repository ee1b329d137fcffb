"""Lists of events show covers, hosts, the attendees whom the viewer may see, and one badge."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Reader
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.answer_badges import Badge
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.attendance.registration import ListAudience, RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.events.queries import by_slug
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture, PictureKey
from openmeet.domain.series import actions as series
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import Timing
from openmeet.domain.users.model import Caller
from openmeet.i18n.catalogue import speaking
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.events.badges import OF_A_SERIES
from openmeet.web.events.listing import CardList, FurtherDates, card_of, facts_of
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
        facts = await facts_of(tx, [event], CardList(PUBLIC, None))
        card = card_of(event, facts)
    assert ([one.initial for one in card.faces], card.going) == (["B", "C", "D"], "5 going, 4 places left")
    assert (card.host, card.thumbnail[:18]) == ("Ana", "data:image/svg+xml")
    with speaking("de"):
        assert card_of(event, facts).going == "5 Zusagen, 4 frei"
    site.clock.turn(365 * DAY)
    async with site.db.reader() as reader:
        assert card_of(event, await facts_of(reader, [event], CardList(PUBLIC, None))).going == "5 were going"
    site.clock.turn(-365 * DAY)
    async with site.browser() as anybody:
        page = (await anybody.get("/")).text
    row = page.split('<article class="event-card')[1].split("</article>")[0]
    assert re.findall(r'<span class="by">(\w+)<', row) == ["Ana"]
    assert re.findall(r'avatar small tone-\d"[^>]*>(\w)<', row) == ["B", "C", "D"]


async def test_the_picture_of_a_row_is_a_square(site: Site) -> None:
    """Rows crop pictures to squares of at most 112 px. The size for tiles would be up to four times as large a file."""
    key = PictureKey("5" * 32)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        await uploads.insert(tx, key, ana.user_id, 1600, 900, 1)
        await events.set_picture(tx, ana, event.slug, Picture(key, "Dice", 1600, 900))
    async with site.browser() as anybody:
        page = (await anybody.get("/")).text
    row = page.split('<article class="event-card')[1].split("</article>")[0]
    assert re.findall(r"/media/\w+/([^\" ]+)", row) == ["small-square", "square"]
    assert f'srcset="/media/{key}/square 2x"' in row


async def test_a_card_says_that_an_event_is_full_only_once(site: Site) -> None:
    """By the number of people on the waitlist or, while nobody is on it, by the badge."""
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="1")
        said = []
        for one in (ben, cleo):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
            card = card_of(event, await facts_of(tx, [event], CardList(PUBLIC, None)))
            said.append((card.going, str(card.badge.words) if card.badge else ""))
    assert said == [("1 going", "Full"), ("1 going, 1 on the waitlist", "")]


async def test_people_with_a_place_do_not_read_how_many_are_left(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        event = await event_by(tx, ana, capacity="4")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await attendance.answer(tx, cleo, event.slug, RsvpReply.INTERESTED)
        seen = [
            card_of(event, await facts_of(tx, [event], CardList(PUBLIC, viewer))).going
            for viewer in (None, cleo.user_id, ben.user_id)
        ]
    assert seen == ["1 going, 3 places left", "1 going, 3 places left", "1 going"]


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
        await event_hosting.change_registration_settings(
            tx, ana, event.slug, RegistrationSettings(list_audience=audience)
        )
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        seen = [
            len((await facts_of(tx, [event], CardList(PUBLIC, viewer))).faces.get(event.id, ()))
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
            await facts_of(counting, some, CardList(PUBLIC, ben.user_id, shows_sync=True))
            asked.append(counting.statements)
    assert asked[0] == asked[1]


async def test_a_card_has_the_most_useful_badge(site: Site) -> None:
    """What waits for the viewer comes before the sync status, that before the origin. The price comes before the group
    of an event, but after who can come.
    """
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, capacity="1", price="Free")
        of_series = {event.id: [OF_A_SERIES]}
        found = []
        settings = RegistrationSettings(needs_approval=True)
        for viewer in (ana, ben):
            found.append(await _badge(tx, viewer, event))
            await event_hosting.change_registration_settings(tx, ana, event.slug, settings)
            found.append(await _badge(tx, ben, event, badges=of_series))
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
            found.append(await _badge(tx, viewer, event, sync={event.id: "Changed only here"}, badges=of_series))
    assert found[:3] == ["You host this", "By approval", "1 request"]
    assert found[3:] == ["Request sent", "Request sent", "Request sent"]


async def test_free_events_are_marked_unless_something_matters_more(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        free = await event_by(tx, ana, price=" Eintritt frei! ")
        dear = await event_by(tx, ana, price="Free for members, 5 € for others")
        of_series = {free.id: [OF_A_SERIES], dear.id: [OF_A_SERIES]}
        assert await _badge(tx, ben, free, badges=of_series) == "Free"
        assert await _badge(tx, ben, dear, badges=of_series) == "Series"
        assert await _badge(tx, ben, free, sync={free.id: "Only here"}) == "Only here"
        await attendance.answer(tx, ben, free.slug, RsvpReply.GOING)
        assert await _badge(tx, ben, free) == "You’re going"
    async with site.browser() as anybody:
        shown = {one.slug: (await anybody.get(f"/events/{one.slug}")).text for one in (free, dear)}
    assert '<span class="chip plain">Free</span>' in shown[free.slug]
    assert "Eintritt frei" not in shown[free.slug].partition("<main")[2], "it is said once"
    assert '<span class="chip plain">Free</span>' not in shown[dear.slug]
    assert "Free for members, 5 € for others" in shown[dear.slug]


async def _badge(
    reader: Reader,
    viewer: Caller,
    event: Event,
    *,
    badges: Mapping[EventId, Sequence[Badge]] | None = None,
    sync: Mapping[EventId, str] | None = None,
) -> str:
    """The badge of the card that this viewer sees. ``badges`` and ``sync`` replace the ones that were found."""
    facts = await facts_of(reader, [event], CardList(PUBLIC, viewer.user_id, shows_sync=True))
    facts = replace(facts, badges=facts.badges if badges is None else badges, sync=sync or facts.sync)
    found = card_of(event, facts).badge
    return "" if found is None else str(found.words)


async def test_only_the_first_of_several_dates_is_shown_as_repeating(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        timing = Timing(pattern(datetime(2026, 3, 3, 19), "Europe/Berlin", parse_rule("FREQ=WEEKLY;COUNT=3")), None)  # noqa: DTZ001  # wall time is naive
        made = await series.create(tx, ana, Content("Choir"), timing)
        dates = [one.event for one in await date_queries.stored(tx, made.id)]
        facts = await facts_of(tx, dates, CardList(PUBLIC, None))
    assert [card_of(one, facts).badge is OF_A_SERIES for one in dates] == [True, False, False]


async def test_the_card_of_a_series_with_more_dates_does_not_name_its_group(site: Site) -> None:
    """The link to the other dates is in the place of the badge, unless the badge is about the viewer or who can come."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana, name="Chess club")
        event, free = await event_by(tx, ana), await event_by(tx, ana, price="Free")
        await tx.execute("update events set group_id = :group", group=group.id)
        both = [one for one in [await by_slug(tx, event.slug), await by_slug(tx, free.slug)] if one is not None]
        further = {one.id: FurtherDates("/series/chess", "7 more dates") for one in both}
        for more, expected in (({}, ["In Chess club", "Free"]), (further, ["", ""])):
            facts = await facts_of(tx, both, CardList(PUBLIC, None, further=more))
            badges = [card_of(one, facts).badge for one in both]
            assert [str(one.words) if one else "" for one in badges] == expected


async def test_a_list_of_one_town_can_leave_it_out(site: Site) -> None:
    """On phones, this makes room for the host. With one event, or with several towns, the town is news."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        places = [("Kino", "Graz"), ("", "Graz"), ("Haus 7", "Wien")]
        kino, graz, haus = [await event_by(tx, ana, venue_name=name, locality=town) for name, town in places]
        expected = [([kino, graz], ["Kino", ""]), ([kino], [""]), ([kino, haus], ["", ""])]
        for events, spots in expected:
            facts = await facts_of(tx, events, CardList(PUBLIC, None))
            assert [card_of(one, facts).spot for one in events] == spots


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


@pytest.mark.parametrize(("zone", "label"), [("Europe/Berlin", None), ("+02:00", None), ("UTC", "UTC")])
async def test_a_card_names_the_zone_of_an_event_in_person_if_it_is_unknown(
    site: Site, zone: str, label: str | None
) -> None:
    """Records without a time zone are in UTC, which is hardly the time on the clock of the place."""
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), mode="in_person", time_zone=zone)
        card = card_of(event, await facts_of(tx, [event], CardList(PUBLIC, None)))
    assert (card.zone and card.zone.label) == label
