"""An account with a did:web that this server serves comes back from another server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from at_network.did_resolver import DidResolver
from at_protocol.identity.did_document import DidDocument, parse_did_document
from at_protocol.syntax.did import Did
from aurora_locus.account_migration import web_moves
from aurora_locus.account_migration.moves import MoveStage
from aurora_locus.accounts import deletion, hosting_status, queries
from aurora_locus.moderation import takedowns
from groundwork.clock import DAY, MINUTE, HandClock
from groundwork.errors import Refused
from tests.aurora_locus.account_migration.leaving_account import NEW_PASSWORD, LeavingAccount, open_leaving_account
from tests.aurora_locus.accounts.account_content import write_record
from tests.aurora_locus.deployment import SERVER, Person
from tests.aurora_locus.visitor import problems_in
from tests.databases import MakeDatabase

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

ADA = Did("did:web:ada.test")


async def document(ada: LeavingAccount) -> Any:
    return (await ada.old.http.get("/.well-known/did.json", headers={"host": "ada.test"})).json()


@pytest.fixture
async def ada(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> AsyncIterator[LeavingAccount]:
    """Ada after her move; she has written something on the new server."""
    assert engine
    asked, opened = DidResolver._fetch, []

    async def fetch(self: DidResolver, did: Did) -> DidDocument:
        """The host of the name, which servers would find by DNS."""
        return parse_did_document(await document(opened[0]), did) if did == ADA else await asked(self, did)

    monkeypatch.setattr(DidResolver, "_fetch", fetch)
    old = f"sqlite://{tmp_path / 'old.db'}"
    async with open_leaving_account(old, make_sqlite, clock, tmp_path, did=ADA, did_web_accounts=True) as leaver:
        opened.append(leaver)
        assert (await leaver.begin()).status_code == 303
        await leaver.until(MoveStage.WAITING)
        clock.turn(MINUTE)  # a document that was just read is cached
        assert (await leaver.give_code()).status_code == 303
        await leaver.until(MoveStage.DONE)
        await write_record(await there(leaver), {"text": "Written elsewhere"})
        yield leaver


async def there(ada: LeavingAccount) -> Person:
    return ada.new.person(await ada.new.sign_in("ada.new.test", NEW_PASSWORD))


async def import_from_there(ada: LeavingAccount, here: Person) -> None:
    repository = await ada.new.http.get("/xrpc/com.atproto.sync.getRepo", params={"did": ADA})
    headers = {**here.headers, "content-type": "application/vnd.ipld.car"}
    answer = await ada.old.http.post("/xrpc/com.atproto.repo.importRepo", content=repository.content, headers=headers)
    assert answer.status_code == 200, answer.text


async def require_here(ada: LeavingAccount, here: Person) -> None:
    """The document names this server, the account is active and writable here, and the other server notices it."""
    assert (await document(ada))["service"][0]["serviceEndpoint"] == ada.old.settings.url
    status = (await here.get(f"{SERVER}.checkAccountStatus")).json()
    assert (status["activated"], status["validDid"], status["indexedRecords"]) == (True, True, 3)
    await write_record(here, {"text": "Home again"})
    assert [word.partition(" ")[0] for word in (await ada.old.announced(ADA))[-4:]] == [
        "account",
        "identity",
        "sync",
        "commit",
    ]
    ada.old.clock.turn(MINUTE)
    assert await hosting_status.recheck_identity(ada.new.pds.registry, ADA)
    assert (await (await there(ada)).get(f"{SERVER}.getSession")).json()["active"] is False


async def test_account_comes_back_with_the_e_mailed_code(ada: LeavingAccount) -> None:
    assert "Come back to this server" in (await ada.browser.get("/account/move")).text
    here = ada.old.person(await ada.old.sign_in("ada.test", "password of ada"))
    await import_from_there(ada, here)
    refused = await here.post(f"{SERVER}.activateAccount")
    assert refused.status_code == 400
    await ada.browser.send("/account/move", {"act": "ask"})
    wrong = await ada.browser.send("/account/move", {"act": "come_back", "token": "AAAAA-AAAAA"})
    assert "wrong" in problems_in(wrong)["token"]
    assert (await document(ada))["service"][0]["serviceEndpoint"] == ada.new.settings.url
    answer = await ada.browser.send("/account/move", {"act": "come_back", "token": await ada.code()})
    assert answer.status_code == 303, problems_in(answer)
    await require_here(ada, here)
    # The account can move away again.
    page = await ada.browser.get("/account/move")
    assert "What will move" in page.text
    again = await ada.browser.send("/account/move", {"act": "come_back", "token": "AAAAA-AAAAA"})
    assert "already on this server" in again.text


async def test_code_stays_valid_if_the_account_cannot_be_activated(ada: LeavingAccount) -> None:
    registry = ada.old.pds.registry
    await ada.browser.send("/account/move", {"act": "ask"})
    code = await ada.code()
    account = await queries.require_account(registry.db, ADA)
    await ada.old.db.write(lambda w: takedowns.take_down_account(w, ADA, "for a moment"))
    with pytest.raises(Refused, match="taken down"):
        await web_moves.come_back(registry, account, code)
    assert (await document(ada))["service"][0]["serviceEndpoint"] == ada.new.settings.url
    await ada.old.db.write(lambda w: takedowns.lift_takedown(w, ADA))
    await web_moves.come_back(registry, account, code)
    assert (await document(ada))["service"][0]["serviceEndpoint"] == ada.old.settings.url


async def test_account_that_was_deleted_here_comes_back_with_a_token_of_its_identity(ada: LeavingAccount) -> None:
    """The other server signs a token for the new account, as in every migration; nobody else can create it."""
    await deletion.delete_by_host(ada.old.pds.registry, ADA, lambda _w: None)
    ada.old.clock.turn(DAY)
    wish = {"did": ADA, "handle": "ada.test", "email": "ada@example.org", "password": "a third password"}
    assert (await ada.old.stranger.post(f"{SERVER}.createAccount", wish)).json()["error"] == "AlreadyExists"
    token = (
        await (await there(ada)).get(
            f"{SERVER}.getServiceAuth", aud=ada.old.settings.did, lxm=f"{SERVER}.createAccount"
        )
    ).json()["token"]
    made = await ada.old.stranger.bearing(token).post(f"{SERVER}.createAccount", wish)
    assert made.status_code == 200, made.text
    here = ada.old.person(made)
    assert (await document(ada))["service"][0]["serviceEndpoint"] == ada.new.settings.url
    await import_from_there(ada, here)
    answer = await here.post(f"{SERVER}.activateAccount")
    assert answer.status_code == 200, answer.text
    await require_here(ada, here)
