"""Records that another app of a person reads and writes on the PDS."""

from typing import Any

from at_network.xrpc_client import XrpcClient
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.deliveries import publish_and_listen_for_hours


async def cleos_records(deployment: Deployment, collection: str) -> list[dict[str, Any]]:
    """The records in Cleo's repository, as another app of hers reads them."""
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    return list((await app.query("com.atproto.repo.listRecords", {"repo": did, "collection": collection}))["records"])


async def edit_cleos_record(deployment: Deployment, record: dict[str, Any], **fields: object) -> None:
    """Another app of Cleo's changes a record."""
    app = await deployment.stranger("cleo")
    _, _, did, collection, rkey = record["uri"].split("/")
    body = {"repo": did, "collection": collection, "rkey": rkey, "record": {**record["value"], **fields}}
    await app.procedure("com.atproto.repo.putRecord", body)


async def delete_cleos_record(deployment: Deployment, record: dict[str, Any]) -> None:
    """Another app of Cleo's deletes a record."""
    app = await deployment.stranger("cleo")
    _, _, did, collection, rkey = record["uri"].split("/")
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})


async def write_cleos_record(deployment: Deployment, collection: str, record: dict[str, object]) -> None:
    """Another app of Cleo's writes a record."""
    app = await deployment.stranger("cleo")
    did = (await app.query("com.atproto.server.getSession"))["did"]
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": collection, "record": record})


async def write_tea_in_app(
    deployment: Deployment, cleo: Caller, collection: str = EVENT
) -> tuple[dict[str, Any], Event]:
    """A record that another app of Cleo's wrote, and its event on this site."""
    value = {"name": "Tea", "createdAt": "2026-01-01T00:00:00.000Z", "startsAt": "2037-04-01T16:00:00Z"}
    await write_cleos_record(deployment, collection, {"$type": collection, **value})
    await publish_and_listen_for_hours(deployment, cleo)
    (record,) = await cleos_records(deployment, collection)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select id from events")
        assert row is not None
        event = await by_id(reader, row["id"])
    assert event is not None
    return record, event


async def custodial_app_of(deployment: Deployment, who: Caller) -> XrpcClient:
    """A client of another app for the custodial repository."""
    return await deployment.own_client(await deployment.identity(who.user_id))


async def edit_record_in_app(deployment: Deployment, who: Caller, uri: str, **fields: Any) -> None:
    """Change only the given fields, as a careful app does. None removes a field."""
    _, _, did, collection, rkey = uri.split("/")
    record = await deployment.record(uri)
    swap = record.pop("cid")
    after = {key: value for key, value in {**record, **fields}.items() if value is not None}
    wish = {"repo": did, "collection": collection, "rkey": rkey, "record": after, "swapRecord": swap}
    await (await custodial_app_of(deployment, who)).procedure("com.atproto.repo.putRecord", wish)


async def delete_record_in_app(deployment: Deployment, who: Caller, uri: str) -> None:
    """Another app of the person deletes a record."""
    _, _, did, collection, rkey = uri.split("/")
    wish = {"repo": did, "collection": collection, "rkey": rkey}
    await (await custodial_app_of(deployment, who)).procedure("com.atproto.repo.deleteRecord", wish)
