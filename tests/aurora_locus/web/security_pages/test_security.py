"""Setting up, removing and signing in with second factors, on pages without scripts."""

import re
from html import unescape

import pyotp
import pytest

from aurora_locus.accounts.second_factors.totp import STEP_SECONDS
from aurora_locus.web.browser_sessions.authentication import PROOF_LASTS
from groundwork.clock import MINUTE, SECOND
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.mailbox import newest_token
from tests.aurora_locus.visitor import Visitor, heading_of, problems_in, token_in, visitor

SECURITY, APP = "/account/security", "/account/security/app"
PASSWORD = {"identifier": "ada.test", "password": "password of ada"}


@pytest.fixture
async def ada(deployment: Deployment):
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    await browser.sign_in("ada")
    yield browser
    await browser.http.aclose()


async def set_up_app(deployment: Deployment, ada: Visitor) -> tuple[str, list[str]]:
    """Set up an app, from the overview through the QR code to the recovery codes; returns the secret and the codes."""
    begun = await ada.send(SECURITY, {"change": "app-on"})
    assert begun.headers["location"] == APP
    page = await ada.get(APP)
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in page.text
    found = re.search(r'href="(otpauth://totp/[^"]+)"', page.text)
    assert found is not None
    secret = pyotp.parse_uri(unescape(found[1])).secret
    done = await ada.send(APP, {"code": code(deployment, secret)})
    assert heading_of(done) == "Your recovery codes", problems_in(done)
    deployment.clock.turn(STEP_SECONDS * SECOND)
    return secret, re.findall(r"<li>([a-z2-7]{5}-[a-z2-7]{5})</li>", done.text)


