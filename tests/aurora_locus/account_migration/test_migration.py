"""An account moves to another server from its page: copied, resumed after failures, and completed with the code from
the e-mail.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from errno import ENOSPC
from pathlib import Path
from time import time_ns
from typing import Any, BinaryIO

import pytest

from at_network.did_resolver import DidResolver
from at_protocol.crypto.did_key import format_did_key
from at_protocol.identity import plc_operation
from at_protocol.identity.did_document import DidDocument, parse_did_document
from at_protocol.identity.plc_operation import PlcOperation
from at_protocol.syntax.did import Did
from aurora_locus.account_migration import moves
from aurora_locus.account_migration.moves import MoveReason, MoveStage
from aurora_locus.accounts import deletion
from aurora_locus.accounts.credentials import MAX_AGE
from groundwork.clock import HOUR, MINUTE, HandClock
from groundwork.errors import FailureReason
from tests.aurora_locus.account_migration.leaving_account import (
    NEW_PASSWORD,
    RECOVERY_KEY,
    LeavingAccount,
    open_leaving_account,
)
from tests.aurora_locus.accounts.account_content import PNG_OF_AN_ACCOUNT, write_record
from tests.aurora_locus.deployment import SERVER
from tests.aurora_locus.visitor import problems_in
from tests.databases import MakeDatabase
from tests.external_dependencies import needs
from tests.simulation.reference_pds import ReferencePds
from tests.timeouts import TIMEOUT_SECONDS

NOTE = {"collection": "org.example.note", "record": {"$type": "org.example.note", "text": "Too late"}}


@pytest.fixture
async def ada(
    pds_url: str, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> AsyncIterator[LeavingAccount]:
    async with open_leaving_account(pds_url, make_sqlite, clock, tmp_path) as opened:
        yield opened


async def test_all_data_arrives_and_the_old_account_is_hidden(ada: LeavingAccount) -> None:
    assert "What will move" in (await ada.browser.get("/account/move")).text
    answer = await ada.begin()
    assert answer.status_code == 303, problems_in(answer)
    copied = await ada.until(MoveStage.WAITING)
    assert (copied.has_records, copied.blobs, copied.blobs_sent, copied.blobs_lost) == (True, 1, 1, 0)
    # Until now the account is active only on the old server.
    assert (await ada.ada.get(f"{SERVER}.getSession")).json()["active"] is True
    there = ada.new.person(await ada.new.sign_in("ada.new.test", NEW_PASSWORD))
    assert (await there.get(f"{SERVER}.getSession")).json()["active"] is False

    # What is written while waiting for the code is moved too.
    await write_record(ada.ada, {"text": "One more"})
    assert (await ada.give_code()).status_code == 303
    await ada.until(MoveStage.DONE)
    status = (await there.get(f"{SERVER}.checkAccountStatus")).json()
    assert (status["activated"], status["validDid"], status["indexedRecords"], status["importedBlobs"]) == (
        True,
        True,
        3,
        1,
    )
    (cid,) = (await there.get("com.atproto.sync.listBlobs", did=there.did)).json()["cids"]
    blob = await ada.new.http.get("/xrpc/com.atproto.sync.getBlob", params={"did": there.did, "cid": cid})
    assert blob.content == PNG_OF_AN_ACCOUNT
    assert len((await there.get("app.bsky.actor.getPreferences")).json()["preferences"]) == 1
    newest = (await ada.new.directory.log(there.did))[-1]
    assert newest["rotationKeys"] == [
        format_did_key(RECOVERY_KEY.public),
        format_did_key(ada.new.pds.registry.rotation_key.public),
    ]
    assert newest["services"]["atproto_pds"]["endpoint"] == ada.new.settings.url
    assert newest["alsoKnownAs"] == ["at://ada.new.test"]
    assert (await ada.old.announced(ada.ada.did))[-1] == "account deactivated"
    ada.old.clock.turn(MAX_AGE)
    refused = await ada.ada.post(
        "com.atproto.repo.createRecord",
        {"repo": ada.ada.did, "collection": "org.example.note", "record": {"$type": "org.example.note", "text": "x"}},
    )
    assert refused.status_code in {400, 401}
    page = (await ada.browser.get("/account/move")).text
    assert page.index("You have moved") < page.index("Account created there")
    overview = (await ada.browser.get("/account")).text
    assert f'Your account is now at <a href="{ada.new.settings.url}"' in overview
    assert not any(f'href="/account/{path}"' in overview for path in ("move", "deactivate", "recovery-key"))
    assert "once your identity points back to this server" in (await ada.browser.get("/account/deactivate")).text


async def test_the_page_of_an_account_that_came_back_offers_to_move_again(ada: LeavingAccount) -> None:
    """It must not say that the copy here can be deleted: the account is here."""
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    await ada.give_code()
    await ada.until(MoveStage.DONE)
    here = ada.old.person(await ada.old.sign_in("ada.test", "password of ada"))
    wanted = (await here.get("com.atproto.identity.getRecommendedDidCredentials")).json()
    directory = ada.old.pds.registry.directory
    newest = await directory.last(ada.ada.did)
    back = plc_operation.parse_operation(
        {**plc_operation.to_json(newest), **wanted, "prev": str(plc_operation.cid_of(newest)), "sig": ""}
    )
    assert isinstance(back, PlcOperation)
    await directory.submit(ada.ada.did, plc_operation.sign(replace(back, sig=None), RECOVERY_KEY))
    assert (await here.post(f"{SERVER}.activateAccount")).status_code == 200
    await write_record(here, {"text": "Home again"})
    page = (await ada.browser.get("/account/move")).text
    assert "You have moved" not in page
    assert "What will move" in page


async def test_move_can_be_resumed_after_a_directory_outage(ada: LeavingAccount) -> None:
    """If the directory is down, the page says what stopped. Trying again completes the move with a single operation."""
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    await ada.browser.send("/account/move", {"act": "ask"})
    token = await ada.code()
    page = await ada.browser.get("/account/move")
    ada.new.directory.is_down = True
    before = len(await ada.old.directory.log(ada.ada.did))
    assert (await ada.browser.send("/account/move", {"act": "finish", "token": token})).status_code == 303
    stopped = await ada.until(MoveStage.FINISHING, problem=True)
    assert "The move stopped:" in (await ada.browser.get("/account/move")).text
    assert stopped.problem is not None
    # The new server asked the directory, so the words are those of that server.
    assert stopped.problem.code == FailureReason.SERVER_SAID
    async with ada.old.db.transaction() as tx:
        await moves.note_problem(tx, stopped, MoveReason.NOT_ACTIVE_YET(problem=FailureReason.FORBIDDEN()))
    in_german = await ada.browser.http.get("/account/move", headers=ada.browser.sends | {"accept-language": "de"})
    assert "Das ist nicht erlaubt. Wir versuchen es gleich noch einmal." in in_german.text
    assert stopped.operation is not None
    ada.new.directory.is_down = False
    assert (await ada.browser.send("/account/move", {"act": "again"})).status_code == 303
    await ada.until(MoveStage.DONE)
    assert len(await ada.old.directory.log(ada.ada.did)) == before + 1
    assert page.status_code == 200


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_move_can_be_resumed_or_stopped_after_an_error_of_our_own(
    ada: LeavingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk for temporary files is full in the last step. The page says so at the first attempt."""
    await ada.begin()
    await ada.until(MoveStage.WAITING)

    def full() -> BinaryIO:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as changed:
        changed.setattr(tempfile, "TemporaryFile", full)
        assert (await ada.give_code()).status_code == 303
        await ada.until(MoveStage.FINISHING, problem=True)
    page = (await ada.browser.get("/account/move")).text
    assert "Something failed on this server" in page
    assert "Stop and stay here" in page
    assert (await ada.browser.send("/account/move", {"act": "again"})).status_code == 303
    await ada.until(MoveStage.DONE)


