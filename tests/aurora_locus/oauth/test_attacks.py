"""Stolen codes, tokens and proofs are useless, and the affected session ends."""

import pytest

from at_protocol.crypto import base64url
from aurora_locus.oauth import authorization
from aurora_locus.oauth.model import RequestUnusable, UnusableReason
from groundwork.clock import DAY, MINUTE, SECOND
from groundwork.database.transaction import Engine
from groundwork.errors import Failure, InvalidInput
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.oauth.apps import BROWSER, NOTE, App, document, fresh_key, named
from tests.aurora_locus.oauth.conftest import CONFIDENTIAL, Confidential, Documents

RECORD = "com.atproto.repo.createRecord"
SESSION = f"{SERVER}.getSession"
GONE = (401, "invalid_token")
NO_GRANT = (400, "invalid_grant")


@pytest.fixture
def engine() -> Engine:
    """Races are tested on both engines in another module; this module tests the rules above the database."""
    return "sqlite"


async def works(app: App, token: str) -> bool:
    return (await app.call(SESSION, token)).status_code == 200


async def test_code_is_bound_to_key_verifier_redirect_uri_and_client(deployment: Deployment) -> None:
    """A code is bound to its key, verifier, redirect URI and client: a wrong one does not use it up, and the right one
    still works.
    """
    ana, app = await deployment.sign_up("ana"), App(deployment)
    code = await app.code(ana.did)
    thief = App(deployment, verifier=app.verifier)
    other = App(deployment, client_id="http://localhost", key=app.key, verifier=app.verifier)
    found = [
        named(await thief.spend(code)),
        named(await other.spend(code)),
        named(await app.spend(code, code_verifier="v" * 43)),
        named(await app.spend(code, code_verifier="short")),
        named(await app.spend(code, redirect_uri="http://127.0.0.1/other")),
        named(await app.spend("another code")),
    ]
    assert found == [NO_GRANT] * len(found)
    assert (await app.spend(code)).status_code == 200


async def test_code_challenge_is_accepted_once(deployment: Deployment) -> None:
    """A code challenge is accepted once within a day, because its verifier is no longer secret. A careful client makes
    a new one for each request.
    """
    ana, app = await deployment.sign_up("ana"), App(deployment)
    assert (await app.spend(await app.code(ana.did))).status_code == 200
    again = await app.code(ana.did)
    assert named(await app.spend(again)) == NO_GRANT
    app.verifier = "v" * 43
    assert (await app.spend(await app.code(ana.did))).status_code == 200


