"""Accounts that are deactivated and reactivated, on a real PDS: the page counts fewer people, then as many as before."""

import re

from at_network.xrpc_client import XrpcClient
from groundwork.clock import SECOND
from groundwork.outbox import jobs
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.queries import by_slug
from openmeet.domain.users.model import Caller
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment
from tests.openmeet.site_under_test import h1_of, site_on


async def numbers(deployment: Deployment, slug: str) -> str:
    """The text about how many are going, as a stranger sees it on the event page. Empty if nobody is going."""
    async with site_on(deployment.db, deployment.clock).browser() as browser:
        shown = await browser.get(f"/events/{slug}")
    assert shown.status_code == 200
    return "".join(re.findall(r'<p class="numbers"><span>(.*? going)</span>', shown.text))


async def deactivate(deployment: Deployment, caller: Caller, app: XrpcClient) -> None:
    deployment.clock.turn(SECOND)
    await app.procedure("com.atproto.server.deactivateAccount", {})
    did = (await deployment.identity(caller.user_id)).did
    await deployment.follow_until(did, lambda state: not state.active)
    await deployment.deliver_jobs()


async def activate(deployment: Deployment, caller: Caller, app: XrpcClient) -> None:
    deployment.clock.turn(SECOND)
    await app.procedure("com.atproto.server.activateAccount")
    did = (await deployment.identity(caller.user_id)).did
    await deployment.follow_until(did, lambda state: state.active)
    await deployment.deliver_jobs()


async def test_answer_of_a_deactivated_account_counts_again_after_activation(deployment: Deployment):
    """After deactivateAccount the page counts one less. After activateAccount it counts as before."""
    ana, cleo = await deployment.person(), await deployment.connected()
    tea = await deployment.event(ana)
    await deployment.deliver_publications()
    await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    await deployment.listen(cleo.user_id)
    assert await numbers(deployment, tea.slug) == "<strong>1</strong> going"
    app = await deployment.stranger("cleo")
    await deactivate(deployment, cleo, app)
    assert await numbers(deployment, tea.slug) == ""
    await activate(deployment, cleo, app)
    assert await numbers(deployment, tea.slug) == "<strong>1</strong> going"


async def test_a_deactivated_repository_is_not_read(deployment: Deployment):
    """A repository that is not served is not read, and nothing changes: the absence of records must be verified."""
    cleo = await deployment.connected()
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    await deployment.listen(cleo.user_id)
    await deactivate(deployment, cleo, await deployment.stranger("cleo"))
    did = (await deployment.identity(cleo.user_id)).did
    async with deployment.db.transaction() as tx:
        await jobs.enqueue(tx, JobKind.BACKFILL, did, int(tx.now))
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        job = await jobs.find(reader, JobKind.BACKFILL, did)
        event = await by_slug(reader, tea.slug)
    assert job is not None
    assert job.why is None
    assert event is not None
    assert event.removed_at is None


async def test_page_of_a_deactivated_author_says_that_it_is_not_available(deployment: Deployment):
    cleo = await deployment.connected()
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    await deployment.listen(cleo.user_id)
    app = await deployment.stranger("cleo")
    await deactivate(deployment, cleo, app)
    async with site_on(deployment.db, deployment.clock).browser() as browser:
        shown = await browser.get(f"/events/{tea.slug}")
        listed = await browser.get("/")
        asked = await browser.get(f"/api/events/{tea.slug}")
    assert (shown.status_code, h1_of(shown.text)) == (404, "This event isn’t available at the moment")
    assert tea.title not in shown.text
    assert ('class="empty-picture"' in shown.text, ">404<" in shown.text) == (True, False)
    assert tea.title not in listed.text
    assert asked.status_code == 404
    await activate(deployment, cleo, app)
    assert await numbers(deployment, tea.slug) == ""
