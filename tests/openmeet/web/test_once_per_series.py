"""Lists for finding events show a series once, however many dates it has. Calendars and feeds contain each date. On
both engines.
"""

import random
import re
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus

import pytest

from groundwork.clock import DAY, HandClock, Instant, to_datetime
from openmeet.domain.events import queries as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.model import EventStatus
from openmeet.domain.identities import actions as identities
from openmeet.domain.profiles import queries as profiles
from openmeet.domain.search import index_scan, my_event_lists, search
from openmeet.domain.search.group_event_lists import shown_in_group
from openmeet.domain.search.search import SearchQuery
from openmeet.domain.series import actions
from openmeet.domain.series.detection_queries import DetectionState
from openmeet.domain.series.model import Timing
from openmeet.network.ingestion.apply import apply
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.network import HERE, did, event
from tests.openmeet.series.detection import detect_series_of
from tests.openmeet.series.practice import FIRST, NOW, ZONE, dates
from tests.openmeet.site_under_test import Site, event_by, person, signed_in, site_on
from tests.openmeet.web.query_plans import ExplainingReader, reads_all_events
from tests.visible_text import visible_text

DAILY = "FREQ=DAILY"


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    clock.turn(NOW - clock.now())
    return site_on(await make_database("openmeet", transaction_seconds=120.0), clock)


def daily(rule: str = DAILY, start: datetime = FIRST) -> Timing:
    return Timing(pattern(start, ZONE, parse_rule(rule)), timedelta(hours=1))


def links_to(page: str, slug: str) -> list[str]:
    """The text of the links to a series."""
    return [re.sub(r"<[^>]+>", "", link) for link in re.findall(f'<a href="/series/{slug}">(.*?)</a>', page)]


async def test_a_daily_series_is_one_row_of_every_list(site: Site) -> None:
    """On the front page, in a search and on its host's page, the row has the next date, and a link to the others."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        series = await actions.create(tx, ana, Content("Morning swim"), daily("FREQ=DAILY;COUNT=12"))
        await event_by(tx, ana, title="Swim gala", starts="2026-12-30T18:00", ends="2026-12-30T20:00")
        first, *others = await dates(tx, series)
    async with site.browser() as nobody:
        for path in ("/", "/?q=swim", "/?from=2026-11-24", f"/people/{ana.user_id}"):
            page = (await nobody.get(path)).text
            assert re.findall(r'<h3><a href="/events/([^"]+)"', page)[0] == first.slug, path
            assert not any(one.slug in page for one in others), path
            assert "11 more dates of Morning swim" in links_to(page, series.slug), path
            assert "Swim gala" in page, path
        for path in ("/events.ics", "/events.ics?q=swim"):
            assert (await nobody.get(path)).text.count("SUMMARY:Morning swim") == 12, path
        assert len((await nobody.get("/api/events")).json()["events"]) == 13


async def test_the_host_sees_the_next_date_of_a_series_and_every_other_event(site: Site) -> None:
    """Twelve dates of one series would push the gala off the page."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        series = await actions.create(tx, ana, Content("Morning swim"), daily("FREQ=DAILY;COUNT=12"))
        gala = await event_by(tx, ana, title="Swim gala", starts="2026-12-30T18:00", ends="2026-12-30T20:00")
        first, *others = await dates(tx, series)
    async with signed_in(site, ana.user_id) as host:
        page = (await host.get("/my/events?which=hosting")).text
    assert re.findall(r'<h3[^>]*><a href="/events/([^"]+)"', page) == [first.slug, gala.slug]
    assert not any(one.slug in page for one in others)
    assert "11 more dates of Morning swim" in links_to(page, series.slug)
    assert "· 11 more dates" not in visible_text(page), "the chip needs no dot in front of it"


