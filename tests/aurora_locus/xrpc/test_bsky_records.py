"""The records that common apps write: good ones are valid, known bad ones are refused and not stored."""

from typing import Any

import pytest

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from at_protocol.lexicon.document import RecordType
from at_protocol.syntax.nsid import Nsid
from aurora_locus.repository.prepare import ANY_KEY
from aurora_locus.repository.reader import all_entries
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from tests.aurora_locus.hosted_repository import CATALOG, HostedRepository, verify_log
from tests.aurora_locus.xrpc.conftest import Client

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

REPO = "com.atproto.repo"
AT = "2026-03-01T12:00:00.000Z"
BEN = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
CID = "bafyreie5cvv4h45feadgeuwhbcutmh6t2ceseocckahdoe6uat64zmz454"
POST_URI = f"at://{BEN}/app.bsky.feed.post/3jzfcijpj2z2a"
LIST_URI = f"at://{BEN}/app.bsky.graph.list/3jzfcijpj2z2a"
POST = {"uri": POST_URI, "cid": CID}

# Collection, key, a good record, and bad variants: the fields to replace (... removes one).
RECORDS: list[tuple[str, str | None, dict[str, Any], list[dict[str, Any]]]] = [
    (
        "app.bsky.feed.post",
        None,
        {
            "text": "hello @ben",
            "createdAt": AT,
            "langs": ["en"],
            "facets": [
                {
                    "index": {"byteStart": 6, "byteEnd": 10},
                    "features": [{"$type": "app.bsky.richtext.facet#mention", "did": BEN}],
                }
            ],
            "reply": {"root": POST, "parent": POST},
            "embed": {"$type": "app.bsky.embed.record", "record": POST},
        },
        [
            {"text": "x" * 3001},
            {"text": "👩‍👩‍👧" * 301},
            {"text": ...},
            {"createdAt": "yesterday"},
            {"createdAt": ...},
            {"langs": ["not a language!"]},
            {"langs": ["en"] * 4},
            {"reply": {"root": POST}},
            {"embed": {"record": POST}},
            {"embed": {"$type": "app.bsky.embed.images", "images": [{"image": "x", "alt": ""}]}},
            {"facets": [{"index": {"byteStart": -1, "byteEnd": 3}, "features": []}]},
            {"tags": ["x" * 641]},
        ],
    ),
    ("app.bsky.feed.like", None, {"subject": POST, "createdAt": AT}, [{"subject": POST_URI}, {"subject": ...}]),
    ("app.bsky.feed.repost", None, {"subject": POST, "createdAt": AT}, [{"subject": {"uri": POST_URI}}]),
    ("app.bsky.graph.follow", None, {"subject": BEN, "createdAt": AT}, [{"subject": "ben.test"}, {"createdAt": ...}]),
    ("app.bsky.graph.block", None, {"subject": BEN, "createdAt": AT}, [{"subject": POST_URI}]),
    (
        "app.bsky.graph.list",
        None,
        {"purpose": "app.bsky.graph.defs#modlist", "name": "a list", "createdAt": AT},
        [{"name": ""}, {"name": "x" * 65}, {"purpose": ...}],
    ),
    (
        "app.bsky.graph.listitem",
        None,
        {"subject": BEN, "list": LIST_URI, "createdAt": AT},
        [{"list": "not a uri"}, {"subject": ...}],
    ),
    ("app.bsky.graph.listblock", None, {"subject": LIST_URI, "createdAt": AT}, [{"subject": BEN}]),
    (
        "app.bsky.graph.starterpack",
        None,
        {"name": "people", "list": LIST_URI, "createdAt": AT, "feeds": [{"uri": POST_URI}]},
        [{"name": ""}, {"feeds": [{"uri": POST_URI}] * 4}],
    ),
    (
        "app.bsky.graph.verification",
        None,
        {"subject": BEN, "handle": "ben.test", "displayName": "Ben", "createdAt": AT},
        [{"handle": "not a handle"}, {"displayName": ...}],
    ),
    (
        "app.bsky.actor.profile",
        "self",
        {"displayName": "Ana", "description": "hi", "pinnedPost": POST},
        [{"displayName": "x" * 641}, {"displayName": "é" * 65}, {"avatar": "x"}, {"pinnedPost": POST_URI}],
    ),
    (
        "app.bsky.actor.status",
        "self",
        {"status": "app.bsky.actor.status#live", "createdAt": AT, "durationMinutes": 10},
        [{"durationMinutes": 0}, {"durationMinutes": "10"}],
    ),
    (
        "app.bsky.feed.generator",
        None,
        {"did": "did:web:feeds.example.org", "displayName": "cats", "createdAt": AT},
        [{"did": "feeds.example.org"}, {"displayName": "x" * 241}],
    ),
    (
        "app.bsky.feed.threadgate",
        None,
        {"post": POST_URI, "createdAt": AT, "allow": [{"$type": "app.bsky.feed.threadgate#mentionRule"}]},
        [{"allow": [{}]}, {"allow": [{"$type": "app.bsky.feed.threadgate#mentionRule"}] * 6}],
    ),
    (
        "app.bsky.feed.postgate",
        None,
        {"post": POST_URI, "createdAt": AT, "detachedEmbeddingUris": [POST_URI]},
        [{"detachedEmbeddingUris": [POST_URI] * 51}, {"post": ...}],
    ),
    (
        "app.bsky.labeler.service",
        "self",
        {"policies": {"labelValues": ["spam"]}, "createdAt": AT},
        [{"policies": {}}, {"policies": ...}],
    ),
    ("app.bsky.notification.declaration", "self", {"allowSubscriptions": "followers"}, [{"allowSubscriptions": ...}]),
    ("chat.bsky.actor.declaration", "self", {"allowIncoming": "following"}, [{"allowIncoming": ...}]),
]


