"""Concurrent and repeated requests, decided by constraints and statements on both engines."""

import asyncio

import pytest

from aurora_locus.oauth.model import RequestUnusable, UnusableReason
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.oauth.apps import App, named

RECORD = "com.atproto.repo.createRecord"
SESSION = f"{SERVER}.getSession"
GONE = (401, "invalid_token")
NO_GRANT = (400, "invalid_grant")


async def works(app: App, token: str) -> bool:
    return (await app.call(SESSION, token)).status_code == 200


async def test_a_code_works_once_and_its_second_use_ends_the_session(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    code = await app.code(ana.did)
    tokens = (await app.spend(code)).json()
    assert await works(app, tokens["access_token"])
    assert named(await app.spend(code)) == NO_GRANT
    assert named(await app.call(SESSION, tokens["access_token"])) == GONE
    assert named(await app.refresh(tokens["refresh_token"])) == NO_GRANT
    assert await deployment.count("oauth_sessions") == 0


async def test_concurrent_flows_of_two_browsers_are_separate(deployment: Deployment) -> None:
    app = App(deployment)
    uri = await app.pushed()
    found = await asyncio.gather(*(app.opened(uri, f"browser {number}") for number in range(4)), return_exceptions=True)
    assert sum(isinstance(each, RequestUnusable) for each in found) == 3


async def test_approving_twice_leaves_one_code(deployment: Deployment) -> None:
    """Consenting twice (a double click) leaves one code: the later one is valid, the first is not. After it was
    redeemed, nothing can be approved.
    """
    ana, app = await deployment.sign_up("ana"), App(deployment)
    uri = await app.pushed()
    first, second = [(await app.approved(uri, ana.did))["code"] for _ in range(2)]
    assert named(await app.spend(first)) == NO_GRANT
    tokens = (await app.spend(second)).json()
    assert await works(app, tokens["access_token"])
    with pytest.raises(RequestUnusable) as refused:
        await app.approved(uri, ana.did)
    assert refused.value.reason is UnusableReason.ANSWERED
    assert await works(app, tokens["access_token"])


async def test_concurrent_approvals_create_one_code(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    uri = await app.pushed()
    await app.opened(uri)
    found = await asyncio.gather(*(app.approved(uri, ana.did) for _ in range(5)), return_exceptions=True)
    codes = [each["code"] for each in found if isinstance(each, dict)]
    assert codes
    assert await deployment.count("oauth_codes") == 1
    assert sorted([(await app.spend(code)).status_code for code in codes]) == [200, *[400] * (len(codes) - 1)]


async def test_a_takedown_ends_every_session(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    subject = {"$type": "com.atproto.admin.defs#repoRef", "did": ana.did}
    wish = {"subject": subject, "takedown": {"applied": True, "ref": "1"}}
    assert (await deployment.administration.post("com.atproto.admin.updateSubjectStatus", wish)).status_code == 200
    assert (await app.call(SESSION, tokens.access_token)).status_code == 401
    assert named(await app.refresh(tokens.refresh_token)) == NO_GRANT


async def test_concurrent_refreshes_end_the_session(deployment: Deployment) -> None:
    """Two concurrent refreshes end the session, because one of them may use a stolen token: one refresh succeeds, but
    its new token is not accepted.
    """
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    answers = await asyncio.gather(app.refresh(tokens.refresh_token), app.refresh(tokens.refresh_token))
    assert sorted(named(answer)[0] for answer in answers) == [200, 400]
    won = next(answer.json() for answer in answers if answer.status_code == 200)
    assert named(await app.refresh(won["refresh_token"])) == NO_GRANT
    assert named(await app.call(SESSION, won["access_token"])) == GONE
