"""Requests at the edges: how numbers, media types and addresses are written, pages, parts of files, imported files."""

from typing import Any

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.repo import car
from tests.interop.parity.sides import Account, Side
from tests.interop.parity.writing import NO_COMMIT, NOT_HERE, NOTE

_REPO, _SYNC, _ADMIN = "com.atproto.repo", "com.atproto.sync", "com.atproto.admin"


async def numbers(side: Side) -> None:
    """Numbers and truth values in a query, in each way that programs write them."""
    uma, _ = await side.person("uma")
    for text in (
        "5",
        "05",
        "+5",
        " 5",
        "5 ",
        "5.0",
        "5.5",
        "5e0",
        "0x5",
        "0b1",
        "1_0",
        "٥",
        "-0",
        "NaN",
        "Infinity",
        "true",
    ):
        await side.get(f"limit {text!r}", f"{_REPO}.listRecords", repo=uma.did, collection=NOTE, limit=text)
    for text in ("true", "false", "True", "TRUE", "1", "0", "yes", "t", " true", "null", "on"):
        await side.get(f"reverse {text!r}", f"{_REPO}.listRecords", repo=uma.did, collection=NOTE, reverse=text)
    for query in (
        "limit=1&limit=1",
        "limit[]=1",
        "limit%5B%5D=1",
        "limit",
        "limit=",
        "limit=1#fragment",
        "LIMIT=1",
        "limit=%31",
        "limit=%zz",
        "limit=1;reverse=true",
        "&&limit=1&",
        "=&limit=1",
        "reverse=true&reverse=true",
    ):
        path = f"/xrpc/{_REPO}.listRecords?repo={uma.did}&collection={NOTE}&{query}"
        await side.ask(f"written {query[:40]}", "GET", path)


async def media_types(side: Side) -> None:
    """Bodies of a JSON method in each media type and coding."""
    uma, _ = await side.person("umar")
    body = b'{"repo":"' + uma.did.encode() + b'","collection":"org.example.note","record":{"$type":"org.example.note"}}'
    for kind in (
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json; charset=nonsense",
        "application/json; foo=bar",
        "application/json,",
        "application/json, text/plain",
        "text/json",
        "application/vnd.api+json",
        "application/ld+json",
        "application/*",
        "*/*",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "application/cbor",
        "/",
        ";",
    ):
        await side.ask(
            f"as {kind!r}", "POST", f"{_REPO}.createRecord", content=body, headers={**uma.access, "content-type": kind}
        )
    for coding in ("identity", "gzip", "deflate", "br", "zstd", "nonsense", "gzip, gzip", "GZIP"):
        sent = {**uma.access, "content-type": "application/json", "content-encoding": coding}
        await side.ask(f"coded {coding}, but not really", "POST", f"{_REPO}.createRecord", content=body, headers=sent)
    for what, content in {
        "a byte order mark": b"\xef\xbb\xbf" + body,
        "space around": b"\r\n " + body + b"\n\n",
        "more behind": body + b"{}",
        "a key twice": body[:-1] + b',"repo":"nobody.test"}',
        "a comment": b"/* */" + body,
        "a trailing comma": body[:-1] + b",}",
        "single quotes": body.replace(b'"', b"'"),
        "NaN": body[:-2] + b',"n":NaN}}',
        "a big exponent": body[:-2] + b',"n":1e400}}',
        "minus zero": body[:-2] + b',"n":-0}}',
        "an exponent": body[:-2] + b',"n":1e2}}',
        "a lone surrogate": body[:-2] + b',"n":"\\ud800"}}',
        "a pair of surrogates": body[:-2] + b',"n":"\\ud83d\\ude00"}}',
        "a NUL": body[:-2] + b',"n":"a\\u0000b"}}',
        "__proto__": body[:-2] + b',"__proto__":{"a":1}}}',
        "a key twice in the record": body[:-2] + b',"n":1,"n":2}}',
    }.items():
        sent = {**uma.access, "content-type": "application/json"}
        await side.ask(what, "POST", f"{_REPO}.createRecord", content=content, headers=sent)


