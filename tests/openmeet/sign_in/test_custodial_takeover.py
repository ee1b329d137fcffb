"""A person takes over their custodial repository: afterwards only their password works, the site's does not, and
publishing continues.
"""

import pytest

from at_network.bearer_session import create_session
from groundwork.errors import NotSignedIn
from openmeet.domain.identities import queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.network.publishing import schedule
from openmeet.network.publishing.consent import ConsentDependencies
from openmeet.network.repositories import session_sealing
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.web.account.recent_proof import PROOF_LASTS
from tests.interop.consent import allow
from tests.openmeet.deployment import Deployment
from tests.openmeet.sign_in.sign_in_site import SignInSite, site_for
from tests.openmeet.site_under_test import change_services

PATH = "/settings/identity/take-over"
NEW = "a password of her own"


@pytest.fixture
async def sign_in_site(deployment: Deployment) -> SignInSite:
    site = site_for(deployment, deployment.db)
    change_services(site.app, publishing=ConsentDependencies(site.network, deployment.custodial_pds))
    return site


async def test_a_custodial_repository_becomes_its_persons_own(sign_in_site: SignInSite):
    deployment = sign_in_site.deployment
    ana = await deployment.person("Ana")
    identity = await deployment.identity(ana.user_id)
    async with sign_in_site.db.transaction() as tx:
        account = await queries.custodial_account(tx, ana.user_id)
        opened = await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)
    assert account is not None
    ours = session_sealing.unseal_password(sign_in_site.network, account)
    async with sign_in_site.browser() as browser:
        browser.cookies.set("openmeet_session", opened.token)
        assert "ana@example.org" in (await browser.get(PATH)).text
        # A stolen session is not enough, because the new password also signs in here.
        await _move_sign_in(sign_in_site, -PROOF_LASTS - 1)
        assert 'name="password"' not in (await browser.get(PATH)).text
        assert (await browser.post(PATH, data={"password": NEW, "again": NEW})).headers["location"] == PATH
        await _move_sign_in(sign_in_site, PROOF_LASTS + 1)
        for typed in ({"password": "short", "again": "short"}, {"password": NEW, "again": "another one"}):
            assert (await browser.post(PATH, data=typed)).status_code == 400
        done = await browser.post(PATH, data={"password": NEW, "again": NEW})
        assert (done.status_code, done.headers["location"]) == (303, "/settings/identity/recovery-key")
        with pytest.raises(NotSignedIn):
            await create_session(deployment.network.http, deployment.clock, deployment.pds_url, identity.did, ours)
        tokens = await create_session(
            deployment.network.http, deployment.clock, deployment.pds_url, "ana@example.org", NEW
        )
        assert tokens.did == identity.did
        after = await deployment.identity(ana.user_id)
        assert (after.did, after.kind) == (identity.did, IdentityKind.CONNECTED)
        async with sign_in_site.db.reader() as reader:
            assert await queries.custodial_account(reader, ana.user_id) is None
        # Publications wait until she signs in with that account, and are then sent.
        event = await deployment.event(ana)
        await schedule.run_once(deployment.publisher)
        assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.BLOCKED
        where = await sign_in_site.start_sign_in(browser, "ana.town.test")
        assert (await browser.get(await allow(where, "ana.town.test", NEW))).status_code == 303
        await schedule.run_once(deployment.publisher)
        assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
        assert (await browser.get(PATH)).status_code == 404


async def _move_sign_in(site: SignInSite, microseconds: int) -> None:
    async with site.db.transaction() as tx:
        await tx.execute("update sessions set created_at = created_at + :by", by=microseconds)
