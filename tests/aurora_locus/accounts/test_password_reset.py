"""A new password for somebody who can read the account's e-mail."""

import asyncio

import httpx
import pytest

from aurora_locus.accounts import password_guesses, sessions
from aurora_locus.accounts.email_tokens import RESET_LIFETIME
from aurora_locus.accounts.sign_in_source import SignInSource
from groundwork.clock import MINUTE
from groundwork.errors import NotSignedIn
from tests.aurora_locus.deployment import SERVER, Deployment, statuses, together
from tests.aurora_locus.mailbox import emails_to, newest_token
from tests.aurora_locus.web.administration_pages.operator_browser import act, signed_in_operator
from tests.passwords import LEAST_SECONDS

ANAS = "ana@example.org"
ASK, RESET = f"{SERVER}.requestPasswordReset", f"{SERVER}.resetPassword"


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def ask(deployment: Deployment, email: str = ANAS) -> str:
    answer = await deployment.stranger.post(ASK, {"email": email})
    assert answer.status_code == 200, answer.text
    return await newest_token(deployment, ANAS)


async def reset(deployment: Deployment, token: str, password: str = "a new password") -> httpx.Response:
    return await deployment.stranger.post(RESET, {"token": token, "password": password})


async def test_reset_ends_every_session(deployment: Deployment) -> None:
    """A reset ends every session: refresh tokens, access tokens and those of app passwords. A sign-in at the same
    moment stays valid.
    """
    ana = await deployment.sign_up("ana")
    password = (await ana.post(f"{SERVER}.createAppPassword", {"name": "phone"})).json()["password"]
    app = deployment.person(await deployment.sign_in(ana.did, password))
    token = await ask(deployment, " Ana@Example.org ")
    assert (await ana.get(f"{SERVER}.getSession")).status_code == 200
    assert named(await reset(deployment, token.lower())) == (200, "")
    for person in (ana, app):
        assert named(await person.get(f"{SERVER}.getSession")) == (400, "InvalidToken")
        refreshed = await person.bearing(person.refresh_token).post(f"{SERVER}.refreshSession")
        assert named(refreshed) == (400, "ExpiredToken")
    assert named(await deployment.sign_in("ana.test", "password of ana")) == (401, "AuthenticationRequired")
    back = deployment.person(await deployment.sign_in("ana.test", "a new password"))
    assert (await back.get(f"{SERVER}.getSession")).status_code == 200
    again = await back.bearing(back.refresh_token).post(f"{SERVER}.refreshSession")
    assert (await deployment.person(again).get(f"{SERVER}.getSession")).status_code == 200


async def test_reset_voids_earlier_tokens(deployment: Deployment) -> None:
    """A reset voids earlier e-mailed tokens, which somebody else may have requested with a session of the old password."""
    ana = await deployment.sign_up("ana")
    await ana.post(f"{SERVER}.requestAccountDelete")
    deletion = await newest_token(deployment, ANAS)
    assert named(await reset(deployment, await ask(deployment))) == (200, "")
    body = {"did": ana.did, "password": "a new password", "token": deletion}
    assert named(await deployment.stranger.post(f"{SERVER}.deleteAccount", body)) == (400, "InvalidToken")


async def test_sign_in_that_overlaps_a_reset_fails(deployment: Deployment) -> None:
    """A sign-in with the old password fails if the reset happens between the password check and the new session."""
    await deployment.sign_up("ana")
    token = await ask(deployment)
    registry = deployment.pds.registry
    proof = await password_guesses.verify_password(registry, "ana.test", "password of ana", SignInSource(""))
    assert named(await reset(deployment, token)) == (200, "")
    with pytest.raises(NotSignedIn):
        await registry.db.write(lambda w: sessions.open_proven(w, registry.tokens, proof))
    assert await deployment.count("sessions") == 0


async def test_token_resets_once(deployment: Deployment) -> None:
    await deployment.sign_up("ana")
    token = await ask(deployment)
    assert statuses(await together(*(reset(deployment, token) for _ in range(4)))) == [200, 400, 400, 400]


async def test_bad_password_costs_no_token(deployment: Deployment) -> None:
    await deployment.sign_up("ana")
    token = await ask(deployment)
    assert named(await reset(deployment, token, "short")) == (400, "InvalidPassword")
    assert named(await reset(deployment, token, "x" * 257)) == (400, "InvalidPassword")
    assert named(await reset(deployment, token)) == (200, "")


async def test_reset_requests_by_anyone_are_limited_and_keep_the_code_valid(deployment: Deployment) -> None:
    """Reset requests by anyone, from any number of addresses, send at most one e-mail per hour, and its code works all
    that time.
    """
    await deployment.sign_up("ana")
    token = await ask(deployment)
    for minute in range(59):
        deployment.clock.turn(MINUTE)
        await together(*(deployment.stranger.post(ASK, {"email": ANAS}) for _ in range(2 if minute % 20 == 0 else 0)))
    assert len(await emails_to(deployment, ANAS)) == 1
    assert named(await reset(deployment, token)) == (200, "")
    await ask(deployment)
    assert len(await emails_to(deployment, ANAS)) == 2


async def test_expired_token_resets_nothing(deployment: Deployment) -> None:
    await deployment.sign_up("ana")
    token = await ask(deployment)
    deployment.clock.turn(RESET_LIFETIME)
    assert named(await reset(deployment, token)) == (400, "ExpiredToken")
    assert (await deployment.sign_in("ana.test", "password of ana")).status_code == 200


@pytest.mark.parametrize("email", [ANAS, "nobody@example.org", "", "a\x00b", "no address"])
@pytest.mark.usefixtures("refusals_take_their_time")
async def test_response_does_not_reveal_which_addresses_exist(deployment: Deployment, email: str) -> None:
    """The response does not reveal which addresses have accounts, and is not faster for an address without an account."""
    await deployment.sign_up("ana")
    started = asyncio.get_running_loop().time()
    answer = await deployment.stranger.post(ASK, {"email": email})
    assert asyncio.get_running_loop().time() - started >= LEAST_SECONDS
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(await emails_to(deployment, ANAS)) == (1 if email == ANAS else 0)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_the_operators_page_and_the_e_mail_name_the_same_duration(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    async with signed_in_operator(deployment) as admin:
        page = await admin.get(f"/admin/accounts/{ana.did}/send-reset")
        await act(admin, ana.did, "send-reset")
    assert "a code that works for an hour" in page.text
    (letter, *_) = await emails_to(deployment, ANAS)
    assert "It works once, for an hour." in letter.text