async def test_codes_and_requests_expire(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    code = await app.code(ana.did)
    deployment.clock.turn(authorization.CODE_LIFETIME + SECOND)
    assert named(await app.spend(code)) == NO_GRANT
    uri = await app.pushed()
    deployment.clock.turn(6 * MINUTE)
    with pytest.raises(RequestUnusable) as refused:
        await app.opened(uri)
    assert refused.value.reason is UnusableReason.EXPIRED


async def test_request_expires_within_an_hour(deployment: Deployment) -> None:
    """A person may take several minutes, but not an hour; each page gives five more minutes."""
    app = App(deployment)
    uri = await app.pushed()
    for _ in range(15):
        await app.opened(uri)
        deployment.clock.turn(4 * MINUTE + 10 * SECOND)
    with pytest.raises(RequestUnusable):
        await app.opened(uri)


async def test_a_request_belongs_to_one_client_and_one_browser(deployment: Deployment) -> None:
    app = App(deployment)
    uri = await app.pushed()
    await app.opened(uri)
    await app.opened(uri)
    for other, browser, reason in (
        (app, "browser of ben", UnusableReason.ANOTHER_BROWSER),
        (App(deployment, client_id="http://localhost"), BROWSER, UnusableReason.ANOTHER_CLIENT),
    ):
        with pytest.raises(RequestUnusable) as refused:
            await other.opened(uri, browser)
        assert refused.value.reason is reason
    with pytest.raises(RequestUnusable) as refused:
        await app.opened("urn:ietf:params:oauth:request_uri:guessed")
    assert refused.value.reason is UnusableReason.UNKNOWN


async def test_refusal_is_reported_to_the_app(deployment: Deployment) -> None:
    """After a refusal the app gets the error with its state and our issuer, and nobody can consent afterwards."""
    ana, app, server = await deployment.sign_up("ana"), App(deployment), deployment.pds.authorization
    uri = await app.pushed(response_mode="fragment")
    request = await app.opened(uri)
    async with deployment.db.transaction() as tx:
        address = await authorization.deny(server, tx, request)
    assert address.startswith("http://127.0.0.1/callback#state=state+of+the+app&iss=http")
    assert "error=access_denied" in address
    with pytest.raises(RequestUnusable):
        await app.approved(uri, ana.did)
    assert await deployment.count("oauth_codes") == 0


async def test_consent_is_limited_to_the_request_and_its_account(deployment: Deployment) -> None:
    ana, ben, app = await deployment.sign_up("ana"), await deployment.sign_up("ben"), App(deployment)
    uri = await app.pushed(login_hint="@ANA.test")
    for did, scopes in (
        (ana.did, ("atproto", "repo:*")),
        (ana.did, ("account:email",)),
        (ben.did, ("atproto",)),
    ):
        with pytest.raises(Failure):
            await app.approved(uri, did, scopes)
    with pytest.raises(InvalidInput):
        await app.approved(uri, ana.did, ())
    assert (await app.spend((await app.approved(uri, ana.did, ("atproto",)))["code"])).json()["scope"] == "atproto"


async def test_inactive_account_authorizes_no_app(deployment: Deployment) -> None:
    """An inactive account cannot authorize an app, neither by consent nor by an earlier code or token."""
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    app.verifier = "v" * 50
    code = await app.code(ana.did)
    assert (await ana.post(f"{SERVER}.deactivateAccount", {})).status_code == 200
    assert named(await app.call(SESSION, tokens.access_token)) == GONE
    assert named(await app.spend(code)) == NO_GRANT
    assert named(await app.refresh(tokens.refresh_token)) == NO_GRANT
    uri = await app.pushed()
    with pytest.raises(Failure):
        await app.approved(uri, ana.did)


async def test_new_password_ends_every_earlier_session(deployment: Deployment) -> None:
    """A new password ends every earlier session at its next request; later ones work."""
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    app.verifier = "v" * 50
    code = await app.code(ana.did)
    wish = {"did": ana.did, "password": "another password"}
    assert (await deployment.administration.post("com.atproto.admin.updateAccountPassword", wish)).status_code == 200
    assert named(await app.call(SESSION, tokens.access_token)) == GONE
    assert named(await app.refresh(tokens.refresh_token)) == NO_GRANT
    assert named(await app.spend(code)) == NO_GRANT
    # Also within the same second.
    assert await works(app, (await app.let_in(ana.did)).access_token)


async def test_person_sees_and_ends_authorizations(deployment: Deployment) -> None:
    """A person sees and can end each authorization; the next request of that app is refused. Ending all of them makes
    every app ask again.
    """
    ana, app, server = await deployment.sign_up("ana"), App(deployment), deployment.pds.authorization
    first, second = await app.let_in(ana.did), await app.let_in(ana.did)
    assert await works(app, first.access_token)
    async with deployment.db.reader() as reader:
        listed = await authorization.list_sessions(server, reader, ana.did)
    assert [(each.client_id, each.device_id) for each in listed] == [(app.client_id, BROWSER)] * 2
    async with deployment.db.transaction() as tx:
        assert await authorization.revoke_session(server, tx, ana.did, listed[-1].id)
    remaining = [await works(app, tokens.access_token) for tokens in (first, second)]
    assert sorted(remaining) == [False, True]
    assert await deployment.db.write(lambda w: authorization.revoke_sessions_of(server, w, ana.did)) == 1
    assert not any([await works(app, tokens.access_token) for tokens in (first, second)])
    async with deployment.db.transaction() as tx:
        assert not await authorization.revoke_session(server, tx, ana.did, listed[0].id)


async def test_refresh_token_used_with_another_key_ends_the_session(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    thief = App(deployment)
    assert named(await thief.refresh(tokens.refresh_token)) == NO_GRANT
    assert named(await app.refresh(tokens.refresh_token)) == NO_GRANT


async def test_made_up_token_ends_no_session(deployment: Deployment) -> None:
    """A made-up token does not end a session, even if it contains the session's identifier."""
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    head, _, mac = tokens.refresh_token.rpartition(".")
    for invented in (f"{head}.{mac[::-1]}", f"{head[:-1]}7.{mac}", "ref-", tokens.access_token):
        assert named(await app.refresh(invented)) == NO_GRANT
        assert (await app.revoke(invented[:-2])).status_code == 200
    assert (await app.refresh(tokens.refresh_token)).status_code == 200


async def test_token_of_another_client_cannot_be_revoked(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    assert (await App(deployment).revoke(tokens.refresh_token)).status_code == 200
    assert await works(app, tokens.access_token)


async def test_sessions_of_public_clients_last_at_most_two_weeks(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    token = (await app.let_in(ana.did)).refresh_token
    deployment.clock.turn(13 * DAY)
    answer = await app.refresh(token)
    assert answer.status_code == 200
    deployment.clock.turn(DAY + SECOND)
    assert named(await app.refresh(answer.json()["refresh_token"])) == NO_GRANT


async def test_the_key_of_a_confidential_client_stays_the_same(
    deployment: Deployment, confidential: Confidential, documents: Documents
) -> None:
    """The key of a confidential client cannot change: another published key refreshes nothing, and removing a key ends
    its sessions.
    """
    ana, first, second = await deployment.sign_up("ana"), fresh_key(), fresh_key()
    app = confidential(first)
    one, two = await app.let_in(ana.did), await app.let_in(ana.did)
    documents.found[CONFIDENTIAL] = document(CONFIDENTIAL, {"first": first, "second": second})
    deployment.clock.turn(11 * MINUTE)
    app.assertion_key, app.key_id = second, "second"
    assert named(await app.refresh(one.refresh_token)) == NO_GRANT
    app.assertion_key, app.key_id = first, "first"
    assert named(await app.refresh(one.refresh_token)) == NO_GRANT
    answer = await app.refresh(two.refresh_token)
    assert answer.status_code == 200, answer.text
    documents.found[CONFIDENTIAL] = document(CONFIDENTIAL, {"second": second})
    deployment.clock.turn(11 * MINUTE)
    assert named(await app.refresh(answer.json()["refresh_token"])) == (401, "invalid_client")
    assert await deployment.count("oauth_sessions") == 0


async def test_consent_is_remembered_only_for_confidential_clients(
    deployment: Deployment, confidential: Confidential
) -> None:
    """Consent is remembered only for confidential clients, because nobody can impersonate them, and only for the same
    scopes.
    """
    ana = await deployment.sign_up("ana")
    app = confidential()
    granted = ("atproto", f"repo:{NOTE}")
    await app.let_in(ana.did, granted)

    async def remembered(app: App, **changes: str) -> tuple[str, ...] | None:
        request = await app.opened(await app.pushed(**changes))
        async with deployment.db.reader() as reader:
            return await authorization.remembered_grant(reader, request, ana.did)

    assert await remembered(app) == granted
    assert await remembered(app, prompt="consent") is None
    assert await remembered(app, scope="atproto") is None
    public = App(deployment)
    await public.let_in(ana.did)
    assert await remembered(public) is None


async def test_only_confidential_clients_may_introspect_tokens(
    deployment: Deployment, confidential: Confidential
) -> None:
    ana, app = await deployment.sign_up("ana"), confidential()
    tokens = await app.let_in(ana.did)
    ask = {"client_id": app.client_id}
    told = (await app.ask("/oauth/introspect", {**ask, "token": tokens.access_token})).json()
    assert (told["active"], told["sub"], told["scope"]) == (True, ana.did, tokens.scope)
    assert (await app.ask("/oauth/introspect", {**ask, "token": tokens.refresh_token})).json()["active"] is True
    await app.revoke(tokens.access_token)
    answer = await app.ask("/oauth/introspect", {**ask, "token": tokens.access_token})
    assert answer.json() == {"active": False}
    public = App(deployment)
    answer = await public.ask("/oauth/introspect", {"client_id": public.client_id, "token": tokens.access_token})
    assert named(answer) == (401, "invalid_client")


async def test_wrong_proofs_for_methods_are_refused(deployment: Deployment) -> None:
    """Each wrong proof is refused with a challenge that says why, and writes nothing."""
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    token = tokens.access_token
    assert await works(app, token)
    path = f"/xrpc/{SESSION}"
    good = app.proof("GET", path, access_token=token, token_id="once")
    cases = {
        "no proof": ("", "invalid_dpop_proof"),
        "another key": (app.proof("GET", path, access_token=token, key=fresh_key()), "invalid_token"),
        "another token's hash": (app.proof("GET", path, access_token="another"), "invalid_dpop_proof"),
        "no token's hash": (app.proof("GET", path), "invalid_dpop_proof"),
        "another path": (app.proof("GET", f"/xrpc/{RECORD}", access_token=token), "invalid_dpop_proof"),
        "another method": (app.proof("POST", path, access_token=token), "invalid_dpop_proof"),
        "an old nonce": (app.proof("GET", path, access_token=token, nonce="old"), "use_dpop_nonce"),
        "no nonce": (app.proof("GET", path, access_token=token, nonce=None), "use_dpop_nonce"),
    }
    for name, (text, expected) in cases.items():
        answer = await app.call(SESSION, token, proof=text)
        assert named(answer) == (401, expected), name
        assert f'error="{expected}"' in answer.headers["www-authenticate"]
        assert answer.headers["www-authenticate"].startswith("DPoP ")
        assert answer.headers["dpop-nonce"] == deployment.pds.authorization.nonces.newest()
    assert (await app.call(SESSION, token, proof=good)).status_code == 200
    assert named(await app.call(SESSION, token, proof=good)) == (401, "invalid_dpop_proof")


async def test_bearer_and_dpop_tokens_are_not_interchangeable(deployment: Deployment) -> None:
    """A DPoP-bound token is refused as a bearer token, and a session token is refused with DPoP."""
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    answer = await app.call(SESSION, tokens.access_token, scheme="Bearer")
    assert named(answer) == (401, "invalid_token")
    session = ana.headers["authorization"].removeprefix("Bearer ")
    assert named(await app.call(SESSION, session)) == GONE
    head, claims, signature = tokens.access_token.split(".")
    forged = base64url.encode(base64url.decode(claims).replace(b"blob:image/*", b"blob:*/*    "))
    assert named(await app.call(SESSION, f"{head}.{forged}.{signature}")) == GONE


async def test_access_tokens_expire_after_15_minutes(deployment: Deployment) -> None:
    ana, app = await deployment.sign_up("ana"), App(deployment)
    tokens = await app.let_in(ana.did)
    deployment.clock.turn(15 * MINUTE + SECOND)
    await app.push()
    answer = await app.call(SESSION, tokens.access_token)
    assert named(answer) == GONE
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_database_contains_no_usable_token(deployment: Deployment) -> None:
    """The database contains no usable code, request URI or token (invariant 8)."""
    ana, app = await deployment.sign_up("ana"), App(deployment)
    uri = await app.pushed()
    code = (await app.approved(uri, ana.did))["code"]
    tokens = (await app.spend(code)).json()
    secrets = [uri.rpartition(":")[2], code, tokens["access_token"], tokens["refresh_token"].rpartition(".")[2]]
    secrets.append(app.verifier)
    for table in ("oauth_requests", "oauth_codes", "oauth_sessions", "oauth_challenges", "oauth_grants"):
        async with deployment.db.reader() as reader:
            rows = await reader.fetch(f"select * from {table}")
        assert rows
        text = repr([[row[name] for name in row.keys()] for row in rows])  # noqa: SIM118 - a row's values are not its keys
        assert not [secret for secret in secrets if secret in text], table
