"""Requests that read: records, repositories, proofs, unavailable accounts, handles, other services."""

from tests.interop.parity.sides import Side
from tests.interop.parity.writing import NO_COMMIT, NOTE

_REPO, _SYNC, _IDENTITY = "com.atproto.repo", "com.atproto.sync", "com.atproto.identity"
_NOBODY = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"


async def records(side: Side) -> None:
    """getRecord and listRecords of a repository with a few notes."""
    flo, _ = await side.person("flo")
    for number in range(5):
        body = {"repo": flo.did, "collection": NOTE, "rkey": f"n{number}", "record": {"$type": NOTE, "n": number}}
        await side.call(f"{_REPO}.putRecord", body, flo.access)
    got = await side.get("one", f"{_REPO}.getRecord", repo=flo.did, collection=NOTE, rkey="n1")
    await side.get("by handle", f"{_REPO}.getRecord", repo="flo.test", collection=NOTE, rkey="n1")
    await side.get("by its CID", f"{_REPO}.getRecord", repo=flo.did, collection=NOTE, rkey="n1", cid=got["cid"])
    await side.get("by another CID", f"{_REPO}.getRecord", repo=flo.did, collection=NOTE, rkey="n1", cid=NO_COMMIT)
    await side.get("none", f"{_REPO}.getRecord", repo=flo.did, collection=NOTE, rkey="none")
    await side.get("of another collection", f"{_REPO}.getRecord", repo=flo.did, collection="org.example.x", rkey="n1")
    for what, repo in {
        "nobody's DID": _NOBODY,
        "nobody's handle": "nobody.test",
        "a foreign handle": "example.org",
    }.items():
        await side.get(f"one of {what}", f"{_REPO}.getRecord", repo=repo, collection=NOTE, rkey="n1")
        await side.get(f"a list of {what}", f"{_REPO}.listRecords", repo=repo, collection=NOTE)
        await side.get(f"a description of {what}", f"{_REPO}.describeRepo", repo=repo)
    for limit in (1, 2, 5, 100, 101):
        await side.get(f"a list of {limit}", f"{_REPO}.listRecords", repo=flo.did, collection=NOTE, limit=limit)
    await side.get("reversed", f"{_REPO}.listRecords", repo=flo.did, collection=NOTE, limit=2, reverse="true")
    await side.get("behind a key", f"{_REPO}.listRecords", repo=flo.did, collection=NOTE, cursor="n2")
    await side.get("before a key", f"{_REPO}.listRecords", repo=flo.did, collection=NOTE, cursor="n2", reverse="true")
    bounds = {"rkeyStart": "n1", "rkeyEnd": "n4"}
    await side.get("between keys", f"{_REPO}.listRecords", repo=flo.did, collection=NOTE, **bounds)
    await side.get("of no collection", f"{_REPO}.listRecords", repo=flo.did, collection="org.example.x")
    await side.get("a description", f"{_REPO}.describeRepo", repo=flo.did)


async def repositories(side: Side) -> None:
    """The requests of relays about one repository."""
    flo, _ = await side.person("flo")
    head = await side.get("the head", f"{_SYNC}.getLatestCommit", did=flo.did)
    await side.get("the status", f"{_SYNC}.getRepoStatus", did=flo.did)
    await side.get("the whole", f"{_SYNC}.getRepo", did=flo.did)
    for what, since in {"now": head["rev"], "the beginning": "2222222222222", "the future": "7777777777777"}.items():
        await side.get(f"since {what}", f"{_SYNC}.getRepo", did=flo.did, since=since)
    await side.get("since nonsense", f"{_SYNC}.getRepo", did=flo.did, since="nonsense")
    await side.get("a block", f"{_SYNC}.getBlocks", did=flo.did, cids=head["cid"])
    both = [head["cid"], NO_COMMIT]
    await side.get("a block and one that is not there", f"{_SYNC}.getBlocks", did=flo.did, cids=both)
    for key in ("n1", "none"):
        await side.get(f"the proof of {key}", f"{_SYNC}.getRecord", did=flo.did, collection=NOTE, rkey=key)
    query = f"did={flo.did}&collection={NOTE}&rkey=n1"
    await side.ask("HEAD of a proof", "HEAD", f"/xrpc/{_SYNC}.getRecord?{query}")
    await side.get("the oldest head", f"{_SYNC}.getHead", did=flo.did)
    await side.get("the oldest checkout", f"{_SYNC}.getCheckout", did=flo.did)
    await side.get("one repository", f"{_SYNC}.listRepos", limit=1)
    await side.get("one blob", f"{_SYNC}.listBlobs", did=flo.did, limit=1)
    await side.get("blobs since a rev", f"{_SYNC}.listBlobs", did=flo.did, since=head["rev"])
    for method in ("getLatestCommit", "getRepoStatus", "getRepo", "getHead", "getCheckout", "listBlobs"):
        await side.get(f"{method} of nobody", f"{_SYNC}.{method}", did=_NOBODY)


