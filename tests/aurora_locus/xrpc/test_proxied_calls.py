"""Calls proxied to other services: who may call, what is forwarded, what is returned."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from at_network.txt_records import Dns
from at_protocol.syntax.nsid import Nsid
from at_protocol.xrpc.service_auth import check_signature, read_service_token
from aurora_locus.accounts.service_tokens import PROTECTED
from aurora_locus.federation import upstream
from aurora_locus.federation.upstream import MAX_ANSWER_BYTES
from aurora_locus.federation.upstream import Request as UpstreamRequest
from groundwork.http.client import HttpClient
from groundwork.http.reach import PUBLIC, AddressRefused
from tests.at_network.peers import name_server
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.remote_service import RemoteService, open_remote_service

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

THING = "com.example.notes.getThing"
REPORT = "com.atproto.moderation.createReport"
PROFILE = "app.bsky.actor.getProfile"


@pytest.fixture
async def stranger() -> AsyncIterator[RemoteService]:
    async with open_remote_service() as opened:
        opened.answer(THING, {"thing": 1})
        yield opened


@pytest.fixture
async def ana(deployment: Deployment) -> Person:
    return await deployment.sign_up("ana")


async def ask(
    person: Person, nsid: str, to: str | None = None, *, method: str = "GET", **options: Any
) -> httpx.Response:
    headers = {**person.headers, **options.pop("headers", {}), **({} if to is None else {"atproto-proxy": to})}
    return await person.http.request(method, f"/xrpc/{nsid}", headers=headers, **options)


def refused(answer: httpx.Response, status: int, name: str) -> None:
    assert (answer.status_code, answer.json()["error"]) == (status, name), answer.text
    assert " " in answer.json()["message"]


async def test_proxied_query_has_a_token_signed_by_the_account(
    deployment: Deployment, ana: Person, stranger: RemoteService
) -> None:
    """A proxied query has a token that names account, service and method, lasts a minute, and is signed with the
    account's key.
    """
    answer = await ask(ana, f"{THING}?a=b%20c&a=d", f"{stranger.did}#notes")
    assert (answer.status_code, answer.json()) == (200, {"thing": 1})
    (asked,) = stranger.asked
    assert (asked.method, asked.query) == ("GET", "a=b%20c&a=d")
    now = deployment.clock.now() // 1_000_000
    token = read_service_token(
        asked.headers["authorization"].removeprefix("Bearer "),
        audiences=[stranger.did],
        method=Nsid(THING),
        now_seconds=now,
        allow_labeler=False,
    )
    assert (token.issuer, token.expires_at) == (ana.did, now + 60)
    key = await deployment.pds.registry.repositories.keys.signing_key(ana.did)
    check_signature(token, key.public)


async def test_a_setting_names_the_services_that_want_the_full_audience(
    make_deployment: MakeDeployment, stranger: RemoteService
) -> None:
    """A setting lists the services that want the full audience, by service name, or by DID and service name."""
    deployment = await make_deployment(proxy_full_audiences=("#forum", f"{stranger.did}#notes"))
    ana = await deployment.sign_up("ana")
    async with open_remote_service(services=("forum", "notes")) as other:
        for one, service in ((stranger, "notes"), (stranger, "bsky_appview"), (other, "notes"), (other, "forum")):
            await ask(ana, THING, f"{one.did}#{service}")
        assert [asked.claims["aud"] for asked in stranger.asked] == [f"{stranger.did}#notes", stranger.did]
        assert [asked.claims["aud"] for asked in other.asked] == [other.did, f"{other.did}#forum"]


async def test_procedure_is_forwarded_with_its_body(ana: Person, stranger: RemoteService) -> None:
    stranger.answer("com.example.notes.putThing", {"done": True})
    answer = await ask(
        ana, "com.example.notes.putThing", f"{stranger.did}#notes", method="POST", json={"text": "héllo"}
    )
    assert answer.json() == {"done": True}
    (asked,) = stranger.asked
    assert (asked.method, asked.body) == ("POST", '{"text":"héllo"}'.encode())
    assert asked.headers["content-type"] == "application/json"


async def test_only_listed_headers_are_forwarded(ana: Person, stranger: RemoteService) -> None:
    """Only listed headers are forwarded: no cookie, no session credential, no client address. The same applies to the
    response.
    """

    async def answering(_request: Request) -> Response:
        headers = {
            "set-cookie": "a=b",
            "x-powered-by": "x",
            "location": "https://example.org/",
            "access-control-allow-origin": "https://evil.example",
            "atproto-repo-rev": "3jzfcijpj2z2a",
            "atproto-content-labelers": "did:plc:x",
            "content-language": "de",
        }
        return Response(b"{}", headers=headers, media_type="application/json")

    stranger.answers[THING] = answering
    sent = {
        "cookie": "session=1",
        "dpop": "proof",
        "x-forwarded-for": "192.0.2.1",
        "x-anything": "x",
        "accept-language": "de",
        "atproto-accept-labelers": "did:plc:abc;redact",
        "x-bsky-topics": "art",
        "x-atproto-bsky-topics": "art",
    }
    answer = await ask(ana, THING, f"{stranger.did}#notes", headers=sent)
    (asked,) = stranger.asked
    assert asked.headers.keys() <= {
        "host", "authorization", "accept", "accept-encoding", "user-agent",
        "accept-language", "atproto-accept-labelers", "x-bsky-topics", "x-atproto-bsky-topics",
    }  # fmt: skip
    assert asked.headers["x-atproto-bsky-topics"] == "art"
    assert asked.headers["atproto-accept-labelers"] == "did:plc:abc;redact"
    assert "session" not in str(asked.headers)
    assert answer.headers["atproto-repo-rev"] == "3jzfcijpj2z2a"
    assert answer.headers["content-language"] == "de"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert not {"set-cookie", "x-powered-by", "location"} & answer.headers.keys()
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("nsid", sorted(PROTECTED))
async def test_methods_handled_here_are_never_forwarded(ana: Person, stranger: RemoteService, nsid: str) -> None:
    """Methods that this server handles are never forwarded, in any case of letters, because a service that ignores case
    would execute them.
    """
    for spelled in (nsid, nsid.upper()):
        answer = await ask(ana, spelled, f"{stranger.did}#notes", method="POST")
        refused(answer, 400, "InvalidToken")
    assert stranger.asked == []


async def test_local_methods_are_answered_locally(ana: Person, stranger: RemoteService) -> None:
    """Local methods are answered locally, even if the header names a service: for repositories, sessions and
    preferences of its accounts this server is the authority.
    """
    for nsid in ("app.bsky.actor.getPreferences", f"{SERVER}.getSession"):
        assert (await ask(ana, nsid, f"{stranger.did}#notes")).status_code == 200
    assert stranger.asked == []


@pytest.mark.parametrize(
    "header",
    ["#", "notes", "did:web:localhost", "did:web:localhost#", "#notes", "did:web:a.b#x#y", "did:web:a.b #x",
     "did:key:zabc#x", "DID:web:a.b#x", "did:web:a.b/c#x", "did:web:localhost#x", "did:web:169.254.169.254#x",
     "did:web:[::1]#x", "did:plc:short#x", "did:web:a.b#" + "x" * 300],
)  # fmt: skip
async def test_invalid_proxy_header_is_refused(ana: Person, header: str) -> None:
    refused(await ask(ana, THING, header), 400, "InvalidRequest")


async def test_unknown_service_and_unknown_identity_are_refused(ana: Person, stranger: RemoteService) -> None:
    answer = await ask(ana, THING, f"{stranger.did}#other")
    refused(answer, 400, "InvalidRequest")
    assert "could not resolve proxy did service url" in answer.json()["message"]
    answer = await ask(ana, THING, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa#notes")
    assert "could not resolve proxy did" in answer.json()["message"]


async def test_server_does_not_call_itself(deployment: Deployment, ana: Person) -> None:
    """The server does not call itself, neither under its own name nor through another DID document."""
    refused(await ask(ana, THING, f"{deployment.settings.did}#atproto_pds"), 501, "MethodNotImplemented")
    async with open_remote_service(endpoint=deployment.settings.url) as loop:
        answer = await ask(ana, THING, f"{loop.did}#notes")
        refused(answer, 400, "InvalidRequest")
        assert "back to this server" in answer.json()["message"]


@pytest.mark.parametrize("endpoint", ["ftp://localhost", "http://localhost/path", "javascript:alert(1)", "localhost"])
async def test_service_with_another_url_scheme_is_refused(ana: Person, endpoint: str) -> None:
    async with open_remote_service(endpoint=endpoint) as stranger:
        refused(await ask(ana, THING, f"{stranger.did}#notes"), 400, "InvalidRequest")


async def test_calls_without_a_session_are_not_forwarded(
    deployment: Deployment, ana: Person, stranger: RemoteService
) -> None:
    to = f"{stranger.did}#notes"
    refused(await ask(deployment.stranger, THING, to), 401, "AuthMissing")
    refused(await ask(deployment.stranger.bearing("x.y.z"), THING, to), 400, "InvalidToken")
    refused(await ask(deployment.administration, THING, to), 400, "InvalidToken")
    refused(await ask(ana.bearing(ana.refresh_token), THING, to), 400, "InvalidToken")
    assert stranger.asked == []
    assert stranger.resolved == 0  # anonymous callers cannot even make us resolve a DID


async def test_private_conversations_need_a_privileged_session(
    deployment: Deployment, ana: Person, stranger: RemoteService
) -> None:
    stranger.answer("chat.bsky.convo.listConvos", {"convos": []})
    to = f"{stranger.did}#notes"
    for name, privileged, status in (("plain", False, 400), ("full", True, 200)):
        made = (await ana.post(f"{SERVER}.createAppPassword", {"name": name, "privileged": privileged})).json()
        app = deployment.person(await deployment.sign_in("ana.test", made["password"]))
        answer = await ask(app, "chat.bsky.convo.listConvos", to)
        assert answer.status_code == status, answer.text
        if status == 400:
            assert answer.json()["message"].startswith("Bad token method")
        assert (await ask(app, THING, to)).status_code == 200
    assert (await ask(ana, "chat.bsky.convo.listConvos", to)).status_code == 200


async def test_calls_of_deactivated_accounts_are_not_forwarded(ana: Person, stranger: RemoteService) -> None:
    await ana.post(f"{SERVER}.deactivateAccount", {})
    refused(await ask(ana, THING, f"{stranger.did}#notes"), 401, "AccountDeactivated")
    assert stranger.asked == []


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, {"error": "NotFound", "message": "no such thing"}, (400, "NotFound")),
        (403, {"error": "Blocked"}, (403, "Blocked")),
        (429, {"error": "RateLimitExceeded", "message": "slow down"}, (429, "RateLimitExceeded")),
        (404, "<html>", (404, "XRPCNotSupported")),
        (500, {"error": "InternalServerError", "message": "oh no"}, (502, "InternalServerError")),
        (500, {"error": "ExpiredToken", "message": "what now"}, (502, "UpstreamFailure")),
        (502, "<html>", (502, "UpstreamFailure")),
        (503, "<html>", (503, "NotEnoughResources")),
        (503, {"error": "Busy", "message": "later"}, (503, "Busy")),
        (503, {"error": "ExpiredToken", "message": "what now"}, (502, "UpstreamFailure")),
        (504, {}, (504, "UpstreamTimeout")),
        (501, {"error": "MethodNotImplemented", "message": "not here"}, (501, "MethodNotImplemented")),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_upstream_errors_keep_their_names(
    ana: Person, stranger: RemoteService, status: int, body: Any, told: tuple[int, str]
) -> None:
    stranger.answer(THING, body, status, {"retry-after": "7"})
    answer = await ask(ana, THING, f"{stranger.did}#notes")
    assert (answer.status_code, answer.json()["error"]) == told
    if answer.status_code < 500 or answer.status_code == 503:
        assert answer.headers["retry-after"] == "7"


async def test_upstream_redirects_and_html_pages_are_refused(ana: Person, stranger: RemoteService) -> None:
    async def redirect(_request: Request) -> Response:
        return RedirectResponse("http://169.254.169.254/")

    async def page(_request: Request) -> Response:
        return Response("<script>alert(1)</script>", media_type="text/html")

    for answering in (redirect, page):
        stranger.answers[THING] = answering
        refused(await ask(ana, THING, f"{stranger.did}#notes"), 502, "UpstreamFailure")


async def test_service_that_does_not_listen_is_an_upstream_failure(ana: Person) -> None:
    async with open_remote_service(endpoint="http://127.0.0.1:1") as stranger:
        refused(await ask(ana, THING, f"{stranger.did}#notes"), 502, "UpstreamFailure")


@pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "unannounced"])
async def test_response_that_is_too_large_is_refused_or_broken_off(
    ana: Person, stranger: RemoteService, is_announced: bool
) -> None:
    """A response that is too large is an error if announced. If noticed in the middle, the connection is broken, so
    that it never looks complete.
    """

    async def answering(_request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(11):
                yield b"x" * 1024 * 1024

        length = {"content-length": str(11 * 1024 * 1024)} if is_announced else {}
        return StreamingResponse(pieces(), headers=length, media_type="application/octet-stream")

    stranger.answers[THING] = answering
    if is_announced:
        refused(await ask(ana, THING, f"{stranger.did}#notes"), 502, "UpstreamFailure")
        return
    with pytest.raises(httpx.RemoteProtocolError):
        await ask(ana, THING, f"{stranger.did}#notes")
    assert MAX_ANSWER_BYTES == 10 * 1024 * 1024


async def test_compressed_responses_are_forwarded_unchanged(ana: Person, stranger: RemoteService) -> None:
    """Compressed responses are forwarded unchanged. The accepted encodings of the caller are requested, so nobody gets
    one that they cannot read.
    """

    async def answering(request: Request) -> Response:
        folder = zlib.compressobj(wbits=31)
        folded = folder.compress(b'{"a":"b"}') + folder.flush()
        assert request.headers["accept-encoding"] == "gzip"
        return Response(folded, headers={"content-encoding": "gzip"}, media_type="application/json")

    stranger.answers[THING] = answering
    answer = await ask(ana, THING, f"{stranger.did}#notes", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json() == {"a": "b"}


async def test_disconnecting_ends_the_call(ana: Person, deployment: Deployment, stranger: RemoteService) -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def answering(request: Request) -> Response:
        arrived.set()
        assert (await request.receive())["type"] == "http.disconnect"
        ended.set()
        return Response()

    stranger.answers[THING] = answering
    call = asyncio.ensure_future(ask(ana, THING, f"{stranger.did}#notes"))
    await asyncio.wait_for(arrived.wait(), 60)
    call.cancel()
    await asyncio.wait_for(ended.wait(), 60)


async def test_head_is_forwarded_as_head(ana: Person, stranger: RemoteService) -> None:
    answer = await ask(ana, THING, f"{stranger.did}#notes", method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert stranger.asked[0].method == "HEAD"


async def test_concurrent_calls_per_account_are_limited(
    ana: Person, stranger: RemoteService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aurora_locus.federation.proxying.MAX_AT_ONCE", 2)
    arrived, release = asyncio.Semaphore(0), asyncio.Event()

    async def answering(_request: Request) -> Response:
        arrived.release()
        await release.wait()
        return Response(b"{}", media_type="application/json")

    stranger.answers[THING] = answering
    calls = [asyncio.ensure_future(ask(ana, THING, f"{stranger.did}#notes")) for _ in range(2)]
    for _ in calls:
        await asyncio.wait_for(arrived.acquire(), 60)
    refused(await ask(ana, THING, f"{stranger.did}#notes"), 429, "RateLimitExceeded")
    release.set()
    assert [answer.status_code for answer in await asyncio.gather(*calls)] == [200, 200]
    assert (await ask(ana, THING, f"{stranger.did}#notes")).status_code == 200


async def test_calls_without_a_service_go_to_the_operators_services(
    make_deployment: MakeDeployment, stranger: RemoteService
) -> None:
    """Calls without a service go to the operator's services by method: reports to the moderation service, all methods
    that this server does not have to the app view.
    """
    async with open_remote_service(services=("atproto_labeler",)) as moderation:
        deployment = await make_deployment(
            bsky_app_view_url=stranger.url,
            bsky_app_view_did="did:web:view.example.org",
            mod_service_url=moderation.url,
            mod_service_did="did:web:mod.example.org",
        )
        ana = await deployment.sign_up("ana")
        stranger.answer(PROFILE, {"did": ana.did, "handle": "ana.test"})
        assert (await ask(ana, f"{PROFILE}?actor=ana.test")).status_code == 200
        assert stranger.asked[0].claims["aud"] == "did:web:view.example.org"
        assert (await ask(ana, f"{PROFILE}?actor=ana.test", "did:web:view.example.org#bsky_appview")).status_code == 200
        report = {"reasonType": "x", "subject": {"$type": "com.atproto.admin.defs#repoRef", "did": ana.did}}
        moderation.answer("com.atproto.moderation.createReport", {"id": 1})
        answer = await ask(ana, "com.atproto.moderation.createReport", method="POST", json=report)
        assert answer.json() == {"id": 1}
        assert moderation.asked[0].claims["aud"] == "did:web:mod.example.org"
        stranger.answer("com.example.unknown.thing", {"known": "to the app view"})
        assert (await ask(ana, "com.example.unknown.thing")).json() == {"known": "to the app view"}
        assert stranger.asked[-1].claims["lxm"] == "com.example.unknown.thing"
        refused(await ask(deployment.stranger, "com.example.unknown.thing"), 401, "AuthMissing")
        refused(await ask(deployment.stranger, PROFILE), 401, "AuthMissing")


@pytest.mark.parametrize("nsid", ["app.bsky.notification.registerPush", "app.bsky.notification.unregisterPush"])
async def test_push_methods_go_to_the_service_in_their_body(
    make_deployment: MakeDeployment, stranger: RemoteService, nsid: str
) -> None:
    """A device is registered at the service that the body names, which is the app view or has ``#bsky_notif`` in its
    document, whatever the header says.
    """
    deployment = await make_deployment(bsky_app_view_url=stranger.url, bsky_app_view_did="did:web:view.example.org")
    ana = await deployment.sign_up("ana")
    stranger.answer(nsid, {})
    async with open_remote_service(services=("bsky_notif",)) as push:
        push.answer(nsid, {})
        device = {"token": "t", "platform": "ios", "appId": "x"}
        for did, service in (("did:web:view.example.org", stranger), (push.did, push)):
            answer = await ask(ana, nsid, f"{stranger.did}#notes", method="POST", json={**device, "serviceDid": did})
            assert answer.status_code == 200, answer.text
            (asked,) = service.asked
            assert (asked.claims["aud"], asked.claims["lxm"]) == (did, nsid)
            assert '"token":"t"' in asked.body.decode()
        for wrong in ({}, {"serviceDid": "nonsense"}, {"serviceDid": 5}, {"serviceDid": stranger.did}):
            refused(await ask(ana, nsid, method="POST", json={**device, **wrong}), 400, "InvalidRequest")
        refused(await ask(ana, nsid, method="POST", json=[]), 400, "InvalidRequest")
        refused(await ask(deployment.stranger, nsid, method="POST", json=device), 401, "AuthMissing")


async def test_app_view_methods_without_an_app_view_are_not_implemented(ana: Person) -> None:
    refused(await ask(ana, PROFILE), 501, "MethodNotImplemented")


async def test_private_addresses_are_never_called_outside_development(engine: str, stranger: RemoteService) -> None:
    """Outside development, a DID document that leads to loopback or to plain HTTP is refused before any connection."""
    assert engine
    http = HttpClient(PUBLIC, decompress=False)
    request = UpstreamRequest("GET", f"/xrpc/{THING}", {})
    for url in (
        stranger.url,
        "http://example.org",
        "https://localhost",
        "https://127.0.0.1",
        "https://example.org:8443",
    ):
        with pytest.raises(AddressRefused):
            await upstream.ask(http, url, request)
    await http.close()
    assert stranger.asked == []


async def test_records_of_other_servers_come_from_the_app_view(
    make_deployment: MakeDeployment, stranger: RemoteService
) -> None:
    """Records of other servers come from the app view, without a token because they are public. For local and unknown
    accounts this server answers.
    """
    deployment = await make_deployment(bsky_app_view_url=stranger.url, bsky_app_view_did="did:web:view.example.org")
    ana = await deployment.sign_up("ana")
    there = {"uri": "at://did:plc:x/org.example.note/one", "value": {"text": "theirs"}}
    stranger.answer("com.atproto.repo.getRecord", there)
    where = "repo=ben.example.org&collection=org.example.note&rkey=one"
    answer = await deployment.http.get(f"/xrpc/com.atproto.repo.getRecord?{where}", headers=ana.headers)
    assert answer.json() == there
    (asked,) = stranger.asked
    assert asked.query == where
    assert "authorization" not in asked.headers
    here = f"repo={ana.did}&collection=org.example.note&rkey=one"
    refused(await deployment.http.get(f"/xrpc/com.atproto.repo.getRecord?{here}"), 400, "RecordNotFound")
    assert len(stranger.asked) == 1
    stranger.answer("com.atproto.repo.getRecord", {"error": "RecordNotFound", "message": "no such record"}, 400)
    refused(await deployment.http.get(f"/xrpc/com.atproto.repo.getRecord?{where}"), 400, "RecordNotFound")


async def test_unresolvable_handle_is_taken_from_the_app_view(
    make_deployment: MakeDeployment, stranger: RemoteService
) -> None:
    async with name_server({}) as names:
        names.is_failing = True
        deployment = await make_deployment(bsky_app_view_url=stranger.url, bsky_app_view_did="did:web:view.example.org")
        resolver = deployment.pds.registry.network.resolve_handle.__self__  # type: ignore[attr-defined]  # what it is besides its contract
        resolver._dns = Dns(("127.0.0.1", names.port), timeout_seconds=30)
        resolve = "/xrpc/com.atproto.identity.resolveHandle?handle=ben.localhost-without-a-server.org"
        refused(await deployment.http.get(resolve), 502, "UpstreamFailure")
        stranger.answer("com.atproto.identity.resolveHandle", {"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"})
        assert (await deployment.http.get(resolve)).json() == {"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}
        stranger.answer("com.atproto.identity.resolveHandle", {"did": "nobody"})
        refused(await deployment.http.get(resolve), 502, "UpstreamFailure")


async def test_account_that_was_taken_down_may_report(make_deployment: MakeDeployment) -> None:
    """An account that was taken down may send a report to the moderation service, and nothing else."""
    async with open_remote_service(services=("atproto_labeler",)) as moderation:
        moderation.answer(REPORT, {"id": 1})
        deployment = await make_deployment(mod_service_url=moderation.url, mod_service_did="did:web:mod.example.org")
        ana = await deployment.sign_up("ana")
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": ana.did}
        decided = {"subject": subject, "takedown": {"applied": True}}
        taken_down = await deployment.administration.post("com.atproto.admin.updateSubjectStatus", decided)
        assert taken_down.status_code == 200
        wish = {"identifier": "ana.test", "password": "password of ana", "allowTakendown": True}
        ana = deployment.person(await deployment.stranger.post(f"{SERVER}.createSession", wish))
        appeal = {"reasonType": "com.atproto.moderation.defs#reasonAppeal", "subject": subject}
        assert (await ask(ana, REPORT, method="POST", json=appeal)).json() == {"id": 1}
        assert (await ask(ana, "tools.ozone.moderation.getEvent")).status_code == 401
        assert len(moderation.asked) == 1
