"""Passkeys, created and used by Chromium with a virtual authenticator."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, CDPSession, Page

from groundwork.clock import MINUTE
from tests.aurora_locus.deployment import Deployment, open_deployment
from tests.aurora_locus.page_faults import faults_of_page
from tests.browser.browsers import PHONE, browser, chromium_of_file
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

__all__ = ["browser", "chromium_of_file"]

pytestmark = needs("chromium")


@pytest.fixture
async def deployment(make_sqlite: MakeDatabase, clock: Any, tmp_path: Path) -> AsyncIterator[Deployment]:
    """A server with a host name, because passkeys need a name and do not work with an IP address."""
    plc = await make_sqlite("plc_directory")
    async with open_deployment(f"sqlite://{tmp_path / 'pds.db'}", plc, clock, tmp_path) as opened:
        app = opened.pds.app
        site = replace(app.state.services.site, url=f"http://localhost:{urlsplit(opened.url).port}")
        app.state.services = replace(app.state.services, site=site)
        yield opened


async def person(browser: Browser, deployment: Deployment) -> tuple[BrowserContext, Page]:
    context = await browser.new_context(
        base_url=deployment.pds.app.state.services.site.url, locale="en-GB", viewport=PHONE
    )
    context.set_default_timeout(15_000)
    return context, await context.new_page()


async def authenticator(context: BrowserContext, page: Page, **changes: Any) -> tuple[CDPSession, str]:
    """A device that verifies its user and stores passkeys."""
    session = await context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
        **changes,
    }
    made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


async def credentials(session: CDPSession, device: str) -> list[dict[str, Any]]:
    found = await session.send("WebAuthn.getCredentials", {"authenticatorId": device})
    return list(found["credentials"])


async def sign_in(page: Page) -> None:
    await page.goto("/sign-in?another")
    await page.get_by_label("Name or e-mail address").fill("ada.test")
    await page.get_by_label("Password", exact=True).fill("password of ada")
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def add_passkey(page: Page, name: str) -> None:
    await page.goto("/account/security/passkey")
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Add a passkey").click()


async def test_passkey_is_created_and_signs_in(deployment: Deployment, browser: Browser) -> None:
    """A passkey works as the second factor, as the proof before sensitive actions, and alone."""
    await deployment.sign_up("ada")
    context, page = await person(browser, deployment)
    session, device = await authenticator(context, page)
    await sign_in(page)
    await add_passkey(page, "My phone")
    await page.get_by_role("heading", name="Your recovery codes").wait_for()
    found = await faults_of_page(page, "codes")
    assert len(await credentials(session, device)) == 1

    # As the second factor, after the password.
    await sign_in(page)
    await page.get_by_role("heading", name="Confirm it’s you").wait_for()
    found += await faults_of_page(page, "factor")
    await page.get_by_role("button", name="Use a passkey").click()
    await page.get_by_text("You’re signed in.").wait_for()

    # Instead of the password, on pages that require it again.
    for _ in range(4):
        deployment.clock.turn(4 * MINUTE)
        await page.goto("/sign-in/accounts")
    await page.goto("/account/security")
    await page.get_by_role("heading", name="Is it you?").wait_for()
    found += await faults_of_page(page, "is it you")
    await page.get_by_role("button", name="Use a passkey instead").click()
    await page.get_by_text("My phone").first.wait_for()
    found += await faults_of_page(page, "security")

    # As the only credential.
    await page.goto("/sign-in?another")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.get_by_text("You’re signed in.").wait_for()
    (kept,) = await credentials(session, device)
    assert kept["signCount"] == 4

    await page.goto("/account/security")
    await page.get_by_role("button", name="Remove My phone").click()
    await page.get_by_text("The passkey is removed here").wait_for()
    assert await deployment.count("passkeys") == 0
    assert await deployment.count("recovery_codes") == 0
    await context.close()
    assert found == []


async def test_one_device_has_one_passkey(deployment: Deployment, browser: Browser) -> None:
    """A device has one passkey: the browser gets the list of existing ones, and the page says that none was created."""
    await deployment.sign_up("ada")
    context, page = await person(browser, deployment)
    await authenticator(context, page)
    await sign_in(page)
    await add_passkey(page, "My phone")
    await page.get_by_role("heading", name="Your recovery codes").wait_for()
    await add_passkey(page, "My phone again")
    await page.get_by_text("No passkey was created").wait_for()
    assert await deployment.count("passkeys") == 1
    await context.close()


async def test_copied_device_is_detected(deployment: Deployment, browser: Browser) -> None:
    """A copied device is detected by a counter that has not increased, and every use of it is refused."""
    await deployment.sign_up("ada")
    context, page = await person(browser, deployment)
    await authenticator(context, page)
    await sign_in(page)
    await add_passkey(page, "My phone")
    await page.get_by_role("heading", name="Your recovery codes").wait_for()
    await deployment.db.write(lambda w: w.execute("update passkeys set sign_count = 1000"))
    await page.goto("/sign-in?another")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.get_by_text("We don’t know this passkey").first.wait_for()
    await context.close()


async def test_response_is_valid_once_and_in_its_browser(deployment: Deployment, browser: Browser) -> None:
    """A passkey response is valid once and for its browser: replays by the same browser, by another one and from
    another origin are refused.
    """
    await deployment.sign_up("ada")
    context, page = await person(browser, deployment)
    await authenticator(context, page)
    await sign_in(page)
    await add_passkey(page, "My phone")
    await page.get_by_role("heading", name="Your recovery codes").wait_for()
    await page.goto("/sign-in?another")
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.post_data or "") if one.method == "POST" else None)
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.get_by_text("You’re signed in.").wait_for()
    (body,) = sent
    again = await context.request.post(
        "/sign-in", data=body, headers={"content-type": "application/x-www-form-urlencoded"}, max_redirects=0
    )
    assert again.status == 400
    assert "We don’t know this passkey" in await again.text()
    thief, elsewhere = await person(browser, deployment)
    await elsewhere.goto("/sign-in")
    fields = await elsewhere.locator("input[name=csrf]").first.input_value()
    answer = _field(body, "passkey")
    for typed in (answer, _with_origin(answer, "https://evil.example")):
        refused = await thief.request.post("/sign-in", form={"csrf": fields, "passkey": typed}, max_redirects=0)
        assert refused.status == 400
    await context.close()
    await thief.close()


async def test_device_without_user_verification_is_refused(deployment: Deployment, browser: Browser) -> None:
    await deployment.sign_up("ada")
    context, page = await person(browser, deployment)
    await authenticator(context, page, hasUserVerification=False, isUserVerified=False)
    await sign_in(page)
    await add_passkey(page, "My key")
    await page.get_by_text("No passkey was created").wait_for()
    assert await deployment.count("passkeys") == 0
    await context.close()


async def test_without_scripts_the_page_explains_that_passkeys_need_them(
    deployment: Deployment, browser: Browser
) -> None:
    await deployment.sign_up("ada")
    context = await browser.new_context(
        base_url=deployment.pds.app.state.services.site.url, locale="en-GB", java_script_enabled=False
    )
    page = await context.new_page()
    await sign_in(page)
    await page.goto("/account/security/passkey")
    assert await page.get_by_text("Passkeys need a browser that supports them").is_visible()
    assert not await page.get_by_role("button", name="Add a passkey").is_visible()
    await context.close()


@pytest.mark.parametrize("path", ["/account/security", "/account/security/app", "/account/security/passkey"])
async def test_pages_are_usable(deployment: Deployment, browser: Browser, path: str) -> None:
    await deployment.sign_up("ada")
    context, page = await person(browser, deployment)
    await sign_in(page)
    if path.endswith("app"):
        await page.goto("/account/security")
        await page.get_by_role("button", name="Set up an authenticator app").click()
    await page.goto(path)
    assert await faults_of_page(page, path.strip("/").replace("/", " ")) == []
    await context.close()


def _field(body: str, name: str) -> str:
    return parse_qs(body)[name][0]


def _with_origin(answer: str, origin: str) -> str:
    said = json.loads(answer)
    text = said["response"]["clientDataJSON"]
    inner = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    changed = json.dumps({**inner, "origin": origin}).encode()
    said["response"]["clientDataJSON"] = urlsafe_b64encode(changed).decode().rstrip("=")
    return json.dumps(said)
