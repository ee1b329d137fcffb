"""What pages say about the dates of a series that differ from the others, to people who have not answered yet."""

import re
from datetime import datetime

import pytest

from groundwork.clock import HandClock
from openmeet.domain.events.model import Event
from openmeet.recurrence.wall_time import instant_of
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import NOW, ZONE, create_weekly_series, dates
from tests.openmeet.site_under_test import Site, inputs_of, signed_in, site_on
from tests.visible_text import visible_text


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    clock.turn(NOW - clock.now())
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def changed_series(site: Site) -> tuple[str, list[Event]]:
    """A weekly series whose second date is at another time, and whose third date is cancelled."""
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        stored = await dates(tx, series)
    async with signed_in(site, ana.user_id) as host:
        second, third = (f"/events/{event.slug}" for event in stored[1:3])
        fields = inputs_of((await host.get(f"{second}/edit")).text)
        chosen = {"mode": "in_person", "visibility": "public", "time_zone": ZONE, "online_url_audience": "attendees"}
        moved = {**fields, **chosen, "starts": "2026-12-02T20:00", "ends": "2026-12-02T22:00"}
        assert (await host.post(f"{second}/edit", data=moved)).status_code == 303
        assert (await host.post(f"{third}/cancel", data={"reason": "Ice"})).status_code == 303
    async with site.db.reader() as reader:
        return f"/series/{series.slug}", await dates(reader, series)


async def test_the_list_says_what_differs_next_to_the_button(site: Site) -> None:
    path, stored = await changed_series(site)
    assert stored[1].starts_at == instant_of(datetime.fromisoformat("2026-12-02T20:00"), ZONE)
    async with site.browser() as anybody:
        page = (await anybody.get(path)).text
    rows = [visible_text(row) for row in re.findall(r'<li class="date.*?</li>', page, re.DOTALL)]
    said = [("I’m going" in row, "Different time" in row, "Cancelled" in row) for row in rows[:4]]
    assert not any("Different end" in row for row in rows), "the whole date was moved"
    assert said == [(True, False, False), (True, True, False), (False, False, True), (True, False, False)]


async def test_the_host_sees_what_differs_and_not_who_changed_it(site: Site) -> None:
    """The host changed it, so “Changed automatically” would be wrong."""
    path, stored = await changed_series(site)
    async with signed_in(site, stored[0].author_id) as host:
        page = (await host.get(f"{path}/manage")).text
    rows = [visible_text(row) for row in re.findall(r'<label class="option">.*?</label>', page, re.DOTALL)]
    assert [("Different time" in row, "Cancelled" in row) for row in rows[:4]] == [
        (False, False),
        (True, False),
        (False, True),
        (False, False),
    ]
    assert "Changed automatically" not in page


async def test_a_link_to_a_cancelled_date_says_so(site: Site) -> None:
    _, stored = await changed_series(site)
    async with site.browser() as anybody:
        page = (await anybody.get(f"/events/{stored[1].slug}")).text
    before, behind = re.findall(
        r'<a [^>]*rel="nofollow">(.*?)</a>', page.partition('class="neighbours"')[2], re.DOTALL
    )[:2]
    assert "Cancelled" not in before
    assert re.search(r"Cancelled: *</span><s>Tue 8 Dec, 18:00</s>", behind)


async def test_a_cancelled_date_leads_to_the_next_one_that_takes_place(site: Site, clock: HandClock) -> None:
    _, stored = await changed_series(site)
    third, fourth, fifth, sixth, *_ = (f"/events/{event.slug}" for event in stored[2:])

    async def see_next() -> list[str]:
        return re.findall(r'href="([^"]+)"[^>]*>Next: \w+ \d+ \w+, \d\d:\d\d<', (await host.get(third)).text)

    async with signed_in(site, stored[2].author_id) as host:
        assert await see_next() == [fourth]
        await host.post(f"{fourth}/cancel", data={"reason": ""})
        assert await see_next() == [fifth], "not the cancelled one that follows it"
        clock.turn((stored[4].ends_at or 0) - clock.now())
        assert await see_next() == [sixth], "not a past one"