async def test_no_write_is_accepted_once_the_newest_records_are_sent(ada: LeavingAccount) -> None:
    """The last step sends the newest records. From then on the old server refuses writes, which would be lost."""
    late: list[Any] = []

    async def write_late() -> None:
        late.append(await ada.ada.post("com.atproto.repo.createRecord", {"repo": ada.ada.did, **NOTE}))
        headers = {**ada.ada.headers, "content-type": "application/vnd.ipld.car"}
        late.append(
            await ada.old.http.post("/xrpc/com.atproto.repo.importRepo", content=b"a repository", headers=headers)
        )

    await ada.begin()
    await ada.until(MoveStage.WAITING)
    ada.new.directory.on_submit = write_late
    assert (await ada.give_code()).status_code == 303
    await ada.until(MoveStage.DONE)
    assert [(answer.status_code, answer.json()["error"]) for answer in late] == [(400, "RepoDeactivated")] * 2
    assert (await ada.old.announced(ada.ada.did))[-1] == "account deactivated"


async def test_no_write_is_accepted_by_a_process_that_has_not_noticed_the_last_step(ada: LeavingAccount) -> None:
    """Another process, or a call that is already past the check of its session, may still know the account as it was.
    Its commit is refused by the database.
    """
    old = ada.old
    stale = await old.pds.registry.repositories.head(ada.ada.did)
    late: list[Any] = []

    async def write_late() -> None:
        async with old.db.transaction() as tx:
            await tx.execute("update accounts set moved_to = null where did = :did", did=ada.ada.did)
        old.pds.registry.repositories.forget_head(ada.ada.did)
        old.pds.registry.repositories.put_head(stale)
        late.append(await ada.ada.post("com.atproto.repo.createRecord", {"repo": ada.ada.did, **NOTE}))

    await ada.begin()
    await ada.until(MoveStage.WAITING)
    old.directory.on_submit = ada.new.directory.on_submit = write_late
    assert (await ada.give_code()).status_code == 303
    await ada.until(MoveStage.DONE)
    assert [(answer.status_code, answer.json()["error"]) for answer in late] == [(400, "RepoDeactivated")]
    there = ada.new.person(await ada.new.sign_in("ada.new.test", NEW_PASSWORD))
    assert (await there.get(f"{SERVER}.checkAccountStatus")).json()["indexedRecords"] == 2


