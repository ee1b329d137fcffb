"""A guest who starts on the page of an event that asks for more than the reply: the questions are the next step."""

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import registration
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events.model import Event
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, inputs_of, person, site_on
from tests.visible_text import visible_text

ASKS = RegistrationSettings(
    needs_approval=True, questions=(RegistrationQuestion("q1", "What do you eat?", is_required=True),)
)
STEP_ONE = {"email": "eve@example.org", "display_name": "Eve", "reply": "going"}


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def event_with(site: Site, settings: RegistrationSettings) -> Event:
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), capacity="9")
        await registration.put(tx, event.id, settings)
    return event


async def send(browser: httpx.AsyncClient, event: Event, fields: dict[str, str]) -> httpx.Response:
    return await browser.post(f"/events/{event.slug}/guest-answer", data=fields)


@pytest.mark.parametrize(
    ("settings", "asked"),
    [(ASKS, "What do you eat?"), (RegistrationSettings(max_party=3), "How many people, including you?")],
)
async def test_the_first_step_is_no_mistake(site: Site, settings: RegistrationSettings, asked: str) -> None:
    event = await event_with(site, settings)
    async with site.browser() as guest:
        form = await send(guest, event, STEP_ONE)
        assert form.status_code == 200
        assert asked in form.text
        assert "needs your attention" not in form.text
        typed = inputs_of(form.text)
        assert (typed["email"], typed["display_name"]) == ("eve@example.org", "Eve")
        more = {"q1": "Soup", "party": "2"}
        sent = await send(
            guest, event, {**typed, **{name: more[name] for name in more if name in form.text}, "reply": "going"}
        )
    assert sent.headers["location"].endswith("/guest-answer/sent")


async def test_a_missing_answer_in_the_second_step_is_one(site: Site) -> None:
    event = await event_with(site, ASKS)
    async with site.browser() as guest:
        typed = inputs_of((await send(guest, event, STEP_ONE)).text)
        refused = await send(guest, event, {**typed, "reply": "going"})
    assert refused.status_code == 400
    assert "needs your attention" in refused.text
    assert "What do you eat? The host needs an answer to this." in visible_text(refused.text)


async def test_an_event_without_questions_needs_one_step(site: Site) -> None:
    event = await event_with(site, RegistrationSettings())
    async with site.browser() as guest:
        assert (await send(guest, event, STEP_ONE)).status_code == 303


async def test_the_form_names_the_host(site: Site) -> None:
    event = await event_with(site, ASKS)
    async with site.browser() as guest:
        page = visible_text((await guest.get(f"/events/{event.slug}/guest-answer")).text)
    assert "Ana approves every guest and asks 1 question." in page