def body(
    ada: HostedRepository, collection: str, rkey: str | None, value: dict[str, Any], **more: Any
) -> dict[str, Any]:
    asked = {"repo": ada.did, "collection": collection, "record": {"$type": collection, **value}, **more}
    return asked if rkey is None else {**asked, "rkey": rkey}


@pytest.mark.parametrize(("collection", "rkey", "good", "bad"), RECORDS, ids=[record[0] for record in RECORDS])
async def test_records_of_common_apps(
    as_ada: Client,
    ada: HostedRepository,
    collection: str,
    rkey: str | None,
    good: dict[str, Any],
    bad: list[dict[str, Any]],
) -> None:
    """Records of known types are validated by default, as apps expect, and not validated only on request."""
    write = f"{REPO}.createRecord" if rkey is None else f"{REPO}.putRecord"
    for validate in ({}, {"validate": True}):
        answer = await as_ada.post(write, body(ada, collection, rkey, good, **validate))
        assert answer.status_code == 200, answer.text
        assert answer.json()["validationStatus"] == "valid"
    unknown = await as_ada.post(write, body(ada, collection, rkey, {**good, "org.example.more": 1}))
    assert unknown.json()["validationStatus"] == "valid"
    head = await ada.repositories.head(ada.did)
    for changes in bad:
        value = {key: kept for key, kept in {**good, **changes}.items() if kept is not ...}
        for validate in ({}, {"validate": True}):
            answer = await as_ada.post(write, body(ada, collection, rkey, value, **validate))
            assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest"), (changes, answer.text)
            assert answer.json()["message"].startswith("The record is not valid: record")
    assert await ada.repositories.head(ada.did) == head


def keys_of(definition: RecordType) -> tuple[str, str]:
    """A key that this record type accepts, and one that it refuses."""
    if definition.key.startswith("literal:"):
        return definition.key.removeprefix("literal:"), "3jzfcijpj2z2a"
    return {"tid": "3jzfcijpj2z2a", "nsid": "org.example.note"}[definition.key], "other"


