"""Requests that few clients make: parts of blobs, lifetimes of service tokens, mixed batches, handles of other domains,
incoming accounts, and accounts without an identity.
"""

import time
from typing import Any

from tests.interop.parity.sides import Side, bearer

NOTE = "org.example.note"
_REPO, _SERVER, _SYNC = "com.atproto.repo", "com.atproto.server", "com.atproto.sync"
_IDENTITY = "com.atproto.identity"


async def parts_of_blobs(side: Side) -> None:
    """Ranges and conditions; types that a blob does not have."""
    pia, _ = await side.person("pia")
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 100

    async def upload(label: str, content: bytes, headers: dict[str, str]) -> Any:
        answer = await side.ask(
            label, "POST", f"{_REPO}.uploadBlob", content=content, headers={**pia.access, **headers}
        )
        return answer.json() if answer.status_code == 200 else None

    stored = await upload("a picture", png, {"content-type": "image/png"})
    for label, kind in {
        "as nothing": "",
        "as a pattern": "*/*",
        "as half a pattern": "image/*",
        "as two types": "image/png, text/html",
        "as HTML": "text/html; charset=utf-8",
        "as a script": "application/javascript",
        "as svg": "image/svg+xml",
        "as nonsense": "nonsense",
        "in capitals": "IMAGE/PNG",
        "with a parameter": 'text/plain; a="b"',
        "as a long type": "application/" + "x" * 300,
        "as json": "application/json",
    }.items():
        await upload(label, b"text " + label.encode(), {"content-type": kind} if kind else {})
    await upload("with a wrong length", b"abc", {"content-type": "text/plain", "content-encoding": "identity"})
    await upload("nothing", b"", {"content-type": "text/plain"})
    note = {"$type": NOTE, "picture": stored["blob"]}
    body = {"repo": pia.did, "collection": NOTE, "rkey": "picture", "record": note}
    await side.post("its record", f"{_REPO}.putRecord", body, pia.access)
    wrong = {**stored["blob"], "mimeType": "image/jpeg"}
    for label, blob in {
        "another type": wrong,
        "another size": {**stored["blob"], "size": 5},
        "a size of text": {**stored["blob"], "size": "5"},
        "a negative size": {**stored["blob"], "size": -1},
        "the old form": {"cid": stored["blob"]["ref"]["$link"], "mimeType": "image/png"},
    }.items():
        body = {"repo": pia.did, "collection": NOTE, "rkey": "wrong", "record": {"$type": NOTE, "picture": blob}}
        await side.post(f"a record with {label}", f"{_REPO}.putRecord", body, pia.access)
    where = {"did": pia.did, "cid": stored["blob"]["ref"]["$link"]}
    for since in ("3jzfcijpj2z2a", "nonsense", ""):
        await side.get(f"blobs since {since}", f"{_SYNC}.listBlobs", did=pia.did, since=since)
    for headers in (
        {"range": "bytes=0-3"},
        {"range": "bytes=-3"},
        {"range": "bytes=500-"},
        {"range": "bytes=3-1"},
        {"range": "bytes=0-1,3-4"},
        {"range": "lines=1"},
        {"accept-encoding": "gzip"},
        {"accept": "text/html"},
        {"if-modified-since": "Fri, 27 Nov 2099 00:00:00 GMT"},
        {"origin": "https://elsewhere.example"},
    ):
        await side.ask(f"the blob with {headers}", "GET", f"{_SYNC}.getBlob", query=where, headers=headers)


async def service_tokens(side: Side) -> None:
    """Lifetimes of service tokens, with and without a method."""
    pia, _ = await side.person("pia")
    now = int(time.time())
    for lxm in (None, "app.bsky.feed.getTimeline", "nonsense", "", "com.atproto.server.createAccount", "*"):
        for name, exp in {
            "none": None,
            "past": now - 5,
            "half a minute": now + 30,
            "two minutes": now + 120,
            "almost an hour": now + 3500,
            "two hours": now + 7200,
            "text": "soon",
            "milliseconds": now * 1000,
            "a fraction": f"{now + 30}.5",
            "zero": 0,
            "negative": -1,
        }.items():
            query = (
                {"aud": "did:web:x.test"}
                | ({} if exp is None else {"exp": exp})
                | ({} if lxm is None else {"lxm": lxm})
            )
            await side.get(f"{lxm} for {name}", f"{_SERVER}.getServiceAuth", headers=pia.access, **query)


