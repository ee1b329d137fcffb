"""Records that her app deletes and brings back, again and again, of an event that was hers elsewhere first and was edited here."""

from typing import Any

import pytest

from openmeet.domain.events import actions as events
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.publication.test_recalls import delete, edit, records, settle
from tests.openmeet.town import Town


@pytest.fixture
async def cleo(town: Town) -> Caller:
    return await town.connected()


async def shown(town: Town) -> list[tuple[str, bool]]:
    """The titles of what is here, and whether it is removed."""
    async with town.db.reader() as reader:
        rows = await reader.fetch("select slug, title, removed_at from events")
    return [(row["title"], row["removed_at"] is not None) for row in rows]


async def test_what_is_there_again_is_here_again(town: Town, cleo: Caller):
    """Also where the promise about it had been void, and was attached to what her app wrote since."""
    app = await town.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value: dict[str, Any] = {"$type": EVENT, "name": "From elsewhere", "createdAt": "2026-01-01T00:00:00.000Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await settle(town, cleo)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select slug from events")
    assert row is not None
    await town.revise(cleo, row["slug"], title="Named here")
    await settle(town, cleo)
    (ours,) = await records(town, EVENT)
    assert ours["value"]["name"] == "Named here"
    await delete(town, ours)
    await settle(town, cleo)
    assert await shown(town) == [("Named here", True)]
    await edit(town, ours)
    await settle(town, cleo)
    assert await shown(town) == [("Named here", False)]
    await edit(town, ours, name="Named there")
    await settle(town, cleo)
    assert await shown(town) == [("Named there", False)]
    await delete(town, ours)
    await settle(town, cleo)
    assert await shown(town) == [("Named there", True)]
    await edit(town, ours)
    await settle(town, cleo)
    assert await shown(town) == [("Named here", False)]


async def test_what_is_there_again_is_no_retracted_record(town: Town, cleo: Caller):
    """The publication follows the record that it was attached to: published while that stands, and taken back with the event."""
    app = await town.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value: dict[str, Any] = {"$type": EVENT, "name": "From elsewhere", "createdAt": "2026-01-01T00:00:00.000Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await settle(town, cleo)
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select id, slug from events")
    assert row is not None
    await town.revise(cleo, row["slug"], title="Named here")
    await settle(town, cleo)
    (ours,) = await records(town, EVENT)
    await delete(town, ours)
    await settle(town, cleo)
    await edit(town, ours, name="Named there")
    await settle(town, cleo)
    await edit(town, ours, name="Named there again")
    await settle(town, cleo)
    standing = await town.standing(PublicationKind.EVENT, row["id"])
    assert (standing.state, standing.uri) == (PublicationState.PUBLISHED, ours["uri"])
    async with town.db.transaction() as tx:
        await events.delete(tx, cleo, row["slug"])
    await settle(town, cleo)
    assert await records(town, EVENT) == []
