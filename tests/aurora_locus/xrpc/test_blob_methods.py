"""The life of a blob over real sockets: uploaded, referred to, public, deleted."""

import asyncio
import gzip
from typing import Any

import pytest

from at_protocol.data.cid import Cid
from aurora_locus.blobs.sweep import sweep
from aurora_locus.blobs.uploads import object_name
from groundwork.clock import HOUR, MINUTE, HandClock, Instant
from groundwork.errors import NotFound
from tests.aurora_locus.conftest import LIMITS
from tests.aurora_locus.hosted_repository import NOTE, HostedRepository
from tests.aurora_locus.xrpc.conftest import Client
from tests.aurora_locus.xrpc.refusals import refusal_of
from tests.timeouts import TIMEOUT_SECONDS

REPO = "com.atproto.repo"
SYNC = "com.atproto.sync"
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 1000


async def uploaded(client: Client, content: bytes = PNG, content_type: str | None = "text/plain") -> dict[str, Any]:
    answer = await client.upload(content, content_type)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["blob"])


def body(did: str, rkey: str, *blobs: dict[str, Any]) -> dict[str, Any]:
    return {"repo": did, "collection": NOTE, "rkey": rkey, "record": {"pictures": list(blobs)}}


async def has_file(person: HostedRepository, cid: str) -> bool:
    await person.repositories.blobs.wait_for_removals()
    try:
        return await person.repositories.blobs.store.size(object_name(person.did, Cid.parse(cid))) >= 0
    except NotFound:
        return False


async def test_upload_is_named_measured_and_sniffed(as_ada: Client):
    blob = await uploaded(as_ada)
    assert blob == {
        "$type": "blob",
        "ref": {"$link": str(Cid.for_raw(PNG))},
        "mimeType": "image/png",
        "size": len(PNG),
    }


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        ("text/HTML; charset=utf-8", "text/html"),
        ("no type/at all", "application/octet-stream"),
    ],
)
async def test_unrecognised_bytes_have_the_declared_type(as_ada: Client, declared: str, stored: str):
    assert (await uploaded(as_ada, b"<p>hello", declared))["mimeType"] == stored


@pytest.mark.parametrize("declared", [{}, {"content-type": ""}, {"content-type": "nonsense"}])
async def test_upload_without_a_media_type_is_refused(as_ada: Client, declared: dict[str, str]):
    headers = {**as_ada.headers, **declared}
    answer = await as_ada.http.post(f"/xrpc/{REPO}.uploadBlob", content=PNG, headers=headers)
    refusal_of(answer, "InvalidRequest")


async def test_empty_blob(as_ada: Client):
    assert (await uploaded(as_ada, b""))["size"] == 0


async def test_blob_is_public_once_a_record_refers_to_it(as_ada: Client, stranger: Client, ada: HostedRepository):
    blob = await uploaded(as_ada)
    cid = blob["ref"]["$link"]
    refusal_of(await stranger.get(f"{SYNC}.getBlob", did=ada.did, cid=cid), "BlobNotFound")
    assert (await stranger.get(f"{SYNC}.listBlobs", did=ada.did)).json() == {"cids": []}
    assert (await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", blob))).status_code == 200
    answer = await stranger.get(f"{SYNC}.getBlob", did=ada.did, cid=cid)
    assert answer.content == PNG
    assert (await stranger.get(f"{SYNC}.listBlobs", did=ada.did)).json() == {"cids": [cid]}


async def test_browser_is_told_to_download(as_ada: Client, stranger: Client, ada: HostedRepository):
    blob = await uploaded(as_ada, b"<script>alert(1)</script>", "text/html")
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", blob))
    cid = blob["ref"]["$link"]
    headers = (await stranger.get(f"{SYNC}.getBlob", did=ada.did, cid=cid)).headers
    assert headers["content-disposition"] == f'attachment; filename="{cid}"'
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["content-type"] == "text/html"
    assert headers["content-length"] == "25"


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        ("bytes=0-3", 206, PNG[:4]),
        ("bytes=10-", 206, PNG[10:]),
        ("bytes=-5", 206, PNG[-5:]),
        ("bytes=0-999999", 206, PNG),
        ("bytes=99999-", 416, b""),
        ("bytes=5-3", 200, PNG),
        ("lines=1-2", 200, PNG),
    ],
)
async def test_part_of_a_blob(
    as_ada: Client, stranger: Client, ada: HostedRepository, header: str, status: int, part: bytes
):
    blob = await uploaded(as_ada)
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", blob))
    ranged = Client(stranger.http, {"range": header})
    answer = await ranged.get(f"{SYNC}.getBlob", did=ada.did, cid=blob["ref"]["$link"])
    assert (answer.status_code, answer.content) == (status, part)