async def mixed_batches(side: Side) -> None:
    """Batches of several kinds of writes, and the commit that they expect."""
    rea, _ = await side.person("rea")

    def write(kind: str, rkey: str | None, value: Any = None) -> dict[str, Any]:
        made = {"$type": f"{_REPO}.applyWrites#{kind}", "collection": NOTE}
        return made | ({} if rkey is None else {"rkey": rkey}) | ({} if value is None else {"value": value})

    note = {"$type": NOTE, "text": "mixed"}
    for name, writes in {
        "creates": [write("create", "m1", note), write("create", "m2", note), write("create", None, note)],
        "all kinds": [write("create", "m3", note), write("update", "m1", {**note, "n": 1}), write("delete", "m2")],
        "an update and a delete of one": [write("update", "first", note), write("delete", "first")],
        "a create and an update of one": [write("create", "m9", note), write("update", "m9", {**note, "n": 1})],
        "a delete and a create of one": [write("delete", "m1"), write("create", "m1", note)],
        "no kind": [{"collection": NOTE, "rkey": "m5", "value": note}],
        "an unknown kind": [{**write("create", "m5", note), "$type": f"{_REPO}.applyWrites#upsert"}],
        "an update without a key": [write("update", None, note)],
        "a delete without a key": [write("delete", None)],
        "a create without a value": [write("create", "m6")],
        "a value of another type": [write("create", "m7", {"$type": "org.example.other"})],
        "a value without a type": [write("create", "m8", {"text": "a"})],
        "a value that is a list": [{**write("create", "m8"), "value": [1]}],
        "a number": [5],
    }.items():
        for validate in ({}, {"validate": True}, {"validate": False}):
            body = {"repo": rea.did, "writes": writes, **validate}
            await side.post(f"{name} {validate}", f"{_REPO}.applyWrites", body, rea.access)
    for rkey in ("first", "m1"):
        body = {"repo": rea.did, "collection": NOTE, "rkey": rkey, "record": {**note, "n": 2}}
        await side.call(f"{_REPO}.putRecord", body, rea.access)
    await side.call(f"{_REPO}.deleteRecord", {"repo": rea.did, "collection": NOTE, "rkey": "m9"}, rea.access)
    await side.get("the notes", f"{_REPO}.listRecords", repo=rea.did, collection=NOTE)
    head = (await side.http.get(f"/xrpc/{_SYNC}.getLatestCommit", params={"did": rea.did})).json()["cid"]
    body = {"repo": rea.did, "writes": [write("create", "s1", note), write("delete", "m3")], "swapCommit": head}
    await side.post("on the head", f"{_REPO}.applyWrites", body, rea.access)
    await side.post(
        "on the head before", f"{_REPO}.applyWrites", {**body, "writes": [write("create", "s2", note)]}, rea.access
    )
    for query in (
        {"limit": 0},
        {"limit": 1},
        {"limit": 100},
        {"limit": 101},
        {"limit": 2, "reverse": "true"},
        {"cursor": "m2"},
        {"cursor": "zzzz"},
        {"cursor": "m2", "reverse": "true"},
        {"cursor": ""},
        {"rkeyStart": "m1"},
        {"rkeyEnd": "m2"},
        {"rkeyStart": "m1", "rkeyEnd": "m9"},
        {"reverse": "maybe"},
        {"limit": "1.5"},
        {"limit": "1e1"},
        {"limit": " 1"},
        {"limit": "+1"},
        {"limit": "01"},
    ):
        await side.get(f"listRecords {query}", f"{_REPO}.listRecords", repo=rea.did, collection=NOTE, **query)
    for name, query in {"nonsense": {"cid": "nonsense"}, "head": {"cid": head}, "empty": {"cid": ""}}.items():
        await side.get(f"getRecord {name}", f"{_REPO}.getRecord", repo=rea.did, collection=NOTE, rkey="first", **query)
    for since in ("3jzfcijpj2z2a", "3zzzzzzzzzzzz", "nonsense", ""):
        await side.ask(f"getRepo since {since}", "GET", f"{_SYNC}.getRepo", query={"did": rea.did, "since": since})
    await side.get("proof of nothing", f"{_SYNC}.getRecord", did=rea.did, collection=NOTE, rkey="nothing")
    await side.get("blocks, none", f"{_SYNC}.getBlocks", did=rea.did)
    await side.get(
        "blocks, of nobody",
        f"{_SYNC}.getBlocks",
        did=rea.did,
        cids=[head, "bafyreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee"],
    )


async def handles_elsewhere(side: Side) -> None:
    """Handles of domains that this server does not own, and names that people mistype."""
    pia, _ = await side.person("pia")
    for handle in (
        "pia.localhost",
        "pia.local",
        "pia.onion",
        "pia.arpa",
        "pia.internal",
        "pia.example",
        "pia.alt",
        "pia.invalid",
        "localhost",
        "127.0.0.1",
        "pia.test:3000",
        "pia..test",
        ".test",
        "pia.test.",
        "@pia.test",
        " pia.test",
        "pia.com",
        "xn--pa-iia.test",
        "piä.test",
        "p" * 64 + ".test",
        "a." * 120 + "test",
        "support.test",
        "nasa.test",
        "backup.test",
        "www.test",
        "did:web:pia.test",
        "",
        "123.test",
        "a-.test",
    ):
        await side.post(f"renaming to {handle[:40]}", f"{_IDENTITY}.updateHandle", {"handle": handle}, pia.access)
        await side.get(f"resolving {handle[:40]}", f"{_IDENTITY}.resolveHandle", handle=handle)
        body = {"handle": handle, "email": "some@example.org", "password": "a good password"}
        await side.post(f"signing up as {handle[:40]}", f"{_SERVER}.createAccount", body)


