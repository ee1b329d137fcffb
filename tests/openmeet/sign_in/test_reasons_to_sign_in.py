"""People who sign in to answer an event see its title. Events that are not public are not mentioned."""

from openmeet.domain.events import actions as events
from tests.openmeet.site_under_test import event_by, person, site_on


async def test_the_event_is_shown_above_the_form(make_sqlite, clock):
    """The event is also shown for pages below the event's URL. Other URLs show no event."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), title="Tea & cake")
    async with site.browser() as browser:
        for path in (f"/events/{event.slug}", f"/events/{event.slug}/answer?reply=going"):
            shown = (await browser.get("/sign-in", params={"next": path})).text
            assert "<strong>Tea &amp; cake</strong>" in shown
        for path in ("/home", "/events/new", "/events/nothing-of-that-name"):
            assert "sign-in-event" not in (await browser.get("/sign-in", params={"next": path})).text


async def test_hidden_events_are_not_mentioned(make_sqlite, clock):
    """Private and removed events are not mentioned. The URL alone gives no access."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        private = await event_by(tx, ana, title="Quiet", visibility="private")
        gone = await event_by(tx, ana, title="Gone")
        await events.delete(tx, ana, gone.slug)
    async with site.browser() as browser:
        for event in (private, gone):
            shown = (await browser.get("/sign-in", params={"next": f"/events/{event.slug}"})).text
            assert "sign-in-event" not in shown
            assert event.title not in shown
