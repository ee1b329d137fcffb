"""People who sign in to answer an event see its title. Events that are not public are not mentioned."""

from typing import NoReturn

import pytest

from groundwork.clock import HOUR, HandClock
from groundwork.database.transaction import DatabaseUnavailable
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.events import actions as events
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, inputs_of, person, sign_up, site_on


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


async def test_an_answer_that_could_not_be_saved_after_signing_in_is_sent_again(
    make_sqlite: MakeDatabase, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form opens with what the person chose, and says that it is not saved."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
    async with site.browser() as browser:
        await sign_up(browser, "ben@example.org", "Ben")
    clock.turn(HOUR)

    async def fail(*_args: object) -> NoReturn:
        raise DatabaseUnavailable("connection lost")

    async with site.browser() as browser:
        path = f"/events/{event.slug}/answer"
        sent = await browser.post(path, data={"reply": "going", "share": ""})
        next_path = inputs_of((await browser.get(sent.headers["location"])).text)["next"]
        with monkeypatch.context() as context:
            context.setattr(attendance, "answer", fail)
            signed_in = await sign_up(browser, "ben@example.org", "Ben", next_path=next_path)
        form = (await browser.get(signed_in.headers["location"])).text
        assert "your answer isn’t saved yet. Send it again." in form
        assert inputs_of(form)["share"] == ""
        done = await browser.post(path, data=inputs_of(form) | {"reply": "going"})
        assert "You’re going." in (await browser.get(done.headers["location"])).text