async def test_unchanged_blob_is_not_sent_again(as_ada: Client, stranger: Client, ada: HostedRepository):
    """A cache that has the blob gets no body, and no length, which it could take for that of the blob."""
    blob = await uploaded(as_ada)
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", blob))
    cid = blob["ref"]["$link"]
    cache = Client(stranger.http, {"if-none-match": f'"{cid}"'})
    answer = await cache.get(f"{SYNC}.getBlob", did=ada.did, cid=cid)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", f'"{cid}"')
    assert "content-length" not in answer.headers


async def test_blob_is_kept_while_a_record_refers_to_it(as_ada: Client, stranger: Client, ada: HostedRepository):
    blob = await uploaded(as_ada)
    cid = blob["ref"]["$link"]
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", blob, blob))
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "b", blob))
    await as_ada.post(f"{REPO}.deleteRecord", {"repo": ada.did, "collection": NOTE, "rkey": "a"})
    assert (await stranger.get(f"{SYNC}.getBlob", did=ada.did, cid=cid)).status_code == 200
    await as_ada.post(f"{REPO}.putRecord", body(ada.did, "b"))
    refusal_of(await stranger.get(f"{SYNC}.getBlob", did=ada.did, cid=cid), "BlobNotFound")
    assert not await has_file(ada, cid)
    refusal_of(await as_ada.post(f"{REPO}.createRecord", body(ada.did, "c", blob)), "BlobNotFound")


async def test_update_that_keeps_a_blob_keeps_it(as_ada: Client, stranger: Client, ada: HostedRepository):
    blob = await uploaded(as_ada)
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", blob))
    changed = body(ada.did, "a", blob)
    changed["record"]["text"] = "changed"
    await as_ada.post(f"{REPO}.putRecord", changed)
    assert (await stranger.get(f"{SYNC}.getBlob", did=ada.did, cid=blob["ref"]["$link"])).content == PNG


async def test_same_bytes_of_two_people_are_two_blobs(
    as_ada: Client, as_ben: Client, stranger: Client, ada: HostedRepository, ben: HostedRepository
):
    blob = await uploaded(as_ada)
    refusal_of(await as_ben.post(f"{REPO}.createRecord", body(ben.did, "b", blob)), "BlobNotFound")
    await uploaded(as_ben)
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", blob))
    await as_ben.post(f"{REPO}.createRecord", body(ben.did, "b", blob))
    await as_ada.post(f"{REPO}.deleteRecord", {"repo": ada.did, "collection": NOTE, "rkey": "a"})
    cid = blob["ref"]["$link"]
    assert (await stranger.get(f"{SYNC}.getBlob", did=ben.did, cid=cid)).content == PNG
    assert await has_file(ben, cid)
    assert not await has_file(ada, cid)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"size": 5}, "InvalidSize"),
        ({"mimeType": "image/jpeg"}, "InvalidMimeType"),
        ({"size": -1}, "InvalidRequest"),
        ({"size": "10"}, "InvalidRequest"),
        ({"mimeType": ""}, "InvalidRequest"),
        ({"more": 1}, "InvalidRequest"),
        ({"ref": {"$link": str(Cid.for_cbor(PNG))}}, "InvalidRequest"),
        ({"ref": {"$link": str(Cid.for_raw(b"other"))}}, "BlobNotFound"),
    ],
)
async def test_record_must_describe_its_blob(as_ada: Client, ada: HostedRepository, change: dict[str, Any], name: str):
    blob = {**await uploaded(as_ada), **change}
    refusal_of(await as_ada.post(f"{REPO}.createRecord", {**body(ada.did, "a", blob), "validate": False}), name)


