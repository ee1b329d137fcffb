"""Accounts that move here with their identity: accepted if the caller proves the key, and inactive until the identity
points here.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle
from at_protocol.syntax.nsid import Nsid
from aurora_locus.accounts import deletion, handle_change, hosting_status, queries, transfer_in
from groundwork.clock import HOUR
from groundwork.errors import NotFound, Refused
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person, together
from tests.aurora_locus.external_identity import CREATE, ELSEWHERE, ExternalIdentity

ACTIVATE, CHECK, SESSION = f"{SERVER}.activateAccount", f"{SERVER}.checkAccountStatus", f"{SERVER}.getSession"


# An identity hosted by another server, which signs with its own key.
AWAY: dict[str, Any] = {
    "services": {"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": "https://new.example"}},
    "verificationMethods": {"atproto": format_did_key(K256PrivateKey(bytes([3]) * 32).public)},
}


def named(answer: Any) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


@pytest.fixture
async def vera(deployment: Deployment) -> ExternalIdentity:
    return await ExternalIdentity.create(deployment, "vera")


async def test_account_arrives_deactivated_and_unannounced(deployment: Deployment, vera: ExternalIdentity) -> None:
    """An account arrives deactivated, without an announcement and without a change to its identity."""
    person = await vera.transfer_in()
    assert person.did == vera.did
    session = (await person.get(SESSION)).json()
    assert (session["active"], session["status"], session["handle"]) == (False, "deactivated", "vera.test")
    assert await deployment.announced(vera.did) == []
    assert len(await deployment.directory.log(vera.did)) == 1
    resolved = await deployment.stranger.get(f"{IDENTITY}.resolveHandle", handle="vera.test")
    assert named(resolved) == (400, "HandleNotFound")


async def test_account_is_activated_when_its_identity_names_this_server(
    deployment: Deployment, vera: ExternalIdentity
) -> None:
    """The account becomes active when the identity points here. The old server is gone: a key of the person's own signs
    token and operation, and the account is announced once.
    """
    person = await vera.transfer_in()
    await vera.update_document(person)
    status = (await person.get(CHECK)).json()
    assert (status["activated"], status["validDid"]) == (False, True)
    assert named(await person.post(ACTIVATE)) == (200, "")
    assert await deployment.announced(vera.did) == ["account active", "identity vera.test", "sync"]
    record = {"repo": vera.did, "collection": "org.example.note", "record": {"text": "here"}}
    assert named(await person.post("com.atproto.repo.createRecord", record)) == (200, "")
    deployment.clock.turn(transfer_in.PATIENCE + HOUR)
    assert await deletion.delete_forgotten(deployment.pds.registry) == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"audience": "did:web:elsewhere.example"}, "BadJwtAudience"),
        ({"method": Nsid("com.atproto.server.deleteAccount")}, "BadJwtLexiconMethod"),
        ({"lifetime_seconds": 2 * 60 * 60}, "BadJwt"),
        ({"key": K256PrivateKey(bytes([9]) * 32)}, "BadJwtSignature"),
        ({"issuer": Did("did:plc:ragtjsm2j2vknwkz3zp4oxrd")}, "UnresolvableDid"),
    ],
    ids=["audience", "method", "lifetime", "signature", "issuer"],
)
async def test_invalid_token_creates_no_account(
    deployment: Deployment, vera: ExternalIdentity, changes: dict[str, Any], error: str
) -> None:
    answer = await vera.request_account(vera.token(**changes))
    assert named(answer) == (400 if error == "UnresolvableDid" else 401, error)
    assert await deployment.count("accounts") == await deployment.count("repositories") == 0


async def test_expired_token_creates_no_account(deployment: Deployment, vera: ExternalIdentity) -> None:
    token = vera.token()
    deployment.clock.turn(HOUR)
    assert named(await vera.request_account(token)) == (401, "JwtExpired")
    assert await deployment.count("accounts") == 0


async def test_token_without_a_method_is_refused(vera: ExternalIdentity) -> None:
    assert (await vera.request_account(vera.token(method=None))).status_code == 401


async def test_token_of_somebody_else_is_refused(deployment: Deployment, vera: ExternalIdentity) -> None:
    other = await ExternalIdentity.create(deployment, "other")
    assert named(await vera.request_account(other.token())) == (401, "BadJwtIss")


async def test_did_without_a_token_and_a_token_without_a_did(deployment: Deployment, vera: ExternalIdentity) -> None:
    assert named(await deployment.ask_to_sign_up("vera", did=vera.did)) == (401, "AuthenticationRequired")
    assert named(await vera.request_account(did=None)) == (400, "InvalidRequest")
    ana = await deployment.sign_up("ana")
    answer = await ana.post(
        CREATE, {"handle": "x12.test", "email": "x@example.org", "password": "p" * 9, "did": ana.did}
    )
    assert named(answer) == (401, "BadJwtType")


async def test_replaced_key_is_refused(deployment: Deployment, vera: ExternalIdentity) -> None:
    """A key that its owner has replaced creates no account, although the document with it is still cached here."""
    await vera.request_account(handle="no")
    new_key = K256PrivateKey(bytes([3]) * 32)
    await vera.submit_change(verificationMethods={"atproto": format_did_key(new_key.public)})
    assert named(await vera.request_account()) == (401, "BadJwtSignature")
    assert await deployment.count("accounts") == 0
    assert named(await vera.request_account(vera.token(key=new_key))) == (200, "")


async def test_tombstoned_identity_is_refused(deployment: Deployment, vera: ExternalIdentity) -> None:
    """A tombstoned identity is refused: its document is fetched again, although its key is still cached here."""
    await vera.request_account(handle="no")
    from_cache = vera.token()
    directory = deployment.pds.registry.directory
    newest = await directory.last(vera.did)
    tombstone = plc_operation.Tombstone(str(plc_operation.cid_of(newest)))
    await directory.submit(vera.did, plc_operation.sign(tombstone, vera.rotation))
    assert named(await vera.request_account(from_cache)) == (400, "UnresolvableDid")


async def test_second_attempt_is_told_to_sign_in(deployment: Deployment, vera: ExternalIdentity) -> None:
    """A second attempt is told to sign in, and can continue where the first stopped."""
    first = await vera.transfer_in()
    again = await vera.request_account(email="new@example.org")
    assert named(again) == (400, "AlreadyExists")
    assert "Sign in with the password" in again.json()["message"]
    back = deployment.person(await deployment.sign_in("vera.test", "password of vera"))
    assert back.did == first.did
    await vera.update_document(back)
    assert named(await back.post(ACTIVATE)) == (200, "")


async def test_second_of_two_concurrent_attempts_must_sign_in(deployment: Deployment, vera: ExternalIdentity) -> None:
    answers = await together(*(vera.request_account(email=f"vera{n}@example.org") for n in range(4)))
    assert sorted(named(answer) for answer in answers) == [(200, ""), *[(400, "AlreadyExists")] * 3]
    assert await deployment.count("accounts") == 1


@pytest.mark.parametrize("address", ["vera@example.org", "other@example.org"], ids=["same address", "another address"])
@pytest.mark.parametrize("stage", ["identity", "handle", "password", "transaction"])
async def test_attempt_overtaken_at_any_stage_is_told_to_sign_in(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch, stage: str, address: str
) -> None:
    """An attempt overtaken by another one at any stage is told to sign in, rather than that the handle, the address or
    the invite is taken.
    """
    deployment = await make_deployment(invite_required=True)
    vera = await ExternalIdentity.create(deployment, "vera")
    code = (await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": 1})).json()["code"]
    registry = deployment.pds.registry
    where: tuple[Any, str] = {
        "identity": (registry.directory, "last"),
        "handle": (handle_change, "require_own"),
        "password": (registry.passwords, "hash"),
        "transaction": (registry.repositories.keys, "reserved_key"),
    }[stage]
    arrived, may_go_on = asyncio.Event(), asyncio.Event()
    original = getattr(*where)

    async def held_once(*arguments: Any, **named: Any) -> Any:
        """The first call does its work, but returns only after the other attempt has ended."""
        is_first = not arrived.is_set()
        arrived.set()
        result = await original(*arguments, **named)
        if is_first:
            await may_go_on.wait()
        return result

    monkeypatch.setattr(*where, held_once)
    overtaken = asyncio.create_task(vera.request_account(email=address, inviteCode=code))
    await arrived.wait()
    await vera.transfer_in(inviteCode=code)
    may_go_on.set()
    answer = await overtaken
    assert named(answer) == (400, "AlreadyExists")
    assert "a move that was not finished" in answer.json()["message"]
    assert await deployment.count("accounts") == 1


async def test_unfinished_arrival_is_removed_without_a_trace(deployment: Deployment, vera: ExternalIdentity) -> None:
    """An unfinished arrival is deleted after three days without an announcement, because none was made before. Name,
    address and identity are free again.
    """
    await vera.transfer_in()
    deployment.clock.turn(transfer_in.PATIENCE - HOUR)
    assert await deletion.delete_forgotten(deployment.pds.registry) == 0
    deployment.clock.turn(2 * HOUR)
    assert await deletion.delete_forgotten(deployment.pds.registry) == 1
    assert await deployment.announced(vera.did) == []
    for table in ("accounts", "repositories", "blocks", "signing_keys", "released_handles"):
        assert await deployment.count(table) == 0
    assert (await deployment.directory.log(vera.did))[-1]["services"]["atproto_pds"]["endpoint"] == ELSEWHERE
    await deployment.sign_up("vera")


async def test_reserved_key_is_used(deployment: Deployment, vera: ExternalIdentity) -> None:
    reserved = (await deployment.stranger.post(f"{SERVER}.reserveSigningKey", {"did": vera.did})).json()["signingKey"]
    person = await vera.transfer_in()
    wanted = (await person.get(f"{IDENTITY}.getRecommendedDidCredentials")).json()
    assert wanted["verificationMethods"]["atproto"] == reserved


async def test_recovery_key_is_recommended_first(deployment: Deployment, vera: ExternalIdentity) -> None:
    mine = format_did_key(K256PrivateKey(bytes([5]) * 32).public)
    person = await vera.transfer_in(recoveryKey=mine)
    wanted = (await person.get(f"{IDENTITY}.getRecommendedDidCredentials")).json()
    assert wanted["rotationKeys"] == [mine, format_did_key(deployment.pds.registry.rotation_key.public)]


async def test_invite_is_required_if_the_setting_says_so(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment(invite_required=True)
    vera = await ExternalIdentity.create(deployment, "vera")
    assert named(await vera.request_account()) == (400, "InvalidInviteCode")
    code = (await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": 1})).json()["code"]
    await vera.transfer_in(inviteCode=code)


async def test_handle_and_address_of_others_are_refused(deployment: Deployment, vera: ExternalIdentity) -> None:
    await deployment.sign_up("ana")
    assert named(await vera.request_account(handle="ana.test")) == (400, "HandleNotAvailable")
    assert named(await vera.request_account(email="ana@example.org")) == (400, "InvalidRequest")
    assert named(await vera.request_account(handle="admin.test")) == (400, "HandleNotAvailable")


async def activate(person: Person) -> str:
    answer = await person.post(ACTIVATE)
    assert named(answer) == (400, "InvalidRequest")
    return str(answer.json()["message"])


async def test_activation_error_names_each_problem(deployment: Deployment, vera: ExternalIdentity) -> None:
    person = await vera.transfer_in()
    wanted = (await person.get(f"{IDENTITY}.getRecommendedDidCredentials")).json()
    before = await activate(person)
    assert "rotation key" in before
    assert wanted["services"]["atproto_pds"]["endpoint"] in before
    assert "signing key" in before
    mine = format_did_key(vera.rotation.public)
    await vera.submit_change(services=wanted["services"], rotationKeys=[mine, *wanted["rotationKeys"]])
    after = await activate(person)
    assert "signing key" in after
    assert "rotation key" not in after
    assert await deployment.announced(vera.did) == []


async def test_own_domain_must_resolve_to_the_did(deployment: Deployment, vera: ExternalIdentity) -> None:
    """A handle of one's own domain is accepted if it resolves to the DID."""
    names = {"vera.example.com": vera.did, "other.example.com": Did("did:plc:ragtjsm2j2vknwkz3zp4oxrd")}

    async def resolve(handle: Handle) -> Did:
        if handle not in names:
            raise NotFound("no such name", name="HandleNotFound")
        return names[handle]

    registry = deployment.pds.registry
    asked = replace(registry, network=replace(registry.network, refresh_handle=resolve))
    assert await handle_change.require_own(asked, vera.did, "Vera.Example.com") == "vera.example.com"
    for wrong in ("other.example.com", "nobody.example.com"):
        with pytest.raises(Refused, match=r"points to|doesn’t point to"):
            await handle_change.require_own(asked, vera.did, wrong)


