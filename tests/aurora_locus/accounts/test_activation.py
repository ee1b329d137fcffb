"""An owner deactivates the account and comes back; what others see meanwhile."""

from dataclasses import replace

import pytest

from at_protocol.identity import plc_operation
from at_protocol.identity.did_document import DidService
from at_protocol.identity.plc_operation import PlcOperation
from aurora_locus.accounts.credentials import MAX_AGE
from aurora_locus.repository import hosting
from aurora_locus.repository.model import HostingStatus
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person


async def deactivate(person: Person) -> None:
    answer = await person.post(f"{SERVER}.deactivateAccount", {})
    assert answer.status_code == 200, answer.text


async def test_reactivation_is_announced_in_order(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    before = len(await deployment.announced(ana.did))
    await deactivate(ana)
    await deactivate(ana)
    assert (await ana.post(f"{SERVER}.activateAccount")).status_code == 200
    assert (await deployment.announced(ana.did))[before:] == [
        "account deactivated",
        "account deactivated",
        "account active",
        "identity ana.test",
        "sync",
    ]


@pytest.mark.parametrize(
    ("nsid", "parameters", "error"),
    [
        ("com.atproto.sync.getRepo", {"did": ""}, "RepoDeactivated"),
        ("com.atproto.sync.getLatestCommit", {"did": ""}, "RepoDeactivated"),
        ("com.atproto.repo.listRecords", {"repo": "", "collection": "org.example.note"}, "RepoDeactivated"),
        (f"{IDENTITY}.resolveHandle", {"handle": "ana.test"}, "HandleNotFound"),
    ],
)
async def test_deactivated_account_is_hidden_from_every_method(
    deployment: Deployment, nsid: str, parameters: dict[str, str], error: str
) -> None:
    ana = await deployment.sign_up("ana")
    await deactivate(ana)
    asked = {name: value or ana.did for name, value in parameters.items()}
    answer = await deployment.http.get(f"/xrpc/{nsid}", params=asked)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_owner_of_a_hidden_account_signs_in_but_writes_nothing(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await deactivate(ana)
    session = (await deployment.sign_in("ana.test", "password of ana")).json()
    assert (session["active"], session["status"]) == (False, "deactivated")
    record = {"repo": ana.did, "collection": "org.example.note", "record": {"text": "hello"}}
    answer = await ana.post("com.atproto.repo.createRecord", record)
    assert (answer.status_code, answer.json()["error"]) == (401, "AccountDeactivated")
    export = await deployment.http.get("/xrpc/com.atproto.sync.getRepo", params={"did": ana.did}, headers=ana.headers)
    assert export.status_code == 200


async def test_owner_cannot_lift_a_takedown(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    registry = deployment.pds.registry

    def take_down(w: object) -> None:
        w.execute("update accounts set takedown_ref = 'x' where did = :did", did=ana.did)  # type: ignore[attr-defined]
        hosting.set_status(w, registry.repositories, ana.did, HostingStatus.TAKENDOWN)  # type: ignore[arg-type]

    assert (await ana.get(f"{SERVER}.getSession")).status_code == 200
    await deployment.db.write(take_down)
    answer = await ana.post(f"{SERVER}.activateAccount")
    assert (answer.status_code, answer.json()["error"]) == (401, "AccountTakedown")
    assert (await deployment.sign_in("ana.test", "password of ana")).json()["error"] == "AccountTakedown"
    refreshed = await ana.bearing(ana.refresh_token).post(f"{SERVER}.refreshSession")
    assert (refreshed.status_code, refreshed.json()["error"]) == (401, "AccountTakedown")


async def test_changes_by_another_process_are_seen_soon(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert (await ana.get(f"{SERVER}.getSession")).status_code == 200
    await deployment.db.write(lambda w: w.execute("update repositories set status = 'takendown'"))
    deployment.clock.turn(MAX_AGE)
    assert (await ana.get(f"{SERVER}.getSession")).json()["error"] == "AccountTakedown"


async def test_moved_account_cannot_be_activated(deployment: Deployment) -> None:
    """An account whose identity was moved to another server cannot be activated here, because two servers would
    contradict each other.
    """
    ana = await deployment.sign_up("ana")
    await deactivate(ana)
    registry = deployment.pds.registry
    newest = await registry.directory.last(ana.did)
    assert isinstance(newest, PlcOperation)
    moved = replace(
        newest,
        services={"atproto_pds": DidService("AtprotoPersonalDataServer", "https://elsewhere.example")},
        prev=str(plc_operation.cid_of(newest)),
    )
    await registry.directory.submit(ana.did, plc_operation.sign(moved, registry.rotation_key))
    answer = await ana.post(f"{SERVER}.activateAccount")
    assert answer.status_code == 400
    assert "is https://elsewhere.example, not http" in answer.json()["message"]
    assert (await deployment.announced(ana.did))[-1] == "account deactivated"
