"""Consent to publish by API: responses explain what it means, the default is no, and tokens need a separate scope."""

from dataclasses import replace
from typing import Any

import pytest

from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.network.publishing.consent import ConsentDependencies, handle_for
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.account import consent_pages
from openmeet.web.account.consent_pages import NOTICE
from openmeet.web.site.services import Services
from tests.openmeet.deployment import Deployment
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, api_session

PATH = "/api/me/publishing/consent"


@pytest.fixture
def site(deployment: Deployment) -> Site:
    app = create_app(
        Services(
            replace(Settings(), public_url=ORIGIN),
            Tenant("default", deployment.db),
            CODE_KEY,
            publishing=ConsentDependencies(deployment.network, deployment.custodial_pds),
            clock=deployment.clock,
        ),
        Metrics("openmeet"),
    )
    return Site(app, deployment.db, deployment.clock)


async def test_consent_refers_to_the_notice_and_can_be_withdrawn(site: Site, deployment: Deployment):
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        read = await browser.get(PATH, headers=ana)
        before = read.json()
        assert (before["isGiven"], before["notice"], before["handle"]) == (False, NOTICE, "ana.town.test")
        assert before["record"]["$type"] == "community.lexicon.calendar.event"
        tag = {"if-match": read.headers["etag"]}
        given = await browser.put(PATH, json={"isGiven": True, "notice": NOTICE}, headers=ana | tag)
        assert given.status_code == 200, given.text
        assert (given.json()["isGiven"], given.json()["isBeingMade"]) == (True, True)
        await deployment.deliver_jobs()
        now = await browser.get(PATH, headers=ana)
        assert now.json()["did"].startswith("did:plc:")
        assert now.json()["handle"] == "ana.town.test"
        taken_back = await browser.put(PATH, json={"isGiven": False}, headers=ana)
        assert (taken_back.status_code, taken_back.json()["isGiven"]) == (200, False)


async def test_consent_needs_the_current_notice(site: Site, deployment: Deployment):
    """Without the notice, without its revision, with an old revision or with an invalid handle, nothing is published or
    created.
    """
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        tag = {"if-match": (await browser.get(PATH, headers=ana)).headers["etag"]}
        yes = {"isGiven": True, "notice": NOTICE}
        for body, headers, status in (
            ({"isGiven": True}, tag, 422),
            ({"isGiven": True, "notice": "yes"}, tag, 422),
            (yes, {}, 400),
            (yes, {"if-match": '"77"'}, 412),
            (yes | {"handle": "a b"}, tag, 400),
        ):
            said = await browser.put(PATH, json=body, headers=ana | headers)
            assert said.status_code == status, (body, headers, said.text)
        nothing = await browser.put(PATH, json={}, headers=ana)
        assert (nothing.status_code, nothing.json()["isGiven"]) == (200, False), "consent is off by default"
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select subject from outbox_jobs where kind = 'custodial_account'") == []


async def test_a_concurrent_no_wins_over_a_yes(site: Site, monkeypatch: pytest.MonkeyPatch):
    """The PDS is asked about the handle before anything is written. A withdrawal that arrives meanwhile is therefore
    newer, and the consent is refused.
    """
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        asked = handle_for

        async def asked_during_a_no(*given: Any) -> str:
            assert (await browser.put(PATH, json={"isGiven": False}, headers=ana)).status_code == 200
            return await asked(*given)

        monkeypatch.setattr(consent_pages, "handle_for", asked_during_a_no)
        tag = {"if-match": (await browser.get(PATH, headers=ana)).headers["etag"]}
        late = await browser.put(PATH, json={"isGiven": True, "notice": NOTICE}, headers=ana | tag)
        assert late.status_code == 412, late.text
        assert (await browser.get(PATH, headers=ana)).json()["isGiven"] is False


async def test_a_token_needs_the_consent_scope(site: Site):
    async with site.browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        for scopes, status in ((["read", "profile:write"], 403), (["read", "publishing:consent"], 200)):
            made = await browser.post("/api/tokens", json={"name": "A program", "scopes": scopes}, headers=ana)
            assert made.status_code == 201, made.text
            token = {"authorization": f"Bearer {made.json()['token']}"}
            read = await browser.get(PATH, headers=token)
            assert read.status_code == 200
            said = await browser.put(PATH, json={"isGiven": False}, headers=token)
            assert said.status_code == status, said.text
        assert (await browser.get(PATH)).status_code == 401


async def test_a_site_that_publishes_nothing_says_so(deployment: Deployment):
    settings = replace(Settings(), public_url=ORIGIN)
    app = create_app(
        Services(settings, Tenant("default", deployment.db), CODE_KEY, clock=deployment.clock), Metrics("openmeet")
    )
    async with Site(app, deployment.db, deployment.clock).browser() as browser:
        ana = await api_session(browser, "ana@example.org", "Ana")
        assert (await browser.get(PATH, headers=ana)).status_code == 503
        assert (await browser.get(PATH)).status_code == 401