async def test_account_that_moved_away_is_shown_as_moved(deployment: Deployment) -> None:
    """An account that moved away is detected and shown as moved: it makes no more commits, and ``getSession`` names the
    new server to its owner.
    """
    vera = await ExternalIdentity.create(deployment, "vera")
    person = await vera.transfer_in()
    mine = format_did_key(vera.rotation.public)
    wanted = (await person.get(f"{IDENTITY}.getRecommendedDidCredentials")).json()
    await vera.submit_change(
        services=wanted["services"],
        verificationMethods=wanted["verificationMethods"],
        rotationKeys=[mine, *wanted["rotationKeys"]],
    )
    assert named(await person.post(ACTIVATE)) == (200, "")
    record = {"repo": vera.did, "collection": "org.example.note", "record": {"text": "still here"}}
    assert named(await person.post("com.atproto.repo.createRecord", record)) == (200, "")

    await vera.submit_change(**AWAY)
    deployment.clock.turn(hosting_status.CHECK_INTERVAL)
    assert await hosting_status.recheck_due(deployment.pds.registry) == 1
    assert await hosting_status.recheck_due(deployment.pds.registry) == 0
    refused = await person.post("com.atproto.repo.createRecord", record)
    assert named(refused) == (400, "RepoDeactivated")
    assert "https://new.example" in refused.json()["message"]
    session = (await person.get(SESSION)).json()
    assert (session["active"], session["movedTo"]) == (False, "https://new.example")
    assert (await deployment.announced(vera.did))[-2:] == ["commit", "account deactivated"]

    await vera.submit_change(services=wanted["services"], verificationMethods=wanted["verificationMethods"])
    assert named(await person.post(ACTIVATE)) == (200, "")
    assert "movedTo" not in (await person.get(SESSION)).json()
    assert named(await person.post("com.atproto.repo.createRecord", record)) == (200, "")