async def test_legacy_blob_reference_is_refused(as_ada: Client, ada: HostedRepository):
    blob = await uploaded(as_ada)
    old = {"cid": blob["ref"]["$link"], "mimeType": "image/png"}
    refusal_of(await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", old)), "InvalidRequest")


async def test_upload_that_is_too_large_or_over_quota_is_refused(as_ada: Client):
    refusal_of(await as_ada.upload(b"x" * (LIMITS.max_blob_bytes + 1)), "PayloadTooLarge", 413)
    for number in range(10):
        await uploaded(as_ada, bytes([number]) * LIMITS.max_blob_bytes)
    refusal_of(await as_ada.upload(b"one more"), "BlobQuotaExceeded", 413)


async def begin_upload(served: str, client: Client, *more: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = served.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = (
        f"POST /xrpc/{REPO}.uploadBlob HTTP/1.1",
        "host: localhost",
        f"authorization: {client.headers['authorization']}",
        "content-type: text/plain",
        *more,
    )
    writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    return reader, writer


async def test_upload_without_length_is_stopped_at_the_limit(served: str, as_ada: Client, ada: HostedRepository):
    """An upload without a length is refused at the limit, while the body is still being sent."""
    reader, writer = await begin_upload(served, as_ada, "transfer-encoding: chunked")
    for _ in range(LIMITS.max_blob_bytes // 10_000 + 1):
        writer.write(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
    async with asyncio.timeout(TIMEOUT_SECONDS):
        assert b" 413 " in await reader.readline()
    writer.close()
    async with ada.repositories.db.reader() as r:
        assert await r.fetch("select 1 from blobs") == []


@pytest.mark.parametrize("encoding", ["gzip", "br"])
async def test_a_compressed_upload_is_stored_as_it_was(as_ada: Client, ada: HostedRepository, encoding: str):
    """The blob is what was compressed, and the limit counts its bytes."""
    compress = gzip.compress if encoding == "gzip" else pytest.importorskip("brotli").compress
    headers = {**as_ada.headers, "content-type": "text/plain", "content-encoding": encoding}
    path = f"/xrpc/{REPO}.uploadBlob"
    stored = await as_ada.http.post(path, content=compress(PNG), headers=headers)
    assert stored.status_code == 200, stored.text
    assert stored.json()["blob"]["ref"] == {"$link": str(Cid.for_raw(PNG))}
    assert stored.json()["blob"]["size"] == len(PNG)
    bomb = await as_ada.http.post(path, content=compress(bytes(LIMITS.max_blob_bytes + 1)), headers=headers)
    assert bomb.status_code == 413
    async with ada.repositories.db.reader() as reader:
        assert len(await reader.fetch("select 1 from blobs")) == 1


async def test_upload_that_breaks_off_leaves_nothing(served: str, as_ada: Client, ada: HostedRepository):
    reader, writer = await begin_upload(served, as_ada, "content-length: 1000")
    writer.write(b"half")
    await writer.drain()
    writer.close()
    await reader.read()
    async with ada.repositories.db.reader() as r:
        assert await r.fetch("select 1 from blobs") == []


async def test_unreferenced_upload_is_removed_after_the_grace_period(
    as_ada: Client, ada: HostedRepository, clock: HandClock
):
    forgotten, used = await uploaded(as_ada), await uploaded(as_ada, b"used")
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "a", used))
    blobs = ada.repositories.blobs
    clock.turn(59 * MINUTE)
    assert await sweep(blobs, clock.now(), grace=0) == 0
    clock.turn(2 * MINUTE)
    assert await sweep(blobs, clock.now(), grace=0) == 1
    assert not await has_file(ada, forgotten["ref"]["$link"])
    assert await has_file(ada, used["ref"]["$link"])


async def test_sweep_and_record_at_once_leave_no_reference_without_blob(
    as_ada: Client, ada: HostedRepository, clock: HandClock
):
    """A sweep and a record at the same time leave no reference without a blob: the record finds its blob or is refused."""
    blobs = [await uploaded(as_ada, b"picture %d" % number) for number in range(20)]
    later = Instant(clock.now() + 2 * HOUR)
    answers, _ = await asyncio.gather(
        asyncio.gather(
            *(as_ada.post(f"{REPO}.createRecord", body(ada.did, f"r{i}", blob)) for i, blob in enumerate(blobs))
        ),
        sweep(ada.repositories.blobs, later, grace=0),
    )
    for answer, blob in zip(answers, blobs, strict=True):
        assert await has_file(ada, blob["ref"]["$link"]) is (answer.status_code == 200)


async def test_blobs_since_a_rev_and_in_pages(as_ada: Client, stranger: Client, ada: HostedRepository):
    blobs = [await uploaded(as_ada, b"picture %d" % number) for number in range(5)]
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "old", *blobs[:2]))
    rev = (await ada.repositories.head(ada.did)).rev
    await as_ada.post(f"{REPO}.createRecord", body(ada.did, "new", *blobs[1:]))
    newer = (await stranger.get(f"{SYNC}.listBlobs", did=ada.did, since=rev)).json()["cids"]
    assert set(newer) == {blob["ref"]["$link"] for blob in blobs[1:]}
    first = (await stranger.get(f"{SYNC}.listBlobs", did=ada.did, limit=3)).json()
    second = (await stranger.get(f"{SYNC}.listBlobs", did=ada.did, limit=3, cursor=first["cursor"])).json()
    cids = [Cid.parse(cid) for cid in first["cids"] + second["cids"]]
    assert cids == sorted(cids)
    assert len(cids) == 5
    refusal_of(await stranger.get(f"{SYNC}.listBlobs", did=ada.did, cursor="nonsense"), "InvalidRequest")


