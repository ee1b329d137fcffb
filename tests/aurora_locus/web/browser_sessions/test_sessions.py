"""Browser sessions: created, replaced, copied, ended."""

from typing import cast

import pytest

from aurora_locus.accounts import sessions
from aurora_locus.accounts.browser_sessions import EPHEMERAL, GRACE, REMEMBERED, ROTATION, sweep
from groundwork.clock import DAY, MINUTE, SECOND
from groundwork.database import pages
from groundwork.database.transaction import Database
from tests.aurora_locus.deployment import SERVER, Deployment, together
from tests.aurora_locus.mailbox import newest_token
from tests.aurora_locus.visitor import Visitor, heading_of, token_in, visitor
from tests.openmeet.statement_counter import CountingDatabase

BROWSER, SESSION = "aurora_browser", "aurora_session"


@pytest.fixture
async def ada(deployment: Deployment):
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    answer = await browser.sign_in("ada")
    assert answer.status_code == 303, answer.text
    yield browser
    await browser.http.aclose()


async def test_identifiers_are_of_128_bits_and_scripts_cannot_read_them(deployment: Deployment) -> None:
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    answer = await browser.sign_in("ada")
    lines = answer.headers.get_list("set-cookie")
    given = [line for line in lines if line.startswith((BROWSER, SESSION))]
    assert len(given) == 2
    for line in given:
        name, _, rest = line.partition("=")
        value, *attributes = [part.strip().lower() for part in rest.split(";")]
        assert len(value) == 22, name
        assert {"httponly", "samesite=lax", "path=/"} <= set(attributes)
        # Without "remember me", the session ends when the browser is closed.
        assert not any(part.startswith("max-age") for part in attributes)
    await browser.http.aclose()


async def test_remembered_cookies_stay_for_a_week(deployment: Deployment) -> None:
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    answer = await browser.sign_in("ada", remember="yes")
    lines = [line for line in answer.headers.get_list("set-cookie") if line.startswith((BROWSER, SESSION))]
    assert all("Max-Age=604800" in line for line in lines)
    deployment.clock.turn(REMEMBERED - SECOND)
    assert await browser.is_signed_in()
    deployment.clock.turn(2 * SECOND)
    assert not await browser.is_signed_in()
    await browser.http.aclose()


async def test_session_without_remember_me_ends_after_fifteen_idle_minutes(
    deployment: Deployment, ada: Visitor
) -> None:
    for _ in range(6):
        deployment.clock.turn(10 * MINUTE)
        assert await ada.is_signed_in()
    deployment.clock.turn(EPHEMERAL)
    assert not await ada.is_signed_in()


async def test_neither_identifier_is_in_the_database(deployment: Deployment, ada: Visitor) -> None:
    values = [value.encode() for value in ada.cookies().values()]
    async with deployment.db.reader() as reader:
        rows = [*await reader.fetch("select * from browsers"), *await reader.fetch("select * from browser_sign_ins")]
    kept = repr([[row[name] for name in row.keys()] for row in rows]).encode()  # noqa: SIM118 - a row is no dict
    assert rows
    assert not [value for value in values if value in kept]


async def test_signing_in_makes_a_new_session(deployment: Deployment) -> None:
    """Signing in creates a new session, so that knowing a browser's identifiers from before is useless (session
    fixation).
    """
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    await browser.get("/sign-in")
    planted = {**browser.cookies(), SESSION: "A" * 22}
    browser.carry(planted)
    await browser.sign_in("ada")
    thief = visitor(deployment)
    thief.carry(planted)
    assert not await thief.is_signed_in()
    # Signing in under that identifier does not help either: the browser's own accounts are not shown.
    await deployment.sign_up("eve")
    thief.carry({BROWSER: browser.cookies()[BROWSER]})
    await thief.sign_in("eve")
    assert "@ada.test" not in (await thief.get("/sign-in/accounts")).text
    assert await browser.is_signed_in()
    await browser.http.aclose()
    await thief.http.aclose()