async def addresses(side: Side) -> None:
    """Names of methods, repositories, collections and keys, in each way that programs write them."""
    uma, _ = await side.person("uma")
    right = f"repo={uma.did}&collection={NOTE}&rkey=first"
    for path in (
        f"/xrpc/{_REPO}.getRecord/?{right}",
        f"/xrpc//{_REPO}.getRecord?{right}",
        f"/xrpc/{_REPO}.getRecord/more?{right}",
        f"/xrpc/./{_REPO}.getRecord?{right}",
        f"/xrpc/{_REPO}.getRecord#main?{right}",
        "/xrpc/nonsense",
        "/xrpc/a.b",
        "/xrpc/com.example.-x.y",
        "/xrpc/" + "a." * 200 + "b",
    ):
        await side.ask(f"the path {path.partition('?')[0][:40]}", "GET", path)
    for verb in ("HEAD", "PATCH", "DELETE"):
        await side.ask(f"{verb} of a query", verb, f"/xrpc/{_REPO}.getRecord?{right}")
    for what, query in {
        "a DID in capitals": f"repo={uma.did.upper()}&collection={NOTE}&rkey=first",
        "an encoded DID": f"repo={uma.did.replace(':', '%3A')}&collection={NOTE}&rkey=first",
        "an at-URI": f"repo=at://{uma.did}&collection={NOTE}&rkey=first",
        "an @handle": f"repo=@uma.test&collection={NOTE}&rkey=first",
        "a collection in capitals": f"repo={uma.did}&collection=ORG.EXAMPLE.note&rkey=first",
        "a key with a slash": f"repo={uma.did}&collection={NOTE}&rkey=a%2Fb",
        "a key with a dot": f"repo={uma.did}&collection={NOTE}&rkey=.",
        "a key with a NUL": f"repo={uma.did}&collection={NOTE}&rkey=a%00b",
        "a key of other letters": f"repo={uma.did}&collection={NOTE}&rkey=%C3%A4",
        "a long key": f"repo={uma.did}&collection={NOTE}&rkey={'a' * 513}",
        "a CID in capitals": f"{right}&cid={NO_COMMIT.upper()}",
        "a raw CID": f"{right}&cid={NOT_HERE}",
        "an empty CID": f"{right}&cid=",
    }.items():
        await side.ask(f"getRecord of {what}", "GET", f"/xrpc/{_REPO}.getRecord?{query}")
        await side.ask(f"the proof of {what}", "GET", f"/xrpc/{_SYNC}.getRecord?{query.replace('repo=', 'did=')}")
    for uri in (
        f"at://{uma.did}/",
        f"at://{uma.did}/{NOTE}/first",
        f"at://{uma.did}/{NOTE}/first/",
        f"at://{uma.did}/{NOTE}/first/more",
        f"at://{uma.did}/{NOTE}/first?x=y",
        f"AT://{uma.did}/{NOTE}/first",
        f"{uma.did}/{NOTE}/first",
        "at://",
        "at:///a/b",
        "https://example.org/",
        "nonsense",
    ):
        label = uri.replace(uma.did, "uma")
        await side.get(f"the status of {label}", f"{_ADMIN}.getSubjectStatus", uri=uri, headers=side.admin)
        subject = {"$type": "com.atproto.repo.strongRef", "uri": uri, "cid": NO_COMMIT}
        body = {"subject": subject, "takedown": {"applied": False}}
        await side.post(f"a takedown of {label}", f"{_ADMIN}.updateSubjectStatus", body, side.admin)


