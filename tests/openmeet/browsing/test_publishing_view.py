"""The chips say what is meant now, not what the publisher found when it last looked."""

import httpx

from openmeet.attendance import actions, hosting
from openmeet.attendance.model import Reply
from openmeet.debts import publication_recalls
from openmeet.debts.publications import Kind
from openmeet.events import queries as events
from openmeet.events.model import Event
from openmeet.identities import actions as identities
from openmeet.ingestion.apply import apply
from openmeet.sign_in import actions as sign_in
from openmeet.sign_in.model import SessionKind
from openmeet.users.model import Caller
from tests.openmeet.ingestion.network import HERE as INSTANCE
from tests.openmeet.ingestion.network import did, event, rsvp
from tests.openmeet.site_under_test import site_on
from tests.openmeet.town import Town, details

WAITING = "waiting for your PDS"
HERE = "only here"
ON_ITS_WAY_BACK = "being taken back from your PDS"


async def seen_by(town: Town, who: Caller, path: str) -> httpx.Response:
    async with town.db.transaction() as tx:
        session = await sign_in.open_session(tx, who.user_id, SessionKind.BROWSER)
    async with site_on(town.db, town.clock).browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        return await browser.get(path)


async def chips(town: Town, who: Caller, event: Event) -> set[str]:
    """Which of the words stand on the event's page and on the list of one's own, and in the API's answer."""
    page = (await seen_by(town, who, f"/events/{event.slug}")).text
    api = (await seen_by(town, who, f"/api/events/{event.slug}")).json()["publication"]
    if api is not None:
        assert api["words"] in page
        assert api["words"] in (await seen_by(town, who, "/my/events?show=hosting")).text
    return {words for words in (WAITING, HERE, ON_ITS_WAY_BACK) if words in page}


async def test_who_was_never_asked_waits_for_nothing(town: Town):
    """Before the publisher has looked the row says ``due``: the page says what will come of it."""
    ana, ben = await town.person("Ana", agrees=False), await town.person("Ben", agrees=False)
    event = await town.event(ana)
    assert await chips(town, ana, event) == {HERE}
    await town.answer(ben, event.slug)
    assert await chips(town, ben, event) == {HERE}


async def test_after_the_yes_it_waits(town: Town):
    """The repository is being made: what is public waits for it."""
    ana = await town.person(agrees=False)
    event = await town.event(ana)
    await town.pay()
    async with town.db.transaction() as tx:
        await identities.agree(tx, ana.user_id, handle="ana.town.test")
    assert await chips(town, ana, event) == {WAITING}


async def test_unlisted_events_are_only_here_with_the_yes_too(town: Town):
    ana, ben = await town.person("Ana"), await town.person("Ben")
    event = await town.event(ana, visibility="unlisted")
    await town.answer(ben, event.slug)
    assert await chips(town, ana, event) == {HERE}
    assert await chips(town, ben, event) == {HERE}


async def test_what_must_vanish_is_being_taken_back(town: Town):
    """Unlisted, or consent withdrawn, before the publisher has looked: it waits for nothing."""
    ana, ben = await town.person("Ana"), await town.person("Ben")
    event = await town.event(ana)
    await town.answer(ben, event.slug)
    await town.pay()
    await town.pay()
    async with town.db.transaction() as tx:
        await hosting.revise(tx, ana, event.slug, details(visibility="unlisted"))
    assert await chips(town, ana, event) == {ON_ITS_WAY_BACK}
    assert await chips(town, ben, event) == {ON_ITS_WAY_BACK}


async def test_what_was_recalled_is_being_taken_back(town: Town):
    ana = await town.person()
    event = await town.event(ana)
    await town.pay()
    async with town.db.transaction() as tx:
        await publication_recalls.recall(tx, kind=Kind.EVENT, subject_id=event.id)
    assert await chips(town, ana, event) == {ON_ITS_WAY_BACK}


async def test_what_another_app_wrote_is_not_only_here(town: Town):
    """Whoever came with records of their own: their event and answer say where they are, and when here says something else."""
    async with town.db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        own = event(1, "tea", 1, "Tea", startsAt="2027-06-01T12:00:00Z")
        await apply(tx, INSTANCE, [own, rsvp(1, "yes", 2, own.uri)])
        found = await events.by_record_uri(tx, own.uri)
    assert found is not None
    ana = Caller(user_id, "Ana")
    page = (await seen_by(town, ana, f"/events/{found.slug}")).text
    assert page.count("on the network ✓</span>") == 2
    assert HERE not in page
    assert "Publish it" not in page
    async with town.db.transaction() as tx:
        await hosting.revise(tx, ana, found.slug, details(title="More tea"))
        await actions.answer(tx, ana, found.slug, Reply.INTERESTED)
    page = (await seen_by(town, ana, f"/events/{found.slug}")).text
    assert page.count("changed only here</span>") == 2
