"""The country of a place on the event page: shown only to readers who live elsewhere."""

from dataclasses import replace

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.events.event_forms import EVENT_FORM
from tests.openmeet.site_under_test import change_services, inputs_of, sign_up, site_on


async def test_the_country_is_left_out_for_readers_in_that_country(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """Ana’s time zone is that of her event. The site’s is UTC, which belongs to no country."""
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        form = inputs_of((await browser.get("/events/new")).text) | EVENT_FORM | {"locality": "Bonn", "country": "DE"}
        path = (await browser.post("/events/new", data=form)).headers["location"]
        at_home = (await browser.get(path)).text
    async with site.browser() as visitor:
        elsewhere = (await visitor.get(path)).text
        change_services(site.app, settings=replace(site.app.state.services.settings, time_zone="Europe/Berlin"))
        # The first page is cached under its address.
        of_site = (await visitor.get(path, params={"from": "search"})).text
    assert ["<span>Bonn</span> <span>Germany</span>" in one for one in (at_home, elsewhere, of_site)] == [
        False,
        True,
        False,
    ]
    assert all("Bonn" in one for one in (at_home, elsewhere, of_site))