async def pages(side: Side) -> None:
    """Pages of lists: at the last entry, behind it, and from cursors of other lists."""
    vic, _ = await side.person("vic")
    cids = []
    for number in range(4):
        upload = {**vic.access, "content-type": "text/plain"}
        answer = await side.ask(
            f"blob {number}", "POST", f"{_REPO}.uploadBlob", content=b"%d of vic" % number, headers=upload
        )
        blob = answer.json()["blob"]
        cids.append(blob["ref"]["$link"])
        body = {"repo": vic.did, "collection": NOTE, "rkey": f"b{number}", "record": {"$type": NOTE, "file": blob}}
        await side.call(f"{_REPO}.putRecord", body, vic.access)
    cids.sort()
    for limit in (1, 2, 3, 4, 5, 1000, 1001):
        await side.get(f"{limit} blobs", f"{_SYNC}.listBlobs", did=vic.did, limit=limit)
    for what, cursor in {"first": cids[0], "last": cids[-1], "another": NOT_HERE, "a commit": NO_COMMIT}.items():
        await side.get(f"blobs behind the {what}", f"{_SYNC}.listBlobs", did=vic.did, limit=2, cursor=cursor)
    for since in ("2222222222222", "7777777777777", "nonsense", ""):
        await side.get(f"blobs since {since!r}", f"{_SYNC}.listBlobs", did=vic.did, since=since)
    for name in ("b0", "b3", "a", "z", "first", "B1"):
        for reverse in ("true", "false"):
            query = {"repo": vic.did, "collection": NOTE, "limit": 2, "cursor": name, "reverse": reverse}
            await side.get(f"records behind {name}, reversed {reverse}", f"{_REPO}.listRecords", **query)
    for first, last in (("b0", "b0"), ("b1", "b0"), ("b0", ""), ("", "b1"), ("b0", "b9")):
        bounds = {"rkeyStart": first, "rkeyEnd": last}
        await side.get(
            f"records between {first} and {last}", f"{_REPO}.listRecords", repo=vic.did, collection=NOTE, **bounds
        )
    for cids_asked in ([], [cids[0]], [NO_COMMIT, NO_COMMIT], ["nonsense"], [NO_COMMIT, "nonsense"]):
        label = f"{len(cids_asked)} blocks, {[one[:8] for one in cids_asked]}"
        await side.get(label, f"{_SYNC}.getBlocks", did=vic.did, cids=cids_asked)
    await side.get("the head twice", f"{_SYNC}.getBlocks", did=vic.did, cids=[await _head(side, vic)] * 2)
    for cursor in ("nonsense", "", "did:plc:x", "1::", "::"):
        await side.get(f"repositories behind {cursor!r}", f"{_SYNC}.listRepos", limit=1, cursor=cursor)
    for limit in (0, 1001):
        await side.get(f"{limit} repositories", f"{_SYNC}.listRepos", limit=limit)
    for limit in (0, 1001):
        await side.get(f"{limit} missing blobs", f"{_REPO}.listMissingBlobs", limit=limit, headers=vic.access)
    for what, cid in {
        "blob": cids[0],
        "absent": NOT_HERE,
        "commit": NO_COMMIT,
        "old": "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
    }.items():
        for verb in ("GET", "HEAD", "OPTIONS", "POST"):
            await side.ask(f"{verb} of the {what}", verb, f"/xrpc/{_SYNC}.getBlob?did={vic.did}&cid={cid}")


async def _head(side: Side, account: Account) -> str:
    answer = await side.http.get(f"/xrpc/{_SYNC}.getLatestCommit", params={"did": account.did})
    return str(answer.json()["cid"])


