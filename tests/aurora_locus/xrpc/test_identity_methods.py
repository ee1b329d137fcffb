"""com.atproto.identity over sockets: resolving names, and changes of an identity that its owner requests."""

from typing import Any

import httpx
import pytest

from at_network.handle_resolver import HandleResolver
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from at_protocol.syntax.handle import Handle
from groundwork.errors import RemoteFailed
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment, Person
from tests.aurora_locus.external_identity import ExternalIdentity
from tests.aurora_locus.mailbox import newest_token
from tests.aurora_locus.xrpc.refusals import refusal_of

RECOVERY = format_did_key(K256PrivateKey.from_random(bytes(64)).public)


async def identity(person: Person, identifier: str) -> httpx.Response:
    return await person.get(f"{IDENTITY}.resolveIdentity", identifier=identifier)


async def token_of(deployment: Deployment, name: str, person: Person) -> str:
    answer = await person.post(f"{IDENTITY}.requestPlcOperationSignature")
    assert answer.status_code == 200, answer.text
    return await newest_token(deployment, f"{name}@example.org")


async def sign(person: Person, token: str | None, **wishes: Any) -> httpx.Response:
    return await person.post(f"{IDENTITY}.signPlcOperation", wishes if token is None else {"token": token, **wishes})


async def submit(person: Person, operation: object) -> httpx.Response:
    return await person.post(f"{IDENTITY}.submitPlcOperation", {"operation": operation})


async def recommended(person: Person) -> dict[str, Any]:
    return dict((await person.get(f"{IDENTITY}.getRecommendedDidCredentials")).json())


