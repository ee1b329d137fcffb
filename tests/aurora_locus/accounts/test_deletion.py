"""Deleting an account: which rows stay, what other accounts keep, and what is announced."""

from typing import Any

import httpx
import pytest

from at_protocol.syntax.datetime import format_datetime
from aurora_locus.accounts.activation import KEPT_AT_LEAST
from aurora_locus.accounts.deletion import delete_forgotten
from groundwork.clock import DAY, Instant
from groundwork.errors import NotFound
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person, statuses, together
from tests.aurora_locus.mailbox import newest_token

ASK, DELETE = f"{SERVER}.requestAccountDelete", f"{SERVER}.deleteAccount"

# What may still contain the DID afterwards: that the account existed, its handle for a while, and that it was deleted.
TRACES = {"repositories", "released_handles", "events"}
TABLES = [
    *("repositories", "blocks", "records", "blobs", "blob_references", "events", "signing_keys", "plc_operations"),
    *("accounts", "released_handles", "sessions", "app_passwords", "email_tokens"),
]


async def blob_of(person: Person, content: bytes = b"the same bytes") -> dict[str, Any]:
    headers = {**person.headers, "content-type": "text/plain"}
    answer = await person.http.post("/xrpc/com.atproto.repo.uploadBlob", content=content, headers=headers)
    blob: dict[str, Any] = answer.json()["blob"]
    record = {"repo": person.did, "collection": "org.example.note", "record": {"text": "hello", "blob": blob}}
    assert (await person.post("com.atproto.repo.createRecord", record)).status_code == 200
    return blob


async def ask(deployment: Deployment, person: Person) -> str:
    assert (await person.post(ASK)).status_code == 200
    return await newest_token(deployment, "ana@example.org")


async def delete(
    deployment: Deployment, person: Person, token: str, password: str = "password of ana"
) -> httpx.Response:
    return await deployment.stranger.post(DELETE, {"did": person.did, "password": password, "token": token})


async def tables_naming(deployment: Deployment, person: Person) -> set[str]:
    async with deployment.db.reader() as reader:
        named = set()
        for table in TABLES:
            if await reader.fetch_one(f"select 1 from {table} where did = :did", did=person.did) is not None:
                named.add(table)
    return named


