"""What the endpoint for pushed authorization requests accepts and refuses."""

import secrets

import pytest

from at_protocol.failures import Malformed
from at_protocol.oauth.client_id import parse_client_id
from at_protocol.oauth.dpop import make_proof
from aurora_locus.accounts.limits import effective_limit, shared
from aurora_locus.i18n.catalogue import CATALOGUE
from aurora_locus.oauth.routes import PUSHES
from groundwork.clock import MINUTE, SECOND
from groundwork.database.transaction import Engine
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.oauth.apps import REDIRECT, SCOPE, App, fresh_key, localhost_id, named
from tests.aurora_locus.oauth.conftest import CONFIDENTIAL, Confidential, Documents

PAR = "/oauth/par"


@pytest.fixture
def engine() -> Engine:
    """These requests are refused before the database is used."""
    return "sqlite"


async def test_metadata_documents_name_this_server_in_every_role(deployment: Deployment) -> None:
    """The metadata documents are public with status 200, cached for minutes at most, and name this server in every
    role.
    """
    origin = deployment.settings.url
    server = await deployment.http.get(
        "/.well-known/oauth-authorization-server", headers={"origin": "https://app.example"}
    )
    resource = await deployment.http.get("/.well-known/oauth-protected-resource")
    for answer in (server, resource):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cache-control"] == "max-age=300"
    assert resource.json()["resource"] == origin
    assert resource.json()["authorization_servers"] == [origin]
    told = server.json()
    assert told["issuer"] == origin
    assert told["protected_resources"] == [origin]
    assert told["require_pushed_authorization_requests"] is True
    assert told["ui_locales_supported"] == list(CATALOGUE.available())
    assert {"en", "en-US", "de"} <= set(told["ui_locales_supported"])
    assert told["code_challenge_methods_supported"] == ["S256"]
    jwks = (await deployment.http.get("/oauth/jwks")).json()
    assert [sorted(key) for key in jwks["keys"]] == [["alg", "crv", "kid", "kty", "use", "x", "y"]]


async def test_cross_origin_requests_are_allowed(deployment: Deployment) -> None:
    """Cross-origin requests are answered from any origin, and scripts may read the nonce."""
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "dpop,content-type",
    }
    before = await deployment.http.options(PAR, headers=asked)
    assert (before.status_code, before.headers["access-control-allow-headers"]) == (204, "dpop,content-type")
    refused = await deployment.http.post(PAR, headers={"origin": "https://app.example"})
    assert "DPoP-Nonce" in refused.headers["access-control-expose-headers"]
    assert refused.headers["dpop-nonce"] == deployment.pds.authorization.nonces.newest()
    assert refused.headers["cache-control"] == "no-store"
    assert (await deployment.http.get(PAR)).status_code == 405


async def test_invalid_request_gets_the_oauth_error(deployment: Deployment) -> None:
    app = App(deployment)
    await app.push()
    refusals: dict[str, tuple[dict[str, str | None], tuple[int, str]]] = {
        "no client": ({"client_id": None}, (400, "invalid_request")),
        "an unknown parameter of localhost": ({"client_id": "http://localhost?x=1"}, (400, "invalid_client_metadata")),
        "a fragment": ({"client_id": "https://app.example.com/c#x"}, (400, "invalid_client_metadata")),
        "no response type": ({"response_type": None}, (400, "unsupported_response_type")),
        "an implicit grant": ({"response_type": "token"}, (400, "unsupported_response_type")),
        "a plain challenge": ({"code_challenge_method": "plain"}, (400, "invalid_request")),
        "no method": ({"code_challenge_method": None}, (400, "invalid_request")),
        "a short challenge": ({"code_challenge": "short"}, (400, "invalid_request")),
        "no challenge": ({"code_challenge": None}, (400, "invalid_request")),
        "no state": ({"state": None}, (400, "invalid_request")),
        "no scope": ({"scope": None}, (400, "invalid_scope")),
        "no atproto": ({"scope": "repo:org.example.note"}, (400, "invalid_scope")),
        "an undeclared scope": ({"scope": "atproto repo:*"}, (400, "invalid_scope")),
        "a narrower spelling": ({"scope": "atproto blob:image/png"}, (400, "invalid_scope")),
        "no redirect": ({"redirect_uri": None}, (400, "invalid_request")),
        "an undeclared redirect": ({"redirect_uri": "http://127.0.0.1/other"}, (400, "invalid_request")),
        "a redirect with a query": ({"redirect_uri": REDIRECT + "?x=1"}, (400, "invalid_request")),
        "a redirect to a name": ({"redirect_uri": "http://localhost/callback"}, (400, "invalid_request")),
        "another loopback": ({"redirect_uri": "http://[::1]/callback"}, (400, "invalid_request")),
        "an unknown prompt": ({"prompt": "perhaps"}, (400, "invalid_request")),
        "a hint that is no name": ({"login_hint": "ana at home"}, (400, "invalid_request")),
        "a form as answer": ({"response_mode": "form_post"}, (400, "invalid_request")),
        "a nonce of OpenID": ({"nonce": "n"}, (400, "invalid_request")),
        "claims of OpenID": ({"claims": "{}"}, (400, "invalid_request")),
        "a hint of OpenID": ({"id_token_hint": "x"}, (400, "invalid_request")),
        "a request by reference": ({"request_uri": "urn:x"}, (400, "invalid_request")),
        "a request by value": ({"request": "eyJ"}, (400, "invalid_request")),
        "the thumbprint of another key": ({"dpop_jkt": "A" * 43}, (400, "invalid_dpop_proof")),
    }
    found = {}
    for name, (changes, _) in refusals.items():
        answer = await app.push(**changes)
        found[name] = named(answer)
        assert answer.headers["dpop-nonce"], name
    assert found == {name: expected for name, (_, expected) in refusals.items()}


