"""Display names of remote people: fetched from their PDS when first seen and when updated. Other fields of the profile
are not used.
"""

import pytest
from aiohttp import web

from at_protocol.syntax.did import parse_did
from openmeet.domain.identities.model import PROFILE
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.users.model import MAX_NAME
from openmeet.network.ingestion import identity_refresh
from openmeet.network.records.collections import EVENT
from openmeet.network.repositories.read import profile_name
from tests.openmeet.deployment import Deployment


async def stranger(deployment: Deployment, name: str, said: object) -> tuple[str, object]:
    """A person with a profile whom this site knows from one of their events."""
    await deployment.account(name)
    app = await deployment.stranger(name)
    did = (await app.query("com.atproto.server.getSession", {}))["did"]
    await write(app, did, said)
    record = {"$type": EVENT, "name": "Sailing", "createdAt": "2026-01-01T00:00:00Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": record})
    await read_stream(deployment, app, did)
    return did, app


async def write(app, did: str, said: object) -> None:
    record = {"$type": PROFILE, **({} if said is None else {"displayName": said})}
    wish = {"repo": did, "collection": PROFILE, "rkey": "self", "record": record, "validate": False}
    await app.procedure("com.atproto.repo.putRecord", wish)


async def read_stream(deployment: Deployment, app, did: str) -> None:
    """Read the stream to its end and deliver the jobs that follow."""
    newest = (await app.query("com.atproto.sync.getLatestCommit", {"did": did}))["rev"]
    await deployment.follow_until(did, lambda state: state.last_head is not None and state.last_head.rev == newest)
    await deployment.ingest()
    await deployment.deliver_jobs()


async def name_of(deployment: Deployment, did: str) -> str:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select user_id from identities where did = :did", did=did)
        return (await shown_names(reader, [row["user_id"]]))[row["user_id"]]


async def test_a_strangers_name_follows_their_profile(deployment: Deployment):
    """The name is fetched when the person is first seen, and updated when they change it. Without a name, the handle is
    shown.
    """
    did, app = await stranger(deployment, "zoe", "Zoe of the Sea")
    assert await name_of(deployment, did) == "Zoe of the Sea"
    await write(app, did, "Zoe")
    await read_stream(deployment, app, did)
    assert await name_of(deployment, did) == "Zoe"
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": PROFILE, "rkey": "self"})  # type: ignore[attr-defined]  # JSON
    await read_stream(deployment, app, did)
    assert await name_of(deployment, did) == "@zoe.town.test"


@pytest.mark.parametrize("said", [None, "", " \u200b\u202e ", 7, {"text": "Zoe"}])
async def test_an_invalid_name_is_ignored(deployment: Deployment, said: object):
    did, _ = await stranger(deployment, "zoe", said)
    assert await name_of(deployment, did) == "@zoe.town.test"


async def test_a_name_is_one_line_without_control_characters(deployment: Deployment):
    did, _ = await stranger(deployment, "zoe", "Zoe\n\u202eeoZ " + "x" * 1_000)
    name = await name_of(deployment, did)
    assert name.startswith("Zoe eoZ x")
    assert len(name) <= MAX_NAME


@pytest.mark.parametrize(("said", "shown"), [("@ben.town.test", "@zoe.town.test"), ("zoe.town.test", "zoe.town.test")])
async def test_a_name_that_is_the_handle_of_somebody_else_is_ignored(deployment: Deployment, said: str, shown: str):
    did, _ = await stranger(deployment, "zoe", said)
    assert await name_of(deployment, did) == shown


async def test_a_failing_server_keeps_the_name(deployment: Deployment):
    """A failed fetch neither removes the name nor repeats the rest."""
    did, _ = await stranger(deployment, "zoe", "Zoe")
    deployment.proxy.stops = lambda request: web.Response(status=500) if request.path.endswith("getRecord") else None
    directory = deployment.network.dids
    document = await directory.resolve(parse_did(did))
    assert document.pds is not None
    assert await profile_name(deployment.network, parse_did(did), deployment.proxy.url) is None
    assert await identity_refresh.refresh(deployment.db, deployment.network, parse_did(did)) == "active"
    assert await name_of(deployment, did) == "Zoe"
