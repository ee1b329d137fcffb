"""``/`` of a PDS: a page for people, text for programs."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.visitor import Visitor, heading_of, visitor
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, PHONE, chromium, sideways, small_targets
from tests.external_dependencies import needs

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

PEOPLE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
async def browser(deployment: Deployment) -> AsyncIterator[Visitor]:
    opened = visitor(deployment)
    opened.sends |= PEOPLE
    yield opened
    await opened.http.aclose()


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "application/json"])
async def test_programs_get_plain_text(deployment: Deployment, accept: str) -> None:
    answer = await deployment.http.get("/", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["vary"].lower() == "accept, accept-language, cookie"
    assert "Aurora Locus" in answer.text
    assert "/xrpc/" in answer.text


async def test_browsers_get_links_to_sign_in_and_sign_up(deployment: Deployment, browser: Visitor) -> None:
    answer = await browser.get("/")
    assert answer.status_code == 200
    assert re.sub("<[^>]+>", "", heading_of(answer)) == "One account. Every open app."
    assert f'href="{deployment.settings.url}/sign-in"' in answer.text
    assert f'href="{deployment.settings.url}/sign-up"' in answer.text
    assert f'href="{deployment.settings.url}/account"' not in answer.text
    assert "noindex" not in answer.text
    assert not browser.cookies()


async def test_other_pages_link_to_the_front_page(browser: Visitor) -> None:
    """Other pages link to the front page: by the name at the top, and from missing pages. A missing page does not send
    people to the sign-in page.
    """
    assert '<a class="brand" href="/">' in (await browser.get("/sign-in")).text
    lost = await browser.get("/nowhere")
    assert lost.status_code == 404
    assert '<a class="button" href="/">' in lost.text


async def test_signed_in_visitor_gets_a_link_to_their_account(deployment: Deployment, browser: Visitor) -> None:
    await deployment.sign_up("ada")
    await browser.sign_in("ada")
    answer = await browser.get("/")
    assert "@ada.test" in answer.text
    assert f'href="{deployment.settings.url}/account"' in answer.text
    assert "/sign-up" not in answer.text


async def test_links_at_a_handles_host_lead_to_the_server(deployment: Deployment) -> None:
    """At the host name of a handle the links lead to the server's own name, because cookies and forms work only there."""
    await deployment.sign_up("ada")
    answer = await deployment.http.get("/", headers={**PEOPLE, "host": "ada.test"})
    assert f'href="{deployment.settings.url}/sign-in"' in answer.text


async def test_front_page_shows_contact_and_policies(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(
        contact_email_address="ops@town.example",
        terms_of_service_url="https://town.example/terms",
        privacy_policy_url="https://town.example/privacy",
        service_name="Town <Hall>",
        invite_required="true",
    )
    answer = await deployment.http.get("/", headers=PEOPLE)
    assert 'href="mailto:ops@town.example"' in answer.text
    assert answer.text.count('href="https://town.example/terms"') == 2
    assert answer.text.count('href="https://town.example/privacy"') == 2
    assert "Who runs Town &lt;Hall&gt;" in answer.text
    assert "invite code" in answer.text


async def test_front_page_explains_moving_an_account_here(make_deployment: MakeDeployment) -> None:
    """The page names the URL to enter at the old server, and says whether an invite code is needed."""
    deployment = await make_deployment(invite_required="true")
    front = await deployment.http.get("/", headers=PEOPLE)
    assert f'href="{deployment.settings.url}/move-here"' in front.text
    answer = await deployment.http.get("/move-here", headers=PEOPLE)
    assert heading_of(answer) == "Move your account here"
    assert f'<output class="address">{deployment.settings.hostname}</output>' in answer.text
    assert "invite code" in answer.text


@needs("chromium")
@pytest.mark.parametrize("path", ["/", "/move-here"])
@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), (DESK, "light")], ids=["phone, dark", "desk, light"])
async def test_front_page_is_usable(make_deployment: MakeDeployment, size: Any, scheme: Any, path: str) -> None:
    deployment = await make_deployment(contact_email_address="somebody-with-a-long-name@a-long-name.town.example")
    async with chromium() as browser:
        page = await browser.new_page(locale="en-GB", viewport=size, color_scheme=scheme)
        await page.goto(f"{deployment.url}{path}")
        assert await sideways(page) <= 0
        assert await small_targets(page) == []
        assert await complaints(page) == []
