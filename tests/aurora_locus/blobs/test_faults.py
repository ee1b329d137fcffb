"""A blob store that is full or unavailable: uploads report the failure and leave nothing, and everything else works."""

import errno
import os
from pathlib import Path

import httpx
import pytest

from aurora_locus.maintenance import integrity
from groundwork.blobstore.disk import DiskUpload
from tests.aurora_locus.deployment import Deployment, Person


async def upload(deployment: Deployment, person: Person, content: bytes) -> httpx.Response:
    return await deployment.http.post(
        "/xrpc/com.atproto.repo.uploadBlob", content=content, headers=person.headers | {"content-type": "text/plain"}
    )


async def write(person: Person, rkey: str) -> int:
    body = {"repo": person.did, "collection": "org.example.note", "rkey": rkey, "record": {"text": rkey}}
    return (await person.post("com.atproto.repo.createRecord", body)).status_code


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO], ids=["full", "read only", "broken"])
async def test_upload_to_a_failing_disk_gets_503(deployment: Deployment, monkeypatch: pytest.MonkeyPatch, number: int):
    """If the disk cannot take an upload, even at the last step, the response is 503 with a sentence. Records can be
    written meanwhile, and later the same upload succeeds.
    """
    ada = await deployment.sign_up("ada")

    def fail(_upload: DiskUpload, _target: Path) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(DiskUpload, "_finish", fail)
        refused = await upload(deployment, ada, b"picture" * 100)
        assert (refused.status_code, refused.json()["error"]) == (503, "NotEnoughResources")
        assert "at the moment" in refused.json()["message"]
        assert await write(ada, "meanwhile") == 200
    assert await deployment.count("blobs") == 0
    assert not [path for path in (deployment.settings.data_directory / "blobs").rglob("*") if path.is_file()]
    assert (await upload(deployment, ada, b"picture" * 100)).status_code == 200


async def test_uploads_wait_for_an_unmounted_folder(deployment: Deployment):
    """Uploads wait for a folder that is not mounted, everything else works, and all blobs are available once it is
    mounted again.
    """
    ada = await deployment.sign_up("ada")
    assert (await upload(deployment, ada, b"before")).status_code == 200
    folder = deployment.settings.data_directory / "blobs"
    away = folder.with_name("away")
    folder.rename(away)
    assert (await upload(deployment, ada, b"meanwhile")).status_code == 503
    assert await write(ada, "meanwhile") == 200
    away.rename(folder)
    assert (await upload(deployment, ada, b"meanwhile")).status_code == 200
    store = deployment.pds.registry.repositories.blobs.store
    assert (await integrity.examine(deployment.db, integrity.in_store(store))).findings == []