async def test_missing_blobs_are_listed_until_they_come(as_ada: Client, ada: HostedRepository):
    """Blobs of an import are listed as missing until they are uploaded; each is public at once."""
    cids = [Cid.for_raw(b"picture %d" % number) for number in range(3)]

    def imported(w: Any) -> None:
        for number, cid in enumerate(cids):
            w.execute(
                "insert into blob_references (did, collection, rkey, cid) values (:did, :collection, :rkey, :cid)",
                did=ada.did,
                collection=NOTE,
                rkey=f"r{number}",
                cid=bytes(cid),
            )

    await ada.repositories.db.write(imported)
    page = (await as_ada.get(f"{REPO}.listMissingBlobs", limit=2)).json()
    rest = (await as_ada.get(f"{REPO}.listMissingBlobs", limit=2, cursor=page["cursor"])).json()
    found = {item["cid"]: item["recordUri"] for item in page["blobs"] + rest["blobs"]}
    assert found == {str(cid): f"at://{ada.did}/{NOTE}/r{number}" for number, cid in enumerate(cids)}
    await uploaded(as_ada, b"picture 1")
    assert (await as_ada.get(f"{SYNC}.getBlob", did=ada.did, cid=str(cids[1]))).content == b"picture 1"
    assert len((await as_ada.get(f"{REPO}.listMissingBlobs")).json()["blobs"]) == 2