async def _all_of(side: Side, did: str, how: str, headers: dict[str, str]) -> None:
    for method in ("getLatestCommit", "getRepoStatus", "getRepo", "getHead", "getCheckout", "listBlobs"):
        await side.get(f"{method} {how}", f"{_SYNC}.{method}", did=did, headers=headers)
    await side.get(f"getBlocks {how}", f"{_SYNC}.getBlocks", did=did, cids=NO_COMMIT, headers=headers)
    await side.get(
        f"sync.getRecord {how}", f"{_SYNC}.getRecord", did=did, collection=NOTE, rkey="first", headers=headers
    )
    await side.get(f"getBlob {how}", f"{_SYNC}.getBlob", did=did, cid=NO_COMMIT, headers=headers)
    await side.get(f"getRecord {how}", f"{_REPO}.getRecord", repo=did, collection=NOTE, rkey="first", headers=headers)
    await side.get(f"listRecords {how}", f"{_REPO}.listRecords", repo=did, collection=NOTE, headers=headers)
    await side.get(f"describeRepo {how}", f"{_REPO}.describeRepo", repo=did, headers=headers)


async def of_deactivated(side: Side) -> None:
    """A deactivated account: the responses to others, its owner and the administrator, and which calls it may make."""
    gil, app = await side.person("gil")
    await side.post("deactivating", "com.atproto.server.deactivateAccount", {}, gil.access)
    await side.post("deactivating again", "com.atproto.server.deactivateAccount", {}, gil.access)
    for how, headers in {"by nobody": {}, "by its owner": gil.access, "by the host": side.admin}.items():
        await _all_of(side, gil.did, how, headers)
    await side.get("its handle", f"{_IDENTITY}.resolveHandle", handle=gil.handle)
    body = {"repo": gil.did, "collection": NOTE, "record": {"$type": NOTE}}
    await side.post("writing", f"{_REPO}.createRecord", body, gil.access)
    await side.post("writing by an app", f"{_REPO}.createRecord", body, app.access)
    await side.post("renaming", f"{_IDENTITY}.updateHandle", {"handle": "gilbert.test"}, gil.access)
    upload = {**gil.access, "content-type": "text/plain"}
    await side.ask("uploading", "POST", f"{_REPO}.uploadBlob", content=b"from away", headers=upload)
    await side.get("its session", "com.atproto.server.getSession", headers=gil.access)
    await side.get("its status", "com.atproto.server.checkAccountStatus", headers=gil.access)
    await side.get("its preferences", "app.bsky.actor.getPreferences", headers=gil.access)
    await side.get(
        "a token for elsewhere", "com.atproto.server.getServiceAuth", aud="did:web:x.test", headers=gil.access
    )
    sign_in = {"identifier": gil.handle, "password": gil.password}
    await side.post("signing in", "com.atproto.server.createSession", sign_in)
    await side.post("refreshing", "com.atproto.server.refreshSession", None, gil.refresh)
    await side.post("activating by an app", "com.atproto.server.activateAccount", None, app.access)
    await side.post("activating", "com.atproto.server.activateAccount", None, gil.access)
    await side.post("activating again", "com.atproto.server.activateAccount", None, gil.access)
    await side.get("the status afterwards", f"{_SYNC}.getRepoStatus", did=gil.did)


