"""An owner retracts one event or one answer from the network: the record is deleted, and everything on this site stays."""

from groundwork.clock import HOUR
from groundwork.errors import NotFound
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.site_under_test import signed_in, site_on

NOTHING_TO_DELETE, NOTHING_TO_SYNC = "There’s no copy of it in your account.", "There’s nothing to sync right now."
NOTHING_CHANGES = (NOTHING_TO_DELETE, NOTHING_TO_SYNC)


async def press(deployment: Deployment, who: Caller, path: str) -> str:
    """Press a button on the event's page. Return the page as it was before.

    The page afterwards does not say that nothing changes.
    """
    async with signed_in(site_on(deployment.db, deployment.clock), who.user_id) as browser:
        event_page = "/".join(path.split("/")[:3])
        shown = await browser.get(event_page)
        assert f'action="{path}"' in shown.text
        assert (await browser.post(path)).status_code == 303
        said = (await browser.get(event_page)).text
        assert not any(words in said for words in NOTHING_CHANGES)
    return shown.text


async def press_too_late(deployment: Deployment, who: Caller, path: str) -> str:
    """Press a button of a page that is no longer up to date. Return what the next page says."""
    async with signed_in(site_on(deployment.db, deployment.clock), who.user_id) as browser:
        assert (await browser.post(path)).status_code == 303
        return (await browser.get("/".join(path.split("/")[:3]))).text


async def is_there(deployment: Deployment, uri: str) -> bool:
    try:
        await deployment.record(uri)
    except NotFound:
        return False
    return True


async def test_an_event_is_unpublished_and_published_again(deployment: Deployment):
    """An edit in between sends nothing. "Publish it again" creates a new record."""
    cleo = await deployment.connected()
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, tea.id)).uri
    assert uri is not None
    await press(deployment, cleo, f"/events/{tea.slug}/unpublish")
    await deployment.deliver_publications()
    assert not await is_there(deployment, uri)
    assert NOTHING_TO_DELETE in await press_too_late(deployment, cleo, f"/events/{tea.slug}/unpublish")
    tea = await deployment.revise(cleo, tea.slug, title="Coffee")
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, tea.id)).uri is None
    assert (await deployment.status_of(PublicationKind.EVENT, tea.id)).state in {
        PublicationState.WITHHELD,
        PublicationState.RETRACTED,
    }
    deployment.clock.turn(HOUR)
    shown = await press(deployment, cleo, f"/events/{tea.slug}/publish")
    assert "Sync it again" in shown
    await deployment.deliver_publications()
    again = (await deployment.status_of(PublicationKind.EVENT, tea.id)).uri
    assert again is not None
    assert (await deployment.record(again))["name"] == "Coffee"


async def test_an_answer_is_unpublished_and_still_counts_here(deployment: Deployment):
    ana, cleo = await deployment.person(), await deployment.connected()
    tea = await deployment.event(ana)
    await deployment.deliver_publications()
    mine = await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.RSVP, mine.id)).uri
    assert uri is not None
    await deployment.listen(cleo.user_id)
    await press(deployment, cleo, f"/events/{tea.slug}/answer/unpublish")
    await deployment.deliver_publications()
    await deployment.listen(cleo.user_id)
    assert not await is_there(deployment, uri)
    assert NOTHING_TO_DELETE in await press_too_late(deployment, cleo, f"/events/{tea.slug}/answer/unpublish")
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status from attendances where id = :id", id=mine.id)
    assert [row["status"] for row in rows] == ["attending"]
    await press(deployment, cleo, f"/events/{tea.slug}/answer/publish")
    await deployment.deliver_publications()
    assert await is_there(deployment, uri)
    assert NOTHING_TO_SYNC in await press_too_late(deployment, cleo, f"/events/{tea.slug}/answer/publish")


async def test_nobody_else_can_unpublish_an_event(deployment: Deployment):
    cleo, ana = await deployment.connected(), await deployment.person()
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        session = await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)
    async with site_on(deployment.db, deployment.clock).browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        refused = await browser.post(f"/events/{tea.slug}/unpublish")
        absent = await browser.post(f"/events/{tea.slug}/answer/unpublish")
    assert (refused.status_code, absent.status_code) == (403, 404)
    await deployment.deliver_publications()
    assert (await deployment.status_of(PublicationKind.EVENT, tea.id)).state is PublicationState.PUBLISHED
