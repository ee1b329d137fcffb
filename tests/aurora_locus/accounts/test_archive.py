"""The archive of an account in any status contains everything, and states what is missing."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from aurora_locus.accounts import archive
from programs.account_file import check_blobs, check_repository, open_account_file
from programs.operations.repo import examine_archive
from tests.aurora_locus.accounts.account_content import PNG_OF_AN_ACCOUNT, add_content, find_account, save_archive
from tests.aurora_locus.deployment import SERVER, Deployment


async def test_archive_contains_everything(deployment: Deployment, tmp_path: Path) -> None:
    ana = await deployment.sign_up("ana")
    blob = await add_content(deployment, ana)
    path = await save_archive(deployment, ana, tmp_path / "ana.zip")
    with open_account_file(path) as file:
        _, snapshot = check_repository(file)
        assert check_blobs(file, snapshot) == len(PNG_OF_AN_ACCOUNT)
        assert (file.owner.handle, file.owner.email, file.did) == ("ana.test", "ana@example.org", ana.did)
        assert [one["enabled"] for one in file.preferences] == [False]
        assert len(snapshot.entries) == 2
        assert [str(cid) for cid in file.blobs] == [blob["ref"]["$link"]]
        assert file.zip.testzip() is None
    assert examine_archive(path, None).wrong is None
    document = (await deployment.directory.document(ana.did)).content
    assert examine_archive(path, document).found["signature"] == "good"


@pytest.mark.parametrize("status", ["deactivated", "takendown"])
async def test_archive_of_a_hidden_account_is_complete(deployment: Deployment, tmp_path: Path, status: str) -> None:
    ana = await deployment.sign_up("ana")
    await add_content(deployment, ana)
    if status == "deactivated":
        await ana.post(f"{SERVER}.deactivateAccount", {})
    else:
        subject = {"$type": "com.atproto.admin.defs#repoRef", "did": ana.did}
        wish = {"subject": subject, "takedown": {"applied": True}}
        assert (await deployment.administration.post("com.atproto.admin.updateSubjectStatus", wish)).status_code == 200
    path = await save_archive(deployment, ana, tmp_path / "ana.zip")
    assert examine_archive(path, None).wrong is None
    with zipfile.ZipFile(path) as opened:
        assert json.loads(opened.read("account.json"))["status"] == status


async def test_missing_blobs_are_listed(deployment: Deployment, tmp_path: Path) -> None:
    """Missing blobs are listed in the summary instead of among the entries: one whose file is gone, and one that the
    host took down.
    """
    ana = await deployment.sign_up("ana")
    blob = await add_content(deployment, ana)
    cid = blob["ref"]["$link"]
    subject = {"$type": "com.atproto.admin.defs#repoBlobRef", "did": ana.did, "cid": cid}
    for is_applied, where in ((True, "withheld"), (False, "missing")):
        wish = {"subject": subject, "takedown": {"applied": is_applied}}
        assert (await deployment.administration.post("com.atproto.admin.updateSubjectStatus", wish)).status_code == 200
        if where == "missing":
            (file,) = (deployment.settings.data_directory / "blobs" / "blobs").rglob(f"*{cid}")
            file.unlink()
        path = await save_archive(deployment, ana, tmp_path / f"{where}.zip")
        assert examine_archive(path, None).wrong is None
        with zipfile.ZipFile(path) as opened:
            assert json.loads(opened.read("summary.json"))[where] == [cid]
            assert not [name for name in opened.namelist() if name.startswith("blobs/")]


async def test_archive_is_streamed(deployment: Deployment) -> None:
    """The archive is streamed: no chunk holds more than one batch of blocks or one piece of a blob."""
    ana = await deployment.sign_up("ana")
    await add_content(deployment, ana)
    sizes = [len(chunk) async for chunk in archive.chunks(deployment.pds.registry, await find_account(deployment, ana))]
    assert sum(sizes) > len(PNG_OF_AN_ACCOUNT)
    assert max(sizes) <= 300 * 1024


def _without(name: str, path: Path) -> bytes:
    return _rewritten(path, lambda entry, content: None if entry.filename == name else content)


def _rewritten(path: Path, change: Any) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w") as new:
        for entry in old.infolist():
            content = change(entry, old.read(entry))
            if content is not None:
                new.writestr(entry, content)
    return made.getvalue()


def _another_picture(entry: zipfile.ZipInfo, content: bytes) -> bytes:
    return content.replace(b"\x01\x02", b"\x02\x01", 1) if entry.filename.startswith("blobs/") else content


def _somebody_else(entry: zipfile.ZipInfo, content: bytes) -> bytes:
    return content.replace(b"did:plc:", b"did:plc:a", 1) if entry.filename == "account.json" else content


DAMAGES: dict[str, tuple[Any, str]] = {
    "cut off": (lambda path: path.read_bytes()[:-100], "not a whole ZIP"),
    "no summary": (lambda path: _without("summary.json", path), "summary.json"),
    "a picture changed": (lambda path: _rewritten(path, _another_picture), "do not match its name"),
    "no picture": (
        lambda path: _rewritten(path, lambda one, content: None if one.filename.startswith("blobs/") else content),
        "the summary lists 1 blob with",
    ),
    "of somebody else": (lambda path: _rewritten(path, _somebody_else), "not that of"),
    "a flipped bit": (
        lambda path: path.read_bytes().replace(b"Tea in the garden", b"Tea in the Garden"),
        "Bad CRC-32",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damage_is_noticed(deployment: Deployment, tmp_path: Path, damage: str) -> None:
    ana = await deployment.sign_up("ana")
    await add_content(deployment, ana)
    path = await save_archive(deployment, ana, tmp_path / "ana.zip")
    broken = tmp_path / "broken.zip"
    make, said = DAMAGES[damage]
    broken.write_bytes(make(path))
    wrong = examine_archive(broken, None).wrong
    assert wrong is not None
    assert said in wrong
    assert hashlib.sha256(broken.read_bytes()).digest() != hashlib.sha256(path.read_bytes()).digest()
