"""Accounts with a did:web: on a domain of their owner, or below our domains and served by us."""

from typing import Any

import httpx
import pytest

from at_protocol.crypto.did_key import format_did_key
from at_protocol.identity.did_document import parse_did_document
from at_protocol.syntax.did import Did
from aurora_locus.accounts import web_identities
from aurora_locus.accounts.web_identities import NewServer
from groundwork.clock import DAY
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import IDENTITY, SERVER, Deployment
from tests.aurora_locus.mailbox import newest_token

ANA = "did:web:ana.test"


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


@pytest.fixture
async def deployment(make_deployment: MakeDeployment) -> Deployment:
    """A deployment that creates identities under its own names."""
    return await make_deployment(did_web_accounts=True)


async def served(deployment: Deployment, host: str) -> httpx.Response:
    return await deployment.http.get("/.well-known/did.json", headers={"host": host})


async def test_identity_at_the_handle_is_served(deployment: Deployment) -> None:
    """The identity at the account's handle is served: document, key, handle and firehose agree, and the directory is
    not involved.
    """
    ana = await deployment.sign_up("ana", did=ANA)
    assert ana.did == ANA
    document = parse_did_document((await served(deployment, "ana.test")).json(), Did(ANA))
    key = await deployment.pds.registry.repositories.keys.signing_key(ana.did)
    assert (document.handle, document.pds) == ("ana.test", deployment.settings.url)
    assert document.signing_key is not None
    assert format_did_key(document.signing_key) == format_did_key(key.public)
    assert await deployment.announced(ana.did) == ["identity ana.test", "account active", "commit", "sync"]
    assert deployment.directory.submitted == 0
    assert (await deployment.stranger.get(f"{IDENTITY}.resolveHandle", handle="ana.test")).json() == {"did": ANA}
    record = {"repo": ANA, "collection": "org.example.note", "record": {"text": "hello"}}
    assert named(await ana.post("com.atproto.repo.createRecord", record)) == (200, "")


async def test_other_hosts_have_no_such_document(deployment: Deployment) -> None:
    await deployment.sign_up("ana", did=ANA)
    await deployment.sign_up("ben")
    for host in ("ben.test", "nobody.test"):
        assert (await served(deployment, host)).status_code == 404
    own = await served(deployment, "localhost")
    assert own.json()["id"] == deployment.settings.did


async def test_handle_changes_and_the_identity_stays(deployment: Deployment) -> None:
    """After a change of the handle the identity stays, and its name can never be taken by anybody else."""
    ana, ben = await deployment.sign_up("ana", did=ANA), await deployment.sign_up("ben")
    assert named(await ana.post(f"{IDENTITY}.updateHandle", {"handle": "anabel.test"})) == (200, "")
    assert (await deployment.announced(ana.did))[-1] == "identity anabel.test"
    assert (await served(deployment, "ana.test")).json()["alsoKnownAs"] == ["at://anabel.test"]
    assert (await served(deployment, "anabel.test")).status_code == 404
    deployment.clock.turn(31 * DAY)
    ben = deployment.person(await deployment.sign_in("ben.test", "password of ben"))
    assert named(await ben.post(f"{IDENTITY}.updateHandle", {"handle": "ana.test"})) == (400, "HandleNotAvailable")
    answer = await deployment.ask_to_sign_up("ana", email="other@example.org")
    assert named(answer) == (400, "HandleNotAvailable")


async def test_deactivated_account_keeps_its_served_identity(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana", did=ANA)
    assert (await ana.get(f"{SERVER}.checkAccountStatus")).json()["validDid"] is True
    assert named(await ana.post(f"{SERVER}.deactivateAccount", {})) == (200, "")
    assert (await served(deployment, "ana.test")).status_code == 200
    assert named(await ana.post(f"{SERVER}.activateAccount")) == (200, "")
    assert (await deployment.announced(ana.did))[-3:] == ["account active", "identity ana.test", "sync"]


async def test_certificates_are_allowed_while_the_document_is_served(deployment: Deployment) -> None:
    """The name in the identity gets a certificate after a change of the handle, while the account is deactivated, and
    after it has moved away and its copy here was deleted.
    """

    async def allowed() -> list[bool]:
        names = ("ana.test", "anabel.test")
        answers = [await deployment.http.get("/tls-check", params={"domain": name}) for name in names]
        return [answer.status_code == 200 for answer in answers]

    ana = await deployment.sign_up("ana", did=ANA)
    assert named(await ana.post(f"{IDENTITY}.updateHandle", {"handle": "anabel.test"})) == (200, "")
    assert await allowed() == [True, True]
    assert named(await ana.post(f"{SERVER}.deactivateAccount", {})) == (200, "")
    assert await allowed() == [True, False]
    new_server = NewServer(pds="https://pds.example.com", signing_key="did:key:zNew", handle="ana.example.com")
    await deployment.db.write(lambda w: web_identities.point_elsewhere(w, Did(ANA), new_server))
    await deployment.administration.post("com.atproto.admin.deleteAccount", {"did": ANA})
    assert await allowed() == [True, False]


async def test_identity_of_a_deleted_account_is_never_reused(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana", did=ANA)
    await ana.post(f"{SERVER}.requestAccountDelete")
    body = {"did": ANA, "password": "password of ana", "token": await newest_token(deployment, "ana@example.org")}
    assert named(await deployment.stranger.post(f"{SERVER}.deleteAccount", body)) == (200, "")
    assert (await served(deployment, "ana.test")).status_code == 404
    deployment.clock.turn(31 * DAY)
    assert named(await deployment.ask_to_sign_up("ana", did=ANA)) == (400, "AlreadyExists")
    assert named(await deployment.ask_to_sign_up("ana")) == (400, "HandleNotAvailable")


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"did": "did:web:other.test"}, (400, "IncompatibleDidDoc")),
        ({"did": "did:web:a.b.test"}, (400, "IncompatibleDidDoc")),
        ({"did": "did:web:elsewhere.example.com"}, (401, "AuthenticationRequired")),
    ],
    ids=["another name", "deeper", "elsewhere"],
)
async def test_identity_under_another_name_is_refused(
    deployment: Deployment, changes: dict[str, Any], answer: tuple[int, str]
) -> None:
    assert named(await deployment.ask_to_sign_up("ana", **changes)) == answer
    assert await deployment.count("accounts") == 0


async def test_did_web_identities_are_off_by_default(make_deployment: MakeDeployment) -> None:
    deployment = await make_deployment()
    assert named(await deployment.ask_to_sign_up("ana", did=ANA)) == (401, "AuthenticationRequired")
    assert (await served(deployment, "ana.test")).status_code == 404