async def test_deletion_removes_all_data_of_the_account(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    blob = await blob_of(ana)
    await ana.post(f"{SERVER}.createAppPassword", {"name": "phone"})
    token = await ask(deployment, ana)
    assert (await delete(deployment, ana, token)).status_code == 200
    assert await tables_naming(deployment, ana) == TRACES
    await deployment.pds.registry.repositories.blobs.wait_for_removals()
    store = deployment.pds.registry.repositories.blobs.store
    assert [stored.key async for stored in store.list()] == []
    for answer in (
        await ana.get(f"{SERVER}.getSession"),
        await ana.bearing(ana.refresh_token).post(f"{SERVER}.refreshSession"),
        await deployment.sign_in("ana.test", "password of ana"),
        await deployment.http.get("/xrpc/com.atproto.sync.getRepo", params={"did": ana.did}),
        await deployment.http.get(
            "/xrpc/com.atproto.sync.getBlob", params={"did": ana.did, "cid": blob["ref"]["$link"]}
        ),
    ):
        assert answer.status_code in {400, 401, 403}
    with pytest.raises(NotFound):
        await deployment.pds.registry.repositories.keys.signing_key(ana.did)


async def test_same_blob_of_another_account_stays(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    blob, same = await blob_of(ana), await blob_of(ben)
    assert blob["ref"] == same["ref"]
    await delete(deployment, ana, await ask(deployment, ana))
    await deployment.pds.registry.repositories.blobs.wait_for_removals()
    asked = {"did": ben.did, "cid": blob["ref"]["$link"]}
    assert (await deployment.http.get("/xrpc/com.atproto.sync.getBlob", params=asked)).content == b"the same bytes"


async def test_firehose_keeps_only_the_deletion_of_a_deleted_account(deployment: Deployment) -> None:
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    told = await deployment.announced(ben.did)
    await blob_of(ana)
    await delete(deployment, ana, await ask(deployment, ana))
    assert await deployment.announced(ana.did) == ["account deleted"]
    assert await deployment.announced(ben.did) == told


async def test_handle_is_reserved_for_a_while(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await delete(deployment, ana, await ask(deployment, ana))
    refused = await deployment.ask_to_sign_up("ana")
    assert (refused.status_code, refused.json()["error"]) == (400, "HandleNotAvailable")
    deployment.clock.turn(30 * DAY)
    assert (await deployment.ask_to_sign_up("ana")).status_code == 200


async def test_identity_is_not_ended_by_the_deletion(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await delete(deployment, ana, await ask(deployment, ana))
    assert ana.did in await deployment.directory.living()


async def test_password_and_token_are_both_needed(deployment: Deployment) -> None:
    """Deletion needs both the password and the token. A wrong password does not use up the token; an app password or
    another account's token is refused.
    """
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    app = (await ana.post(f"{SERVER}.createAppPassword", {"name": "phone"})).json()["password"]
    token = await ask(deployment, ana)
    for password in ("wrong", app):
        refused = await delete(deployment, ana, token, password)
        assert (refused.status_code, refused.json()["error"]) == (401, "AuthenticationRequired")
    refused = await delete(deployment, ben, token, "password of ben")
    assert (refused.status_code, refused.json()["error"]) == (400, "InvalidToken")
    assert await deployment.count("accounts") == 2
    deleted, *refused_ones = statuses(await together(*(delete(deployment, ana, token) for _ in range(3))))
    assert deleted == 200
    assert set(refused_ones) <= {400, 401}
    assert await deployment.count("accounts") == 1


async def test_write_that_races_with_the_deletion_leaves_nothing(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    token = await ask(deployment, ana)
    record = {"repo": ana.did, "collection": "org.example.note", "record": {"text": "hello"}}
    await together(
        *(ana.post("com.atproto.repo.createRecord", record) for _ in range(8)),
        delete(deployment, ana, token),
        *(ana.post("com.atproto.repo.createRecord", record) for _ in range(8)),
    )
    assert await tables_naming(deployment, ana) == TRACES
    assert await deployment.announced(ana.did) == ["account deleted"]


async def test_deactivated_account_is_deleted_at_the_time_that_its_owner_set(deployment: Deployment) -> None:
    """A deactivated account is deleted at the time that its owner set, unless the owner came back or set none."""
    ana, ben, eva = [await deployment.sign_up(name) for name in ("ana", "ben", "eva")]
    until = format_datetime(deployment.clock.now() + 5 * DAY)
    for person in (ana, ben):
        assert (await person.post(f"{SERVER}.deactivateAccount", {"deleteAfter": until})).status_code == 200
    await eva.post(f"{SERVER}.deactivateAccount", {})
    await ben.post(f"{SERVER}.activateAccount")
    registry = deployment.pds.registry
    assert await delete_forgotten(registry) == 0
    deployment.clock.turn(5 * DAY)
    assert await delete_forgotten(registry) == 1
    assert await deployment.announced(ana.did) == ["account deleted"]
    assert (await deployment.stranger.get(f"{IDENTITY}.resolveHandle", handle="ben.test")).json() == {"did": ben.did}
    assert await deployment.count("accounts") == 2


async def test_stolen_session_deletes_nothing_at_once(deployment: Deployment) -> None:
    """A stolen session cannot delete anything at once. Deletion needs the password and an e-mail, and deactivation with
    a deletion date is no way around that: the owner can still come back.
    """
    ana = await deployment.sign_up("ana")
    past = format_datetime(Instant(deployment.clock.now() - DAY))
    assert (await ana.post(f"{SERVER}.deactivateAccount", {"deleteAfter": past})).status_code == 200
    registry = deployment.pds.registry
    deployment.clock.turn(KEPT_AT_LEAST - 1)
    assert await delete_forgotten(registry) == 0
    back = deployment.person(await deployment.sign_in("ana.test", "password of ana"))
    assert (await back.post(f"{SERVER}.activateAccount")).status_code == 200
    deployment.clock.turn(2 * KEPT_AT_LEAST)
    assert await delete_forgotten(registry) == 0


async def test_invites_of_a_deleted_account_open_nothing(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    wish = {"useCount": 5, "forAccount": ana.did}
    await deployment.administration.post(f"{SERVER}.createInviteCode", wish)
    await delete(deployment, ana, await ask(deployment, ana))
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select disabled from invite_codes")
    assert [row["disabled"] for row in rows] == [1]