async def test_move_cancelled_in_its_last_step_leaves_the_account_writable(ada: LeavingAccount) -> None:
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    await ada.browser.send("/account/move", {"act": "ask"})
    token = await ada.code()
    ada.new.directory.is_down = True
    assert (await ada.browser.send("/account/move", {"act": "finish", "token": token})).status_code == 303
    await ada.until(MoveStage.FINISHING, problem=True)
    # Activating an active account changes nothing.
    assert (await ada.ada.post(f"{SERVER}.activateAccount")).status_code == 200
    refused = await ada.ada.post("com.atproto.repo.createRecord", {"repo": ada.ada.did, **NOTE})
    assert (refused.status_code, refused.json()["error"]) == (400, "RepoDeactivated")
    assert (await ada.browser.send("/account/move", {"act": "cancel"})).status_code == 303
    await write_record(ada.ada, {"text": "Still here"})
    session = (await ada.ada.get(f"{SERVER}.getSession")).json()
    assert session["active"] is True
    assert "movedTo" not in session


async def test_the_signing_key_is_not_changed_in_the_last_step(ada: LeavingAccount) -> None:
    """The directory would then refuse the operation of the move. Once the move is over or stopped, the key can change."""
    reserved = await ada.old.stranger.post(f"{SERVER}.reserveSigningKey", {})
    wish = {"did": ada.ada.did, "signingKey": reserved.json()["signingKey"]}
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    await ada.browser.send("/account/move", {"act": "ask"})
    token = await ada.code()
    ada.new.directory.is_down = True
    await ada.browser.send("/account/move", {"act": "finish", "token": token})
    await ada.until(MoveStage.FINISHING, problem=True)
    before = await ada.old.directory.log(ada.ada.did)
    refused = await ada.old.administration.post("com.atproto.admin.updateAccountSigningKey", wish)
    assert (refused.status_code, refused.json()["error"]) == (400, "InvalidRequest")
    assert "moving" in refused.json()["message"]
    assert await ada.old.directory.log(ada.ada.did) == before
    assert await ada.old.count("signatures_due") == 0
    ada.new.directory.is_down = False
    assert (await ada.browser.send("/account/move", {"act": "again"})).status_code == 303
    await ada.until(MoveStage.DONE)


