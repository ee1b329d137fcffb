"""One event, or one answer, taken back from the network by its owner: the record goes, what is here stays."""

from groundwork.clock import HOUR
from groundwork.errors import NotFound
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.site_under_test import site_on
from tests.openmeet.town import Town


async def tap(town: Town, who: Caller, path: str) -> str:
    """Post a button of the event's page; the page as it is before it."""
    async with town.db.transaction() as tx:
        session = await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)
    async with site_on(town.db, town.clock).browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        shown = await browser.get("/".join(path.split("/")[:3]))
        assert f'action="{path}"' in shown.text
        said = await browser.post(path)
    assert said.status_code == 303
    return shown.text


async def is_there(town: Town, uri: str) -> bool:
    try:
        await town.record(uri)
    except NotFound:
        return False
    return True


async def test_an_event_is_taken_back_and_published_again(town: Town):
    """An edit in between sends nothing; "publish it again" makes a new record."""
    cleo = await town.connected()
    tea = await town.event(cleo)
    await town.pay()
    uri = (await town.standing(PublicationKind.EVENT, tea.id)).uri
    assert uri is not None
    await tap(town, cleo, f"/events/{tea.slug}/unpublish")
    await town.pay()
    assert not await is_there(town, uri)
    tea = await town.revise(cleo, tea.slug, title="Coffee")
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, tea.id)).uri is None
    assert (await town.standing(PublicationKind.EVENT, tea.id)).state in {
        PublicationState.WITHHELD,
        PublicationState.RETRACTED,
    }
    town.clock.turn(HOUR)
    shown = await tap(town, cleo, f"/events/{tea.slug}/publish")
    assert "Publish it again" in shown
    await town.pay()
    again = (await town.standing(PublicationKind.EVENT, tea.id)).uri
    assert again is not None
    assert (await town.record(again))["name"] == "Coffee"


async def test_an_answer_is_taken_back_and_still_counts_here(town: Town):
    ana, cleo = await town.person(), await town.connected()
    tea = await town.event(ana)
    await town.pay()
    mine = await town.answer(cleo, tea.slug, RsvpReply.GOING)
    await town.pay()
    uri = (await town.standing(PublicationKind.RSVP, mine.id)).uri
    assert uri is not None
    await town.listen(cleo.user_id)
    await tap(town, cleo, f"/events/{tea.slug}/answer/unpublish")
    await town.pay()
    await town.listen(cleo.user_id)
    assert not await is_there(town, uri)
    async with town.db.reader() as reader:
        rows = await reader.fetch("select status from attendances where id = :id", id=mine.id)
    assert [row["status"] for row in rows] == ["attending"]
    await tap(town, cleo, f"/events/{tea.slug}/answer/publish")
    await town.pay()
    assert await is_there(town, uri)


async def test_nobody_else_takes_it_back(town: Town):
    cleo, ana = await town.connected(), await town.person()
    tea = await town.event(cleo)
    await town.pay()
    async with town.db.transaction() as tx:
        session = await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with site_on(town.db, town.clock).browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        refused = await browser.post(f"/events/{tea.slug}/unpublish")
        absent = await browser.post(f"/events/{tea.slug}/answer/unpublish")
    assert (refused.status_code, absent.status_code) == (403, 404)
    await town.pay()
    assert (await town.standing(PublicationKind.EVENT, tea.id)).state is PublicationState.PUBLISHED