async def test_openid_scope_is_ignored(deployment: Deployment) -> None:
    """``openid`` may be declared but has no meaning here; it is left out of the request and not shown for consent."""
    scope = "atproto openid repo:com.example.* repo:org.example.note"
    app = App(deployment, client_id=localhost_id(scope), scope=scope)
    assert (await app.opened(await app.pushed())).scopes == ("atproto", "repo:org.example.note")


async def test_scope_that_is_requested_twice_counts_once(deployment: Deployment) -> None:
    """Apps that join lists of scopes repeat some; the reference server accepts that (but not in an app's document)."""
    app = App(deployment)
    request = await app.opened(await app.pushed(scope="atproto repo:org.example.note atproto"))
    assert request.scopes == ("atproto", "repo:org.example.note")


async def test_loopback_redirect_may_use_any_port(deployment: Deployment) -> None:
    """On loopback the app chooses the port, and the response goes to that port (RFC 8252 section 7.3)."""
    app = App(deployment, redirect="http://127.0.0.1:51234/callback")
    ana = await deployment.sign_up("ana")
    assert (await app.approved(await app.pushed(), ana.did))["state"] == "state of the app"


@pytest.mark.parametrize(
    "client_id",
    [
        "https://app.example.com:8443/client.json",
        "https://192.0.2.1/client.json",
        "https://[2001:db8::1]/client.json",
        "https://app.internal/client.json",
        "https://user:secret@app.example.com/client.json",
        "https://app.example.com/",
        "http://app.example.com/client.json",
        "https://app.example.com/a/../client.json",
        "javascript:alert(1)",
    ],
)
def test_non_public_client_ids_are_refused(client_id: str) -> None:
    """Outside development a client id must be a public https URL with a path."""
    with pytest.raises(Malformed):
        parse_client_id(client_id)


async def test_invalid_client_metadata_is_refused(documents: Documents, confidential: Confidential) -> None:
    app = confidential()
    good = documents.found[CONFIDENTIAL]
    assert (await app.push()).status_code == 201
    found = {}
    breaches = {
        "another client": {"client_id": "https://other.example.com/client.json"},
        "tokens without keys": {"dpop_bound_access_tokens": False},
        "implicit": {"grant_types": ["authorization_code", "implicit"]},
        "no redirect": {"redirect_uris": []},
        "no atproto": {"scope": "repo:*"},
        "native with a secret": {"application_type": "native"},
        "two sources of keys": {"jwks_uri": "https://events.example.com/jwks.json"},
        "a private key": {"jwks": {"keys": [{**good["jwks"]["keys"][0], "d": "AAAA"}]}},
    }
    for name, changes in breaches.items():
        documents.found[CONFIDENTIAL] = {**good, **changes}
        app.deployment.clock.turn(11 * MINUTE)
        found[name] = named(await app.push())
    assert found == dict.fromkeys(breaches, (400, "invalid_client_metadata"))
    documents.found.clear()
    app.deployment.clock.turn(11 * MINUTE)
    assert named(await app.push()) == (400, "invalid_client_metadata")


async def test_client_metadata_is_cached_for_ten_minutes(documents: Documents, confidential: Confidential) -> None:
    app = confidential()
    for _ in range(3):
        assert (await app.push()).status_code == 201
    assert documents.asked == [CONFIDENTIAL]
    app.deployment.clock.turn(11 * MINUTE)
    assert (await app.push()).status_code == 201
    assert documents.asked == [CONFIDENTIAL] * 2


