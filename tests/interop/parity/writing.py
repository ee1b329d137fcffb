"""Requests that write records: swaps, validation, keys, odd values, existing and missing blobs."""

import random
from typing import Any

from tests.interop.parity.sides import BYPASS_KEY, Side

_REPO = "com.atproto.repo"
NOTE = "org.example.note"
POST = "app.bsky.feed.post"
WHEN = "2020-01-01T00:00:00.000Z"
NOT_HERE = "bafkreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee"
NO_COMMIT = "bafyreihffx5a2e7k5uwrmmgofbvzujc5cmw5h4espouwuxt3liqoflx3ee"


def _nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = {"a": value}
    return value


ODD_RECORDS: dict[str, Any] = {
    "no $type": {"text": "a"},
    "another $type": {"$type": "org.example.other", "text": "a"},
    "$type that is no text": {"$type": 5},
    "$type that is empty": {"$type": ""},
    "$type with #main": {"$type": f"{NOTE}#main"},
    "nothing but $type": {"$type": NOTE},
    "an empty key": {"$type": NOTE, "": 1},
    "a key of 300 letters": {"$type": NOTE, "k" * 300: 1},
    "an integer of 53 bits": {"$type": NOTE, "n": 2**53 - 1},
    "an integer of 54 bits": {"$type": NOTE, "n": 2**53},
    "a float": {"$type": NOTE, "n": 1.5},
    "a float without a fraction": {"$type": NOTE, "n": 1.0},
    "null": {"$type": NOTE, "n": None},
    "depth 20": {"$type": NOTE, "n": _nested(20)},
    "depth 100": {"$type": NOTE, "n": _nested(100)},
    "a link": {"$type": NOTE, "n": {"$link": NO_COMMIT}},
    "a link that is none": {"$type": NOTE, "n": {"$link": "nonsense"}},
    "a link with company": {"$type": NOTE, "n": {"$link": NO_COMMIT, "more": 1}},
    "bytes": {"$type": NOTE, "n": {"$bytes": "AAECAw"}},
    "bytes that are none": {"$type": NOTE, "n": {"$bytes": "!!"}},
    "an inner $type that is empty": {"$type": NOTE, "n": {"$type": ""}},
    "an inner $type that is a number": {"$type": NOTE, "n": {"$type": 5}},
    "a blob that is not here": {
        "$type": NOTE,
        "n": {"$type": "blob", "ref": {"$link": NOT_HERE}, "mimeType": "image/png", "size": 5},
    },
    "a blob without size": {"$type": NOTE, "n": {"$type": "blob", "ref": {"$link": NOT_HERE}, "mimeType": "image/png"}},
    "a blob of the old kind": {"$type": NOTE, "n": {"cid": NOT_HERE, "mimeType": "image/png"}},
    "100 kB": {"$type": NOTE, "n": "x" * 100_000},
    "990 kB": {"$type": NOTE, "n": "x" * 990_000},
}

ODD_POSTS: dict[str, Any] = {
    "right": {"text": "a", "createdAt": WHEN},
    "without text": {"createdAt": WHEN},
    "without createdAt": {"text": "a"},
    "a number as text": {"text": 5, "createdAt": WHEN},
    "no instant": {"text": "a", "createdAt": "yesterday"},
    "an instant without zone": {"text": "a", "createdAt": "2020-01-01T00:00:00"},
    "text that is too long": {"text": "x" * 5000, "createdAt": WHEN},
    "an unknown field": {"text": "a", "createdAt": WHEN, "more": True},
    "an unknown embed": {"text": "a", "createdAt": WHEN, "embed": {"$type": "org.example.embed"}},
    "an embed without $type": {"text": "a", "createdAt": WHEN, "embed": {}},
    "a language that is none": {"text": "a", "createdAt": WHEN, "langs": ["not a language"]},
    "too many languages": {"text": "a", "createdAt": WHEN, "langs": ["en", "de", "fr", "es"]},
}


