"""Queries for an account migration: whether all data arrived, whether the identity is correct, and which key it will
have.
"""

from dataclasses import replace
from typing import Any

import pytest

from at_protocol.crypto.did_key import parse_did_key
from at_protocol.identity import plc_operation
from at_protocol.identity.did_document import DidService
from at_protocol.identity.plc_operation import PlcOperation
from aurora_locus.keys.signing_keys import RESERVED_FOR
from tests.aurora_locus.deployment import SERVER, Deployment, Person, together

CHECK, RESERVE = f"{SERVER}.checkAccountStatus", f"{SERVER}.reserveSigningKey"
COMING = "did:plc:ragtjsm2j2vknwkz3zp4oxrd"


async def status(person: Person) -> dict[str, Any]:
    answer = await person.get(CHECK)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_status_counts_stored_data(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await deployment.sign_up("ben")
    empty = await status(ana)
    assert (empty["activated"], empty["validDid"], empty["indexedRecords"], empty["repoBlocks"]) == (True, True, 0, 2)
    headers = {**ana.headers, "content-type": "text/plain"}
    blob = (await deployment.http.post("/xrpc/com.atproto.repo.uploadBlob", content=b"x", headers=headers)).json()[
        "blob"
    ]
    for name in ("one", "two"):  # fixed keys, because the shape of the tree follows from them
        record = {
            "repo": ana.did,
            "collection": "org.example.note",
            "rkey": name,
            "record": {"text": name, "blob": blob},
        }
        await ana.post("com.atproto.repo.createRecord", record)
    await ana.post("app.bsky.actor.putPreferences", {"preferences": [{"$type": "app.bsky.actor.defs#x"}]})
    await ana.post(f"{SERVER}.deactivateAccount", {})
    head = await deployment.pds.registry.repositories.head(ana.did)
    assert await status(ana) == {
        "activated": False,
        "validDid": True,
        "repoCommit": str(head.commit),
        "repoRev": head.rev,
        "repoBlocks": 4,
        "indexedRecords": 2,
        "privateStateValues": 1,
        "expectedBlobs": 1,
        "importedBlobs": 1,
    }


async def test_status_reports_an_identity_that_moved_away(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    registry = deployment.pds.registry
    newest = await registry.directory.last(ana.did)
    assert isinstance(newest, PlcOperation)
    elsewhere = {"atproto_pds": DidService("AtprotoPersonalDataServer", "https://elsewhere.example")}
    moved = replace(newest, services=elsewhere, prev=str(plc_operation.cid_of(newest)))
    await registry.directory.submit(ana.did, plc_operation.sign(moved, registry.rotation_key))
    assert (await status(ana))["validDid"] is False


async def test_unknown_state_is_not_reported(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    deployment.directory.is_down = True
    answer = await ana.get(CHECK)
    assert (answer.status_code, answer.json()["error"]) == (502, "UpstreamFailure")


async def reserve(deployment: Deployment, **body: Any) -> str:
    answer = await deployment.stranger.post(RESERVE, body)
    assert answer.status_code == 200, answer.text
    parse_did_key(answer.json()["signingKey"])
    return str(answer.json()["signingKey"])


async def test_one_reserved_key_per_did(deployment: Deployment) -> None:
    """One key is reserved per DID, even for concurrent requests; each request without a DID gets a different key."""
    first = await reserve(deployment, did=COMING)
    others = await together(*(deployment.stranger.post(RESERVE, {"did": COMING}) for _ in range(4)))
    assert {answer.json()["signingKey"] for answer in others} == {first}
    assert await reserve(deployment) != await reserve(deployment)


async def test_concurrent_reservations_return_one_key(deployment: Deployment) -> None:
    answers = await together(*(deployment.stranger.post(RESERVE, {"did": COMING}) for _ in range(6)))
    assert len({answer.json()["signingKey"] for answer in answers}) == 1


async def test_account_on_this_server_reserves_no_key(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    answer = await deployment.stranger.post(RESERVE, {"did": ana.did})
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidRequest")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_reserved_key_of_nobody_is_dropped(deployment: Deployment) -> None:
    first = await reserve(deployment, did=COMING)
    deployment.clock.turn(RESERVED_FOR + 1)
    assert await deployment.db.write(deployment.pds.registry.repositories.keys.sweep_reserved) == 1
    assert await reserve(deployment, did=COMING) != first
