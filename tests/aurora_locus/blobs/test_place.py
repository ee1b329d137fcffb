"""The blobs of a whole PDS in a bucket, and in a folder that the operator chose."""

from pathlib import Path
from typing import Any

import httpx

from groundwork.blobstore.open_ import Bucket, open_bucket
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import Deployment, Person
from tests.s3_buckets import MakeBucket

TEXT = b"<p>hello " * 1000


def in_bucket(bucket: Bucket) -> dict[str, Any]:
    return {
        "blobstore_s3_bucket": bucket.name,
        "blobstore_s3_region": bucket.region,
        "blobstore_s3_endpoint": bucket.endpoint,
        "blobstore_s3_access_key_id": bucket.access_key_id,
        "blobstore_s3_secret_access_key": bucket.secret_access_key,
        "blobstore_s3_force_path_style": bucket.force_path_style,
    }


async def publish(deployment: Deployment, person: Person) -> str:
    """Upload a blob and refer to it; returns its URL."""
    made = await deployment.http.post(
        "/xrpc/com.atproto.repo.uploadBlob", content=TEXT, headers=person.headers | {"content-type": "text/html"}
    )
    assert made.status_code == 200, made.text
    blob = made.json()["blob"]
    body = {"repo": person.did, "collection": "org.example.note", "rkey": "a", "record": {"picture": blob}}
    answer = await person.post("com.atproto.repo.createRecord", body)
    assert answer.status_code == 200, answer.text
    return str(blob["ref"]["$link"])


async def get(deployment: Deployment, did: str, cid: str, **headers: str) -> httpx.Response:
    return await deployment.http.get("/xrpc/com.atproto.sync.getBlob", params={"did": did, "cid": cid}, headers=headers)


async def test_life_of_a_blob_in_a_bucket(make_deployment: MakeDeployment, make_bucket: MakeBucket):
    """A blob in a bucket is uploaded, public, read in part, and deleted with its record; nothing is on the disk."""
    bucket = make_bucket()
    deployment = await make_deployment(**in_bucket(bucket))
    ada = await deployment.sign_up("ada")
    cid = await publish(deployment, ada)
    whole = await get(deployment, ada.did, cid)
    assert whole.content == TEXT
    assert whole.headers["content-security-policy"] == "default-src 'none'; sandbox"
    part = await get(deployment, ada.did, cid, range="bytes=9-17")
    assert (part.status_code, part.content) == (206, TEXT[9:18])
    assert [one.key async for one in open_bucket(bucket).list()] == [f"{ada.did}/{cid}"]
    assert not (deployment.settings.data_directory / "blobs").exists()
    await ada.post("com.atproto.repo.deleteRecord", {"repo": ada.did, "collection": "org.example.note", "rkey": "a"})
    await deployment.pds.registry.repositories.blobs.wait_for_removals()
    assert [one async for one in open_bucket(bucket).list()] == []


async def test_folder_of_the_operator(make_deployment: MakeDeployment, tmp_path: Path):
    """Blobs are directly below the operator's folder, by DID and CID."""
    deployment = await make_deployment(
        blobstore_disk_location=str(tmp_path / "chosen"), blobstore_disk_tmp_location=str(tmp_path / "unfinished")
    )
    ada = await deployment.sign_up("ada")
    cid = await publish(deployment, ada)
    assert (tmp_path / "chosen" / ada.did / cid).read_bytes() == TEXT
    assert list((tmp_path / "unfinished").iterdir()) == []
