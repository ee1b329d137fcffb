"""Hosts can choose another generated cover, with and without scripts, and it stays with the event."""

from openmeet.domain.covers.model import cover_of
from openmeet.domain.events.queries import by_slug
from tests.openmeet.site_under_test import person, signed_in, site_on

TYPED = {
    "title": "Tea",
    "starts": "2026-07-04T18:00",
    "time_zone": "Europe/Berlin",
    "mode": "in_person",
    "visibility": "public",
}


async def test_shuffling_shows_the_next_cover_and_keeps_what_was_typed(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    async with signed_in(site, ana.user_id) as browser:
        shown = (await browser.post("/events/new", data={**TYPED, "cover_shuffle": "1", "shuffle_cover": "yes"})).text
        assert 'name="cover_shuffle" value="2"' in shown
        assert cover_of("Tea", (), 2).path in shown
        assert ">Tea</textarea>" in shown
        wrong = await browser.post("/events/new", data={**TYPED, "cover_shuffle": "1001"})
        assert wrong.status_code == 400
        made = await browser.post("/events/new", data={**TYPED, "cover_shuffle": "2"})
        assert cover_of("Tea", (), 2).path in (await browser.get(made.headers["location"])).text
    async with site.db.reader() as reader:
        event = await by_slug(reader, made.headers["location"].removeprefix("/events/"))
    assert event is not None
    assert event.content.cover_shuffle == 2


async def test_an_invalid_shuffle_is_refused(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    async with signed_in(site, ana.user_id) as browser:
        wrong = await browser.post("/events/new", data={**TYPED, "cover_shuffle": "²"})
    assert (wrong.status_code, "Choose a cover from 0 to 1,000." in wrong.text) == (400, True)
