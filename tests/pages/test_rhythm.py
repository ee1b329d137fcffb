"""What is said of a button stands below it, at a distance, and nearer to it than to the next one."""

from playwright.async_api import Browser

from openmeet.domain.identities import actions as identities
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionKind
from tests.openmeet.ingestion.network import did
from tests.openmeet.site_under_test import person
from tests.pages.browsers import DESK, PHONE, Town, context

_DISTANCES = """() => [...document.querySelectorAll("#signing-out ~ form")].map(form => {
    const [button, hint] = [form.querySelector(".button"), form.querySelector(".hint")].map(one => one.getBoundingClientRect());
    const next = form.nextElementSibling?.querySelector(".button").getBoundingClientRect();
    return [hint.top - button.bottom, next === undefined ? null : next.top - hint.bottom];
})"""


async def test_hints_keep_off_the_buttons_that_sign_out(browser: Browser, openmeet: Town) -> None:
    """On a phone and at a desk."""
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await identities.link(tx, did(1), ana.user_id, handle="ana.example", pds_url="https://pds.example")
        session = await open_session(tx, ana.user_id, SessionKind.BROWSER)
    for size in (PHONE, DESK):
        async with context(browser, openmeet, viewport=size) as opened:
            await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
            page = await opened.new_page()
            await page.goto("/settings/identity")
            (first, to_next), (second, _) = await page.evaluate(_DISTANCES)
            assert first == second >= 8
            assert to_next > first