async def test_invalid_proofs_are_refused(deployment: Deployment) -> None:
    """Each unacceptable proof is refused without using anything up: the valid proof at the end still works."""
    app = App(deployment)
    await app.push()
    good = app.proof("POST", PAR, token_id="the good one")
    foreign = fresh_key()
    proofs = {
        "none": "",
        "nonsense": "a.b.c",
        "for another method": app.proof("GET", PAR),
        "for another path": app.proof("POST", "/oauth/token"),
        "for another host": app.proof("POST", PAR, url="https://other.example.com/oauth/par"),
        "an hour old": app.proof("POST", PAR, now_seconds=app.now_seconds - 3600),
        "of tomorrow": app.proof("POST", PAR, now_seconds=app.now_seconds + 86400),
        "with a token's hash": app.proof("POST", PAR, access_token="token"),
        "without an identifier": app.proof("POST", PAR, token_id=""),
        "with another key's signature": good.rpartition(".")[0]
        + "."
        + app.proof("POST", PAR, key=foreign).rpartition(".")[2],
    }
    found = {name: named(await app.post(PAR, app.wish(), proof=text)) for name, text in proofs.items()}
    assert found == dict.fromkeys(proofs, (400, "invalid_dpop_proof"))
    assert (await app.post(PAR, app.wish(), proof=good)).status_code == 201
    assert named(await app.post(PAR, app.wish(), proof=good)) == (400, "invalid_dpop_proof")


async def test_exactly_one_proof_is_accepted(deployment: Deployment) -> None:
    """Exactly one proof is accepted; two headers are refused (RFC 9449 section 4.3)."""
    app = App(deployment)
    await app.push()
    headers = [("dpop", app.proof("POST", PAR)), ("dpop", app.proof("POST", PAR))]
    assert named(await deployment.http.post(PAR, data=app.wish(), headers=headers)) == (400, "invalid_dpop_proof")


async def test_equivalent_proof_urls_are_accepted(deployment: Deployment) -> None:
    """A proof's URL may differ in query, fragment, case of the host, default port and dot segments."""
    app = App(deployment)
    await app.push()
    url = app.url(PAR)
    for spelling in (f"{url}?x=1", f"{url}#x", url.replace("localhost", "LOCALHOST"), app.url("/x/../oauth/p%61r")):
        text = make_proof(
            app.key,
            method="POST",
            url=spelling,
            token_id=secrets.token_hex(8),
            now_seconds=app.now_seconds,
            nonce=app.nonce,
        )
        assert (await app.post(PAR, app.wish(), proof=text)).status_code == 201, spelling


async def test_nonces_expire_after_some_minutes(deployment: Deployment) -> None:
    """The current, previous and next nonces are accepted; later a new one is requested, and nothing is used up."""
    app = App(deployment)
    first = await app.post(PAR, app.wish())
    assert named(first) == (400, "use_dpop_nonce")
    nonce = first.headers["dpop-nonce"]
    assert (await app.post(PAR, app.wish())).status_code == 201
    deployment.clock.turn(MINUTE)
    assert (await app.post(PAR, app.wish(), proof=app.proof("POST", PAR, nonce=nonce))).status_code == 201
    deployment.clock.turn(MINUTE)
    late = app.proof("POST", PAR, nonce=nonce, token_id="late")
    assert named(await app.post(PAR, app.wish(), proof=late)) == (400, "use_dpop_nonce")
    assert named(await app.post(PAR, app.wish(), proof=late)) == (400, "use_dpop_nonce")
    again = app.proof("POST", PAR, token_id="late")
    assert (await app.post(PAR, app.wish(), proof=again)).status_code == 201


async def test_invalid_client_assertions_are_refused(confidential: Confidential) -> None:
    """A client assertion must be for this server, current, signed with a published key, and used once."""
    app = confidential()
    await app.push()
    good = app.assertion()
    assertions = {
        "none": {},
        "of another type": {**good, "client_assertion_type": "urn:x"},
        "for the token endpoint": app.assertion(issuer=app.url("/oauth/token")),
        "for another client": app.assertion(client_id="https://other.example.com/c"),
        "with an unknown key": app.assertion(key_id="second"),
        "by another key": app.assertion(key=fresh_key()),
        "an hour old": app.assertion(now_seconds=app.now_seconds - 3600),
    }
    found = {name: named(await app.post(PAR, {**app.wish(), **given})) for name, given in assertions.items()}
    assert found == dict.fromkeys(assertions, (401, "invalid_client"))
    assert (await app.post(PAR, {**app.wish(), **good})).status_code == 201
    assert named(await app.post(PAR, {**app.wish(), **good})) == (401, "invalid_client")