async def test_every_known_record_type_enforces_its_key(as_ada: Client, ada: HostedRepository) -> None:
    """Every known record type enforces its key, whether or not validation was requested; with validation off any key is
    accepted.
    """
    known = ((Nsid(name), CATALOG.find_record(name)) for name in CATALOG.names())
    bound = {name: one for name, one in known if one is not None and one.key != "any" and name not in ANY_KEY}
    assert len([name for name in bound if name.startswith(("app.bsky.", "chat.bsky."))]) >= 17
    head = await ada.repositories.head(ada.did)
    for name, definition in bound.items():
        good, bad = keys_of(definition)
        for rkey, is_about_the_key in ((good, False), (bad, True)):
            value = {"$type": str(name), "createdAt": 1}
            single = body(ada, name, rkey, value)
            write = {"$type": f"{REPO}.applyWrites#create", "collection": name, "rkey": rkey, "value": value}
            for validate in ({}, {"validate": True}):
                for method, asked in (
                    ("createRecord", single),
                    ("putRecord", single),
                    ("applyWrites", {"repo": ada.did, "writes": [write]}),
                ):
                    answer = await as_ada.post(f"{REPO}.{method}", asked | validate)
                    if is_about_the_key or answer.status_code != 200:
                        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest"), (name, method)
                        said = answer.json()["message"]
                        assert (f"Invalid record key for {name}" in said) is is_about_the_key, (name, said)
    unchecked = await as_ada.post(
        f"{REPO}.putRecord", body(ada, "app.bsky.actor.profile", "other", {"createdAt": AT}, validate=False)
    )
    assert unchecked.status_code == 200
    assert (await ada.repositories.head(ada.did)) != head


async def test_validation_of_one_bad_record_fails_the_batch(as_ada: Client, ada: HostedRepository) -> None:
    kind = f"{REPO}.applyWrites"
    good = {"$type": "app.bsky.feed.like", "subject": POST, "createdAt": AT}
    writes = [
        {"$type": f"{kind}#create", "collection": "app.bsky.feed.like", "value": value}
        for value in (good, {**good, "createdAt": "now"})
    ]
    head = await ada.repositories.head(ada.did)
    answer = await as_ada.post(kind, {"repo": ada.did, "writes": writes})
    assert answer.status_code == 400
    assert "Write 1" in answer.json()["message"]
    assert await ada.repositories.head(ada.did) == head
    unchecked = await as_ada.post(kind, {"repo": ada.did, "writes": writes, "validate": False})
    assert all("validationStatus" not in result for result in unchecked.json()["results"])
    mixed = [writes[0], {"$type": f"{kind}#create", "collection": "org.example.note", "value": {"a": 1}}]
    results = (await as_ada.post(kind, {"repo": ada.did, "writes": mixed})).json()["results"]
    assert [result["validationStatus"] for result in results] == ["valid", "unknown"]


ABOUT = {
    "app.bsky.feed.like": POST,
    "app.bsky.feed.repost": POST,
    "app.bsky.graph.follow": BEN,
    "app.bsky.graph.block": BEN,
}


@pytest.mark.parametrize("collection", ABOUT)
async def test_new_record_replaces_earlier_ones_with_its_subject(
    as_ada: Client, stranger: Client, ada: HostedRepository, db: Database, clock: HandClock, collection: str
) -> None:
    other = {"uri": f"{POST_URI[:-1]}b", "cid": CID} if isinstance(ABOUT[collection], dict) else BEN[:-1] + "c"

    async def create(subject: Any, **more: Any) -> Any:
        record = {"$type": collection, "subject": subject, "createdAt": AT}
        answer = await as_ada.post(f"{REPO}.createRecord", {**body(ada, collection, None, record), **more})
        assert answer.status_code == 200, answer.text
        return answer.json()["uri"]

    async def uris() -> list[str]:
        answer = await stranger.get(f"{REPO}.listRecords", repo=ada.did, collection=collection)
        return [record["uri"] for record in answer.json()["records"]]

    about_other = await create(other)
    unchecked = [await create(ABOUT[collection], validate=False) for _ in range(3)]
    assert await uris() == [*reversed(unchecked), about_other]
    newest = await create(ABOUT[collection])
    assert await uris() == [newest, about_other]
    verified = await verify_log(db, ada.did, ada.key.public, clock.now())
    assert sorted(verified) == sorted(uri.partition(f"{ada.did}/")[2] for uri in (newest, about_other))


async def test_duplicates_beyond_one_commit_are_replaced_in_parts(as_ada: Client, ada: HostedRepository) -> None:
    like = {"$type": "app.bsky.feed.like", "subject": POST, "createdAt": AT}
    kind = f"{REPO}.applyWrites"
    writes = [{"$type": f"{kind}#create", "collection": like["$type"], "value": like}] * 150
    for _ in range(2):
        assert (await as_ada.post(kind, {"repo": ada.did, "writes": writes})).status_code == 200
    for left in (102, 1):  # 300 without 199, then all but the new one
        made = await as_ada.post(f"{REPO}.createRecord", body(ada, "app.bsky.feed.like", None, like))
        assert made.status_code == 200, made.text
        listed = await all_entries(ada.repositories.db, ada.did)
        assert len(listed) == left


