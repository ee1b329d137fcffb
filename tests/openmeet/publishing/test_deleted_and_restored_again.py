"""Another app repeatedly deletes and restores the record of an event. The event was first made in that app and then
edited on this site.
"""

from typing import Any

import pytest

from openmeet.domain.events import actions as events
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours
from tests.openmeet.publishing.other_app import cleos_records, delete_cleos_record, edit_cleos_record


@pytest.fixture
async def cleo(deployment: Deployment) -> Caller:
    return await deployment.connected()


async def shown(deployment: Deployment) -> list[tuple[str, bool]]:
    """The titles of the events on this site, and whether each is removed."""
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select slug, title, removed_at from events")
    return [(row["title"], row["removed_at"] is not None) for row in rows]


async def test_a_restored_record_restores_its_event(deployment: Deployment, cleo: Caller):
    """The event is also restored if its publication was void and was attached to a later record of the other app."""
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value: dict[str, Any] = {"$type": EVENT, "name": "From elsewhere", "createdAt": "2026-01-01T00:00:00.000Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select slug from events")
    assert row is not None
    await deployment.revise(cleo, row["slug"], title="Named here")
    await publish_and_listen_for_hours(deployment, cleo)
    (ours,) = await cleos_records(deployment, EVENT)
    assert ours["value"]["name"] == "Named here"
    await delete_cleos_record(deployment, ours)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await shown(deployment) == [("Named here", True)]
    await edit_cleos_record(deployment, ours)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await shown(deployment) == [("Named here", False)]
    await edit_cleos_record(deployment, ours, name="Named there")
    await publish_and_listen_for_hours(deployment, cleo)
    assert await shown(deployment) == [("Named there", False)]
    await delete_cleos_record(deployment, ours)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await shown(deployment) == [("Named there", True)]
    await edit_cleos_record(deployment, ours)
    await publish_and_listen_for_hours(deployment, cleo)
    assert await shown(deployment) == [("Named here", False)]


async def test_a_restored_record_is_not_treated_as_retracted(deployment: Deployment, cleo: Caller):
    """The publication has the state of its record: published while the record exists, retracted with the event."""
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    value: dict[str, Any] = {"$type": EVENT, "name": "From elsewhere", "createdAt": "2026-01-01T00:00:00.000Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": value})
    await publish_and_listen_for_hours(deployment, cleo)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select id, slug from events")
    assert row is not None
    await deployment.revise(cleo, row["slug"], title="Named here")
    await publish_and_listen_for_hours(deployment, cleo)
    (ours,) = await cleos_records(deployment, EVENT)
    await delete_cleos_record(deployment, ours)
    await publish_and_listen_for_hours(deployment, cleo)
    await edit_cleos_record(deployment, ours, name="Named there")
    await publish_and_listen_for_hours(deployment, cleo)
    await edit_cleos_record(deployment, ours, name="Named there again")
    await publish_and_listen_for_hours(deployment, cleo)
    publication = await deployment.status_of(PublicationKind.EVENT, row["id"])
    assert (publication.state, publication.uri) == (PublicationState.PUBLISHED, ours["uri"])
    async with deployment.db.transaction() as tx:
        await events.delete(tx, cleo, row["slug"])
    await publish_and_listen_for_hours(deployment, cleo)
    assert await cleos_records(deployment, EVENT) == []