async def test_a_running_last_step_cannot_be_given_up(ada: LeavingAccount) -> None:
    """A page that was opened before the last step still offers to stop. An account that was said to stay must not move."""
    answers: list[Any] = []

    async def cancel() -> None:
        if (await ada.move()).stage is MoveStage.FINISHING:
            ada.old.directory.on_query = None
            answers.append(await ada.browser.send("/account/move", {"act": "cancel"}))

    await ada.begin()
    await ada.until(MoveStage.WAITING)
    ada.old.directory.on_query = cancel
    assert (await ada.give_code()).status_code == 303
    await ada.until(MoveStage.DONE)
    assert [answer.status_code for answer in answers] == [422]
    assert "in its last step" in answers[0].text


async def test_a_last_step_that_was_given_up_meanwhile_does_nothing(ada: LeavingAccount) -> None:
    """The last step failed and is tried again. Its owner stops it after the handler has read the move."""
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    ada.new.directory.is_down = True
    assert (await ada.give_code()).status_code == 303
    await ada.until(MoveStage.FINISHING, problem=True)
    assert "Stop and stay here" in (await ada.browser.get("/account/move")).text
    ada.new.directory.is_down = False
    before = await ada.old.directory.log(ada.ada.did)
    answers: list[Any] = []

    async def cancel() -> None:
        ada.old.directory.on_query = None
        answers.append(await ada.browser.send("/account/move", {"act": "cancel"}))

    ada.old.directory.on_query = cancel
    ada.old.clock.turn(MINUTE)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            if not await ada.old.count("outbox_jobs where kind = 'move' and state <> 'completed'"):
                break
            await asyncio.sleep(0.02)
    assert [answer.status_code for answer in answers] == [303]
    assert await ada.old.directory.log(ada.ada.did) == before
    await write_record(ada.ada, {"text": "Still here"})


async def test_the_code_of_a_move_that_is_cancelled_meanwhile_is_not_used_up(ada: LeavingAccount) -> None:
    async def cancel() -> None:
        ada.old.directory.on_query = None
        await ada.browser.send("/account/move", {"act": "cancel"})

    await ada.begin()
    await ada.until(MoveStage.WAITING)
    await ada.browser.send("/account/move", {"act": "ask"})
    token = await ada.code()
    ada.old.directory.on_query = cancel
    late = await ada.browser.send("/account/move", {"act": "finish", "token": token})
    assert (late.status_code, "This move was cancelled." in late.text) == (422, True)
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    assert (await ada.browser.send("/account/move", {"act": "finish", "token": token})).status_code == 303
    await ada.until(MoveStage.DONE)


async def test_abandoned_move_changes_nothing(ada: LeavingAccount) -> None:
    before = await ada.old.directory.log(ada.ada.did)
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    assert (await ada.browser.send("/account/move", {"act": "cancel"})).status_code == 303
    assert "What will move" in (await ada.browser.get("/account/move")).text
    assert await ada.old.directory.log(ada.ada.did) == before
    await write_record(ada.ada, {"text": "Still here"})
    # Started again, it finds the existing account and the records written meanwhile.
    assert (await ada.begin()).status_code == 303
    await ada.until(MoveStage.WAITING)
    there = ada.new.person(await ada.new.sign_in("ada.new.test", NEW_PASSWORD))
    assert (await there.get(f"{SERVER}.checkAccountStatus")).json()["indexedRecords"] == 3


async def test_invalid_value_is_reported_at_its_field(ada: LeavingAccount) -> None:
    await ada.new.sign_up("ben", handle="ben.new.test")
    cases = [
        ({"target": ada.old.settings.url}, "target", "already on this server"),
        ({"target": "http://127.0.0.1:9"}, "target", ""),
        ({"target": "pds.example.com/path"}, "target", "only the address"),
        ({"handle": ""}, "handle", "Choose a name"),
        ({"handle": "ben.new.test"}, "handle", "taken"),
        ({"password": "short"}, "password", "at least 8"),
    ]
    for changes, field, said in cases:
        answer = await ada.begin(**changes)
        assert answer.status_code >= 400, changes
        assert said in problems_in(answer)[field], changes
    assert await ada.old.count("moves") == 0


