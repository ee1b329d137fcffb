"""A picture that is chosen in the event form is shown in place of the generated cover."""

from playwright.async_api import Browser, expect

from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from tests.browser.browsers import PHONE, Deployment, context
from tests.external_dependencies import needs
from tests.openmeet.publishing.pictures import draw_jpeg
from tests.openmeet.site_under_test import person

pytestmark = needs("chromium")


async def test_a_chosen_picture_replaces_the_cover(browser: Browser, openmeet: Deployment) -> None:
    """Another choice replaces it, and without one, or with a file that is no picture, the cover is back."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        token = (await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)).token
    async with context(browser, openmeet, viewport=PHONE) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto("/events/new")
        choice, shuffle = page.locator("input[name=picture]"), page.get_by_role("button", name="Shuffle cover")
        cover, preview = page.locator(".make-picture[data-cover-of]"), page.locator(".make-picture[src^='blob:']")
        await expect(cover).to_be_visible()
        await expect(preview).to_have_count(0)
        for side in (60, 80):
            picture = {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": draw_jpeg(side=side)}
            await choice.set_input_files(picture)
            await expect(preview).to_have_js_property("naturalWidth", 2 * side)
            await expect(preview).to_be_visible()
            await expect(cover).to_be_hidden()
            await expect(shuffle).to_be_hidden()
        # A new title draws the cover again, behind the picture.
        await page.get_by_label("Title").fill("Soup for everybody")
        await expect(preview).to_be_visible()
        await choice.set_input_files([])
        await expect(preview).to_have_count(0)
        await expect(cover).to_be_visible()
        await expect(shuffle).to_be_visible()
        await choice.set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": draw_jpeg()})
        await expect(cover).to_be_hidden()
        await choice.set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
        await expect(preview).to_have_count(0)
        await expect(cover).to_be_visible()
