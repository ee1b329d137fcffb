"""An account moves from one server to another without loss, even if the move is interrupted at any step."""

from typing import Any

import pytest
from aiohttp import web
from tests.at_network.migration.conftest import NEW_PASSWORD, NOTE, Journey
from tests.at_network.peers import serve
from tests.aurora_locus.deployment import SERVER, Deployment, Person

from at_network.migration import account, copy, identity, migrate, servers
from at_network.migration.progress import MigrationResult, MigrationStep
from at_network.migration.servers import MigrationServer
from at_network.xrpc_client import XrpcClient
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.data.cid import Cid
from groundwork.errors import Failure, InvalidInput, NotSignedIn, Refused, RemoteFailed


async def test_move_keeps_identity_records_blobs_and_preferences(journey: Journey) -> None:
    """A move keeps the identity, every record and blob byte for byte, and the preferences. Afterwards the account is
    active at the new server only.
    """
    records, blobs = await journey.repository(journey.old_deployment), await journey.blobs(journey.old_deployment)
    assert (len(records), len(blobs)) == (7, 3)
    move = await journey.move()
    outcome = await migrate.copy_account(move)
    assert (outcome.records, outcome.blobs_brought, outcome.preferences) == (7, 3, 1)
    assert (outcome.missing_blobs, outcome.differences) == ([], [])
    assert await journey.new_deployment.announced(journey.did) == []
    await migrate.finish(move, await journey.token(move))

    assert await journey.repository(journey.new_deployment) == records
    assert await journey.blobs(journey.new_deployment) == blobs
    document = (await journey.old_deployment.directory.document(journey.did)).json()
    assert document["service"][0]["serviceEndpoint"] == journey.new_deployment.settings.url
    assert document["alsoKnownAs"] == ["at://ana.two.test"]
    told = await journey.new_deployment.announced(journey.did)
    assert told[-3:] == ["account active", "identity ana.two.test", "sync"]
    assert (await journey.old_deployment.announced(journey.did))[-1] == "account deactivated"
    steps = [one.step for one in journey.told if one.is_complete]
    assert steps == [
        *(
            MigrationStep.REPOSITORY,
            MigrationStep.BLOBS,
            MigrationStep.PREFERENCES,
            MigrationStep.IDENTITY,
            MigrationStep.ACTIVATION,
            MigrationStep.DEACTIVATION,
        ),
    ]
    session = await (await signed_in(journey.old_deployment, "ana.one.test")).get(f"{SERVER}.getSession")
    assert session.json()["movedTo"] == journey.new_deployment.settings.url


async def signed_in(deployment: Deployment, handle: str, password: str = "password of ana") -> Person:
    answer = await deployment.sign_in(handle, password)
    assert answer.status_code == 200, answer.text
    return deployment.person(answer)


async def write(person: Person, text: str = "after") -> Any:
    body = {"repo": person.did, "collection": NOTE, "record": {"$type": NOTE, "text": text}}
    return await person.post("com.atproto.repo.createRecord", body)


async def test_only_the_new_server_accepts_writes_after_the_move(journey: Journey) -> None:
    move = await journey.move()
    await migrate.copy_account(move)
    await migrate.finish(move, await journey.token(move))
    assert (await write(await signed_in(journey.new_deployment, "ana.two.test", NEW_PASSWORD))).status_code == 200
    refused = await write(await signed_in(journey.old_deployment, "ana.one.test"))
    assert (refused.status_code, refused.json()["error"]) == (400, "RepoDeactivated")
    again = await journey.move()
    with pytest.raises(Refused):
        await migrate.copy_account(migrate.Migration(again.old, again.old, journey.folder))


STOPS = ["account", "repository", "blobs", "preferences", "token", "identity", "activation"]


@pytest.mark.parametrize("stop", STOPS)
async def test_interrupted_move_can_be_resumed_at_any_step(journey: Journey, stop: str) -> None:
    """A move that is stopped after any step and started anew with new sessions ends with the same result."""
    records, blobs = await journey.repository(journey.old_deployment), await journey.blobs(journey.old_deployment)
    move = await journey.move()
    if stop != "account":
        await copy.copy_repository(move.old, move.new, journey.folder, move.on_progress)
    if stop not in {"account", "repository"}:
        outcome = await migrate.copy_account(move)
        assert outcome.differences == []
    if stop in {"token", "identity", "activation"}:
        token = await journey.token(move)
        if stop != "token":
            await identity.change(move.old, move.new, token, move.directory)
        if stop == "activation":
            await move.new.client.procedure("com.atproto.server.activateAccount")
            person = await signed_in(journey.new_deployment, "ana.two.test", NEW_PASSWORD)
            uri = (await write(person, "written between")).json()["uri"]
            records[uri] = (await journey.repository(journey.new_deployment))[uri]

    move = await journey.move()
    await migrate.copy_account(move)
    is_named = await identity.names_new_server(move.new)
    assert is_named == (stop in {"identity", "activation"})
    await migrate.finish(move, None if is_named else await journey.token(move))
    assert await journey.repository(journey.new_deployment) == records
    assert await journey.blobs(journey.new_deployment) == blobs
    assert len(await journey.old_deployment.directory.log(journey.did)) == 2


async def test_changes_made_during_the_move_are_moved_too(journey: Journey) -> None:
    """Records that are written, changed or deleted at the old server between two attempts are moved too."""
    await migrate.copy_account(await journey.move())
    await write(journey.ana, "later")
    body = {"repo": journey.did, "collection": NOTE, "rkey": "note-0"}
    assert (await journey.ana.post("com.atproto.repo.deleteRecord", body)).status_code == 200
    body = {**body, "rkey": "note-1", "record": {"$type": NOTE, "text": "changed"}}
    assert (await journey.ana.post("com.atproto.repo.putRecord", body)).status_code == 200
    expected = await journey.repository(journey.old_deployment)
    move = await journey.move()
    assert (await migrate.copy_account(move)).differences == []
    await migrate.finish(move, await journey.token(move))
    assert await journey.repository(journey.new_deployment) == expected