async def swap_variants(side: Side) -> None:
    """Writes that expect the present commit, the one before, or a record."""
    vic, _ = await side.person("vic")
    before = await _head(side, vic)
    note: dict[str, Any] = {"repo": vic.did, "collection": NOTE, "rkey": "swapped"}
    await side.post(
        "putRecord on the head",
        f"{_REPO}.putRecord",
        {**note, "record": {"$type": NOTE, "n": 1}, "swapCommit": before},
        vic.access,
    )
    await side.post(
        "putRecord on the commit before",
        f"{_REPO}.putRecord",
        {**note, "record": {"$type": NOTE, "n": 2}, "swapCommit": before},
        vic.access,
    )
    await side.post(
        "putRecord of the same on the commit before",
        f"{_REPO}.putRecord",
        {**note, "record": {"$type": NOTE, "n": 1}, "swapCommit": before},
        vic.access,
    )
    await side.post(
        "deleteRecord on the commit before", f"{_REPO}.deleteRecord", {**note, "swapCommit": before}, vic.access
    )
    await side.post(
        "deleteRecord of nothing on the commit before",
        f"{_REPO}.deleteRecord",
        {**note, "rkey": "none", "swapCommit": before},
        vic.access,
    )
    await side.post(
        "applyWrites of nothing on the commit before",
        f"{_REPO}.applyWrites",
        {"repo": vic.did, "writes": [], "swapCommit": before},
        vic.access,
    )
    create = {"$type": f"{_REPO}.applyWrites#create", "collection": NOTE, "value": {"$type": NOTE}}
    await side.post(
        "applyWrites on the commit before",
        f"{_REPO}.applyWrites",
        {"repo": vic.did, "writes": [create], "swapCommit": before},
        vic.access,
    )
    now = await _head(side, vic)
    await side.post(
        "applyWrites on the head",
        f"{_REPO}.applyWrites",
        {"repo": vic.did, "writes": [create], "swapCommit": now},
        vic.access,
    )
    for swap in (None, "", 5):
        await side.post(
            f"createRecord, swapCommit {swap!r}",
            f"{_REPO}.createRecord",
            {"repo": vic.did, "collection": NOTE, "record": {"$type": NOTE}, "swapCommit": swap},
            vic.access,
        )
        await side.post(
            f"putRecord, swapRecord {swap!r}",
            f"{_REPO}.putRecord",
            {**note, "rkey": "never", "record": {"$type": NOTE}, "swapRecord": swap},
            vic.access,
        )
    for extra in (
        {"swapRecord": NO_COMMIT},
        {"validate": None},
        {"validate": "true"},
        {"rkey": None},
        {"rkey": ""},
        {"unknown": 1},
    ):
        body = {"repo": vic.did, "collection": NOTE, "record": {"$type": NOTE}, **extra}
        await side.post(f"createRecord with {extra}", f"{_REPO}.createRecord", body, vic.access)


def _car(roots: list[Cid], blocks: dict[Cid, bytes]) -> bytes:
    return b"".join(car.write(roots, blocks.items()))


async def imports(side: Side) -> None:
    """Files that are imported: incomplete, signed by somebody else, and of another kind."""
    wim, _ = await side.person("wim")
    stored = (await side.http.get(f"/xrpc/{_SYNC}.getRepo", params={"did": wim.did})).content
    kind = "application/vnd.ipld.car"

    async def send(label: str, content: bytes, media_type: str = kind, headers: dict[str, str] | None = None) -> None:
        sent = {**(wim.access if headers is None else headers), "content-type": media_type}
        await side.ask(label, "POST", f"{_REPO}.importRepo", content=content, headers=sent)

    await send("nothing", b"")
    await send("nonsense", b"nonsense")
    await send("zeros", bytes(100))
    await send("as JSON", stored, "application/json")
    await send("as bytes", stored, "application/octet-stream")
    await send("as text", stored, "text/plain")
    await send("with a parameter", stored, f"{kind}; version=1")
    await send("by nobody", stored, headers={})
    parsed = car.read(stored)
    root = parsed.root
    blocks = dict(parsed.blocks)
    commit = cbor.decode(blocks[root])
    assert isinstance(commit, dict)
    await send("without a root", _car([], blocks))
    await send("with two roots", _car([root, root], blocks))
    await send("without the tree", _car([root], {root: blocks[root]}))
    for what, change in {"with a wrong signature": {"sig": bytes(64)}, "of version 2": {"version": 2}}.items():
        block = cbor.encode({**commit, **change})
        await send(f"a commit {what}", _car([Cid.for_cbor(block)], {**blocks, Cid.for_cbor(block): block}))
    await side.get("its records", f"{_REPO}.listRecords", repo=wim.did, collection=NOTE)


GROUPS = {
    "edges, numbers": numbers,
    "edges, media types": media_types,
    "edges, addresses": addresses,
    "edges, pages": pages,
    "edges, swaps": swap_variants,
    "edges, imports": imports,
}
