"""Signing in, refreshing and signing out over real sockets."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher

from at_protocol.crypto import base64url
from aurora_locus.accounts.session_tokens import ACCESS_LIFETIME, REFRESH_LIFETIME
from aurora_locus.accounts.sessions import GRACE
from groundwork.clock import MINUTE, SECOND
from tests.aurora_locus.deployment import SERVER, Deployment, Person, statuses, together
from tests.passwords import LEAST_SECONDS

REFRESH = f"{SERVER}.refreshSession"


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


def successor(answer: httpx.Response) -> str:
    """The identifier of the refresh token in a response."""
    claims = msgspec.json.decode(base64url.decode(answer.json()["refreshJwt"].split(".")[1]))
    return str(claims["jti"])


async def refresh(deployment: Deployment, token: str) -> httpx.Response:
    return await deployment.stranger.bearing(token).post(REFRESH)


@pytest.mark.parametrize("identifier", ["ana.test", "@Ana.TEST", "ANA@example.org", " ana.test "])
async def test_identifiers_are_accepted_in_any_spelling(deployment: Deployment, identifier: str) -> None:
    ana = await deployment.sign_up("ana")
    answer = await deployment.sign_in(identifier, "password of ana")
    assert (answer.status_code, answer.json()["did"]) == (200, ana.did)
    assert (await deployment.sign_in(ana.did, "password of ana")).status_code == 200


@pytest.mark.usefixtures("refusals_take_their_time")
async def test_unknown_and_wrong_get_the_same_response_and_cost(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown account and a wrong password get the same body and status, cost one hash, and take at least the
    minimum time.
    """
    await deployment.sign_up("ana")
    hashed: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, *arguments: Any) -> bool:
        hashed.append("once")
        return verify(self, *arguments)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    seen = []
    for identifier in ("ana.test", "nobody.test", "nobody@example.org", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "a\x00b"):
        hashed.clear()
        started = asyncio.get_running_loop().time()
        answer = await deployment.sign_in(identifier, "not the password")
        assert asyncio.get_running_loop().time() - started >= LEAST_SECONDS
        seen.append((answer.status_code, answer.content, len(hashed)))
    assert set(seen) == {(401, seen[0][1], 1)}
    assert b"AuthenticationRequired" in seen[0][1]


