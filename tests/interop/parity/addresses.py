"""Requests other than methods: fixed paths, odd paths, other origins, other services, and rate limits."""

from tests.interop.parity.sides import Side

_TIMELINE = "app.bsky.feed.getTimeline"
_ELSEWHERE = {"origin": "https://app.example.org", "access-control-request-method": "POST"}


async def paths(side: Side) -> None:
    """Paths that a browser, a crawler or a probe requests, including some that do not exist."""
    for path in (
        "/",
        "/robots.txt",
        "/xrpc/_health",
        "/.well-known/atproto-did",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "/oauth/jwks",
        "/xrpc",
        "/xrpc/",
        "/xrpc/nonsense",
        "/xrpc/com.atproto",
        "/xrpc/com.atproto.server.describeServer/",
        "/xrpc/com.atproto.server.describeServer/more",
        "/xrpc/com.atproto.server.noSuchMethod",
        "/xrpc/com.atproto.Server.describeServer",
        "/xrpc/com.atproto.server.describeserver",
        "/xrpc//com.atproto.server.describeServer",
        "/xrpc/com.atproto.sync.subscribeRepos",
        "/nonsense",
        "/.well-known/nonsense",
    ):
        for method in ("GET", "HEAD", "POST"):
            await side.ask(f"{method} {path}", method, path)
    for handle in ("carol.test", "nobody.test", "example.org"):
        await side.ask(f"the proof of {handle}", "GET", "/.well-known/atproto-did", headers={"host": handle})


async def origins(side: Side) -> None:
    """Requests from browsers on other sites."""
    for path in (
        "com.atproto.server.createSession",
        _TIMELINE,
        "com.atproto.sync.subscribeRepos",
        "/robots.txt",
        "/oauth/token",
        "/oauth/par",
    ):
        await side.ask(f"a preflight of {path}", "OPTIONS", path, headers=_ELSEWHERE)
        asked = {**_ELSEWHERE, "access-control-request-headers": "authorization,atproto-proxy"}
        await side.ask(f"a preflight of {path} with headers", "OPTIONS", path, headers=asked)
    for path in ("com.atproto.server.describeServer", "com.atproto.server.getSession"):
        await side.ask(f"{path} from elsewhere", "GET", path, headers={"origin": "https://app.example.org"})


async def other_services(side: Side) -> None:
    """Calls meant for another service, with a right and a wrong header that names it."""
    carol, app = await side.person("carol")
    side.service.answer(_TIMELINE, {"feed": []})
    side.service.answer("chat.bsky.convo.listConvos", {"convos": []})
    side.service.answer("app.bsky.feed.getFeed", {"error": "UnknownFeed", "message": "no"}, 400)
    right = f"{side.service.did}#bsky_appview"
    for what, header in {
        "nothing": None,
        "a DID alone": side.service.did,
        "no DID": "#bsky_appview",
        "two fragments": f"{right}#more",
        "a space": f"{side.service.did} #bsky_appview",
        "an empty fragment": f"{side.service.did}#",
        "a service that it has not": f"{side.service.did}#nothing",
        "nonsense": "nonsense",
        "a DID that nobody has": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa#bsky_appview",
        "a DID of a method that nobody knows": "did:example:a#bsky_appview",
        "right": right,
    }.items():
        sent = carol.access if header is None else {**carol.access, "atproto-proxy": header}
        await side.get(f"a query where it names {what}", _TIMELINE, headers=sent)
        await side.post(f"a procedure where it names {what}", "app.bsky.feed.sendInteractions", {"a": 1}, sent)
    proxied = {"atproto-proxy": right}
    await side.get("by nobody", _TIMELINE, headers=proxied)
    await side.get("by an app", _TIMELINE, headers={**app.access, **proxied})
    await side.get("a chat by an app", "chat.bsky.convo.listConvos", headers={**app.access, **proxied})
    await side.get("a chat", "chat.bsky.convo.listConvos", headers={**carol.access, **proxied})
    await side.get("an error of its own", "app.bsky.feed.getFeed", headers={**carol.access, **proxied})
    await side.get("one's own method", "com.atproto.server.getSession", headers={**carol.access, **proxied})
    await side.get("a protected one", "com.atproto.server.noSuchMethod", headers={**carol.access, **proxied})
    for method in ("PUT", "DELETE", "HEAD"):
        await side.ask(f"with {method}", method, _TIMELINE, headers={**carol.access, **proxied})
    for nsid in ("app.bsky.actor.getPreferences", "app.bsky.actor.getProfile", "org.example.noSuchMethod"):
        await side.get(f"{nsid} without a service", nsid, headers=carol.access)


async def limits(side: Side) -> None:
    """The rate limits are reported."""
    carol, _ = await side.person("carol")
    for nsid in (
        "com.atproto.server.describeServer",
        "com.atproto.server.getSession",
        "com.atproto.identity.getRecommendedDidCredentials",
    ):
        await side.ask(nsid, "GET", nsid, headers=carol.access, counted=True)


GROUPS = {"paths": paths, "origins": origins, "other services": other_services, "limits": limits}
