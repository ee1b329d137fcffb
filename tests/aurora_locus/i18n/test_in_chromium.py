"""Every page with long words and with right-to-left text in a real browser, narrow and wide, light and dark: nothing
overflows at 320 pixels, and everything can be seen and pressed.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyotp
import pytest
from playwright.async_api import Browser, Page

from aurora_locus.i18n.language import COOKIE
from groundwork.clock import SECOND
from groundwork.i18n import pseudo
from tests.aurora_locus.accounts.account_content import add_content
from tests.aurora_locus.deployment import ADMIN_PASSWORD, Deployment, open_deployment
from tests.aurora_locus.oauth.apps import App, localhost_id
from tests.aurora_locus.page_addresses import ACCOUNT_PAGES, SIGNED_OUT_PAGES
from tests.aurora_locus.page_faults import faults_in_every_look
from tests.aurora_locus.web.administration_pages.operator_browser import create_examples_of_pages
from tests.browser.browsers import PHONE, browser, chromium_of_file
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

__all__ = ["browser", "chromium_of_file"]

pytestmark = needs("chromium")

_NARROW = {"width": 320, "height": 700}


@pytest.mark.parametrize(("tag", "size"), [("de", _NARROW), (pseudo.MIRRORED, PHONE)], ids=["German", "mirrored"])
async def test_pages_fit(
    make_sqlite: MakeDatabase, clock: Any, tmp_path: Path, browser: Browser, tag: str, size: Any
) -> None:
    found: dict[str, list[str]] = {}
    async with open_deployment(
        f"sqlite://{tmp_path / 'pds.db'}", await make_sqlite("plc_directory"), clock, tmp_path
    ) as deployment:
        await add_content(deployment, await deployment.sign_up("ada"))
        addresses = await create_examples_of_pages(deployment)
        app = App(deployment, localhost_id())
        asked = urlencode({"client_id": app.client_id, "request_uri": await app.pushed()})
        context = await browser.new_context(base_url=deployment.url, viewport=size)
        await context.add_cookies([{"name": COOKIE, "value": tag, "url": deployment.url}])
        page = await context.new_page()

        async def look(*paths: str) -> None:
            for path in paths:
                await page.goto(path)
                await look_at(path)

        async def look_at(name: str) -> None:
            found[name] = await faults_in_every_look(page, size)

        await look(*SIGNED_OUT_PAGES, "/admin/sign-in")
        await _sign_in(page, "/sign-in", identifier="ada.test", password="password of ada")
        await look(*ACCOUNT_PAGES, f"/oauth/authorize?{asked}")
        assert await page.get_attribute("html", "dir") == ("rtl" if tag == pseudo.MIRRORED else "ltr")
        await _press(page, "/account/security", "[value=app-on]")
        await look_at("/account/security/app")
        await _confirm_app(page, deployment)
        await look_at("recovery codes")
        await _press(page, "/account", "[action='/sign-out'] button")
        await _sign_in(page, "/sign-in", identifier="ada.test", password="password of ada")
        await look_at("/sign-in/factor")
        await _sign_in(page, "/admin/sign-in", name="admin", password=ADMIN_PASSWORD)
        await look(*(path for path in addresses if path.startswith("/")))
        await context.close()
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


async def _sign_in(page: Page, path: str, **fields: str) -> None:
    await page.goto(path)
    for name, value in fields.items():
        await page.fill(f"#{name}", value)
    async with page.expect_navigation():
        await page.locator("main form").first.locator("button[type=submit]").click()


async def _press(page: Page, path: str, button: str) -> None:
    """Send the form of a button."""
    await page.goto(path)
    async with page.expect_navigation():
        await page.locator(button).first.evaluate("(one) => one.click()")


async def _confirm_app(page: Page, deployment: Deployment) -> None:
    """Type the code of the authenticator app that the page sets up."""
    address = await page.locator("[href^='otpauth://']").get_attribute("href")
    assert address is not None
    await page.fill("#code", pyotp.TOTP(pyotp.parse_uri(address).secret).at(deployment.clock.now() // SECOND))
    async with page.expect_navigation():
        await page.locator("main form").first.locator("button[type=submit]").click()