NOTE = "org.example.note"
ONE, OTHER = {"$type": NOTE, "n": 1}, {"$type": NOTE, "n": 2}
CID_OF = {"one": str(Cid.for_cbor(cbor.encode(ONE))), "other": str(Cid.for_cbor(cbor.encode(OTHER)))}


# The current state, the swapRecord that is sent, and whether they match.
SWAPS: list[tuple[str | None, str | None, bool]] = [
    (None, "unsent", True),
    (None, None, True),
    (None, "one", False),
    ("one", "unsent", True),
    ("one", None, False),
    ("one", "one", True),
    ("one", "other", False),
]
# deleteRecord does not accept null: one cannot delete a record that must not exist.
MATRIX = [
    (name, *swap)
    for name in ("putRecord", "putRecord-same", "deleteRecord")
    for swap in SWAPS
    if not (name == "deleteRecord" and swap[1] is None)
]


@pytest.mark.parametrize("swap_commit", ["unsent", "present", "stale"])
@pytest.mark.parametrize(("name", "held", "swap_record", "fits"), MATRIX)
async def test_write_succeeds_if_both_swaps_match(
    as_ada: Client,
    ada: HostedRepository,
    name: str,
    held: str | None,
    swap_record: str | None,
    swap_commit: str,
    *,
    fits: bool,
) -> None:
    """A write succeeds if both swaps match. Otherwise it fails with InvalidSwap and writes nothing."""
    stale = str((await ada.repositories.head(ada.did)).commit)
    await as_ada.post(f"{REPO}.createRecord", body(ada, NOTE, "beside", ONE))
    if held is not None:
        await as_ada.post(f"{REPO}.createRecord", body(ada, NOTE, "key", ONE))
    head = await ada.repositories.head(ada.did)
    asked: dict[str, Any] = {"repo": ada.did, "collection": NOTE, "rkey": "key"}
    if swap_record != "unsent":
        asked["swapRecord"] = None if swap_record is None else CID_OF[swap_record]
    if swap_commit != "unsent":
        asked["swapCommit"] = str(head.commit) if swap_commit == "present" else stale
    if name != "deleteRecord":
        asked["record"] = ONE if name == "putRecord-same" else OTHER
    answer = await as_ada.post(f"{REPO}.{name.partition('-')[0]}", asked)
    after = await ada.repositories.head(ada.did)
    if not fits or swap_commit == "stale":
        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidSwap")
        assert after == head
        return
    assert answer.status_code == 200
    changes = held is not None if name == "deleteRecord" else (held is None or name == "putRecord")
    assert (after != head) is changes
    assert answer.json().get("commit", {}).get("rev") == (after.rev if changes else None)


@pytest.mark.parametrize("name", ["createRecord", "applyWrites"])
@pytest.mark.parametrize(("swap_commit", "is_written"), [("unsent", True), ("present", True), ("stale", False)])
async def test_swap_of_the_commit_alone(
    as_ada: Client, ada: HostedRepository, name: str, swap_commit: str, *, is_written: bool
) -> None:
    stale = str((await ada.repositories.head(ada.did)).commit)
    await as_ada.post(f"{REPO}.createRecord", body(ada, NOTE, "beside", ONE))
    head = await ada.repositories.head(ada.did)
    create = {"$type": f"{REPO}.applyWrites#create", "collection": NOTE, "value": ONE}
    asked = {"repo": ada.did, "writes": [create]} if name == "applyWrites" else body(ada, NOTE, None, ONE)
    if swap_commit != "unsent":
        asked["swapCommit"] = str(head.commit) if swap_commit == "present" else stale
    answer = await as_ada.post(f"{REPO}.{name}", asked)
    if is_written:
        assert answer.json()["commit"]["rev"] > head.rev
    else:
        assert (answer.status_code, answer.json()["error"]) == (400, "InvalidSwap")
        assert await ada.repositories.head(ada.did) == head