async def test_get_session_names_the_new_server_after_a_move(deployment: Deployment) -> None:
    vera = await ExternalIdentity.create(deployment, "vera")
    person = await vera.transfer_in()
    await vera.submit_change(
        rotationKeys=[
            format_did_key(vera.rotation.public),
            format_did_key(deployment.pds.registry.rotation_key.public),
        ]
    )
    wanted = (await person.get(f"{IDENTITY}.getRecommendedDidCredentials")).json()
    await vera.submit_change(services=wanted["services"], verificationMethods=wanted["verificationMethods"])
    assert named(await person.post(ACTIVATE)) == (200, "")
    await vera.submit_change(**AWAY)
    assert named(await person.post(f"{SERVER}.deactivateAccount", {})) == (200, "")
    assert (await person.get(SESSION)).json()["movedTo"] == "https://new.example"


async def test_account_that_a_move_left_shown_is_hidden_later(deployment: Deployment) -> None:
    """A move that stops after the identity has changed leaves the account shown; a later check hides it."""
    vera = await ExternalIdentity.create(deployment, "vera")
    person = await vera.transfer_in()
    wanted = (await person.get(f"{IDENTITY}.getRecommendedDidCredentials")).json()
    mine = format_did_key(vera.rotation.public)
    await vera.submit_change(
        services=wanted["services"],
        verificationMethods=wanted["verificationMethods"],
        rotationKeys=[mine, *wanted["rotationKeys"]],
    )
    assert named(await person.post(ACTIVATE)) == (200, "")
    await deployment.db.write(lambda w: queries.set_moved(w, vera.did, "https://new.example"))
    await vera.submit_change(**AWAY)
    deployment.clock.turn(hosting_status.CHECK_INTERVAL)
    assert await hosting_status.recheck_due(deployment.pds.registry) == 1
    assert (await person.get(SESSION)).json()["active"] is False
    assert (await deployment.announced(vera.did))[-1] == "account deactivated"


