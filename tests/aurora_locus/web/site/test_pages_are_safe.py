"""Security headers of every page, and requests that every page refuses."""

import pytest

from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.visitor import Visitor, heading_of, token_in, visitor
from tests.visible_text import visible_text

FORM = {"identifier": "ada.test", "password": "password of ada"}


@pytest.fixture
async def browser(deployment: Deployment):
    await deployment.sign_up("ada")
    opened = visitor(deployment)
    yield opened
    await opened.http.aclose()


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere"], ids=["page", "failure"])
async def test_pages_have_security_headers(browser: Visitor, path: str) -> None:
    """No page may be framed, run foreign scripts, be cached, or reveal the referrer."""
    answer = await browser.http.get(path, headers={"accept": "text/html"})
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


async def test_programs_get_problem_json_and_people_get_pages(browser: Visitor) -> None:
    program = await browser.http.get("/nowhere", headers={"accept": "*/*"})
    person = await browser.http.get("/nowhere", headers={"accept": "text/html,*/*"})
    assert program.headers["content-type"] == "application/problem+json"
    assert heading_of(person) == "We can’t find that page"


async def test_error_pages_show_a_drawing_and_no_number(browser: Visitor) -> None:
    answer = await browser.http.get("/nowhere", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert 'class="empty-picture"' in answer.text
    assert "404" not in visible_text(answer.text)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site", "origin": "http://ada.test"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
    ],
    ids=["another site", "a handle below our domain", "a sandbox"],
)
async def test_a_form_of_another_site_is_refused(browser: Visitor, headers: dict[str, str]) -> None:
    """A form of another site is refused even with the right token."""
    token = token_in(await browser.get("/sign-in"))
    answer = await browser.post("/sign-in", {**FORM, "csrf": token}, **headers)
    assert answer.status_code == 403
    assert not await browser.is_signed_in()


@pytest.mark.parametrize("token", [None, "", "0" * 32, "é" * 32], ids=["none", "empty", "made up", "not ASCII"])
async def test_a_form_without_this_browsers_token_is_refused(browser: Visitor, token: str | None) -> None:
    """A form without this browser's token is refused even from our own origin."""
    await browser.get("/sign-in")
    answer = await browser.post("/sign-in", FORM if token is None else {**FORM, "csrf": token})
    assert answer.status_code == 403
    assert heading_of(answer) == "This page is too old"
    assert not await browser.is_signed_in()


async def test_the_token_of_another_browser_is_refused(deployment: Deployment, browser: Visitor) -> None:
    other = visitor(deployment)
    token = token_in(await other.get("/sign-in"))
    await browser.get("/sign-in")
    answer = await browser.post("/sign-in", {**FORM, "csrf": token})
    assert answer.status_code == 403
    await other.http.aclose()


@pytest.mark.parametrize(
    "where",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"],
)
async def test_redirect_after_signing_in_stays_on_this_site(browser: Visitor, where: str) -> None:
    """The page after signing in is on this server, whatever URL the link contains."""
    answer = await browser.send("/sign-in", {**FORM, "next": where})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/account"
    again = await browser.get("/sign-in", next=where)
    assert again.headers["location"] == "/account"


async def test_signing_in_again_returns_to_the_requested_page(browser: Visitor) -> None:
    answer = await browser.get("/sign-in/accounts?next=/x")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fsign-in%2Faccounts%3Fnext%3D%2Fx"


async def test_files_are_served_under_their_content(browser: Visitor) -> None:
    page = await browser.get("/sign-in")
    start = page.text.index("/static/")
    path = page.text[start : page.text.index('"', start)]
    file = await browser.get(path)
    assert file.status_code == 200
    assert "immutable" in file.headers["cache-control"]
    assert (await browser.get(path.replace("/static/", "/static/0"))).status_code == 404
