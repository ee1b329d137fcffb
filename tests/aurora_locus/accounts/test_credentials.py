"""The Authorization header: what is accepted, what is refused, and the error messages."""

import base64

import pytest

from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc import service_auth
from groundwork.clock import SECOND
from tests.aurora_locus.deployment import ADMIN_PASSWORD, SERVER, Deployment, Person

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


UNUSABLE = pytest.mark.parametrize(
    "header",
    [
        b"Foo bar",
        b"Bearer",
        b"Bearer  two-spaces",
        b"Bearer one two",
        b"Bearer a.b.c",
        b"Bearer \xe9.\xff.\x80",
        b"Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.",
        b"Bearer W10.W10.W10",
        b"Bearer bnVsbA.e30.AAAA",
        b"\xff\xfe",
    ],
)


@UNUSABLE
async def test_unusable_header_is_refused(deployment: Deployment, header: bytes) -> None:
    answer = await deployment.http.get(f"/xrpc/{SERVER}.getSession", headers={b"authorization": header})
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidToken")


@UNUSABLE
async def test_unusable_header_is_ignored_by_public_methods(deployment: Deployment, header: bytes) -> None:
    """An unusable header does not matter to public methods, as at the reference: a client that signs in again may still
    send the expired token.
    """
    answer = await deployment.http.get(f"/xrpc/{SERVER}.describeServer", headers={b"authorization": header})
    assert answer.status_code == 200


async def test_missing_authorization_gets_401_with_bearer(deployment: Deployment) -> None:
    answer = await deployment.stranger.get(f"{SERVER}.getSession")
    assert (answer.status_code, answer.json()["error"]) == (401, "AuthMissing")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    [
        basic("admin:wrong"),
        basic(f"root:{ADMIN_PASSWORD}"),
        basic(f"admin:{ADMIN_PASSWORD}x"),
        basic("admin"),
        basic("admin:"),
        basic(":"),
        "Basic !!!",
        "Basic \xe9\xe9",
        "Basic //79",
    ],
)
async def test_wrong_administration_password(deployment: Deployment, header: str) -> None:
    stranger = {b"authorization": header.encode("latin-1")}
    answer = await deployment.http.post(f"/xrpc/{SERVER}.createInviteCode", json={"useCount": 1}, headers=stranger)
    assert (answer.status_code, answer.json()["error"]) == (401, "AuthenticationRequired")
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_administration_password_may_hold_a_colon(deployment: Deployment) -> None:
    answer = await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": 2})
    assert answer.status_code == 200
    assert answer.json()["code"].startswith("localhost")


async def test_invite_for_everybody_is_refused(deployment: Deployment) -> None:
    answer = await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": 1_000_001})
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest")


@pytest.mark.parametrize("uses", [0, -1])
async def test_invite_for_an_unknown_account_cannot_be_used(deployment: Deployment, uses: int) -> None:
    """An invite code for an unknown account is created, as by the reference, but cannot be used."""
    made = await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": uses})
    assert made.status_code == 200
    answer = await deployment.ask_to_sign_up("ana", inviteCode=made.json()["code"])
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidInviteCode")


async def test_administrator_cannot_act_as_an_account(deployment: Deployment) -> None:
    answer = await deployment.administration.get(f"{SERVER}.getSession")
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidToken")


async def test_account_cannot_act_as_administrator(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    answer = await ana.post(f"{SERVER}.createInviteCode", {"useCount": 1})
    assert (answer.status_code, answer.json()["error"]) == (401, "AuthenticationRequired")


async def test_scheme_is_read_in_any_case(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    token = ana.headers["authorization"].removeprefix("Bearer ")
    for scheme in ("bearer", "BEARER"):
        answer = await Person(deployment.http, {"authorization": f"{scheme} {token}"}).get(f"{SERVER}.getSession")
        assert answer.status_code == 200


async def test_authorized_response_is_not_stored_by_shared_caches(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    answer = await ana.get(f"{SERVER}.getSession")
    assert (answer.headers["cache-control"], answer.headers["vary"]) == ("private", "authorization")
    assert "cache-control" not in (await deployment.stranger.get(f"{SERVER}.describeServer")).headers


async def test_service_token_opens_no_session(deployment: Deployment) -> None:
    """A service token opens no session, even if it is well-formed and signed by the account's own key."""
    ana = await deployment.sign_up("ana")
    key = await deployment.pds.registry.repositories.keys.signing_key(ana.did)
    assert isinstance(key, K256PrivateKey)
    token = service_auth.make_service_token(
        key,
        issuer=ana.did,
        audience=deployment.settings.did,
        method=Nsid(f"{SERVER}.getSession"),
        now_seconds=deployment.clock.now() // SECOND,
        token_id="once",
    )
    answer = await ana.bearing(token).get(f"{SERVER}.getSession")
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidToken")
