"""The whole OAuth flow of an app over real sockets: pushed request, consent, code exchange, use, refresh, revocation."""

import pytest

from aurora_locus.oauth.access_tokens import LIFETIME
from groundwork.clock import SECOND
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.oauth.apps import NOTE, SCOPE, App, named

RECORD = "com.atproto.repo.createRecord"


def note(did: str, text: str = "hello") -> dict[str, object]:
    return {"repo": did, "collection": NOTE, "record": {"$type": NOTE, "text": text}}


async def test_app_writes_for_its_user(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    assert (tokens.token_type, tokens.sub, tokens.scope) == ("DPoP", ana.did, SCOPE)
    assert tokens.expires_in == LIFETIME // SECOND
    answer = await app.call(RECORD, tokens.access_token, note(ana.did))
    assert answer.status_code == 200, answer.text
    assert answer.headers["dpop-nonce"] == deployment.pds.authorization.nonces.newest()
    session = await app.call(f"{SERVER}.getSession", tokens.access_token)
    assert session.json()["did"] == ana.did


async def test_refreshing_returns_new_tokens_and_invalidates_the_old_ones(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    first = await app.let_in(ana.did)
    answer = await app.refresh(first.refresh_token)
    assert answer.status_code == 200, answer.text
    second = answer.json()
    assert second["refresh_token"] != first.refresh_token
    assert (await app.call(RECORD, second["access_token"], note(ana.did))).status_code == 200
    assert named(await app.refresh(first.refresh_token)) == (400, "invalid_grant")
    # A spent token was used again, so it may have been stolen and the whole session ends.
    assert named(await app.refresh(second["refresh_token"])) == (400, "invalid_grant")
    assert named(await app.call(RECORD, second["access_token"], note(ana.did))) == (401, "invalid_token")


async def test_revoking_ends_the_session_with_the_next_request(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    assert (await app.call(RECORD, tokens.access_token, note(ana.did))).status_code == 200
    answer = await app.revoke(tokens.refresh_token)
    assert (answer.status_code, answer.json()) == (200, {})
    assert named(await app.call(RECORD, tokens.access_token, note(ana.did))) == (401, "invalid_token")
    assert named(await app.refresh(tokens.refresh_token)) == (400, "invalid_grant")
    assert (await app.revoke(tokens.refresh_token)).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_token_can_be_revoked_without_a_proof(deployment: Deployment, kind: str) -> None:
    """As at the reference PDS, an app that no longer has its key can still sign out. Another app cannot."""
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    for client_id in ("http://localhost/?scope=atproto", app.client_id):
        assert (await app.call(RECORD, tokens.access_token, note(ana.did))).status_code == 200
        form = {"token": getattr(tokens, kind), "client_id": client_id}
        answer = await deployment.http.post("/oauth/revoke", data=form)
        assert (answer.status_code, answer.json()) == (200, {})
    assert named(await app.call(RECORD, tokens.access_token, note(ana.did))) == (401, "invalid_token")
    assert named(await app.refresh(tokens.refresh_token)) == (400, "invalid_grant")
    wrong = await deployment.http.post("/oauth/revoke", data=form, headers={"dpop": "nonsense"})
    assert named(wrong) == (400, "invalid_dpop_proof")
