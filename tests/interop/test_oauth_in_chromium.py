"""The official OAuth client for browsers in Chromium: DPoP with a non-extractable key, across origins."""

import html
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import expect
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route, Router

from groundwork.http.server import serving
from tests.browser.browsers import chromium
from tests.external_dependencies import needs
from tests.interop.conftest import NODE, Network, run

pytestmark = [needs("node"), needs("chromium"), pytest.mark.usefixtures("node_modules")]

SCOPE = "atproto repo:org.example.note?action=create"


async def test_official_browser_client_works(network: Network, tmp_path: Path) -> None:
    """The official browser client works: its user signs in and consents on our pages, and the client writes, refreshes
    and signs out.
    """
    ana = await network.sign_up("ana-oauth-tab")
    script = tmp_path / "app.js"
    esbuild = NODE / "node_modules/.bin/esbuild"
    await run(
        esbuild, NODE / "oauth_browser.mjs", "--bundle", "--format=esm", "--log-level=error", f"--outfile={script}"
    )
    wish = {"pds": network.pds_url, "plc": network.plc_url, "handle": ana.handle, "scope": SCOPE}
    # The page's text contains only our own data; the element separates it from markup.
    told = html.escape(msgspec.json.encode(wish).decode(), quote=False)

    async def page_of_the_app(_request: Request) -> Response:
        return HTMLResponse(
            f'<!doctype html><title>waiting</title><p id="wish" hidden>{told}</p><pre></pre>'
            '<script type="module" src="/app.js"></script>'
        )

    async def script_of_the_app(_request: Request) -> Response:
        return Response(script.read_bytes(), media_type="text/javascript")

    app = Router([Route("/", page_of_the_app), Route("/app.js", script_of_the_app)])
    async with serving(app) as served, chromium() as browser:
        page = await browser.new_page(locale="en-GB")
        await page.goto(f"{served.url}/")
        await page.get_by_label("Password", exact=True).fill(ana.password)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.get_by_role("button", name="Allow", exact=True).click()
        await expect(page).to_have_title("done")
        did = msgspec.json.decode(await page.locator("pre").inner_text())
    assert did.pop("uri").startswith(f"at://{ana.did}/org.example.note/")
    assert did == {"did": ana.did, "state": "kept by the page", "scope": SCOPE}
