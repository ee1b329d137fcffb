"""Accounts whose identity is a did:web: their own, brought along, or one under our domains that we serve."""

from typing import Any

import httpx
import pytest

from at_protocol.crypto.did_key import format_did_key
from at_protocol.identity.did_document import parse_did_document
from at_protocol.syntax.did import Did
from groundwork.clock import DAY
from tests.aurora_locus.conftest import OpenTown
from tests.aurora_locus.mailbox import newest_token
from tests.aurora_locus.town import IDENTITY, SERVER, Town

ANA = "did:web:ana.test"


def named(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


@pytest.fixture
async def town(open_the_town: OpenTown) -> Town:
    """A town that gives identities under its own names."""
    return await open_the_town(did_web_accounts=True)


async def served(town: Town, host: str) -> httpx.Response:
    return await town.http.get("/.well-known/did.json", headers={"host": host})


async def test_identity_of_ones_handle_is_served(town: Town) -> None:
    """Document, key, handle and firehose agree; the directory hears nothing."""
    ana = await town.sign_up("ana", did=ANA)
    assert ana.did == ANA
    document = parse_did_document((await served(town, "ana.test")).json(), Did(ANA))
    key = await town.pds.registry.repositories.keys.signing_key(ana.did)
    assert (document.handle, document.pds) == ("ana.test", town.settings.url)
    assert document.signing_key is not None
    assert format_did_key(document.signing_key) == format_did_key(key.public)
    assert await town.announced(ana.did) == ["identity ana.test", "account active", "commit", "sync"]
    assert town.directory.submitted == 0
    assert (await town.stranger.get(f"{IDENTITY}.resolveHandle", handle="ana.test")).json() == {"did": ANA}
    record = {"repo": ANA, "collection": "org.example.note", "record": {"text": "hello"}}
    assert named(await ana.post("com.atproto.repo.createRecord", record)) == (200, "")


async def test_other_hosts_have_no_such_document(town: Town) -> None:
    await town.sign_up("ana", did=ANA)
    await town.sign_up("ben")
    for host in ("ben.test", "nobody.test"):
        assert (await served(town, host)).status_code == 404
    own = await served(town, "localhost")
    assert own.json()["id"] == town.settings.did


async def test_handle_changes_and_the_identity_stays(town: Town) -> None:
    """The name in it is nobody else's, at any time."""
    ana, ben = await town.sign_up("ana", did=ANA), await town.sign_up("ben")
    assert named(await ana.post(f"{IDENTITY}.updateHandle", {"handle": "anabel.test"})) == (200, "")
    assert (await town.announced(ana.did))[-1] == "identity anabel.test"
    assert (await served(town, "ana.test")).json()["alsoKnownAs"] == ["at://anabel.test"]
    assert (await served(town, "anabel.test")).status_code == 404
    town.clock.turn(31 * DAY)
    ben = town.person(await town.sign_in("ben.test", "password of ben"))
    assert named(await ben.post(f"{IDENTITY}.updateHandle", {"handle": "ana.test"})) == (400, "HandleNotAvailable")
    answer = await town.ask_to_sign_up("ana", email="other@example.org")
    assert named(answer) == (400, "HandleNotAvailable")


async def test_hidden_and_shown_again(town: Town) -> None:
    ana = await town.sign_up("ana", did=ANA)
    assert (await ana.get(f"{SERVER}.checkAccountStatus")).json()["validDid"] is True
    assert named(await ana.post(f"{SERVER}.deactivateAccount", {})) == (200, "")
    assert (await served(town, "ana.test")).status_code == 200
    assert named(await ana.post(f"{SERVER}.activateAccount")) == (200, "")
    assert (await town.announced(ana.did))[-3:] == ["account active", "identity ana.test", "sync"]


async def test_identity_of_a_deleted_account_is_never_given_again(town: Town) -> None:
    ana = await town.sign_up("ana", did=ANA)
    await ana.post(f"{SERVER}.requestAccountDelete")
    body = {"did": ANA, "password": "password of ana", "token": await newest_token(town, "ana@example.org")}
    assert named(await town.stranger.post(f"{SERVER}.deleteAccount", body)) == (200, "")
    assert (await served(town, "ana.test")).status_code == 404
    town.clock.turn(31 * DAY)
    assert named(await town.ask_to_sign_up("ana", did=ANA)) == (400, "AlreadyExists")
    assert named(await town.ask_to_sign_up("ana")) == (400, "HandleNotAvailable")


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"did": "did:web:other.test"}, (400, "IncompatibleDidDoc")),
        ({"did": "did:web:a.b.test"}, (400, "IncompatibleDidDoc")),
        ({"did": "did:web:elsewhere.example.com"}, (401, "AuthenticationRequired")),
    ],
    ids=["another name", "deeper", "elsewhere"],
)
async def test_what_is_not_the_handles_is_not_made(
    town: Town, changes: dict[str, Any], answer: tuple[int, str]
) -> None:
    assert named(await town.ask_to_sign_up("ana", **changes)) == answer
    assert await town.count("accounts") == 0


async def test_by_default_no_such_identities_are_made(open_the_town: OpenTown) -> None:
    town = await open_the_town()
    assert named(await town.ask_to_sign_up("ana", did=ANA)) == (401, "AuthenticationRequired")
    assert (await served(town, "ana.test")).status_code == 404
