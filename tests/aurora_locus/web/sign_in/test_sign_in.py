"""Signing in on the page: one response for every failure, counted together with ``createSession``, and typed input is
kept.
"""

import re
import time

import pytest

from aurora_locus.accounts.limits import SIGN_IN
from groundwork.clock import MINUTE
from tests.aurora_locus.deployment import Deployment, together
from tests.aurora_locus.visitor import Visitor, heading_of, problems_in, token_in, visitor
from tests.passwords import LEAST_SECONDS


@pytest.fixture
async def browser(deployment: Deployment):
    await deployment.sign_up("ada")
    opened = visitor(deployment)
    yield opened
    await opened.http.aclose()


def without_token(text: str) -> str:
    """The page without its random parts: the form's token and the challenge for passkeys."""
    return re.sub(r'(name="csrf" value|data-options)="[^"]+"', "", text)


@pytest.mark.parametrize("identifier", ["ada.test", "@ADA.test", " ada@example.org "], ids=["handle", "@", "e-mail"])
async def test_sign_in_accepts_handle_address_and_did(browser: Visitor, identifier: str) -> None:
    answer = await browser.send("/sign-in", {"identifier": identifier, "password": "password of ada"})
    assert answer.status_code == 303
    assert await browser.is_signed_in()


@pytest.mark.usefixtures("refusals_take_their_time")
async def test_unknown_name_and_wrong_password_get_the_same_response(browser: Visitor) -> None:
    """An unknown name and a wrong password get the same text and status, never faster than the minimum time of a
    refusal.
    """
    started = time.monotonic()
    wrong = await browser.send("/sign-in", {"identifier": "ada.test", "password": "not the password"})
    unknown = await browser.send("/sign-in", {"identifier": "eve.test", "password": "not the password"})
    assert time.monotonic() - started >= 2 * LEAST_SECONDS
    assert wrong.status_code == unknown.status_code == 400
    assert (
        problems_in(wrong)
        == problems_in(unknown)
        == {"password": "Name and password don’t match. Check both and try again."}
    )
    assert without_token(wrong.text) == without_token(unknown.text).replace("eve.test", "ada.test")


async def test_typed_name_is_kept_but_not_the_password(browser: Visitor) -> None:
    answer = await browser.send(
        "/sign-in", {"identifier": 'ada"><script>', "password": "s3cret-typed", "remember": "yes", "next": "/x?y=1"}
    )
    assert 'value="ada&#34;&gt;&lt;script&gt;"' in answer.text
    assert 'name="remember" value="yes" checked' in answer.text
    assert 'name="next" value="/x?y=1"' in answer.text
    assert "s3cret-typed" not in answer.text
    assert "<title>Error: " in answer.text


async def test_empty_form_reports_both_fields(browser: Visitor) -> None:
    answer = await browser.send("/sign-in", {})
    assert set(problems_in(answer)) == {"identifier", "password"}
    assert "2 things need your attention" in answer.text


async def test_a_password_of_a_megabyte_is_refused(browser: Visitor) -> None:
    answer = await browser.send("/sign-in", {"identifier": "ada.test", "password": "x" * 1_000_000})
    assert answer.status_code == 413
    long = await browser.send("/sign-in", {"identifier": "ada.test", "password": "x" * 100_000})
    assert long.status_code == 400


async def test_attempts_on_page_and_method_count_together(make_deployment) -> None:
    """Attempts on the page and by the method count together: thirty in five minutes for one name and address."""
    deployment: Deployment = await make_deployment()
    object.__setattr__(deployment.pds.registry, "has_wide_limits", False)
    browser = visitor(deployment)
    token = token_in(await browser.get("/sign-in"))
    form = {"csrf": token, "identifier": "nobody.test", "password": "x"}
    half = SIGN_IN.points // 2
    await together(*(deployment.sign_in("nobody.test", "x") for _ in range(half)))
    pages = await together(*(browser.post("/sign-in", form) for _ in range(SIGN_IN.points - half)))
    assert {page.status_code for page in pages} == {400}
    refused = await browser.post("/sign-in", form)
    assert refused.status_code == 429
    assert "Retry-After" in refused.headers or "RateLimit-Reset" in refused.headers
    assert "Too many tries from here" in problems_in(refused)["password"]
    assert (await deployment.sign_in("nobody.test", "x")).status_code == 429
    deployment.clock.turn(5 * MINUTE)
    assert (await browser.post("/sign-in", form)).status_code == 400
    await browser.http.aclose()


async def test_sensitive_pages_require_the_password_again(deployment: Deployment, browser: Visitor) -> None:
    await browser.sign_in("ada")
    page = await browser.get("/sign-in/again?next=/sign-in/accounts")
    assert heading_of(page) == "Is it you?"
    wrong = await browser.send("/sign-in/again", {"password": "wrong"})
    assert wrong.status_code == 400
    right = await browser.send("/sign-in/again", {"password": "password of ada", "next": "/sign-in/accounts"})
    assert right.headers["location"] == "/sign-in/accounts"


async def test_another_account_is_chosen_and_stays_chosen(deployment: Deployment, browser: Visitor) -> None:
    ben = await deployment.sign_up("ben")
    ada = (await deployment.sign_in("ada.test", "password of ada")).json()["did"]
    await browser.sign_in("ada")
    await browser.sign_in("ben")
    assert ">@ben.test</strong></span></p>" in (await browser.get("/sign-in/accounts")).text
    await browser.send("/sign-in/accounts", {"account": ada})
    assert ">@ada.test</strong></span></p>" in (await browser.get("/sign-in/accounts")).text
    await browser.send("/sign-in/accounts", {"leave": ada})
    stranger = await browser.send("/sign-in/accounts", {"account": ada})
    assert stranger.headers["location"].startswith("/sign-in?next=")
    assert ">@ben.test</strong></span></p>" in (await browser.get("/sign-in/accounts")).text
    assert ben.did


async def test_going_back_after_signing_out_shows_nothing(browser: Visitor) -> None:
    """Going back after signing out shows nothing, because browsers must not cache the pages."""
    await browser.sign_in("ada")
    page = await browser.get("/sign-in/accounts")
    assert page.headers["cache-control"] == "no-store"
    await browser.send("/sign-out", {"everybody": "yes"}, page="/sign-in/accounts")
    assert (await browser.get("/sign-in/accounts")).status_code == 303


async def test_a_database_that_is_not_available_is_explained_in_the_language_of_the_reader(
    browser: Visitor, deployment: Deployment
) -> None:
    """The sentences of the database (such as "the commit failed") are for operators."""
    form = {"csrf": token_in(await browser.get("/sign-in")), "identifier": "ada.test", "password": "password of ada"}
    await deployment.db.close()
    answer = await browser.post("/sign-in", form, **{"accept-language": "de"})
    assert (answer.status_code, "database" in answer.text) == (503, False)
    assert "Versuch es in einer Minute noch einmal." in answer.text
