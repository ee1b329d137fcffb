"""The OAuth pages in a real browser: usable, and the redirect to the app works under the content security policy."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright.async_api import Browser, Page
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router

from groundwork.http.server import serving
from tests.aurora_locus.deployment import Deployment, open_deployment
from tests.aurora_locus.oauth.apps import App, localhost_id
from tests.aurora_locus.page_faults import faults_of_page
from tests.browser.browsers import DESK, PHONE, browser, chromium_of_file
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

__all__ = ["browser", "chromium_of_file"]

pytestmark = needs("chromium")

WIDE = (
    "atproto repo:community.lexicon.calendar.event repo:community.lexicon.calendar.rsvp?action=create&action=delete "
    "blob:image/* account:email rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview "
    "identity:handle transition:generic"
)

Step = Callable[[Page], Awaitable[None]]


@pytest.fixture
async def deployment(make_sqlite: MakeDatabase, clock: Any, tmp_path: Path) -> AsyncIterator[Deployment]:
    plc = await make_sqlite("plc_directory")
    async with open_deployment(
        f"sqlite://{tmp_path / 'pds.db'}", plc, clock, tmp_path, service_name="Town Square"
    ) as opened:
        yield opened


async def authorize(deployment: Deployment, app: App, **changes: str | None) -> str:
    uri = await app.pushed(**changes)
    return f"{deployment.url}/oauth/authorize?{urlencode({'client_id': app.client_id, 'request_uri': uri})}"


async def sign_in(page: Page, name: str = "ada") -> None:
    if await page.get_by_label("Name or e-mail address").is_editable():
        await page.get_by_label("Name or e-mail address").fill(f"{name}.test")
    await page.get_by_label("Password", exact=True).fill(f"password of {name}")
    await page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")], ids=["phone, light", "desk, dark"])
async def test_every_oauth_page_is_usable(deployment: Deployment, browser: Browser, size: Any, scheme: Any) -> None:
    await deployment.sign_up("ada")
    await deployment.sign_up("ben")
    app = App(deployment, client_id=localhost_id(WIDE), scope=WIDE)
    context = await browser.new_context(locale="en-GB", viewport=size, color_scheme=scheme)
    context.set_default_timeout(15_000)
    page = await context.new_page()
    found: list[str] = []
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text) if "status of 4" not in line.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))

    await page.goto(await authorize(deployment, app))
    found += await faults_of_page(page, "sign in")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_role("heading", name="2 things need your attention").wait_for()
    assert await page.evaluate("document.activeElement.id") == "problems"
    found += await faults_of_page(page, "sign in, wrong")
    await sign_in(page)
    await page.get_by_role("button", name="Allow").wait_for()
    await page.get_by_text("Limit access").click()
    await page.get_by_text("Technical details").click()
    found += await faults_of_page(page, "consent")
    await page.get_by_role("link", name="Not you?").click()
    await sign_in(page, "ben")
    await page.goto(await authorize(deployment, app))
    await page.get_by_role("heading", name="Choose an account").wait_for()
    found += await faults_of_page(page, "choose")
    await page.goto(await authorize(deployment, app, prompt="create"))
    await page.get_by_role("link", name="Create an account").click()
    await page.get_by_role("button", name="Create the account").wait_for()
    found += await faults_of_page(page, "sign up")
    await page.get_by_role("button", name="Create the account").click()
    await page.get_by_role("heading", name="3 things need your attention").wait_for()
    found += await faults_of_page(page, "sign up, wrong")
    await page.goto(await authorize(deployment, app, login_hint="nobody.test"))
    found += await faults_of_page(page, "stranger")
    await page.goto(f"{deployment.url}/oauth/authorize?client_id=a&request_uri=b")
    found += await faults_of_page(page, "unusable")
    for path in (
        "sign-in?another",
        "sign-up",
        "sign-in/accounts",
        "sign-in/again",
        "reset-password",
        "reset-password/code?sent",
        "confirm-email",
        "nowhere",
    ):
        await page.goto(f"{deployment.url}/{path}")
        found += await faults_of_page(page, path.partition("?")[0].replace("/", " "))
    await context.close()
    assert found == []
    assert said == []


@pytest.mark.parametrize("scripted", [True, False], ids=["with script", "without script"])
@pytest.mark.parametrize("button", ["Allow", "Cancel"])
async def test_browser_returns_to_the_app(
    deployment: Deployment, browser: Browser, button: str, *, scripted: bool
) -> None:
    """The browser gets back to the app by keyboard alone, because the content security policy allows the last form to
    redirect there.
    """
    arrived: list[dict[str, str]] = []

    async def callback(request: Request) -> PlainTextResponse:
        arrived.append(dict(parse_qsl(urlsplit(str(request.url)).query)))
        return PlainTextResponse("welcome back")

    await deployment.sign_up("ada")
    async with serving(Router([Route("/callback", callback)])) as served:
        redirect = f"{served.url}/callback"
        scope = "atproto blob:image/*"
        app = App(deployment, client_id=localhost_id(scope, redirect), scope=scope, redirect=redirect)
        context = await browser.new_context(locale="en-GB", viewport=PHONE, java_script_enabled=scripted)
        context.set_default_timeout(15_000)
        page = await context.new_page()
        await page.goto(await authorize(deployment, app, login_hint="ada.test"))
        await sign_in(page)
        await page.get_by_text("Limit access").focus()
        await page.keyboard.press("Enter")
        await page.get_by_label("Upload images").focus()
        await page.keyboard.press("Space")
        await page.get_by_role("button", name=button, exact=True).focus()
        await page.keyboard.press("Enter")
        await page.get_by_text("welcome back").wait_for()
        await context.close()
    (told,) = arrived
    assert told["state"] == "state of the app"
    assert told["iss"] == deployment.settings.url
    if button == "Cancel":
        assert told["error"] == "access_denied"
    else:
        assert (await app.spend(told["code"])).json()["scope"] == "atproto"
