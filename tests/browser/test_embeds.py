"""Embeds as visitors see them: in a frame of another site, at its widths, in both colour schemes, with and without
scripts.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from groundwork.http.application import Application
from groundwork.http.server import serving
from groundwork.telemetry.metrics import Metrics
from tests.browser.accessibility import complaints
from tests.browser.browsers import DESK, context, sideways
from tests.external_dependencies import needs
from tests.openmeet.site_under_test import event_by, person

pytestmark = needs("chromium")

LONG = "Nachbarschaftsversammlung zur Straßenraumumgestaltung und Verkehrsberuhigung"


@asynccontextmanager
async def other_site(code: str) -> AsyncIterator[str]:
    """The address of another site's page that contains this code."""

    async def show(_request: Request) -> Response:
        return HTMLResponse(f"<!doctype html><html lang=en><title>A club</title><main><h1>Club</h1>{code}</main>")

    policy = {"content-security-policy": "frame-src *; script-src *; style-src 'unsafe-inline'"}
    async with serving(Application([Route("/", show)], Metrics("club"), headers=policy)) as server:
        yield server.url


async def test_every_embed_is_readable_at_every_width_in_both_schemes(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana Lindqvist")
        event = await event_by(tx, ana, title=LONG, capacity="1")
        await event_by(tx, ana, title="Walk", mode="online", online_url="https://meet.example/x")
    paths = [
        f"/embed/events/{event.slug}",
        f"/embed/people/{ana.user_id}?accent=ffee00&radius=24",
        "/embed/search?pictures=no&lang=de",
        "/embed/events/none",
    ]
    for scheme in ("light", "dark"):
        async with context(browser, openmeet, color_scheme=scheme) as visitor:
            page = await visitor.new_page()
            for path in paths:
                await page.goto(path)
                for width in (320, 360, 1280):
                    await page.set_viewport_size({"width": width, "height": 740})
                    assert await sideways(page) <= 0, (path, width)
                assert await complaints(page) == [], (path, scheme)
            assert await visitor.cookies() == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_the_code_works_on_another_site(browser, openmeet, script):
    """With the script, the frame is as high as its content. Without the script, the content is still shown."""
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), title="Walk")
    async with context(browser, openmeet, java_script_enabled=script) as visitor:
        page = await visitor.new_page()
        await page.goto(f"/events/{event.slug}/embed")
        if script:
            await page.get_by_label("Colours").select_option("dark")
            await page.wait_for_url("**theme=dark**")
        else:
            await page.get_by_label("Colours").select_option("dark")
            await page.get_by_role("button", name="Update preview").click()
        code = await page.locator("#code").input_value()
        assert "theme=dark" in code
        await page.frame_locator("#preview").get_by_role("heading", name="Walk").wait_for()
        async with other_site(code.replace('height="', 'height="9')) as club:
            await page.goto(club)
            frame = page.frame_locator("iframe")
            await frame.get_by_role("heading", name="Walk").wait_for()
            if script:
                await page.wait_for_function("document.querySelector('iframe').offsetHeight < 500")
            async with visitor.expect_page() as opened:
                await frame.get_by_role("link", name="See event").click()
            there = await opened.value
            await there.get_by_role("heading", level=1, name="Walk").wait_for()
            assert there.url == f"{openmeet.url}/events/{event.slug}"


async def test_other_pages_cannot_be_framed(browser, openmeet):
    async with openmeet.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"), title="Walk")
    code = f'<iframe src="{openmeet.url}/events/{event.slug}"></iframe>'
    async with context(browser, openmeet, viewport=DESK) as visitor, other_site(code) as club:
        page = await visitor.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        await page.goto(club, wait_until="networkidle")
        assert any("frame-ancestors" in one for one in said), said
        assert await page.frame_locator("iframe").get_by_text("Walk").count() == 0