async def incoming_accounts(side: Side) -> None:
    """Accounts that bring their identity: without a token, with a wrong one, and of other methods."""
    base = {"handle": "quinn.test", "email": "quinn@example.org", "password": "a good password"}
    pia, _ = await side.person("pia")
    foreign = ("did:web:quinn.example.org", "did:web:localhost%3A9", "did:plc:" + "a" * 24, "did:example:a", "nonsense")
    callers = {"nobody": {}, "another": pia.access, "garbage": bearer("garbage"), "admin": side.admin}
    for name, did in {**{each: each for each in foreign}, "a person of this server": pia.did}.items():
        for who, headers in callers.items():
            await side.post(f"{name} by {who}", f"{_SERVER}.createAccount", {**base, "did": did}, headers)
    fields = ("plcOp", {}), ("recoveryKey", "nonsense"), ("verificationCode", "1"), ("inviteCode", "none"), ("other", 1)
    for number, (field, value) in enumerate(fields):
        body = {**base, "handle": f"quinn{number}.test", "email": f"quinn{number}@example.org", field: value}
        await side.post(f"with {field}", f"{_SERVER}.createAccount", body)
    for did in foreign:
        for nsid in ("getRepo", "getLatestCommit", "getRepoStatus", "listBlobs", "getHead", "getCheckout"):
            await side.get(f"{nsid} of {did}", f"{_SYNC}.{nsid}", did=did)
        await side.get(f"describeRepo of {did}", f"{_REPO}.describeRepo", repo=did)
        await side.get(f"listRecords of {did}", f"{_REPO}.listRecords", repo=did, collection=NOTE)


async def sessions(side: Side) -> None:
    """Sessions that were ended, malformed Authorization headers, and ways to write one's name."""
    rob, _ = await side.person("rob")
    other = await side.sign_in(rob)
    await side.post("signing out", f"{_SERVER}.deleteSession", None, other.refresh)
    await side.post("refreshing afterwards", f"{_SERVER}.refreshSession", None, other.refresh)
    await side.get("its session afterwards", f"{_SERVER}.getSession", headers=other.access)
    again = await side.sign_in(rob)
    refreshed = await side.call(f"{_SERVER}.refreshSession", None, again.refresh)
    await side.post("refreshing with the same", f"{_SERVER}.refreshSession", None, again.refresh)
    await side.get("the session of the older access token", f"{_SERVER}.getSession", headers=again.access)
    await side.post(
        "refreshing with an access token", f"{_SERVER}.refreshSession", None, bearer(refreshed["accessJwt"])
    )
    await side.get("a session with a refresh token", f"{_SERVER}.getSession", headers=bearer(refreshed["refreshJwt"]))
    await side.post("refreshing with a body", f"{_SERVER}.refreshSession", {"a": 1}, bearer(refreshed["refreshJwt"]))
    await side.post("activating with a body", f"{_SERVER}.activateAccount", {"a": 1}, rob.access)
    await side.post("deactivating until nonsense", f"{_SERVER}.deactivateAccount", {"deleteAfter": "soon"}, rob.access)
    await side.post("deactivating without a body", f"{_SERVER}.deactivateAccount", None, rob.access)
    for token in ("a.b.c", "e30.e30.", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.", "x" * 5000):
        await side.get(f"with {token[:20]}", f"{_SERVER}.getSession", headers=bearer(token))
    for header in ("bearer x", "BEARER x", "Bearer  x", "Bearer x y", "Basic x", "DPoP x", "Basic YTpi", ""):
        await side.get(f"with the header {header}", f"{_SERVER}.getSession", headers={"authorization": header})
    for body in (
        {"identifier": "rob.test", "password": "x" * 600},
        {"identifier": "rob@example.org", "password": "password of rob"},
        {"identifier": "ROB@EXAMPLE.ORG", "password": "password of rob"},
        {"identifier": " rob.test ", "password": "password of rob"},
        {"identifier": "rob.test", "password": " password of rob "},
        {"identifier": "rob.test", "password": "password of rob", "authFactorToken": "x"},
        {"identifier": "rob.test", "password": "password of rob", "allowTakendown": True},
        {"identifier": "", "password": ""},
    ):
        await side.post(f"signing in {body}"[:80], f"{_SERVER}.createSession", body)


GROUPS = {
    "rare, blobs": parts_of_blobs,
    "rare, service tokens": service_tokens,
    "rare, batches": mixed_batches,
    "rare, handles": handles_elsewhere,
    "rare, incoming": incoming_accounts,
    "rare, sessions": sessions,
}
