"""Accounts that go away and come back, on a real PDS: the page counts fewer people, then as many as before."""

from at_network.xrpc_client import XrpcClient
from groundwork.clock import SECOND
from groundwork.outbox import jobs
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.queries import by_slug
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from tests.openmeet.site_under_test import h1_of, site_on
from tests.openmeet.town import Town


async def numbers(town: Town, slug: str) -> str:
    """What the event's page says to a stranger about who is going."""
    async with site_on(town.db, town.clock).browser() as browser:
        shown = await browser.get(f"/events/{slug}")
    assert shown.status_code == 200
    return shown.text.partition('<p class="numbers">')[2].partition("</span>")[0].replace("<span>", "")


async def deactivate(town: Town, caller: Caller, app: XrpcClient) -> None:
    town.clock.turn(SECOND)
    await app.procedure("com.atproto.server.deactivateAccount", {})
    did = (await town.identity(caller.user_id)).did
    await town.follow_until(did, lambda state: not state.active)
    await town.pay_debts()


async def activate(town: Town, caller: Caller, app: XrpcClient) -> None:
    town.clock.turn(SECOND)
    await app.procedure("com.atproto.server.activateAccount")
    did = (await town.identity(caller.user_id)).did
    await town.follow_until(did, lambda state: state.active)
    await town.pay_debts()


async def test_answer_of_a_deactivated_account_counts_again_after_activation(town: Town):
    """deactivateAccount: the page counts one less. activateAccount: it counts again."""
    ana, cleo = await town.person(), await town.connected()
    tea = await town.event(ana)
    await town.pay()
    await town.answer(cleo, tea.slug, RsvpReply.GOING)
    await town.pay()
    await town.listen(cleo.user_id)
    assert await numbers(town, tea.slug) == "<strong>1</strong> going"
    app = await town.stranger("cleo")
    await deactivate(town, cleo, app)
    assert await numbers(town, tea.slug) == "<strong>0</strong> going"
    await activate(town, cleo, app)
    assert await numbers(town, tea.slug) == "<strong>1</strong> going"


async def test_a_deactivated_repository_is_not_read_and_nothing_is_given_up(town: Town):
    """Being asked for while it is not served changes nothing: absence must be proven."""
    cleo = await town.connected()
    tea = await town.event(cleo)
    await town.pay()
    await town.listen(cleo.user_id)
    await deactivate(town, cleo, await town.stranger("cleo"))
    did = (await town.identity(cleo.user_id)).did
    async with town.db.transaction() as tx:
        await jobs.enqueue(tx, JobKind.BACKFILL, did, int(tx.now))
    await town.pay_debts()
    async with town.db.reader() as reader:
        owed = await jobs.find(reader, JobKind.BACKFILL, did)
        event = await by_slug(reader, tea.slug)
    assert owed is not None
    assert owed.reason == ""
    assert event is not None
    assert event.removed_at is None


async def test_page_of_a_deactivated_author_says_that_it_is_not_available(town: Town):
    cleo = await town.connected()
    tea = await town.event(cleo)
    await town.pay()
    await town.listen(cleo.user_id)
    app = await town.stranger("cleo")
    await deactivate(town, cleo, app)
    async with site_on(town.db, town.clock).browser() as browser:
        shown = await browser.get(f"/events/{tea.slug}")
        listed = await browser.get("/")
        asked = await browser.get(f"/api/events/{tea.slug}")
    assert (shown.status_code, h1_of(shown.text)) == (404, "This event isn’t available at the moment")
    assert tea.title not in shown.text
    assert tea.title not in listed.text
    assert asked.status_code == 404
    await activate(town, cleo, app)
    assert await numbers(town, tea.slug) == "<strong>0</strong> going"