async def test_endless_password_is_not_hashed(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    await deployment.sign_up("ana")
    monkeypatch.delattr(PasswordHasher, "verify")
    assert named(await deployment.sign_in("ana.test", "x" * 513)) == (401, "AuthenticationRequired")
    assert named(await deployment.sign_in("ana.test", "x" * 1_000_000)) == (413, "PayloadTooLarge")


async def test_get_session_returns_the_account(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    session = (await ana.get(f"{SERVER}.getSession")).json()
    assert session == {
        "did": ana.did,
        "handle": "ana.test",
        "email": "ana@example.org",
        "emailConfirmed": False,
        "active": True,
    }


async def test_parallel_refreshes_get_one_successor(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    answers = await together(*(refresh(deployment, ana.refresh_token) for _ in range(6)))
    assert statuses(answers) == [200] * 6
    assert len({successor(answer) for answer in answers}) == 1
    assert await deployment.count("sessions") == 2


async def test_spent_token_works_for_two_hours_of_grace(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    first = await refresh(deployment, ana.refresh_token)
    deployment.clock.turn(GRACE - SECOND)
    again = await refresh(deployment, ana.refresh_token)
    assert successor(again) == successor(first)
    deployment.clock.turn(SECOND)
    assert named(await refresh(deployment, ana.refresh_token)) == (400, "ExpiredToken")
    assert (await refresh(deployment, first.json()["refreshJwt"])).status_code == 200


async def test_reuse_does_not_prolong_the_grace(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await refresh(deployment, ana.refresh_token)
    deployment.clock.turn(GRACE - MINUTE)
    await refresh(deployment, ana.refresh_token)
    deployment.clock.turn(MINUTE)
    assert named(await refresh(deployment, ana.refresh_token)) == (400, "ExpiredToken")


async def test_refresh_token_expires(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    deployment.clock.turn(REFRESH_LIFETIME)
    assert named(await refresh(deployment, ana.refresh_token)) == (400, "ExpiredToken")


async def test_token_kinds_are_not_confused(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    access = ana.headers["authorization"].removeprefix("Bearer ")
    assert named(await refresh(deployment, access)) == (400, "InvalidToken")
    with_refresh = ana.bearing(ana.refresh_token)
    assert named(await with_refresh.get(f"{SERVER}.getSession")) == (400, "InvalidToken")
    assert named(await ana.post(f"{SERVER}.deleteSession")) == (400, "InvalidToken")


async def test_access_token_ends_after_its_time_although_it_was_seen_before(deployment: Deployment) -> None:
    """An access token expires although it was verified before."""
    ana = await deployment.sign_up("ana")
    assert (await ana.get(f"{SERVER}.getSession")).status_code == 200
    deployment.clock.turn(ACCESS_LIFETIME)
    assert named(await ana.get(f"{SERVER}.getSession")) == (400, "ExpiredToken")


async def sign_out(person: Person, token: str) -> httpx.Response:
    return await person.bearing(token).post(f"{SERVER}.deleteSession")


async def test_signing_out_ends_the_session(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert (await sign_out(ana, ana.refresh_token)).status_code == 200
    assert named(await refresh(deployment, ana.refresh_token)) == (400, "ExpiredToken")
    assert (await sign_out(ana, ana.refresh_token)).status_code == 200


async def test_spent_token_does_not_revive_a_session(deployment: Deployment) -> None:
    """A spent refresh token does not revive a session: tokens in their grace period end with the session they led to."""
    ana = await deployment.sign_up("ana")
    second = (await refresh(deployment, ana.refresh_token)).json()["refreshJwt"]
    third = (await refresh(deployment, second)).json()["refreshJwt"]
    await sign_out(ana, third)
    for token in (ana.refresh_token, second, third):
        assert named(await refresh(deployment, token)) == (400, "ExpiredToken")
    assert await deployment.count("sessions") == 0


async def test_signing_out_with_a_spent_token_ends_its_successors(deployment: Deployment) -> None:
    """Signing out with a spent token ends its successors, because the program may not have received the newest token."""
    ana = await deployment.sign_up("ana")
    second = (await refresh(deployment, ana.refresh_token)).json()["refreshJwt"]
    third = (await refresh(deployment, second)).json()["refreshJwt"]
    other = (await deployment.sign_in("ana.test", "password of ana")).json()["refreshJwt"]
    await sign_out(ana, second)
    for token in (ana.refresh_token, second, third):
        assert named(await refresh(deployment, token)) == (400, "ExpiredToken")
    assert (await refresh(deployment, other)).status_code == 200


async def test_expired_refresh_token_still_signs_out(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    deployment.clock.turn(REFRESH_LIFETIME + SECOND)
    assert (await sign_out(ana, ana.refresh_token)).status_code == 200
    assert await deployment.count("sessions") == 0


async def test_other_sessions_stay(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    other = (await deployment.sign_in("ana.test", "password of ana")).json()["refreshJwt"]
    await sign_out(ana, ana.refresh_token)
    assert (await refresh(deployment, other)).status_code == 200


async def test_tokens_older_than_tokens_valid_after_are_refused(deployment: Deployment) -> None:
    """``tokens_valid_after`` invalidates older access tokens at once in the process that sets it."""
    ana = await deployment.sign_up("ana")
    assert (await ana.get(f"{SERVER}.getSession")).status_code == 200
    deployment.clock.turn(MINUTE)
    await deployment.db.write(lambda w: w.execute("update accounts set tokens_valid_after = :now", now=w.now))
    deployment.pds.registry.repositories.forget_head(ana.did)
    assert named(await ana.get(f"{SERVER}.getSession")) == (400, "InvalidToken")