async def test_identity_by_did_and_by_handle(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    by_did, by_handle = await identity(deployment.stranger, ana.did), await identity(deployment.stranger, "Ana.Test")
    assert by_did.json() == by_handle.json()
    assert (by_did.json()["did"], by_did.json()["handle"]) == (ana.did, "ana.test")
    document = (await deployment.stranger.get(f"{IDENTITY}.resolveDid", did=ana.did)).json()["didDoc"]
    assert document == by_did.json()["didDoc"] == (await deployment.directory.document(ana.did)).json()


async def test_unknown_handle_and_did_are_not_found(deployment: Deployment) -> None:
    nobody = "did:plc:" + "a" * 24
    assert refusal_of(await identity(deployment.stranger, "nobody.test"), "HandleNotFound")
    assert refusal_of(await identity(deployment.stranger, nobody), "DidNotFound")
    assert refusal_of(await deployment.stranger.get(f"{IDENTITY}.resolveDid", did=nobody), "DidNotFound")
    refusal_of(await deployment.stranger.get(f"{IDENTITY}.resolveDid", did="did:example:a"), "UnresolvableDid")


async def test_handle_that_does_not_name_the_did_is_not_shown(deployment: Deployment) -> None:
    """A handle that does not resolve to the DID is not shown. A deactivated account's handle resolves to nobody,
    although its document still claims it.
    """
    ana = await deployment.sign_up("ana")
    await ana.post(f"{SERVER}.deactivateAccount", {})
    assert (await identity(deployment.stranger, ana.did)).json()["handle"] == "handle.invalid"
    refusal_of(await identity(deployment.stranger, "ana.test"), "HandleNotFound")


async def test_new_handle_is_seen_although_the_document_is_cached(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await identity(deployment.stranger, ana.did)
    deployment.clock.turn(3_600_000_000)
    await ana.post(f"{IDENTITY}.updateHandle", {"handle": "anabel.test"})
    assert (await identity(deployment.stranger, "anabel.test")).json()["did"] == ana.did
    refreshed = await ana.post(f"{IDENTITY}.refreshIdentity", {"identifier": ana.did})
    assert refreshed.json()["handle"] == "anabel.test"


async def test_refresh_identity_requires_an_account(deployment: Deployment) -> None:
    assert (
        await deployment.stranger.post(f"{IDENTITY}.refreshIdentity", {"identifier": "ana.test"})
    ).status_code == 401


async def test_directory_that_is_down(deployment: Deployment) -> None:
    """With the directory down, known identities are still resolved; for others the response is an error."""
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    known = (await identity(deployment.stranger, ana.did)).json()
    deployment.directory.is_down = True
    assert (await identity(deployment.stranger, ana.did)).json() == known
    answer = await identity(deployment.stranger, ben.did)
    assert (answer.status_code, answer.json()["error"]) == (502, "UpstreamFailure")


async def test_recovery_key_gets_the_highest_rank(deployment: Deployment) -> None:
    """A recovery key is put first: requested, signed and submitted, it is in the directory, the firehose announces it,
    and the account still works.
    """
    ana = await deployment.sign_up("ana")
    keys = [RECOVERY, *(await recommended(ana))["rotationKeys"]]
    signed = await sign(ana, await token_of(deployment, "ana", ana), rotationKeys=keys)
    assert signed.status_code == 200, signed.text
    assert (await submit(ana, signed.json()["operation"])).status_code == 200
    assert (await deployment.directory.log(ana.did))[-1]["rotationKeys"] == keys
    assert (await deployment.announced(ana.did))[-1] == "identity None"
    assert (await ana.post(f"{IDENTITY}.updateHandle", {"handle": "anabel.test"})).status_code == 200
    assert (await deployment.directory.log(ana.did))[-1]["rotationKeys"] == keys


async def test_submitting_again_only_announces(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    signed = await sign(
        ana, await token_of(deployment, "ana", ana), rotationKeys=[RECOVERY, *(await recommended(ana))["rotationKeys"]]
    )
    for _ in range(2):
        assert (await submit(ana, signed.json()["operation"])).status_code == 200
    assert len(await deployment.directory.log(ana.did)) == 2


async def test_signing_needs_the_token_from_the_mail(deployment: Deployment) -> None:
    """Signing needs the e-mailed token, once. A refused operation does not use it up, and another account's token is
    refused.
    """
    ana, ben = await deployment.sign_up("ana"), await deployment.sign_up("ben")
    refusal_of(await sign(ana, None), "InvalidRequest")
    refusal_of(await sign(ana, "ABCDE-FGHIJ"), "InvalidToken")
    token = await token_of(deployment, "ana", ana)
    refusal_of(await sign(ben, token), "InvalidToken")
    refusal_of(await sign(ana, token, rotationKeys=[]), "InvalidRequest")
    assert (await sign(ana, token)).status_code == 200
    refusal_of(await sign(ana, token), "InvalidToken")


async def test_app_password_cannot_change_the_identity(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    app = (await ana.post(f"{SERVER}.createAppPassword", {"name": "app"})).json()["password"]
    guest = deployment.person(await deployment.sign_in("ana.test", app))
    for answer in (
        await guest.post(f"{IDENTITY}.requestPlcOperationSignature"),
        await sign(guest, "token"),
    ):
        assert "app password" in refusal_of(answer, "InvalidToken")
    # A holder of a signed operation could also submit it to the directory.
    refusal_of(await submit(guest, {}), "InvalidRequest")
    assert len(await deployment.directory.log(ana.did)) == 1


async def test_operations_that_would_break_the_account_do_not_reach_the_directory(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    away = {"atproto_pds": {"type": "AtprotoPersonalDataServer", "endpoint": "https://other.example"}}
    signed = (await sign(ana, await token_of(deployment, "ana", ana), services=away)).json()["operation"]
    before = deployment.directory.submitted
    announced = await deployment.announced(ana.did)
    assert "its server is https://other.example" in refusal_of(await submit(ana, signed), "InvalidRequest")
    refusal_of(await submit(ana, {"type": "plc_operation"}), "InvalidRequest")
    refusal_of(await submit(ana, "text"), "InvalidRequest")
    assert deployment.directory.submitted == before
    assert await deployment.announced(ana.did) == announced


async def test_operation_refused_by_the_directory_is_reported_and_not_announced(deployment: Deployment) -> None:
    """An operation that the directory refuses is reported and not announced; here it is well-formed but signed by a key
    without authority.
    """
    ana = await deployment.sign_up("ana")
    signed = (await sign(ana, await token_of(deployment, "ana", ana))).json()["operation"]
    operation = plc_operation.parse_operation(signed)
    assert isinstance(operation, plc_operation.PlcOperation)
    forged = plc_operation.sign(operation, K256PrivateKey.from_random(bytes(64)))
    announced = await deployment.announced(ana.did)
    assert "directory" in refusal_of(await submit(ana, plc_operation.to_json(forged)), "InvalidPlcOperation")
    assert await deployment.announced(ana.did) == announced


async def test_directory_that_is_down_while_submitting(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    signed = (await sign(ana, await token_of(deployment, "ana", ana))).json()["operation"]
    deployment.directory.is_down = True
    assert (await submit(ana, signed)).status_code == 502
    deployment.directory.is_down = False
    assert (await submit(ana, signed)).status_code == 200


async def test_did_is_resolved_while_the_host_of_its_handle_is_down(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DID identifies an account even while its handle cannot be checked; the handle is not shown then."""

    def fail(_resolver: HandleResolver, handle: Handle) -> None:
        raise RemoteFailed(f"{handle} does not answer.")

    vera = await ExternalIdentity.create(deployment, "vera")
    monkeypatch.setattr(HandleResolver, "_check", fail)
    answer = await identity(deployment.stranger, vera.did)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["did"], answer.json()["handle"]) == (vera.did, "handle.invalid")
    refused = await identity(deployment.stranger, "vera.old.example")
    assert (refused.status_code, refused.json()["error"]) == (502, "UpstreamFailure")