def code(deployment: Deployment, secret: str) -> str:
    return pyotp.TOTP(secret).at(deployment.clock.now() // SECOND)


async def test_authenticator_app_is_set_up_and_requested(deployment: Deployment, ada: Visitor) -> None:
    secret, codes = await set_up_app(deployment, ada)
    assert len(codes) == 10
    other = visitor(deployment)
    asked = await other.send("/sign-in", {**PASSWORD, "next": "/sign-in/accounts"})
    assert asked.headers["location"].startswith("/sign-in/factor?ticket=")
    assert not await other.is_signed_in()
    page = asked.headers["location"]
    hidden = dict(re.findall(r'type="hidden" name="(ticket|next)" value="([^"]*)"', (await other.get(page)).text))
    wrong = await other.send("/sign-in/factor", {**hidden, "code": "000000"}, page=page)
    assert wrong.status_code == 400
    assert set(problems_in(wrong)) == {"code"}
    right = await other.send("/sign-in/factor", {**hidden, "code": code(deployment, secret)}, page=page)
    assert right.headers["location"] == "/sign-in/accounts"
    assert await other.is_signed_in()
    third = visitor(deployment)
    page = (await third.send("/sign-in", PASSWORD)).headers["location"]
    hidden = dict(re.findall(r'type="hidden" name="(ticket|next)" value="([^"]*)"', (await third.get(page)).text))
    await third.send("/sign-in/factor", {**hidden, "code": codes[0]}, page=page)
    assert await third.is_signed_in()
    for browser in (other, third):
        await browser.http.aclose()


async def test_ticket_is_valid_in_its_browser_for_ten_minutes(deployment: Deployment, ada: Visitor) -> None:
    secret, _ = await set_up_app(deployment, ada)
    victim, thief = visitor(deployment), visitor(deployment)
    page = (await victim.send("/sign-in", PASSWORD)).headers["location"]
    assert (await thief.get(page)).headers["location"].startswith("/sign-in?next=")
    token = token_in(await thief.get("/sign-in"))
    ticket = unescape(re.search(r"ticket=([^&]+)", page)[1]).replace("%3D", "=")  # type: ignore[index]
    stolen = {"csrf": token, "ticket": ticket, "code": code(deployment, secret)}
    assert (await thief.post("/sign-in/factor", stolen)).headers["location"].startswith("/sign-in?next=")
    assert not await thief.is_signed_in()
    changed = ticket[:20] + ("A" if ticket[20] != "A" else "B") + ticket[21:]
    assert (await victim.get("/sign-in/factor", ticket=changed)).status_code == 303
    assert (await victim.get(page)).status_code == 200
    deployment.clock.turn(10 * MINUTE)
    assert (await victim.get(page)).status_code == 303
    for browser in (victim, thief):
        await browser.http.aclose()


async def test_a_new_password_voids_a_ticket(deployment: Deployment, ada: Visitor) -> None:
    """A new password voids a pending second-factor step, so that somebody who knew the old one does not get in after a
    reset.
    """
    secret, _ = await set_up_app(deployment, ada)
    other = visitor(deployment)
    page = (await other.send("/sign-in", PASSWORD)).headers["location"]
    hidden = dict(re.findall(r'type="hidden" name="(ticket|next)" value="([^"]*)"', (await other.get(page)).text))
    await deployment.stranger.post(f"{SERVER}.requestPasswordReset", {"email": "ada@example.org"})
    token = await newest_token(deployment, "ada@example.org")
    await deployment.stranger.post(f"{SERVER}.resetPassword", {"token": token, "password": "another password"})
    await other.send("/sign-in/factor", {**hidden, "code": code(deployment, secret)}, page=page)
    assert not await other.is_signed_in()
    await other.http.aclose()


async def test_every_security_action_requires_a_recent_proof(deployment: Deployment, ada: Visitor) -> None:
    """Every action here requires a recent proof, including the second factor if there is one."""
    secret, _ = await set_up_app(deployment, ada)
    for _ in range(4):
        deployment.clock.turn(PROOF_LASTS // 4 + SECOND)
        await ada.get("/sign-in/accounts")
    token = token_in(await ada.get("/sign-in/accounts"))
    for path in (SECURITY, f"{SECURITY}/passkey"):
        assert (await ada.get(path)).headers["location"].startswith("/sign-in/again?next=")
    turned_off = await ada.post(SECURITY, {"csrf": token, "change": "app-off"})
    assert turned_off.headers["location"].startswith("/sign-in/again?next=")
    again = "/sign-in/again"
    without = await ada.send(again, {"password": "password of ada", "next": SECURITY})
    assert set(problems_in(without)) == {"code"}
    passed = await ada.send(again, {"password": "password of ada", "code": code(deployment, secret), "next": SECURITY})
    assert passed.headers["location"] == SECURITY
    assert (await ada.get(SECURITY)).status_code == 200


async def test_removing_the_last_factor_voids_the_recovery_codes(deployment: Deployment, ada: Visitor) -> None:
    await set_up_app(deployment, ada)
    await ada.send(SECURITY, {"change": "app-off"})
    assert await deployment.count("recovery_codes") == 0
    assert (await deployment.sign_in("ada.test", "password of ada")).status_code == 200


async def test_new_codes_end_the_old_ones_and_are_shown_once(deployment: Deployment, ada: Visitor) -> None:
    _, old = await set_up_app(deployment, ada)
    page = await ada.send(SECURITY, {"change": "new-codes"})
    new = re.findall(r"<li>([a-z2-7]{5}-[a-z2-7]{5})</li>", page.text)
    assert len(new) == 10
    assert not set(new) & set(old)
    assert page.headers["cache-control"] == "no-store"
    assert not [one for one in new if one in (await ada.get(SECURITY)).text]


async def test_codes_by_mail_need_a_confirmed_address(deployment: Deployment, ada: Visitor) -> None:
    refused = await ada.send(SECURITY, {"change": "mail-on"})
    assert refused.status_code == 400
    await ada.send("/confirm-email", {"step": "new-email"})
    await ada.send("/confirm-email", {"code": await newest_token(deployment, "ada@example.org")})
    done = await ada.send(SECURITY, {"change": "mail-on"})
    assert heading_of(done) == "Your recovery codes"
    other = visitor(deployment)
    page = (await other.send("/sign-in", PASSWORD)).headers["location"]
    hidden = dict(re.findall(r'type="hidden" name="(ticket|next)" value="([^"]*)"', (await other.get(page)).text))
    sent = await other.send("/sign-in/factor", {**hidden, "step": "factor-email"}, page=page)
    assert sent.headers["location"].startswith("/sign-in/factor?")
    token = await newest_token(deployment, "ada@example.org")
    await other.send("/sign-in/factor", {**hidden, "step": "factor", "code": token}, page=page)
    assert await other.is_signed_in()
    await other.http.aclose()


async def test_wrong_first_code_does_not_activate_the_app(deployment: Deployment, ada: Visitor) -> None:
    await ada.send(SECURITY, {"change": "app-on"})
    for typed in ("", "000000", "abc"):
        wrong = await ada.send(APP, {"code": typed})
        assert wrong.status_code == 400
        assert set(problems_in(wrong)) == {"code"}
    assert (await deployment.sign_in("ada.test", "password of ada")).status_code == 200