async def test_a_wrong_code_moves_nothing(ada: LeavingAccount) -> None:
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    await ada.browser.send("/account/move", {"act": "ask"})
    answer = await ada.browser.send("/account/move", {"act": "finish", "token": "AAAAA-AAAAA"})
    assert "wrong" in problems_in(answer)["token"]
    assert (await ada.move()).stage is MoveStage.WAITING
    early = await ada.browser.send("/account/move", {"act": "finish", "token": ""})
    assert "token" in problems_in(early)


async def test_the_session_on_the_other_server_is_sealed(ada: LeavingAccount) -> None:
    await ada.begin()
    await ada.until(MoveStage.WAITING)
    async with ada.old.db.reader() as reader:
        row = await reader.fetch_one("select session from moves")
    assert row is not None
    assert b"eyJ" not in bytes(row["session"])
    ada.old.clock.turn(3 * HOUR)  # the access token has expired, so it is refreshed and stored
    await ada.browser.sign_in("ada")
    assert (await ada.give_code()).status_code == 303
    await ada.until(MoveStage.DONE)


async def test_locally_served_did_web_identity_can_move(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An identity that we serve (did:web) can move too: its document is still served here and names the other server
    and its key, even after the account is deleted.
    """
    ada_did = Did("did:web:ada.test")
    asked, deployments = DidResolver._fetch, []

    async def fetch(self: DidResolver, did: Did) -> DidDocument:
        """The host of the name, which the other server would find by DNS."""
        return parse_did_document(await document(), did) if did == ada_did else await asked(self, did)

    async def document() -> Any:
        return (await deployments[0].http.get("/.well-known/did.json", headers={"host": "ada.test"})).json()

    monkeypatch.setattr(DidResolver, "_fetch", fetch)
    old = f"sqlite://{tmp_path / 'old.db'}"
    async with open_leaving_account(old, make_sqlite, clock, tmp_path, did=ada_did, did_web_accounts=True) as ada:
        deployments.append(ada.old)
        answer = await ada.begin()
        assert answer.status_code == 303, problems_in(answer)
        await ada.until(MoveStage.WAITING)
        assert (await document())["service"][0]["serviceEndpoint"] == ada.old.settings.url
        wrong = await ada.browser.send("/account/move", {"act": "finish", "token": "AAAAA-AAAAA"})
        assert "wrong" in problems_in(wrong)["token"]
        clock.turn(MINUTE)  # a document that was just read is cached
        assert (await ada.give_code()).status_code == 303
        await ada.until(MoveStage.DONE)
        there = ada.new.person(await ada.new.sign_in("ada.new.test", NEW_PASSWORD))
        status = (await there.get(f"{SERVER}.checkAccountStatus")).json()
        assert (there.did, status["activated"], status["validDid"]) == (ada_did, True, True)
        moved = await document()
        assert moved["service"][0]["serviceEndpoint"] == ada.new.settings.url
        assert moved["alsoKnownAs"] == ["at://ada.new.test"]
        key = await ada.new.pds.registry.repositories.keys.signing_key(ada_did)
        assert moved["verificationMethod"][0]["publicKeyMultibase"] == format_did_key(key.public).removeprefix(
            "did:key:"
        )
        assert (await ada.old.announced(ada_did))[-2:] == ["identity ada.new.test", "account deactivated"]
        await deletion.delete_by_host(ada.old.pds.registry, ada_did, lambda _w: None)
        assert await document() == moved


@needs("reference")
async def test_account_moves_to_the_reference_pds(make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path) -> None:
    """The reference PDS takes the account in. It uses the machine's clock, so ours is set to it."""
    clock.turn(time_ns() // 1000 - clock.now())
    async with open_leaving_account(f"sqlite://{tmp_path / 'old.db'}", make_sqlite, clock, tmp_path) as ada:
        directory = ada.old.directory.url.replace("127.0.0.1", "localhost")
        reference = ReferencePds(tmp_path / "reference", directory)
        await reference.start()
        try:
            answer = await ada.begin(target=reference.url, handle="ada.test")
            assert answer.status_code == 303, problems_in(answer)
            await ada.until(MoveStage.WAITING)
            assert (await ada.give_code()).status_code == 303
            await ada.until(MoveStage.DONE)
            session = await reference.call(
                f"{SERVER}.createSession", {"identifier": ada.ada.did, "password": NEW_PASSWORD}
            )
            assert (session["handle"], session["active"]) == ("ada.test", True)
        finally:
            await reference.stop()
