"""Takedowns and their lifting: what is hidden, what is announced, and what holds afterwards."""

from typing import Any

import httpx
import pytest

from aurora_locus.blobs.sweep import sweep
from groundwork.clock import DAY
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.moderation.decisions import (
    STATUS,
    UPDATE,
    account,
    blob,
    decide,
    record,
    take_down,
    upload,
    write_note,
)


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


async def test_account_is_hidden_and_its_sessions_end(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await write_note(ana)
    await take_down(deployment, ana)
    assert (await deployment.announced(ana.did))[-1] == "account takendown"
    export = await deployment.http.get("/xrpc/com.atproto.sync.getRepo", params={"did": ana.did})
    assert named(export) == (400, "RepoTakendown")
    assert named(await ana.get(f"{SERVER}.getSession")) == (401, "AccountTakedown")
    assert named(await deployment.sign_in("ana.test", "password of ana")) == (401, "AccountTakedown")
    body = {"repo": ana.did, "collection": "org.example.note", "record": {}}
    assert named(await ana.post("com.atproto.repo.createRecord", body)) == (401, "AccountTakedown")


async def test_earlier_sessions_stay_ended_after_lifting(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await take_down(deployment, ana)
    await decide(deployment, account(ana), takedown=False)
    assert named(await ana.get(f"{SERVER}.getSession")) == (400, "InvalidToken")
    refreshed = await ana.bearing(ana.refresh_token).post(f"{SERVER}.refreshSession")
    assert named(refreshed) == (400, "ExpiredToken")
    back = deployment.person(await deployment.sign_in("ana.test", "password of ana"))
    assert (await write_note(back))["validationStatus"] == "unknown"


@pytest.mark.parametrize(("deactivates", "status"), [(False, "active"), (True, "deactivated")])
async def test_lifting_restores_the_status_that_the_owner_chose(
    deployment: Deployment, deactivates: bool, status: str
) -> None:
    ana = await deployment.sign_up("ana")
    if deactivates:
        await ana.post(f"{SERVER}.deactivateAccount", {})
    await take_down(deployment, ana)
    before = len(await deployment.announced(ana.did))
    await decide(deployment, account(ana), takedown=False)
    told = (await deployment.announced(ana.did))[before:]
    assert told == (["account deactivated"] if deactivates else ["account active", "identity ana.test", "sync"])
    asked = await deployment.stranger.get("com.atproto.sync.getRepoStatus", did=ana.did)
    assert asked.json().get("status", "active") == status


async def test_suspension_ranks_between_takedown_and_deactivation(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await ana.post(f"{SERVER}.deactivateAccount", {})
    await deployment.db.write(lambda w: w.execute("update accounts set suspended_at = 1"))
    for decisions, told in (({}, "suspended"), ({"takedown": True}, "takendown"), ({"takedown": False}, "suspended")):
        await decide(deployment, account(ana), **decisions)
        assert (await deployment.announced(ana.did))[-1] == f"account {told}"


async def test_host_deactivates_and_reactivates(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await decide(deployment, account(ana), deactivated=True)
    assert (await deployment.announced(ana.did))[-1] == "account deactivated"
    shown = (await deployment.administration.get(STATUS, did=ana.did)).json()
    assert (shown["takedown"], shown["deactivated"]) == ({"applied": False}, {"applied": True})
    await decide(deployment, account(ana), deactivated=False)
    assert (await deployment.announced(ana.did))[-3:] == ["account active", "identity ana.test", "sync"]


async def test_update_without_a_decision_announces_the_status_again(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await take_down(deployment, ana)
    before = len(await deployment.announced(ana.did))
    await decide(deployment, account(ana))
    assert (await deployment.announced(ana.did))[before:] == ["account takendown"]


async def test_reference_of_a_takedown_is_stored(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    body = {"subject": account(ana), "takedown": {"applied": True, "ref": "case 7"}}
    assert (await deployment.administration.post(UPDATE, body)).json()["takedown"] == {"applied": True, "ref": "case 7"}
    shown = (await deployment.administration.get(STATUS, did=ana.did)).json()
    assert shown["subject"] == account(ana)
    assert shown["takedown"] == {"applied": True, "ref": "case 7"}


async def test_record_is_shown_by_no_read_method(deployment: Deployment) -> None:
    """No read method shows a record that was taken down. It stays in its repository, whose proofs need it, and is shown
    again after the takedown is lifted.
    """
    ana = await deployment.sign_up("ana")
    written, other = await write_note(ana), await write_note(ana)
    path = {"repo": ana.did, "collection": "org.example.note"}
    key = written["uri"].rpartition("/")[2]

    async def shown() -> tuple[int, list[str]]:
        one = await deployment.stranger.get("com.atproto.repo.getRecord", rkey=key, **path)
        listed = (await deployment.stranger.get("com.atproto.repo.listRecords", **path)).json()["records"]
        return one.status_code, sorted(found["uri"] for found in listed)

    before = await deployment.announced(ana.did)
    await decide(deployment, record(written), takedown=True)
    assert await shown() == (400, [other["uri"]])
    proof = {"did": ana.did, "collection": "org.example.note", "rkey": key}
    assert (await deployment.http.get("/xrpc/com.atproto.sync.getRecord", params=proof)).status_code == 200
    status = (await deployment.administration.get(STATUS, uri=written["uri"])).json()
    assert (status["subject"], status["takedown"]) == (record(written), {"applied": True})
    await decide(deployment, record(written), takedown=False)
    assert await shown() == (200, sorted([written["uri"], other["uri"]]))
    assert await deployment.announced(ana.did) == before


async def test_blob_is_no_longer_served(deployment: Deployment) -> None:
    """A blob that was taken down is not served and cannot be uploaded again, even if no record refers to it. The same
    blob of another account is not affected.
    """
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    notes = []
    for person in (ana, ben):
        reference = (await upload(person)).json()["blob"]
        notes.append(await write_note(person, blob=reference))
    cid = reference["ref"]["$link"]

    async def served(person: Any) -> int:
        asked = {"did": person.did, "cid": cid}
        return (await deployment.http.get("/xrpc/com.atproto.sync.getBlob", params=asked)).status_code

    await decide(deployment, blob(ana, cid), takedown=True)
    assert (await served(ana), await served(ben)) == (400, 200)
    # A program that serves the store's folder directly does not find it either.
    files = {one.key async for one in deployment.pds.registry.repositories.blobs.store.list()}
    assert files == {f"quarantine/{ana.did}/{cid}", f"{ben.did}/{cid}"}
    assert named(await upload(ana)) == (400, "BlobTakendown")
    status = (await deployment.administration.get(STATUS, did=ana.did, blob=cid)).json()
    assert (status["subject"], status["takedown"]) == (blob(ana, cid), {"applied": True})
    await decide(deployment, blob(ana, cid), takedown=False)
    assert await served(ana) == 200
    await decide(deployment, blob(ana, cid), takedown=True)
    key = {"repo": ana.did, "collection": "org.example.note", "rkey": notes[0]["uri"].rpartition("/")[2]}
    assert (await ana.post("com.atproto.repo.deleteRecord", key)).status_code == 200
    assert named(await upload(ana)) == (400, "BlobTakendown")


async def served_blob(deployment: Deployment, person: Person, cid: str) -> int:
    asked = {"did": person.did, "cid": cid}
    return (await deployment.http.get("/xrpc/com.atproto.sync.getBlob", params=asked)).status_code


async def test_lifting_does_not_show_a_picture_that_was_deleted(deployment: Deployment) -> None:
    """If the owner deletes the record of a blob that is taken down, the blob is not shown after lifting, and is deleted
    like any upload that no record refers to.
    """
    ana = await deployment.sign_up("ana")
    reference = (await upload(ana)).json()["blob"]
    written = await write_note(ana, blob=reference)
    cid = reference["ref"]["$link"]
    await decide(deployment, blob(ana, cid), takedown=True)
    key = {"repo": ana.did, "collection": "org.example.note", "rkey": written["uri"].rpartition("/")[2]}
    assert (await ana.post("com.atproto.repo.deleteRecord", key)).status_code == 200
    deployment.clock.turn(DAY)
    await decide(deployment, blob(ana, cid), takedown=False)
    assert await served_blob(deployment, ana, cid) == 400
    blobs = deployment.pds.registry.repositories.blobs
    assert await sweep(blobs, deployment.clock.now()) == 0
    deployment.clock.turn(DAY)
    assert await sweep(blobs, deployment.clock.now()) == 1
    assert [one.key async for one in blobs.store.list()] == []


async def test_takedown_of_an_unused_upload_is_not_forgotten(deployment: Deployment) -> None:
    """An upload that is taken down before any record refers to it cannot be uploaded again after the sweep either. After
    lifting, it can be used.
    """
    ana = await deployment.sign_up("ana")
    reference = (await upload(ana)).json()["blob"]
    cid = reference["ref"]["$link"]
    await decide(deployment, blob(ana, cid), takedown=True)
    deployment.clock.turn(DAY)
    assert await sweep(deployment.pds.registry.repositories.blobs, deployment.clock.now()) == 0
    ana = deployment.person(await deployment.sign_in("ana.test", "password of ana"))
    assert named(await upload(ana)) == (400, "BlobTakendown")
    await decide(deployment, blob(ana, cid), takedown=False)
    await write_note(ana, blob=reference)
    assert await served_blob(deployment, ana, cid) == 200


async def test_record_that_its_owner_has_deleted_can_be_taken_down(deployment: Deployment) -> None:
    """As at the reference, a decision may come after the deletion. It applies if the record is written again."""
    ana = await deployment.sign_up("ana")
    written = await write_note(ana)
    path = {"repo": ana.did, "collection": "org.example.note", "rkey": written["uri"].rpartition("/")[2]}
    assert (await ana.post("com.atproto.repo.deleteRecord", path)).status_code == 200
    await decide(deployment, record(written), takedown=True)
    again = {**path, "record": {"$type": "org.example.note", "text": "again"}}
    assert (await ana.post("com.atproto.repo.putRecord", again)).status_code == 200
    assert (await deployment.stranger.get("com.atproto.repo.getRecord", **path)).status_code == 400
    await decide(deployment, record(written), takedown=False)
    assert (await deployment.stranger.get("com.atproto.repo.getRecord", **path)).status_code == 200


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_decisions_about_unknown_content_are_refused(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    cid = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
    nobody = {"$type": "com.atproto.admin.defs#repoRef", "did": "did:plc:ragtjsm2j2vknwkz3zp4oxrd"}
    nothing = record({"uri": f"at://{ana.did}/org.example.note/nothing", "cid": cid})
    nobodys = record({"uri": f"at://{nobody['did']}/org.example.note/nothing", "cid": cid})
    for subject in (nobody, nobodys, blob(ana, cid)):
        answer = await deployment.administration.post(UPDATE, {"subject": subject, "takedown": {"applied": True}})
        assert named(answer) == (400, "NotFound")
    lifted = {"subject": nothing, "takedown": {"applied": False}}
    assert named(await deployment.administration.post(UPDATE, lifted)) == (400, "NotFound")
    for asked in ({"did": nobody["did"]}, {"uri": nothing["uri"]}, {"did": ana.did, "blob": cid}):
        assert named(await deployment.administration.get(STATUS, **asked)) == (400, "NotFound")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_senseless_decisions_are_refused(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    written = await write_note(ana)
    for body in (
        {"subject": account(ana), "takedown": {"applied": True}, "deactivated": {"applied": False}},
        {"subject": account(ana), "takedown": {"applied": True, "ref": "a\x00b"}},
        {"subject": record(written), "deactivated": {"applied": True}},
        {"subject": {"$type": "org.example.unknown"}, "takedown": {"applied": True}},
        {"subject": {**record(written), "uri": "at://ana.test/org.example.note/x"}, "takedown": {"applied": True}},
        {"subject": {**record(written), "uri": f"at://{ana.did}"}, "takedown": {"applied": True}},
    ):
        assert named(await deployment.administration.post(UPDATE, body)) == (400, "InvalidRequest"), body
    assert named(await deployment.administration.get(STATUS)) == (400, "InvalidRequest")
    assert (await ana.get(f"{SERVER}.getSession")).json()["active"] is True


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_only_the_host_decides(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    body = {"subject": account(ana), "takedown": {"applied": True}}
    assert named(await ana.post(UPDATE, body)) == (401, "UntrustedIss")
    assert named(await deployment.stranger.post(UPDATE, body)) == (401, "AuthenticationRequired")
    assert named(await ana.get(STATUS, did=ana.did)) == (401, "UntrustedIss")