async def test_an_endless_series_shows_no_number_of_dates(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await actions.create(tx, ana, Content("Morning swim"), daily())
    async with site.browser() as nobody:
        page = (await nobody.get("/")).text
    assert "More dates<" in page


async def test_a_detected_series_is_one_row_with_its_existing_dates(site: Site) -> None:
    """The series was detected from single events. It has no stored window, so only the rows show which dates exist. The
    front page is the same for everybody.
    """
    days = [FIRST + timedelta(weeks=week) for week in range(4)]
    async with site.db.transaction() as tx:
        author = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        at = [f"{day.isoformat()}Z" for day in days]
        await apply(tx, HERE, [event(1, f"tea{n}", 1 + n, startsAt=one) for n, one in enumerate(at)])
    (found,) = await detect_series_of(site.db, author)
    assert found.state is DetectionState.LINKED
    async with site.browser() as nobody:
        page = await nobody.get("/")
    assert page.status_code == HTTPStatus.OK
    assert "3 more dates<" in page.text


async def test_a_group_lists_a_series_once_and_shows_its_whole_month(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        group = await group_by(tx, ana)
        series = await actions.create(tx, ana, Content("Morning swim"), daily())
        for one in await dates(tx, series):
            await tx.execute("update events set group_id = :group where id = :id", group=group.id, id=one.id)
        first, second, *_ = await dates(tx, series)
        # Only members can see the first one.
        await tx.execute("update events set visibility = 'private' where id = :id", id=first.id)
        inside = await shown_in_group(tx, group.id, None, 10, member=ana.user_id)
        outside = await shown_in_group(tx, group.id, None, 10, member=None)
    assert ([one.id for one in inside], [one.id for one in outside]) == ([first.id], [second.id])
    async with site.browser() as nobody:
        listed = (await nobody.get(f"/groups/{group.slug}/events")).text
        month = (await nobody.get(f"/groups/{group.slug}/events?view=month&month=2026-12")).text
        # Only the next date has the picture of the series.
        start = (await nobody.get(f"/groups/{group.slug}")).text
    assert start.count('<span class="tile" aria-hidden="true">') == start.count('<article class="event-card') > 2
    assert 'class="thumbnail"' not in start
    # The title stands once, on the card of the next date. In the rows, only screen readers get it.
    assert re.sub('<span class="hidden">.*?</span>', "", start).count("Morning swim") == 1
    assert listed.count("<h3>") == 1
    # The private one is not mentioned, not even in the number.
    assert "More dates<" in listed
    # The grid includes the days of adjacent months.
    assert month.count("Morning swim") == 35


async def test_a_cancelled_date_represents_its_series_only_if_no_other_takes_place(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        series = await actions.create(tx, ana, Content("Morning swim"), daily("FREQ=DAILY;COUNT=2"))
        first, second = await dates(tx, series)
        await tx.execute("update events set status = 'cancelled' where id = :id", id=first.id)
        shown = [one.id for one in await search.coming(tx, SearchQuery(once_per_series=True), None, 10)]
        assert shown == [second.id]
        assert [one.id for one in await profiles.upcoming_without_repeats(tx, ana.user_id, 10)] == [second.id]
        await tx.execute("update events set status = 'cancelled' where id = :id", id=second.id)
        shown = [one.id for one in await search.coming(tx, SearchQuery(once_per_series=True), None, 10)]
    assert shown == [first.id]


async def some_series(tx, chosen: random.Random) -> None:
    ana = await person(tx, "Ana")
    for number in range(4):
        start = FIRST + timedelta(days=chosen.randrange(6), hours=number)
        rule = chosen.choice(("FREQ=DAILY;COUNT=9", "FREQ=WEEKLY;COUNT=5"))
        series = await actions.create(tx, ana, Content(chosen.choice(("Tea", "Jazz")), "with tea"), daily(rule, start))
        for one in await dates(tx, series):
            title, status = chosen.choice(("Tea", "Jazz", "Chess", one.title)), chosen.choice(list(EventStatus))
            changed = replace(
                one,
                content=replace(one.content, title=title),
                status=status,
                ends_at=Instant(one.starts_at + chosen.randrange(3) * DAY),
            )
            await events.update(tx, changed, search_text=f"{title}\n{one.content.description}")
    for number in range(6):
        await event_by(tx, ana, title=chosen.choice(("Tea", "Jazz")), starts=f"2026-11-2{number}T10:00", ends="")


@pytest.mark.parametrize("seed", range(3))
async def test_pages_contain_the_best_date_of_each_series_once(site: Site, monkeypatch, seed: int) -> None:
    """For every kind of search, and in whatever steps it is read, the result is that of single dates with only the
    first date of each series.
    """
    chosen = random.Random(seed)
    monkeypatch.setattr(index_scan, "_EVENTS_PER_SCAN", 3)
    async with site.db.transaction() as tx:
        await some_series(tx, chosen)
        site.clock.turn(5 * DAY)
    async with site.db.reader() as reader:
        day = to_datetime(reader.now).date()
        for words in ((), ("tea",), ("jazz", "tea"), ("chess",)):
            for first, last in ((None, None), (day - timedelta(3), None), (day, day + timedelta(2)), (None, day)):
                wanted = SearchQuery(words=words, first=first, last=last)
                every = await search.coming(reader, wanted, None, 500)
                best: dict[str, tuple[object, ...]] = {}
                for one in every:
                    if one.position_in_series is None:
                        continue
                    by = one.over_at if first is None else one.starts_at
                    rank = (search.position_in(wanted, one).part, one.is_cancelled, by, one.id)
                    best[one.position_in_series.series_id] = min(rank, best.get(one.position_in_series.series_id, rank))
                chosen_ids = {rank[-1] for rank in best.values()}
                expected = [one.id for one in every if one.position_in_series is None or one.id in chosen_ids]
                found, after = [], None
                once = replace(wanted, once_per_series=True)
                while page := await search.coming(reader, once, after, 2):
                    found += [one.id for one in page]
                    after = my_event_lists.unpack(my_event_lists.pack(search.position_in(once, page[-1])))
                assert found == expected, wanted


async def test_the_other_dates_are_counted_with_an_index(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        for number in range(20):
            await actions.create(tx, ana, Content("Tea"), daily(start=FIRST + timedelta(minutes=number)))
        await tx.execute("analyze events")
        if tx.engine == "postgresql":
            await tx.execute("set local enable_seqscan = off")
        explaining = ExplainingReader(tx)
        for wanted in (SearchQuery(), SearchQuery(("tea",)), SearchQuery(first=to_datetime(tx.now).date())):
            assert len(await search.coming(explaining, replace(wanted, once_per_series=True), None, 30)) == 20
    assert explaining.plans
    assert [plan for plan in explaining.plans if reads_all_events(plan)] == []
    assert any("events_of_series_by_end" in plan for plan in explaining.plans)
    # With so few dates it is chance which of the two indexes PostgreSQL uses for the starts.
    by_start = "events_of_series_by_start" if site.db.engine == "sqlite" else "events_of_series_by_"
    assert any(by_start in plan for plan in explaining.plans)
