"""The pages on which a person lets an app in, as Ada's browser sees them."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.oauth.apps import App
from tests.aurora_locus.visitor import Visitor, heading_of, visitor

AUTHORIZE = "/oauth/authorize"
_HIDDEN = re.compile(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">')
_TICKED = re.compile(r'type="checkbox" id="allow-\d+" name="(allow-\d+)" value="([^"]*)" checked')


@pytest.fixture
async def ada(deployment: Deployment):
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    yield browser
    await browser.http.aclose()


def hidden_fields(page: httpx.Response, step: str) -> dict[str, str]:
    """The hidden fields of the form with this button."""
    start = page.text.rindex("<form", 0, page.text.index(f'value="{step}"'))
    return {
        name: unescape(value) for name, value in _HIDDEN.findall(page.text[start : page.text.index("</form", start)])
    }


def ticked_scopes(page: httpx.Response) -> dict[str, str]:
    return {name: unescape(value) for name, value in _TICKED.findall(page.text)}


async def open_consent_page(browser: Visitor, app: App, **changes: str | None) -> httpx.Response:
    """Push a request and open the page to which the app sends the browser."""
    uri = await app.pushed(**changes)
    return await browser.get(AUTHORIZE, client_id=app.client_id, request_uri=uri)


async def press_button(browser: Visitor, page: httpx.Response, step: str, **fields: str) -> httpx.Response:
    """Press the button of a step and follow redirects within the server."""
    answer = await browser.post(AUTHORIZE, {**hidden_fields(page, step), "step": step, **fields})
    return await follow_redirects(browser, answer)


async def follow_redirects(browser: Visitor, answer: httpx.Response) -> httpx.Response:
    while answer.status_code == 303 and answer.headers["location"].startswith("/"):
        answer = await browser.get(answer.headers["location"])
    return answer


async def sign_in_on_page(browser: Visitor, page: httpx.Response, name: str = "ada") -> httpx.Response:
    return await press_button(browser, page, "sign-in", identifier=f"{name}.test", password=f"password of {name}")


def answer_to_app(answer: httpx.Response, app: App) -> dict[str, str]:
    """The response that the app receives."""
    location = answer.headers["location"]
    assert answer.status_code == 303
    assert location.startswith(app.redirect)
    return dict(parse_qsl(urlsplit(location).query))


async def approve_scopes(browser: Visitor, page: httpx.Response, app: App, *without: str) -> dict[str, str]:
    assert heading_of(page).startswith("Let "), page.text
    ticked = {name: scope for name, scope in ticked_scopes(page).items() if scope not in without}
    return answer_to_app(await press_button(browser, page, "approve", **ticked), app)