async def create_record(side: Side) -> None:
    """Records of unknown and known types, with every unusual property that we know of."""
    ben, _ = await side.person("ben")
    for what, record in ODD_RECORDS.items():
        body = {"repo": ben.did, "collection": NOTE, "record": record}
        await side.post(what, f"{_REPO}.createRecord", body, ben.access)
    for validate in (None, True, False):
        for what, record in ODD_POSTS.items():
            body = {"repo": ben.did, "collection": POST, "record": {"$type": POST, **record}}
            sent = body if validate is None else {**body, "validate": validate}
            await side.post(f"a post, validate {validate}: {what}", f"{_REPO}.createRecord", sent, ben.access)
        body = {"repo": ben.did, "collection": NOTE, "record": {"$type": NOTE}, "validate": validate}
        sent = body if validate is not None else {**body, "validate": False}
        await side.post(f"an unknown type, validate {validate}", f"{_REPO}.createRecord", sent, ben.access)


_LIST = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.graph.list/3jzfcijpj2z2a"
_RED = {"$type": "site.standard.theme.color#rgb", "r": 255, "g": 0, "b": 0}
_THEME = dict.fromkeys(("background", "foreground", "accent", "accentForeground"), _RED)
_BYTES = {"$bytes": "AAECAw"}

# Valid records of types that the reference has from other apps, and changes that make them invalid, or not.
OTHER_APPS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "app.bsky.graph.referencelistoptout": (
        {"subject": _LIST, "createdAt": WHEN},
        [{"subject": "nonsense"}, {"createdAt": "now"}, {"subject": None}, {"more": 1}],
    ),
    "com.germnetwork.declaration": (
        {"version": "1.0.0", "currentKey": _BYTES},
        [
            {"version": "1.0"},
            {"version": "1" * 15},
            {"currentKey": "text"},
            {"keyPackage": _BYTES, "continuityProofs": [_BYTES]},
            {"continuityProofs": [_BYTES] * 1001},
            {"continuityProofs": ["text"]},
            {"messageMe": {"messageMeUrl": "https://example.org", "showButtonTo": "everyone"}},
            {"messageMe": {"messageMeUrl": "", "showButtonTo": "everyone"}},
            {"messageMe": {"messageMeUrl": "https://example.org", "showButtonTo": "x" * 101}},
            {"messageMe": {"messageMeUrl": "https://example.org"}},
        ],
    ),
    "site.standard.document": (
        {"site": "https://example.org", "title": "a", "publishedAt": WHEN},
        [
            {"site": "nonsense"},
            {"site": _LIST},
            {"title": "x" * 501},
            {"publishedAt": "now"},
            {"updatedAt": WHEN, "path": "/a", "textContent": "b", "description": "c", "tags": ["d"]},
            {"tags": ["x" * 129]},
            {"description": "x" * 3001},
            {"content": {"$type": "org.example.content", "n": 1}},
            {"content": {"n": 1}},
            {"links": {"$type": "org.example.links"}},
            {"contributors": [{"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "displayName": "A", "role": "b"}]},
            {"contributors": [{"displayName": "A"}]},
            {"contributors": [{"did": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "role": "x" * 101}]},
            {"labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "a"}]}},
            {"labels": {"$type": "com.atproto.label.defs#selfLabels", "values": "a"}},
            {"bskyPostRef": {"uri": _LIST, "cid": NO_COMMIT}},
            {"bskyPostRef": {"uri": _LIST}},
        ],
    ),
    "site.standard.publication": (
        {"url": "https://example.org", "name": "a"},
        [
            {"url": "nonsense"},
            {"name": "x" * 501},
            {"basicTheme": {"$type": "site.standard.theme.basic", **_THEME}},
            {"basicTheme": _THEME},
            {"preferences": {"showInDiscover": False}},
            {"preferences": {}},
            {"preferences": {"showInDiscover": 1}},
        ],
    ),
    "site.standard.graph.recommend": ({"document": _LIST, "createdAt": WHEN}, [{"document": "a"}, {"createdAt": None}]),
    "site.standard.graph.subscription": (
        {"publication": _LIST},
        [{"createdAt": WHEN}, {"createdAt": "now"}, {"publication": 1}],
    ),
    "site.standard.theme.basic": (
        _THEME,
        [
            {"accent": {**_RED, "r": 256}},
            {"accent": {**_RED, "g": -1}},
            {"accent": {"r": 1, "g": 1, "b": 1}},
            {"accent": {"$type": "org.example.colour"}},
            {"accent": None},
        ],
    ),
}


async def other_apps(side: Side) -> None:
    """Records of other apps whose types the reference knows, valid and invalid."""
    eva, _ = await side.person("others")
    for collection, (valid, changes) in OTHER_APPS.items():
        for number, change in enumerate([{}, *changes]):
            for validate in ({}, {"validate": True}):
                record = {"$type": collection, **valid, **change}
                body = {"repo": eva.did, "collection": collection, "record": record, **validate}
                if collection.endswith("declaration"):
                    body["rkey"] = "self"
                await side.post(
                    f"{collection} {number} {validate}",
                    f"{_REPO}.putRecord",
                    {"rkey": f"3jzfcijpj2z{'abcdefghijklmnopqrstuvwxyz'[number]}a", **body},
                    eva.access,
                )
        body = {"repo": eva.did, "collection": collection, "rkey": "other", "record": {"$type": collection, **valid}}
        await side.post(f"{collection} at another key", f"{_REPO}.createRecord", body, eva.access)


# Keys with a slur in every spelling that the rules know, and keys that only nearly have one.
OFFENSIVE_KEYS = (
    *("tr4nny", "TR4NNY", "tRaNny", "t.r.a-n_n.y", "a_tranny", "a.tranny", "a~tranny", "a:tranny", "granny", "atranny"),
    *("tranny1", "trannies", "t~r~a~n~n~y", "3jzfctr4nny2a"),
)


async def offensive_keys(side: Side) -> None:
    """Record keys with slurs, in all methods that write, and deletions of such keys."""
    ben, _ = await side.person("offence")
    for key in OFFENSIVE_KEYS:
        place = {"repo": ben.did, "collection": NOTE, "rkey": key}
        body = {**place, "record": {"$type": NOTE}}
        await side.post(f"createRecord at {key}", f"{_REPO}.createRecord", body, ben.access)
        await side.post(f"putRecord at {key}", f"{_REPO}.putRecord", {**body, "validate": False}, ben.access)
        for action in ("create", "update"):
            write = {
                "$type": f"{_REPO}.applyWrites#{action}",
                "collection": NOTE,
                "rkey": f"{key}1" if action == "create" else key,
                "value": {"$type": NOTE, "n": 1},
            }
            body = {"repo": ben.did, "writes": [write]}
            await side.post(f"applyWrites#{action} at {key}", f"{_REPO}.applyWrites", body, ben.access)
        await side.post(f"deleteRecord at {key}", f"{_REPO}.deleteRecord", place, ben.access)


async def record_keys(side: Side) -> None:
    """Record keys that are invalid, not allowed for a type, already used, or absent."""
    ben, _ = await side.person("ben")
    note, post = {"$type": NOTE}, {"$type": POST, "text": "a", "createdAt": WHEN}
    profile = {"$type": "app.bsky.actor.profile", "displayName": "Ben"}
    for key in ("", ".", "..", "a/b", "a b", "a#b", "a" * 512, "a" * 513, "é", "self", "3jzfcijpj2z2a", "a:b", "~_.-"):
        body = {"repo": ben.did, "collection": NOTE, "rkey": key, "record": note}
        await side.post(f"a note at {key[:20]!r} ({len(key)})", f"{_REPO}.createRecord", body, ben.access)
        await side.post(f"a note put at {key[:20]!r} ({len(key)})", f"{_REPO}.putRecord", body, ben.access)
    await side.post(
        "a key that is taken",
        f"{_REPO}.createRecord",
        {"repo": ben.did, "collection": NOTE, "rkey": "self", "record": note},
        ben.access,
    )
    for key in ("self", "other", "3jzfcijpj2z2a"):
        for record in (post, profile):
            body = {"repo": ben.did, "collection": record["$type"], "rkey": key, "record": record}
            await side.post(f"{record['$type']} put at {key}", f"{_REPO}.putRecord", body, ben.access)
            free = {**body, "validate": False}
            await side.post(f"{record['$type']} put at {key}, not validated", f"{_REPO}.putRecord", free, ben.access)
    for validate in ({}, {"validate": True}, {"validate": False}):
        body = {"repo": ben.did, "collection": profile["$type"], "record": profile, **validate}
        await side.post(f"a profile without a key {validate}", f"{_REPO}.createRecord", body, ben.access)


async def repositories_and_collections(side: Side) -> None:
    """Writes to one's own and to other repositories, and to different collections."""
    ben, app = await side.person("ben")
    carol, _ = await side.person("carol")
    for what, repo in {
        "a handle": "ben.test",
        "capitals": "BEN.test",
        "another": carol.did,
        "nobody": "nobody.test",
    }.items():
        body = {"repo": repo, "collection": NOTE, "record": {"$type": NOTE}}
        await side.post(f"repo is {what}", f"{_REPO}.createRecord", body, ben.access)
        await side.post(f"repo is {what}, by an app", f"{_REPO}.createRecord", body, app.access)
        gone = {"repo": repo, "collection": NOTE, "rkey": "nothing"}
        await side.post(f"deleting where repo is {what}", f"{_REPO}.deleteRecord", gone, ben.access)
    for collection in ("note", "org.example", "Org.Example.Note", "org.example.note#x", "org.example." + "x" * 300):
        body = {"repo": ben.did, "collection": collection, "record": {"$type": collection}}
        await side.post(f"the collection {collection[:30]}", f"{_REPO}.createRecord", body, ben.access)


async def swaps(side: Side) -> None:
    """Swaps: the state that a write expects to find."""
    dora, _ = await side.person("dora")
    body = {"repo": dora.did, "collection": NOTE, "rkey": "swap", "record": {"$type": NOTE, "n": 1}}
    made = await side.post("a first", f"{_REPO}.putRecord", body, dora.access)
    cid = made["cid"]
    for method in ("createRecord", "putRecord", "deleteRecord", "applyWrites"):
        base: dict[str, Any] = {"repo": dora.did, "collection": NOTE, "rkey": "swap"}
        if method == "applyWrites":
            base = {"repo": dora.did, "writes": [_write("create", rkey="other", value={"$type": NOTE})]}
        elif method == "createRecord":
            base = {"repo": dora.did, "collection": NOTE, "record": {"$type": NOTE}}
        elif method == "putRecord":
            base["record"] = {"$type": NOTE, "n": 2}
        for what, commit in {"wrong": NO_COMMIT, "no CID": "nonsense", "raw": NOT_HERE}.items():
            label = f"{method} where swapCommit is {what}"
            await side.post(label, f"{_REPO}.{method}", {**base, "swapCommit": commit}, dora.access)
    for what, expected in {"wrong": NO_COMMIT, "null": None, "no CID": "nonsense"}.items():
        sent = {**body, "record": {"$type": NOTE, "n": 3}, "swapRecord": expected}
        await side.post(f"putRecord where swapRecord is {what}", f"{_REPO}.putRecord", sent, dora.access)
        gone = {"repo": dora.did, "collection": NOTE, "rkey": "swap", "swapRecord": expected}
        if expected is not None:
            await side.post(f"deleteRecord where swapRecord is {what}", f"{_REPO}.deleteRecord", gone, dora.access)
    fresh = {**body, "rkey": "fresh"}
    await side.post("putRecord of nothing yet", f"{_REPO}.putRecord", {**fresh, "swapRecord": cid}, dora.access)
    await side.post("putRecord of nothing, null", f"{_REPO}.putRecord", {**fresh, "swapRecord": None}, dora.access)
    right = {**body, "record": {"$type": NOTE, "n": 4}, "swapRecord": cid}
    await side.post("putRecord where swapRecord is right", f"{_REPO}.putRecord", right, dora.access)
    same = {**body, "record": {"$type": NOTE, "n": 4}}
    await side.post("putRecord of the same", f"{_REPO}.putRecord", same, dora.access)
    gone = {"repo": dora.did, "collection": NOTE, "rkey": "swap"}
    await side.post("deleteRecord", f"{_REPO}.deleteRecord", gone, dora.access)
    await side.post("deleteRecord again", f"{_REPO}.deleteRecord", gone, dora.access)
    await side.post("deleteRecord expecting one", f"{_REPO}.deleteRecord", {**gone, "swapRecord": cid}, dora.access)


def _write(action: str, **more: Any) -> dict[str, Any]:
    return {"$type": f"com.atproto.repo.applyWrites#{action}", "collection": NOTE, **more}


async def apply_writes(side: Side) -> None:
    """Several writes succeed in one commit or not at all."""
    dora, _ = await side.person("dora")
    value = {"$type": NOTE, "n": 1}
    lists: dict[str, list[Any]] = {
        "a create": [_write("create", value=value)],
        "a create with a key": [_write("create", rkey="one", value=value)],
        "a create of a key that is taken": [_write("create", rkey="one", value=value)],
        "an update": [_write("update", rkey="one", value={**value, "n": 2})],
        "an update to the same": [_write("update", rkey="one", value={**value, "n": 2})],
        "an update of nothing": [_write("update", rkey="nothing", value=value)],
        "a delete of nothing": [_write("delete", rkey="nothing")],
        "two of one key": [_write("create", rkey="two", value=value), _write("delete", rkey="two")],
        "one twice": [_write("create", rkey="three", value=value), _write("create", rkey="three", value=value)],
        "a right and a wrong": [_write("create", rkey="four", value=value), _write("delete", rkey="nothing")],
        "an action that nobody knows": [{"$type": "com.atproto.repo.applyWrites#move", "collection": NOTE}],
        "no $type": [{"collection": NOTE, "rkey": "five", "value": value}],
        "a short $type": [{"$type": "#create", "collection": NOTE, "value": value}],
        "a value of another type": [_write("create", value={"$type": "org.example.other"})],
        "a value without $type": [_write("create", value={"n": 1})],
        "no value": [_write("create")],
        "no list of objects": [5],
        "200": [_write("create", rkey=f"many-{number}", value=value) for number in range(200)],
        "201": [_write("create", rkey=f"more-{number}", value=value) for number in range(201)],
        "a delete": [_write("delete", rkey="one")],
        "a post": [{**_write("create", value={"$type": POST, "text": "a", "createdAt": WHEN}), "collection": POST}],
        "a bad post": [{**_write("create", value={"$type": POST, "text": 5}), "collection": POST}],
    }
    for what, writes in lists.items():
        await side.post(what, f"{_REPO}.applyWrites", {"repo": dora.did, "writes": writes}, dora.access)
    for validate in (True, False):
        for what in ("a post", "a bad post", "a create", "a value of another type"):
            body = {"repo": dora.did, "writes": lists[what], "validate": validate}
            await side.post(f"{what}, validate {validate}", f"{_REPO}.applyWrites", body, dora.access)


async def duplicates(side: Side) -> None:
    """Two likes, reposts, follows, blocks and list items with the same subject."""
    dora, _ = await side.person("dora")
    somebody = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
    post = {"uri": f"at://{somebody}/{POST}/3jzfcijpj2z2a", "cid": NO_COMMIT}
    moments = (f"2020-01-01T00:00:{second:02}.000Z" for second in range(60))
    for collection, subject in {
        "app.bsky.feed.like": post,
        "app.bsky.feed.repost": post,
        "app.bsky.graph.follow": somebody,
        "app.bsky.graph.block": somebody,
        "app.bsky.graph.listitem": somebody,
    }.items():
        record: dict[str, Any] = {"$type": collection, "subject": subject}
        if collection.endswith("listitem"):
            record["list"] = f"at://{somebody}/app.bsky.graph.list/3jzfcijpj2z2a"
        for how in ({}, {"validate": False}, {"validate": True}, {"rkey": "3jzfcijpj2z2b"}):
            body = {"repo": dora.did, "collection": collection, "record": {**record, "createdAt": next(moments)}, **how}
            await side.post(f"{collection} {how}", f"{_REPO}.createRecord", body, dora.access)
            label = f"{collection} after {how}"
            await side.get(label, f"{_REPO}.listRecords", repo=dora.did, collection=collection)


async def duplicates_in_any_order(side: Side) -> None:
    """Likes and follows that creations, puts, deletions, batches and imports of an earlier state leave, and what a
    creation replaces then.
    """
    dora, _ = await side.person("dedup")
    somebody = "did:plc:aaaaaaaaaaaaaaaaaaaaaaa"
    subjects: dict[str, list[Any]] = {
        "app.bsky.feed.like": [{"uri": f"at://{somebody}a/{POST}/{key}", "cid": NO_COMMIT} for key in ("one", "two")],
        "app.bsky.graph.follow": [f"{somebody}{letter}" for letter in "ab"],
    }
    chance = random.Random(1)
    car_type = {**dora.access, "content-type": "application/vnd.ipld.car"}
    before = b""
    for step in range(80):
        collection = chance.choice(list(subjects))
        # Each has its own content: the reference loses the block of a record that equals the one that it replaces.
        when = f"2020-01-01T00:{step // 60:02}:{step % 60:02}.000Z"
        record = {"$type": collection, "subject": chance.choice(subjects[collection]), "createdAt": when}
        taken = {row["uri"].rpartition("/")[2] for row in await _records(side, dora.did, collection)}
        free = next(key for number in range(100) if (key := f"3jzfcijpj2z{number:02}".translate(_TID)) not in taken)
        one = {"repo": dora.did, "collection": collection, "rkey": free}
        kind = chance.choice(["create", "create", "create unchecked", "put", "put over", "delete", "batch", "import"])
        label = f"{step} {kind}"
        match kind:
            case "create" | "create unchecked":
                more = {"record": record} | ({} if kind == "create" else {"validate": False})
                await side.post(label, f"{_REPO}.createRecord", one | more, dora.access)
            case "put" | "put over":
                rkey = min(taken | {free}) if kind == "put over" else free
                await side.post(label, f"{_REPO}.putRecord", {**one, "rkey": rkey, "record": record}, dora.access)
            case "delete":
                await side.post(label, f"{_REPO}.deleteRecord", {**one, "rkey": min(taken | {free})}, dora.access)
            case "batch":
                writes = [{**_write("create", rkey=free, value=record), "collection": collection}]
                await side.post(label, f"{_REPO}.applyWrites", {"repo": dora.did, "writes": writes}, dora.access)
            case "import":
                if before:
                    await side.ask(label, "POST", f"{_REPO}.importRepo", content=before, headers=car_type)
                before = (await side.http.get("/xrpc/com.atproto.sync.getRepo", params={"did": dora.did})).content
        for listed in subjects:
            await side.get(f"{label}: {listed}", f"{_REPO}.listRecords", repo=dora.did, collection=listed)
    # A creation at the key of the record that it would replace.
    like = {"$type": "app.bsky.feed.like", "subject": subjects["app.bsky.feed.like"][0], "createdAt": WHEN}
    body = {"repo": dora.did, "collection": "app.bsky.feed.like", "rkey": "3jzfcijpjzzzz", "record": like}
    for number in (1, 2):
        body["record"] = {**like, "createdAt": f"2020-01-01T00:00:0{number}.000Z"}
        await side.post(f"at one key {number}", f"{_REPO}.createRecord", body, dora.access)


_TID = str.maketrans("0189", "wxyz")


async def _records(side: Side, did: str, collection: str) -> list[Any]:
    params = {"repo": did, "collection": collection, "limit": "100"}
    answer = await side.http.get(
        f"/xrpc/{_REPO}.listRecords", params=params, headers={"x-ratelimit-bypass": BYPASS_KEY}
    )
    return list(answer.json()["records"])


_NO_BLOB = {"$type": "blob", "ref": {"$link": NOT_HERE}, "mimeType": "text/plain", "size": 5}


async def blobs(side: Side) -> None:
    """Uploads, records that refer to blobs, and downloads."""
    dora, app = await side.person("dora")
    uploaded: dict[str, Any] = {}
    png = b"\x89PNG\r\n\x1a\n" + bytes(50)
    for what, content, mime in (
        ("empty", b"", "image/png"),
        ("text", b"some text", "text/plain"),
        ("text with charset", b"some other text", "text/plain; charset=utf-8"),
        ("html", b"<script>alert(1)</script>", "text/html"),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        ("a picture said to be text", png, "text/plain"),
        ("a picture", png, "image/png"),
        ("any", b"anything", "*/*"),
        ("nonsense as type", b"more", "nonsense"),
        ("octets", b"octets", "application/octet-stream"),
        ("JSON", b'{"a":1}', "application/json"),
        ("too large", bytes(5 * 1024 * 1024 + 1), "application/octet-stream"),
    ):
        headers = {**dora.access, "content-type": mime}
        answer = await side.ask(what, "POST", f"{_REPO}.uploadBlob", content=content, headers=headers)
        uploaded[what] = answer.json().get("blob") or _NO_BLOB
    headers = {**app.access, "content-type": "text/plain"}
    await side.ask("by an app", "POST", f"{_REPO}.uploadBlob", content=b"of an app", headers=headers)
    waiting = uploaded["octets"]["ref"]["$link"]
    await side.get("a blob that waits for its record", "com.atproto.sync.getBlob", did=dora.did, cid=waiting)
    for what, blob in uploaded.items():
        variants = {
            "": blob,
            ", another size": {**blob, "size": 1},
            ", another type": {**blob, "mimeType": "image/gif"},
        }
        for variant, one in variants.items():
            body = {"repo": dora.did, "collection": NOTE, "record": {"$type": NOTE, "file": one}}
            await side.post(f"a record with {what}{variant}", f"{_REPO}.createRecord", body, dora.access)
        cid = blob["ref"]["$link"]
        await side.get(f"fetching {what}", "com.atproto.sync.getBlob", did=dora.did, cid=cid)
    profile = {"$type": "app.bsky.actor.profile", "avatar": uploaded["text"]}
    body = {"repo": dora.did, "collection": "app.bsky.actor.profile", "rkey": "self", "record": profile}
    await side.post("an avatar that is a text", f"{_REPO}.putRecord", body, dora.access)
    cid = uploaded["text"]["ref"]["$link"]
    path = f"/xrpc/com.atproto.sync.getBlob?did={dora.did}&cid={cid}"
    await side.ask("HEAD of a blob", "HEAD", path)
    await side.get("the blobs of a repository", "com.atproto.sync.listBlobs", did=dora.did)
    await side.get("a blob that nobody has", "com.atproto.sync.getBlob", did=dora.did, cid=NOT_HERE)
    await side.get("blobs that are missing", f"{_REPO}.listMissingBlobs", headers=dora.access)


GROUPS = {
    "createRecord oddities": create_record,
    "record keys": record_keys,
    "offensive record keys": offensive_keys,
    "records of other apps": other_apps,
    "repositories and collections": repositories_and_collections,
    "swaps": swaps,
    "applyWrites oddities": apply_writes,
    "duplicates": duplicates,
    "duplicates in any order": duplicates_in_any_order,
    "blobs": blobs,
}