async def test_second_account_replaces_the_session_at_once(deployment: Deployment, ada: Visitor) -> None:
    await deployment.sign_up("ben")
    old = ada.cookies()
    await ada.sign_in("ben")
    assert ada.cookies()[BROWSER] == old[BROWSER]
    assert ada.cookies()[SESSION] != old[SESSION]
    thief = visitor(deployment)
    thief.carry(old)
    assert not await thief.is_signed_in()
    page = await ada.get("/sign-in/accounts")
    assert "@ada.test" in page.text
    assert "@ben.test" in page.text
    await thief.http.aclose()


async def test_the_session_changes_every_five_minutes_of_use(deployment: Deployment, ada: Visitor) -> None:
    seen = {ada.cookies()[SESSION]}
    for _ in range(3):
        deployment.clock.turn(ROTATION)
        assert await ada.is_signed_in()
        seen.add(ada.cookies()[SESSION])
    deployment.clock.turn(ROTATION - SECOND)
    await ada.get("/sign-in/accounts")
    assert len(seen) == 4
    assert ada.cookies()[SESSION] in seen


async def test_concurrent_tabs_stay_signed_in(deployment: Deployment, ada: Visitor) -> None:
    deployment.clock.turn(ROTATION)
    answers = await together(*(ada.get("/sign-in/accounts") for _ in range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    given = [line for answer in answers for line in answer.headers.get_list("set-cookie") if line.startswith(SESSION)]
    assert len(given) == 1
    assert await ada.is_signed_in()


async def test_lost_response_does_not_end_the_session(deployment: Deployment, ada: Visitor) -> None:
    old = ada.cookies()
    deployment.clock.turn(ROTATION)
    await ada.get("/sign-in/accounts")
    # The tab was closed before the response arrived, so the browser still has the previous session.
    ada.carry(old)
    deployment.clock.turn(GRACE + SECOND)
    assert await ada.is_signed_in()
    assert ada.cookies()[SESSION] != old[SESSION]
    assert await ada.is_signed_in()


async def test_a_copied_session_signs_the_browser_out(deployment: Deployment, ada: Visitor) -> None:
    """A copied session is detected once both browsers have used it, and both are signed out."""
    thief = visitor(deployment)
    thief.carry(ada.cookies())
    deployment.clock.turn(ROTATION)
    assert await thief.is_signed_in()
    assert await thief.is_signed_in()
    deployment.clock.turn(GRACE + SECOND)
    assert not await ada.is_signed_in()
    assert not await thief.is_signed_in()
    await thief.http.aclose()


async def test_a_new_password_ends_every_browser(deployment: Deployment, ada: Visitor) -> None:
    await deployment.stranger.post(f"{SERVER}.requestPasswordReset", {"email": "ada@example.org"})
    token = await newest_token(deployment, "ada@example.org")
    answer = await deployment.stranger.post(f"{SERVER}.resetPassword", {"token": token, "password": "another password"})
    assert answer.status_code == 200
    assert not await ada.is_signed_in()


async def test_a_takedown_ends_every_browser(deployment: Deployment, ada: Visitor) -> None:
    did = (await deployment.sign_in("ada.test", "password of ada")).json()["did"]
    subject = {"$type": "com.atproto.admin.defs#repoRef", "did": did}
    answer = await deployment.administration.post(
        "com.atproto.admin.updateSubjectStatus", {"subject": subject, "takedown": {"applied": True, "ref": "r"}}
    )
    assert answer.status_code == 200
    assert not await ada.is_signed_in()
    # Signing in again shows one page from which all data can be exported.
    assert (await ada.sign_in("ada")).headers["location"] == "/account/export"
    refused = await ada.get("/account")
    assert refused.status_code == 403
    assert "taken down" in refused.text


async def test_signing_one_account_out_leaves_the_other(deployment: Deployment, ada: Visitor) -> None:
    await deployment.sign_up("ben")
    await ada.sign_in("ben")
    answer = await ada.send("/sign-out", {}, page="/sign-in/accounts")
    assert answer.headers["location"] == "/sign-in/accounts"
    page = await ada.get("/sign-in/accounts")
    assert "@ada.test" in page.text
    assert "@ben.test" not in page.text
    old = ada.cookies()
    await ada.send("/sign-out", {"everybody": "yes"}, page="/sign-in/accounts")
    ada.carry(old)
    assert not await ada.is_signed_in()


async def test_an_app_password_opens_no_page(deployment: Deployment) -> None:
    person = await deployment.sign_up("ada")
    made = await person.post(f"{SERVER}.createAppPassword", {"name": "phone"})
    browser = visitor(deployment)
    answer = await browser.send("/sign-in", {"identifier": "ada.test", "password": made.json()["password"]})
    assert answer.status_code == 400
    assert heading_of(answer) == "Sign in"
    assert not await browser.is_signed_in()
    await browser.http.aclose()


async def test_ended_sessions_are_deleted(deployment: Deployment, ada: Visitor) -> None:
    assert await sweep(deployment.db) == 0
    deployment.clock.turn(EPHEMERAL + SECOND)
    assert await sweep(deployment.db) == 1
    assert await deployment.count("browser_sign_ins") == 0


async def test_ended_sessions_are_deleted_in_pages(
    deployment: Deployment, ada: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction grows with the number of browsers and sessions that have expired since the last round."""
    monkeypatch.setattr(pages, "ROWS_AT_ONCE", 2)
    for _ in range(4):
        another = visitor(deployment)
        await another.sign_in("ada")
        await another.http.aclose()
        await deployment.sign_in("ada.test", "password of ada")
    deployment.clock.turn(365 * DAY)
    counting = CountingDatabase(deployment.db)
    assert await sweep(cast("Database", counting)) == 5
    assert await sessions.sweep(cast("Database", counting)) == 5
    assert counting.most_changed == 2
    assert [await deployment.count(table) for table in ("browser_sign_ins", "browsers", "sessions")] == [0, 0, 0]


async def test_ended_session_continues_under_a_new_identifier(deployment: Deployment, ada: Visitor) -> None:
    """A session that is over continues under a new identifier, so that a form or an app's request opened before signing
    in again still belongs to this browser.
    """
    old = ada.cookies()[BROWSER]
    deployment.clock.turn(EPHEMERAL + SECOND)
    page = await ada.get("/sign-in")
    between = ada.cookies()[BROWSER]
    assert between != old
    answer = await ada.post(
        "/sign-in", {"csrf": token_in(page), "identifier": "ada.test", "password": "password of ada"}
    )
    assert answer.status_code == 303
    assert ada.cookies()[BROWSER] == between
    assert await ada.is_signed_in()


async def test_https_cookies_are_valid_for_this_host_only(make_deployment) -> None:
    """Over HTTPS cookies have the ``__Host-`` prefix: no subdomain can set them, and no plain connection sends them."""
    deployment: Deployment = await make_deployment(public_url="https://localhost")
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    page = await browser.get("/sign-in")
    (line,) = [one for one in page.headers.get_list("set-cookie") if "aurora_browser" in one]
    form = {"csrf": token_in(page), "identifier": "ada.test", "password": "password of ada"}
    browser.http.cookies.clear()
    answer = await browser.post("/sign-in", form, cookie=line.partition(";")[0])
    assert answer.status_code == 303
    given = [one for one in answer.headers.get_list("set-cookie") if "aurora_browser" in one or "aurora_session" in one]
    assert len(given) == 2
    for one in (line, *given):
        name, _, rest = one.partition("=")
        attributes = [part.strip().lower() for part in rest.split(";")[1:]]
        assert name.startswith("__Host-")
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(attributes)
        assert not any(part.startswith("domain") for part in attributes)
    assert page.headers["strict-transport-security"] == "max-age=31536000"
    await browser.http.aclose()