async def test_lost_blob_does_not_stop_the_move(journey: Journey) -> None:
    """A lost blob does not stop the move; it stays on the list of missing blobs."""
    registry = journey.old_deployment.pds.registry
    first = min(await journey.blobs(journey.old_deployment))
    await registry.db.write(
        lambda w: w.execute(
            "delete from blobs where did = :did and cid = :cid", did=journey.did, cid=bytes(Cid.parse(first))
        )
    )
    move = await journey.move()
    outcome = await migrate.copy_account(move)
    assert [str(cid) for cid in outcome.missing_blobs] == [first]
    await migrate.finish(move, await journey.token(move))
    assert len(await journey.blobs(journey.new_deployment)) == 2
    assert [str(cid) async for cid in copy.missing_blobs(move.new)] == [first]


@pytest.mark.parametrize("name", ["InvalidRequest", "BlobTakedown", "BlobNotFound"])
async def test_blob_counts_as_lost_by_the_error_name_of_the_old_server(journey: Journey, name: str) -> None:
    """The reference PDS answers ``InvalidRequest`` for a blob that it does not have. The sentence does not matter."""
    move = await journey.move()
    await copy.copy_repository(move.old, move.new, journey.folder, move.on_progress)

    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"error": name, "message": "No tea."}, status=400)

    async with serve({"GET /xrpc/com.atproto.sync.getBlob": refuse}) as url:
        old = MigrationServer(url, journey.did, XrpcClient(journey.http, journey.old_deployment.clock, url))
        outcome = MigrationResult()
        await copy.copy_blobs(old, move.new, move.on_progress, outcome)
    assert (outcome.blobs_brought, len(outcome.missing_blobs)) == (0, 3)


async def test_failure_of_a_server_while_blobs_are_copied_is_raised_as_it_is(
    journey: Journey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object, **_options: object) -> None:
        raise RemoteFailed("the old server is broken")

    move = await journey.move()
    monkeypatch.setattr(move.old.client, "download", fail)
    with pytest.raises(RemoteFailed, match="broken"):
        await migrate.copy_account(move)


async def test_own_rotation_key_stays_first(journey: Journey) -> None:
    """The owner's own rotation key stays first, and the old server's key is removed."""
    mine = format_did_key(K256PrivateKey(bytes([8]) * 32).public)
    old = await journey.old()
    servers = (await identity.recommended(old))["rotationKeys"]
    move = await journey.move()
    token = await journey.token(move)
    signed = await old.client.procedure(
        "com.atproto.identity.signPlcOperation", {"token": token, "rotationKeys": [mine, *servers]}
    )
    await old.client.procedure("com.atproto.identity.submitPlcOperation", {"operation": signed["operation"]})
    await migrate.copy_account(move)
    await migrate.finish(move, await journey.token(move))
    newest = (await journey.old_deployment.directory.log(journey.did))[-1]
    assert newest["rotationKeys"][0] == mine
    assert len(newest["rotationKeys"]) == 2
    assert not set(servers) & set(newest["rotationKeys"])


async def test_steps_in_the_wrong_order_are_refused_without_effect(journey: Journey) -> None:
    move = await journey.move()
    with pytest.raises(Refused, match="does not name the new server yet"):
        await migrate.finish(move, None)
    for call in (
        move.new.client.procedure("com.atproto.server.activateAccount"),
        identity.change(move.old, move.new, "AAAAA-BBBBB", move.directory),
    ):
        with pytest.raises(Failure):
            await call
    assert len(await journey.old_deployment.directory.log(journey.did)) == 1
    await migrate.copy_account(move)
    await migrate.finish(move, await journey.token(move))


async def test_second_attempt_with_another_password_is_refused(journey: Journey) -> None:
    await journey.arrive()
    with pytest.raises(Refused, match="with another password"):
        await journey.arrive(password="something else entirely")


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"handle": "taken.two.test"}, "HandleNotAvailable"),
        ({"handle": "x.two.test"}, "InvalidHandle"),
        ({"email": "nonsense"}, "InvalidRequest"),
        ({"password": "short"}, "InvalidPassword"),
    ],
    ids=["taken", "too short", "address", "password"],
)
async def test_refusals_of_the_new_server_are_reported(journey: Journey, changes: dict[str, str], name: str) -> None:
    await journey.new_deployment.sign_up("taken", handle="taken.two.test")
    with pytest.raises((Refused, InvalidInput)) as refused:
        await journey.arrive(**changes)
    assert refused.value.name == name
    assert await journey.new_deployment.count("accounts") == 1


async def test_app_password_moves_nothing(journey: Journey) -> None:
    made = await journey.ana.post(f"{SERVER}.createAppPassword", {"name": "phone"})
    clock = journey.old_deployment.clock
    old = await servers.sign_in(
        journey.http, clock, journey.old_deployment.url, "ana.one.test", made.json()["password"]
    )
    wanted = account.NewAccount(handle="ana.two.test", email="ana@example.com", password=NEW_PASSWORD)
    with pytest.raises((Refused, Failure)):
        await account.sign_in_or_create(journey.http, clock, old, journey.new_deployment.url, wanted)
    assert await journey.new_deployment.count("accounts") == 0


async def test_wrong_password_is_reported(journey: Journey) -> None:
    with pytest.raises(NotSignedIn):
        await servers.sign_in(
            journey.http, journey.old_deployment.clock, journey.old_deployment.url, "ana.one.test", "wrong"
        )
