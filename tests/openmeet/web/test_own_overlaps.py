"""An event page shows only to the viewer which of their other events overlap with it."""

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person, sign_up, site_on


async def test_the_page_names_ones_other_events_at_the_same_time(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        host = await person(tx, "Hanna Host")
        choir = await event_by(tx, host, title="Choir", starts="2026-07-04T19:00", ends="2026-07-04T21:00")
        games = await event_by(tx, host, title="Games", starts="2026-07-04T18:00", ends="2026-07-04T20:00")
        after = await event_by(tx, host, title="Dance", starts="2026-07-04T21:00", ends="2026-07-04T23:00")
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert "At the same time you have" not in (await browser.get(f"/events/{games.slug}")).text
        await browser.post(f"/events/{choir.slug}/answer", data={"reply": "going"})
        page = (await browser.get(f"/events/{games.slug}")).text
        assert f'At the same time you have</strong> <a href="/events/{choir.slug}">Choir</a> (19:00–21:00)' in page
        # An event does not conflict with itself, nor with one that begins when it ends.
        for free in (choir, after):
            assert "At the same time you have" not in (await browser.get(f"/events/{free.slug}")).text
        await browser.post(f"/events/{games.slug}/answer", data={"reply": "declined"})
        assert "At the same time you have" not in (await browser.get(f"/events/{games.slug}")).text
    async with site.browser() as stranger:
        assert "At the same time you have" not in (await stranger.get(f"/events/{games.slug}")).text


async def test_undo_is_shown_once(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        games = await event_by(tx, await person(tx, "Hanna Host"), title="Games")
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        sent = await browser.post(f"/events/{games.slug}/answer", data={"reply": "going"})
        for is_first in (True, False):
            page = (await browser.get(sent.headers["location"])).text
            assert page.count('class="undo"') == 1
            assert ('class="undo"' in page.split("<main", 1)[0]) is is_first