async def test_server_with_a_changed_url_keeps_its_accounts(deployment: Deployment) -> None:
    """A server whose URL changed, by a mistake or a new name, keeps its accounts, because it still has their keys."""
    ana = await deployment.sign_up("ana")
    renamed = replace(deployment.pds.registry, url="https://renamed.example")
    deployment.clock.turn(hosting_status.CHECK_INTERVAL)
    assert await hosting_status.recheck_due(renamed) == 0
    assert (await ana.get(SESSION)).json()["active"] is True
    assert (await deployment.announced(ana.did))[-1] == "sync"


async def test_unavailable_directory_marks_no_account_as_moved(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    deployment.clock.turn(hosting_status.CHECK_INTERVAL)
    deployment.directory.is_down = True
    assert await hosting_status.recheck_due(deployment.pds.registry) == 0
    assert (await ana.get(SESSION)).json()["active"] is True


async def test_account_whose_identity_ended_is_hidden(deployment: Deployment) -> None:
    """An account whose identity ended is hidden. It cannot write, and is not shown again while there is no identity."""
    ana = await deployment.sign_up("ana")
    directory, key = deployment.pds.registry.directory, deployment.pds.registry.rotation_key
    newest = await directory.last(ana.did)
    await directory.submit(ana.did, plc_operation.sign(plc_operation.Tombstone(str(plc_operation.cid_of(newest))), key))
    deployment.clock.turn(hosting_status.CHECK_INTERVAL)
    assert await hosting_status.recheck_due(deployment.pds.registry) == 0
    record = {"repo": ana.did, "collection": "org.example.note", "record": {"text": "from nobody"}}
    assert (await ana.post("com.atproto.repo.createRecord", record)).status_code == 401
    assert (await ana.get(SESSION)).json()["active"] is False
    assert (await deployment.announced(ana.did))[-1] == "account deactivated"
    assert (await ana.post(ACTIVATE)).status_code == 400
    assert (await ana.get(SESSION)).json()["active"] is False


async def test_host_cannot_activate_a_waiting_account(deployment: Deployment, vera: ExternalIdentity) -> None:
    """The identity still names another server. Its owner finishes the migration."""
    person = await vera.transfer_in()
    subject = {"$type": "com.atproto.admin.defs#repoRef", "did": vera.did}
    body = {"subject": subject, "deactivated": {"applied": False}}
    refused = await deployment.administration.post("com.atproto.admin.updateSubjectStatus", body)
    assert named(refused) == (400, "InvalidRequest")
    assert (await person.get(SESSION)).json()["active"] is False
