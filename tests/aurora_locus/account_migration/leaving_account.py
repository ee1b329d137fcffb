"""Ada, who moves from the old server to the new one with some of everything."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from at_network.bearer_session import BearerTokens
from at_protocol.crypto.did_key import format_did_key
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.syntax.did import Did
from aurora_locus.account_migration import moves
from aurora_locus.account_migration.moves import AccountMove, MoveStage
from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Explanation
from groundwork.sealing import Sealer
from tests.aurora_locus.accounts.account_content import add_content
from tests.aurora_locus.deployment import Deployment, Person, open_deployment
from tests.aurora_locus.mailbox import newest_token
from tests.aurora_locus.visitor import Visitor, visitor
from tests.databases import MakeDatabase
from tests.timeouts import TIMEOUT_SECONDS

RECOVERY_KEY = P256PrivateKey.from_random(b"recovery" * 6)
NEW_PASSWORD = "another password"


@dataclass(frozen=True)
class LeavingAccount:
    """Ada on the old server, with some of everything, and her page open."""

    old: Deployment
    new: Deployment
    ada: Person
    browser: Visitor

    async def begin(self, **changes: str) -> Any:
        wish = {"target": self.new.url, "handle": "ada.new.test", "email": "ada@example.org", "password": NEW_PASSWORD}
        return await self.browser.send("/account/move", {"act": "begin", **wish, **changes})

    async def move(self) -> AccountMove:
        async with self.old.db.reader() as reader:
            found = await moves.find(reader, self.ada.did)
        assert found is not None
        return found

    async def until(self, *stages: MoveStage, problem: bool = False) -> AccountMove:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while True:
                move = await self.move()
                if move.stage in stages and bool(move.problem) is problem:
                    return move
                await asyncio.sleep(0.02)

    async def give_code(self) -> Any:
        await self.browser.send("/account/move", {"act": "ask"})
        token = await self.code()
        return await self.browser.send("/account/move", {"act": "finish", "token": token})

    async def code(self) -> str:
        return await newest_token(self.old, "ada@example.org")


async def store_failed_move(db: Database, did: Did, problem: Explanation) -> None:
    """Store a move that failed while it was copied."""
    async with db.transaction() as tx:
        tokens = BearerTokens(did, "access", "refresh")
        await moves.begin(
            tx, Sealer([bytes(32)]), did, 1, target="https://new.test", handle="ada.new.test", tokens=tokens
        )
        move = await moves.find(tx, did)
        assert move is not None
        await moves.note_problem(tx, move, problem)


@asynccontextmanager
async def open_leaving_account(
    url: str, make_sqlite: MakeDatabase, clock: HandClock, folder: Path, *, did: Did | None = None, **settings: Any
) -> AsyncIterator[LeavingAccount]:
    plc = await make_sqlite("plc_directory")
    new_url = f"sqlite://{folder / 'new.db'}"
    async with (
        open_deployment(url, plc, clock, folder / "old", **settings) as old,
        open_deployment(
            new_url, plc, clock, folder / "new", hostname="new.localhost", service_handle_domains=(".new.test",)
        ) as new,
    ):
        # Each server has its real address, because they call each other.
        wish = {"recoveryKey": format_did_key(RECOVERY_KEY.public)} if did is None else {"did": did}
        ada = await old.sign_up("ada", **wish)
        await add_content(old, ada)
        browser = visitor(old)
        await browser.sign_in("ada")
        yield LeavingAccount(old, new, ada, browser)
        await browser.http.aclose()
