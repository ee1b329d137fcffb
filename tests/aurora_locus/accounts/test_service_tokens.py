"""Tokens for other services: who gets them, and for how long."""

from typing import Any

import httpx
import pytest

from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc.service_auth import check_signature, read_service_token
from aurora_locus.accounts.service_tokens import PROTECTED
from groundwork.clock import SECOND
from tests.aurora_locus.deployment import SERVER, Deployment, Person

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

AUDIENCE = "did:web:video.example.org"
GET = f"{SERVER}.getServiceAuth"
FEED = "app.bsky.feed.getTimeline"


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def ask(person: Person, **parameters: Any) -> httpx.Response:
    return await person.get(GET, **{"aud": AUDIENCE, **parameters})


async def app_of(deployment: Deployment, person: Person, *, privileged: bool) -> Person:
    wish = {"name": f"app {privileged}", "privileged": privileged}
    password = (await person.post(f"{SERVER}.createAppPassword", wish)).json()["password"]
    return deployment.person(await deployment.sign_in(person.did, password))


@pytest.mark.parametrize("audience", [AUDIENCE, f"{AUDIENCE}#video"])
async def test_token_is_valid_for_one_audience_and_method(deployment: Deployment, audience: str) -> None:
    """A token is signed by the account's key and valid for one audience and method, for a minute."""
    ana = await deployment.sign_up("ana")
    answer = await ask(ana, aud=audience, lxm=FEED)
    now = deployment.clock.now() // SECOND
    token = read_service_token(answer.json()["token"], audiences={audience}, method=Nsid(FEED), now_seconds=now)
    check_signature(token, (await deployment.pds.registry.repositories.keys.signing_key(ana.did)).public)
    assert (token.issuer, token.expires_at, token.issued_at) == (ana.did, now + 60, now)
    again = (await ask(ana, aud=audience, lxm=FEED)).json()["token"]
    assert again != answer.json()["token"]


@pytest.mark.parametrize(
    ("seconds", "lxm", "error"),
    [
        (3600, FEED, ""),
        (3601, FEED, "BadExpiration"),
        (0, FEED, "BadExpiration"),
        (-1, FEED, "BadExpiration"),
        (60, None, ""),
        (61, None, "BadExpiration"),
    ],
)
async def test_lifetime_is_bounded_and_shorter_without_a_method(
    deployment: Deployment, seconds: int, lxm: str | None, error: str
) -> None:
    ana = await deployment.sign_up("ana")
    more = {} if lxm is None else {"lxm": lxm}
    answer = await ask(ana, exp=deployment.clock.now() // SECOND + seconds, **more)
    assert named(answer) == ((400, error) if error else (200, ""))


@pytest.mark.parametrize(
    "audience",
    [
        "",
        "video.example.org",
        "https://a.example",
        "did:web:a.example#",
        "did:web:a#b c",
        "did:web:a.example:path",
        "did:key:z6Mk",
    ],
)
async def test_audience_is_a_did_with_or_without_a_service(deployment: Deployment, audience: str) -> None:
    ana = await deployment.sign_up("ana")
    assert named(await ask(ana, aud=audience, lxm=FEED)) == (400, "InvalidRequest")


async def test_protected_methods_get_no_token(deployment: Deployment) -> None:
    """Protected methods get no token, in any spelling."""
    ana = await deployment.sign_up("ana")
    for method in [*PROTECTED, "com.atproto.server.getSession", "com.atproto.server.GetSession"]:
        assert named(await ask(ana, lxm=method)) == (400, "InvalidRequest"), method


@pytest.mark.parametrize("method", ["chat.bsky.convo.sendMessage", f"{SERVER}.createAccount"])
async def test_private_methods_need_a_privileged_session(deployment: Deployment, method: str) -> None:
    ana = await deployment.sign_up("ana")
    assert named(await ask(ana, lxm=method)) == (200, "")
    assert named(await ask(await app_of(deployment, ana, privileged=True), lxm=method)) == (200, "")
    plain = await app_of(deployment, ana, privileged=False)
    assert named(await ask(plain, lxm=method)) == (400, "InvalidRequest")
    assert named(await ask(plain, lxm=FEED)) == (200, "")


async def test_deactivated_account_gets_tokens_as_at_the_reference(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await ana.post(f"{SERVER}.deactivateAccount", {})
    for method in (f"{SERVER}.createAccount", "com.atproto.repo.uploadBlob", FEED):
        assert named(await ask(ana, lxm=method)) == (200, "")


async def test_anonymous_callers_get_no_token(deployment: Deployment) -> None:
    assert named(await ask(deployment.stranger, lxm=FEED)) == (401, "AuthMissing")
    assert named(await ask(deployment.administration, lxm=FEED)) == (400, "InvalidToken")
