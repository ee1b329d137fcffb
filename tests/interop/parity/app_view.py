"""Requests to servers that have an app view and services for moderation and reports, as most do."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.interop.parity.sides import Side

_ACTOR, _PUSH = "app.bsky.actor", "app.bsky.notification"
_CONFIG = "app.bsky.unspecced.getConfig"
_GET, _PUT = f"{_ACTOR}.getPreferences", f"{_ACTOR}.putPreferences"
_DEFS = f"{_ACTOR}.defs"
_ADULT = {"$type": f"{_DEFS}#adultContentPref", "enabled": True}
_BORN = {"$type": f"{_DEFS}#personalDetailsPref", "birthDate": "1990-01-01T00:00:00.000Z"}

# Set by the HTTP client of each server, or different for each account.
_OF_THE_CLIENT = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "host", "user-agent"}
)

_PREFERENCES: dict[str, list[Any]] = {
    "none": [],
    "one": [_ADULT],
    "one twice": [_ADULT, {**_ADULT, "enabled": False}],
    "a date of birth": [_BORN, _ADULT],
    "a date of birth of a child": [{**_BORN, "birthDate": "2099-01-01T00:00:00.000Z"}],
    "no date of birth": [{"$type": _BORN["$type"]}],
    "age groups": [{"$type": f"{_DEFS}#declaredAgePref", "isOverAge13": True}],
    "an unknown one": [{"$type": f"{_DEFS}#nobodyKnowsPref", "value": 1}],
    "another namespace": [{"$type": "org.example.pref", "value": 1}],
    "a similar namespace": [{"$type": "app.bskyx.pref", "value": 1}],
    "an invalid one": [{**_ADULT, "enabled": "yes"}],
    "one without a type": [{"enabled": True}],
    "a number": [5],
}

_FORWARDED = {
    "accept-language": "de",
    "atproto-accept-labelers": "did:web:labels.example;redact",
    "x-bsky-topics": "a,b",
    "x-atproto-bsky-topics": "a",
    "x-atproto-anything": "b",
    "atproto-unknown": "c",
    "cookie": "a=b",
    "referer": "http://example.org",
    "range": "bytes=0-1",
    "cache-control": "no-cache",
}


async def _echo(request: Request) -> Response:
    status = int(request.query_params.get("status", "200"))
    headers = {
        "atproto-content-labelers": "did:web:labels.example",
        "atproto-repo-rev": "3jzfcijpj2z2a",
        "content-language": "de",
        "set-cookie": "a=b",
        "x-anything": "1",
    }
    if status >= 400:
        return JSONResponse({"error": "Named", "message": "for a reason"}, status, headers)
    sent = {name: value for name, value in request.headers.items() if name not in _OF_THE_CLIENT}
    body = (await request.body()).decode()
    return JSONResponse({"method": request.method, "sent": sent, "received": body}, status, headers)


async def _nothing(_request: Request) -> Response:
    return Response()


async def preferences(side: Side) -> None:
    """Preferences, written and read by an account and by an app."""
    carol, app = await side.person("carol")
    for what, values in _PREFERENCES.items():
        for who, headers in (("the account", carol.access), ("an app", app.access)):
            await side.post(f"{what}, by {who}", _PUT, {"preferences": values}, headers)
            for reader, own in (("the account", carol.access), ("an app", app.access)):
                await side.get(f"{what}, by {who}, read by {reader}", _GET, headers=own)
    for who, headers in (("nobody", {}), ("the refresh token", carol.refresh)):
        await side.get(f"read by {who}", _GET, headers=headers)
        await side.post(f"written by {who}", _PUT, {"preferences": []}, headers)


async def forwarding(side: Side) -> None:
    """What is forwarded to the app view and to another service, and what of the response."""
    carol, app = await side.person("carol")
    for nsid in (_CONFIG, "org.example.echo", "chat.bsky.convo.listConvos"):
        side.service.answers[nsid] = _echo
        for service in ("", f"{side.service.did}#bsky_appview", f"{side.service.did}#notes"):
            named = {"atproto-proxy": service} if service else {}
            for method in ("GET", "HEAD", "POST"):
                label = f"{method} {nsid} {service.partition('#')[2]}"
                sent = {**_FORWARDED, **carol.access, **named}
                await side.ask(label, method, nsid, json={"a": 1} if method == "POST" else None, headers=sent)
            await side.get(f"{nsid} {service.partition('#')[2]} by an app", nsid, headers={**app.access, **named})
            await side.get(f"{nsid} {service.partition('#')[2]} by nobody", nsid, headers=named)
            for status in (201, 400, 401, 403, 404, 429, 500, 501, 502, 503):
                label = f"{nsid} {service.partition('#')[2]} answered with {status}"
                await side.get(label, nsid, status=status, headers={**carol.access, **named})


# Methods of our server that the reference does not have, so that it asks the service that is named.
_OF_NAMED_SERVICES = (
    "com.atproto.admin.searchAccounts",
    "com.atproto.identity.resolveDid",
    "com.atproto.identity.resolveIdentity",
    "com.atproto.label.queryLabels",
    "com.atproto.lexicon.resolveLexicon",
    "com.atproto.sync.getHostStatus",
    "com.atproto.sync.listHosts",
    "com.atproto.sync.listReposByCollection",
)


async def named_services(side: Side) -> None:
    """Methods that relays, labelers and directories answer too, at the service that the header names."""
    carol, app = await side.person("carol")
    for nsid in _OF_NAMED_SERVICES:
        side.service.answers[nsid] = _echo
        service = {"atproto-proxy": f"{side.service.did}#notes"}
        for who, headers in (("the account", carol.access), ("an app", app.access), ("nobody", {})):
            await side.get(f"{nsid} by {who}", nsid, headers={**headers, **service}, did="did:web:x.example")
    side.service.answers["org.example.echo"] = _echo
    empty = {**carol.access, "atproto-proxy": ""}
    await side.get("an empty header", "org.example.echo", headers=empty)
    for what, content in {"nothing": b"", "bytes without a type": b"some"}.items():
        sent = {**carol.access, "atproto-proxy": f"{side.service.did}#notes"}
        await side.ask(f"a procedure with {what}", "POST", "org.example.echo", content=content, headers=sent)


async def push(side: Side) -> None:
    """Registering a device for push notifications at the service that the body names."""
    carol, _ = await side.person("carol")
    device = {"token": "t", "platform": "ios", "appId": "org.example"}
    for name in ("registerPush", "unregisterPush"):
        side.service.answers[f"{_PUSH}.{name}"] = _nothing
        for what, did in {"the app view": side.service.did, "nonsense": "nonsense", "a number": 5}.items():
            await side.post(f"{name} at {what}", f"{_PUSH}.{name}", {**device, "serviceDid": did}, carol.access)
        await side.post(f"{name} at nothing", f"{_PUSH}.{name}", device, carol.access)
        await side.post(f"{name} by nobody", f"{_PUSH}.{name}", {**device, "serviceDid": side.service.did})


async def reports(side: Side) -> None:
    """Reports go to the service for reports."""
    carol, app = await side.person("carol")
    report = "com.atproto.moderation.createReport"
    subject = {"$type": "com.atproto.admin.defs#repoRef", "did": carol.did}
    spam = {"reasonType": "com.atproto.moderation.defs#reasonSpam", "subject": subject}
    # The service is the same for both servers, so its response names neither account.
    somebody = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
    made = {**spam, "subject": {**subject, "did": somebody}, "id": 1, "reportedBy": somebody}
    side.service.answer(report, {**made, "createdAt": "2020-01-01T00:00:00.000Z"})
    for who, headers in (("the account", carol.access), ("an app", app.access), ("nobody", {})):
        await side.post(f"by {who}", report, spam, headers)


GROUPS = {
    "app view, preferences": preferences,
    "app view, forwarding": forwarding,
    "app view, named services": named_services,
    "app view, push": push,
    "app view, reports": reports,
}
