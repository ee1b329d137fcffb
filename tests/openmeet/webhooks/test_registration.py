"""Limits of what a person can register; on both engines."""

import asyncio

import pytest

from groundwork.clock import DAY
from groundwork.database.transaction import Database
from groundwork.errors import Refused
from groundwork.sealing import Sealer
from openmeet.domain.api_tokens import tokens
from openmeet.domain.api_tokens.scopes import TokenScope
from openmeet.domain.webhooks import actions
from openmeet.domain.webhooks.model import WebhookEvent
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


@pytest.mark.parametrize("what", ["webhooks", "tokens"])
async def test_requests_at_the_same_time_do_not_exceed_the_limit(
    db: Database, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(actions, "MAX_WEBHOOKS", 1)
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    sealer = Sealer([b"s" * 32])
    ready = asyncio.Barrier(1 if tx.engine == "sqlite" else 3)

    async def register() -> None:
        async with db.transaction() as tx:
            await tx.fetch("select 1 from users")
            await asyncio.wait_for(ready.wait(), 10)
            if what == "webhooks":
                kinds = {WebhookEvent.EVENT}
                await actions.register(tx, ana, sealer, url="https://example.org", kinds=kinds, group_id=None)
            else:
                await tokens.make(tx, ana, tokens.NewToken("A script", frozenset({TokenScope.READ}), DAY))

    results = await asyncio.gather(*(register() for _ in range(3)), return_exceptions=True)
    assert [one for one in results if one is not None and not isinstance(one, Refused)] == []
    assert sum(one is None for one in results) == 1