async def test_request_without_a_nonce_does_not_use_up_its_assertion(confidential: Confidential) -> None:
    app = confidential()
    form = {**app.wish(), **app.assertion()}
    assert named(await app.post(PAR, form)) == (400, "use_dpop_nonce")
    assert (await app.post(PAR, form)).status_code == 201


async def test_forms_are_read_strictly(deployment: Deployment) -> None:
    """Forms are parsed strictly: each parameter appears once. JSON is accepted too, and nothing else."""
    app = App(deployment)
    await app.push()
    cases = {
        "twice": ("client_id=a&client_id=b", "application/x-www-form-urlencoded"),
        "not a form": ("hello", "text/plain"),
        "not JSON": ("{", "application/json"),
        "not texts": ('{"client_id": 1}', "application/json"),
        "a NUL": ("client_id=%00", "application/x-www-form-urlencoded"),
    }
    found = {}
    for name, (body, kind) in cases.items():
        headers = {"dpop": app.proof("POST", PAR), "content-type": kind}
        found[name] = named(await deployment.http.post(PAR, content=body, headers=headers))
    assert found == dict.fromkeys(cases, (400, "invalid_request"))
    answer = await deployment.http.post(PAR, json=app.wish(), headers={"dpop": app.proof("POST", PAR)})
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 5 * MINUTE // SECOND
    assert answer.headers["ratelimit-policy"].endswith(";w=300")


async def test_a_scope_of_the_document_is_the_upper_bound(deployment: Deployment) -> None:
    """The scope in the metadata is the upper bound; a request may ask for less."""
    app = App(deployment)
    request = await app.opened(await app.pushed(scope="atproto account:email"))
    assert request.scopes == ("atproto", "account:email")


async def test_pushed_request_stores_little_of_the_clients_document(
    deployment: Deployment, confidential: Confidential
) -> None:
    """Anybody can push requests, so a row does not become as large as a client's document may be."""
    more = {"redirect_uris": [f"https://events.example.com/{'a' * 400}{number}" for number in range(100)]}
    scope = " ".join([*SCOPE.split(), *(f"repo:org.example.note{number}" for number in range(400))])
    app = confidential(scope=scope, client_name="n" * 3_000, **more)
    await app.pushed(redirect_uri=more["redirect_uris"][0], scope=SCOPE)
    async with deployment.pds.registry.db.reader() as reader:
        row = await reader.fetch_one("select * from oauth_requests")
    assert row is not None
    assert sum(len(value) for value in row if isinstance(value, str | bytes)) < 2_500


async def test_very_long_scope_is_refused(deployment: Deployment) -> None:
    app = App(deployment)
    assert named(await app.push(scope=f"atproto {'a' * 16_400}")) == (400, "invalid_scope")


async def test_too_many_requests_are_refused_early(deployment: Deployment) -> None:
    """Too many requests are refused before any work, with the OAuth error and the time to retry."""
    app, registry = App(deployment), deployment.pds.registry
    assert (await app.push()).status_code == 201
    limit = effective_limit(registry, shared(PUSHES))
    left = (await registry.counters.add(limit, "127.0.0.1", 0, deployment.clock.now())).remaining
    await registry.counters.add(limit, "127.0.0.1", left, deployment.clock.now())
    answer = await app.push()
    assert named(answer) == (429, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    deployment.clock.turn(5 * MINUTE)
    assert (await app.push()).status_code == 201


async def test_address_that_many_may_share_gets_a_hundred_times_the_limit(deployment: Deployment) -> None:
    """People behind an unconfigured proxy all have its address, so their apps do not use up each other's requests."""
    app, registry = App(deployment), deployment.pds.registry
    object.__setattr__(registry, "has_wide_limits", False)
    await registry.counters.add(PUSHES, "127.0.0.1", PUSHES.points, deployment.clock.now())
    answer = await app.push()
    assert answer.status_code == 201, answer.text
    assert answer.headers["ratelimit-limit"] == str(100 * PUSHES.points)


async def test_limits_that_are_turned_off_refuse_nothing(make_deployment: MakeDeployment) -> None:
    """Disabled limits refuse nothing, and no header mentions them."""
    app = App(await make_deployment(rate_limits_enabled=False))
    registry = app.deployment.pds.registry
    await registry.counters.add(PUSHES, "127.0.0.1", PUSHES.points, app.deployment.clock.now())
    answer = await app.push()
    assert answer.status_code == 201, answer.text
    assert "ratelimit-limit" not in answer.headers
