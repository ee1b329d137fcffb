"""Long words and right-to-left text in a real browser: nothing overflows at 320 pixels, and everything can be seen and
pressed.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, Page

from aurora_locus.i18n.language import COOKIE
from groundwork.i18n import pseudo
from tests.aurora_locus.accounts.account_content import add_content
from tests.aurora_locus.deployment import ADMIN_PASSWORD, open_deployment
from tests.aurora_locus.oauth.apps import App, localhost_id
from tests.aurora_locus.page_addresses import ACCOUNT_PAGES, SIGNED_OUT_PAGES
from tests.aurora_locus.web.administration_pages.operator_browser import create_examples_of_pages
from tests.browser.accessibility import complaints
from tests.browser.browsers import PHONE, browser, chromium_of_file, covered_targets, sideways, small_targets
from tests.databases import MakeDatabase
from tests.external_dependencies import needs

__all__ = ["browser", "chromium_of_file"]

pytestmark = needs("chromium")

_NARROW = {"width": 320, "height": 700}


@pytest.mark.parametrize(("tag", "size"), [("de", _NARROW), (pseudo.MIRRORED, PHONE)], ids=["German", "mirrored"])
async def test_pages_fit(
    make_sqlite: MakeDatabase, clock: Any, tmp_path: Path, browser: Browser, tag: str, size: Any
) -> None:
    found: dict[str, tuple[int, list[str]]] = {}
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
                wrong = [*await complaints(page), *await small_targets(page), *await covered_targets(page)]
                found[path] = (max(0, await sideways(page)), wrong)

        await look(*SIGNED_OUT_PAGES)
        await _sign_in(page, "/sign-in", identifier="ada.test", password="password of ada")
        await look(*ACCOUNT_PAGES, f"/oauth/authorize?{asked}")
        assert await page.get_attribute("html", "dir") == ("rtl" if tag == pseudo.MIRRORED else "ltr")
        await _sign_in(page, "/admin/sign-in", name="admin", password=ADMIN_PASSWORD)
        await look(*(path for path in addresses if path.startswith("/")))
        await context.close()
    assert {path: wrong for path, wrong in found.items() if wrong != (0, [])} == {}


async def _sign_in(page: Page, path: str, **fields: str) -> None:
    await page.goto(path)
    for name, value in fields.items():
        await page.fill(f"#{name}", value)
    async with page.expect_navigation():
        await page.locator("main form").first.locator("button[type=submit]").click()
