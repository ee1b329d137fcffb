"""Creating accounts over real sockets: everything or nothing, under races, failures and disconnects."""

import asyncio
from typing import Any

import pytest

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from aurora_locus.accounts import creation
from aurora_locus.accounts.account_requests import AccountRequest
from aurora_locus.identity import plc_updates
from groundwork.clock import MINUTE
from groundwork.database.transaction import Engine
from groundwork.errors import Unavailable
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, statuses, together


async def test_new_account_is_announced_in_order(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    assert await deployment.announced(ana.did) == ["identity ana.test", "account active", "commit", "sync"]


async def test_identity_names_this_server_and_the_accounts_key(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    (operation,) = await deployment.directory.log(ana.did)
    key = await deployment.pds.registry.repositories.keys.signing_key(ana.did)
    assert operation["alsoKnownAs"] == ["at://ana.test"]
    assert operation["services"]["atproto_pds"]["endpoint"] == deployment.settings.url
    assert operation["verificationMethods"] == {"atproto": format_did_key(key.public)}
    assert operation["rotationKeys"] == [format_did_key(deployment.pds.registry.rotation_key.public)]
    assert await deployment.operation_states() == ["sent"]


async def test_recovery_key_ranks_before_the_servers(deployment: Deployment) -> None:
    mine = format_did_key(K256PrivateKey(bytes([7]) * 32).public)
    ana = await deployment.sign_up("ana", recoveryKey=mine)
    (operation,) = await deployment.directory.log(ana.did)
    assert operation["rotationKeys"][0] == mine


async def test_handle_is_stored_in_lower_case(deployment: Deployment) -> None:
    answer = await deployment.ask_to_sign_up("ana", handle="ANA.Test", email="Ana@Example.ORG")
    assert (answer.status_code, answer.json()["handle"]) == (200, "ana.test")
    session = await deployment.person(answer).get(f"{SERVER}.getSession")
    assert session.json()["email"] == "ana@example.org"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": "short"}, "InvalidPassword"),
        ({"password": "x" * 257}, "InvalidPassword"),
        ({"password": None}, "InvalidPassword"),
        ({"email": None}, "InvalidRequest"),
        ({"email": "ana"}, "InvalidRequest"),
        ({"email": "a\x00@example.org"}, "InvalidRequest"),
        ({"email": "ana@localhost"}, "InvalidRequest"),
        ({"handle": "not a handle"}, "InvalidRequest"),
        ({"handle": "ana.elsewhere.com"}, "UnsupportedDomain"),
        ({"handle": "admin.test"}, "HandleNotAvailable"),
        ({"recoveryKey": "did:key:zzz"}, "InvalidRequest"),
        ({"plcOp": {}}, "InvalidRequest"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
async def test_invalid_fields_leave_nothing(deployment: Deployment, change: dict[str, Any], error: str) -> None:
    answer = await deployment.ask_to_sign_up("ana", **change)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert deployment.directory.submitted == 0
    assert await deployment.count("accounts") == 0


async def test_servers_own_key_is_refused_as_recovery_key(deployment: Deployment) -> None:
    ours = format_did_key(deployment.pds.registry.rotation_key.public)
    assert (await deployment.ask_to_sign_up("ana", recoveryKey=ours)).status_code == 400


async def _exactly_one(deployment: Deployment, wishes: list[dict[str, Any]], error: str) -> None:
    answers = await together(*(deployment.ask_to_sign_up(f"somebody{n}", **wish) for n, wish in enumerate(wishes)))
    assert statuses(answers) == [200] + [400] * (len(wishes) - 1)
    assert {answer.json()["error"] for answer in answers if answer.status_code == 400} == {error}
    (winner,) = (answer.json()["did"] for answer in answers if answer.status_code == 200)
    assert await deployment.directory.living() == {winner}
    assert await deployment.count("accounts") == await deployment.count("repositories") == 1
    assert max(await deployment.operation_states()) == "sent"
    assert "intended" not in await deployment.operation_states()


async def test_concurrent_sign_ups_for_a_handle_leave_one_account(deployment: Deployment) -> None:
    """One of several concurrent sign-ups for a handle succeeds, and the others leave no identity behind."""
    await _exactly_one(deployment, [{"handle": "ana.test"}] * 5, "HandleNotAvailable")


async def test_concurrent_sign_ups_for_an_address_leave_one_account(deployment: Deployment) -> None:
    await _exactly_one(deployment, [{"email": "ana@example.org"}] * 5, "InvalidRequest")


async def test_concurrent_sign_ups_with_one_invite_leave_one_account(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(invite_required=True)
    code = (await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": 1})).json()["code"]
    await _exactly_one(deployment, [{"inviteCode": code}] * 5, "InvalidInviteCode")


@pytest.mark.parametrize("code", [None, "", "localhost-aaaaa-bbbbb", "\x00"])
async def test_sign_up_without_an_invite_makes_no_directory_request(
    make_deployment: MakeDeployment, code: str | None
) -> None:
    deployment = await make_deployment(invite_required=True)
    answer = await deployment.ask_to_sign_up("ana", inviteCode=code)
    assert (answer.status_code, answer.json()["error"]) == (400, "InvalidInviteCode")
    assert deployment.directory.submitted == 0


async def test_directory_that_is_down_fails_the_sign_up_cleanly(deployment: Deployment) -> None:
    """If the directory is down, the sign-up fails cleanly: later it is certain that nothing arrived, and the name is
    free.
    """
    deployment.directory.is_down = True
    answer = await deployment.ask_to_sign_up("ana")
    assert (answer.status_code, answer.json()["error"]) == (502, "UpstreamFailure")
    assert (
        await deployment.count("accounts")
        == await deployment.count("repositories")
        == await deployment.count("signing_keys")
        == 0
    )
    deployment.directory.is_down = False
    deployment.clock.turn(plc_updates.PATIENCE)
    registry = deployment.pds.registry
    assert await plc_updates.repair(registry.plc) == 0
    assert await deployment.operation_states() == ["abandoned"]
    await deployment.sign_up("ana")


async def test_lost_response_of_the_directory_does_not_fail_the_sign_up(deployment: Deployment) -> None:
    deployment.directory.loses_answers = True
    ana = await deployment.sign_up("ana")
    assert len(await deployment.directory.log(ana.did)) == 1


async def test_operation_that_has_not_arrived_yet_is_looked_for_again(deployment: Deployment) -> None:
    """An operation that has not arrived at the directory is looked for again, because the request may still be on its
    way.
    """
    deployment.directory.is_down = True
    await deployment.ask_to_sign_up("ana")
    deployment.directory.is_down = False
    registry = deployment.pds.registry
    await plc_updates.repair(registry.plc, await plc_updates.unfinished(registry.db, patience=0))
    assert await deployment.operation_states() == ["ending"]


async def test_sign_up_that_is_still_running_is_left_alone(deployment: Deployment) -> None:
    registry = deployment.pds.registry

    async def sweep() -> None:
        await plc_updates.repair(registry.plc)

    deployment.directory.on_submit = sweep
    ana = await deployment.sign_up("ana")
    assert await deployment.directory.living() == {ana.did}


async def test_sign_up_right_after_the_start_is_not_a_crash_leftover(deployment: Deployment) -> None:
    """A sign-up right after the start is not treated as a crash leftover: the first cleanup only handles rows from
    before serving began, even if it takes long.
    """
    registry = deployment.pds.registry
    left_over = await plc_updates.unfinished_at_start(registry.db)

    async def sweep() -> None:
        await plc_updates.repair(registry.plc, left_over)

    deployment.directory.on_submit = sweep
    ana = await deployment.sign_up("ana")
    assert await deployment.directory.living() == {ana.did}


async def test_starting_process_does_not_end_sign_ups_of_others(deployment: Deployment, engine: Engine) -> None:
    """A new process does not touch the sign-ups of others. On PostgreSQL a second one may start while the first is
    busy; an SQLite file has only one.
    """
    registry = deployment.pds.registry
    seen: list[int] = []

    async def start() -> None:
        seen.append(len(await plc_updates.unfinished_at_start(registry.db)))

    deployment.directory.on_submit = start
    await deployment.sign_up("ana")
    assert seen == [0 if engine == "postgresql" else 1]


async def test_sign_up_ended_by_another_process_creates_no_account(deployment: Deployment) -> None:
    """If another process took a pending sign-up for a crash leftover and ended it, no account is created; the database
    decides which was first.
    """
    registry = deployment.pds.registry

    async def sweep() -> None:
        deployment.directory.on_submit = None
        await plc_updates.repair(registry.plc, await plc_updates.unfinished(registry.db, patience=0))

    deployment.directory.on_submit = sweep
    with pytest.raises(Unavailable):
        await creation.create(
            registry, AccountRequest(handle="ana.test", email="ana@example.org", password="password of ana")
        )
    assert await deployment.directory.living() == set()
    assert await deployment.count("accounts") == 0
    deployment.clock.turn(MINUTE)
    await deployment.sign_up("ana")


async def test_cancelled_request_leaves_a_complete_account(deployment: Deployment) -> None:
    """A cancelled request leaves a complete account: the identity of an account that is being stored is not ended."""
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        reached.set()
        await go_on.wait()

    deployment.directory.on_submit = wait
    wish = AccountRequest(handle="ana.test", email="ana@example.org", password="password of ana")
    asking = asyncio.create_task(creation.create(deployment.pds.registry, wish))
    await reached.wait()
    asking.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await deployment.count("accounts") == len(await deployment.directory.living()) == 1
    assert await deployment.operation_states() == ["sent"]