async def of_taken_down(side: Side) -> None:
    """An account that the administrator took down, and a record of another account."""
    hal, app = await side.person("hal")
    subject = {"$type": "com.atproto.admin.defs#repoRef", "did": hal.did}
    down = {"subject": subject, "takedown": {"applied": True, "ref": "1"}}
    await side.post("taking down", "com.atproto.admin.updateSubjectStatus", down, side.admin)
    await side.get("how it stands", "com.atproto.admin.getSubjectStatus", did=hal.did, headers=side.admin)
    for how, headers in {"by nobody": {}, "by its owner": hal.access, "by the host": side.admin}.items():
        await _all_of(side, hal.did, how, headers)
    await side.get("its handle", f"{_IDENTITY}.resolveHandle", handle=hal.handle)
    body = {"repo": hal.did, "collection": NOTE, "record": {"$type": NOTE}}
    await side.post("writing", f"{_REPO}.createRecord", body, hal.access)
    await side.post("writing by an app", f"{_REPO}.createRecord", body, app.access)
    await side.get("its session", "com.atproto.server.getSession", headers=hal.access)
    await side.post("refreshing", "com.atproto.server.refreshSession", None, hal.refresh)
    sign_in = {"identifier": hal.handle, "password": hal.password}
    await side.post("signing in", "com.atproto.server.createSession", sign_in)
    allowed = await side.post(
        "signing in all the same", "com.atproto.server.createSession", {**sign_in, "allowTakendown": True}
    )
    if allowed and "accessJwt" in allowed:
        inside = {"authorization": f"Bearer {allowed['accessJwt']}"}
        await side.get("its session, taken down", "com.atproto.server.getSession", headers=inside)
        await side.get("its status, taken down", "com.atproto.server.checkAccountStatus", headers=inside)
        await side.post("writing, taken down", f"{_REPO}.createRecord", body, inside)
        await side.get("its repository, taken down", f"{_SYNC}.getRepo", did=hal.did, headers=inside)
        await side.get("app passwords, taken down", "com.atproto.server.listAppPasswords", headers=inside)
        await side.post("deactivating, taken down", "com.atproto.server.deactivateAccount", {}, inside)
    up = {"subject": subject, "takedown": {"applied": False}}
    await side.post("restoring", "com.atproto.admin.updateSubjectStatus", up, side.admin)
    await side.get("the status afterwards", f"{_SYNC}.getRepoStatus", did=hal.did)
    flo, _ = await side.person("flo")
    got = await side.get("a record of another", f"{_REPO}.getRecord", repo=flo.did, collection=NOTE, rkey="first")
    record = {"$type": "com.atproto.repo.strongRef", "uri": got["uri"], "cid": got["cid"]}
    for applied in (True, False):
        sent = {"subject": record, "takedown": {"applied": applied, "ref": "2"}}
        await side.post(f"taking it down: {applied}", "com.atproto.admin.updateSubjectStatus", sent, side.admin)
        await side.get(f"it, down: {applied}", f"{_REPO}.getRecord", repo=flo.did, collection=NOTE, rkey="first")
        await side.get(
            f"how it stands, down: {applied}", "com.atproto.admin.getSubjectStatus", uri=got["uri"], headers=side.admin
        )


async def handles(side: Side) -> None:
    """Handles of this server, of another one and of nobody."""
    flo, _ = await side.person("flo")
    for handle in ("flo.test", "FLO.test", "nobody.test", "test", "flo", "flo.test.", "a.b.test", "nobody.invalid"):
        await side.get(handle, f"{_IDENTITY}.resolveHandle", handle=handle)
    await side.get("credentials", f"{_IDENTITY}.getRecommendedDidCredentials", headers=flo.access)
    for handle in (
        "Flora.test",
        "fl.test",
        "f.test",
        "a-name-that-is-much-too-long-for-here.test",
        "admin.test",
        "carol.test",
        "a.b.test",
        "flo_ra.test",
        "-flo.test",
        "flo.example.org",
        "handle.invalid",
        "test",
    ):
        await side.post(f"renaming to {handle}", f"{_IDENTITY}.updateHandle", {"handle": handle}, flo.access)
    await side.post("renaming back", f"{_IDENTITY}.updateHandle", {"handle": "flo.test"}, flo.access)


GROUPS = {
    "records": records,
    "repositories": repositories,
    "deactivated": of_deactivated,
    "taken down": of_taken_down,
    "handles": handles,
}
