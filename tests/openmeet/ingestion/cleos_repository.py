"""Cleo, who signs in on the site and writes events in another app, and the comparison with her repository."""

import pytest

from at_protocol.data.cid import Cid
from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import SECOND
from openmeet.network.ingestion.reconcile import ReconcileResult, reconcile
from openmeet.network.records.collections import EVENT, RSVP
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import key_of


@pytest.fixture
async def cleo(deployment: Deployment) -> Did:
    """A person who signs in on this site and writes in another app. Their repository has been read once."""
    found = await deployment.connected("cleo")
    did = parse_did((await deployment.identity(found.user_id)).did)
    await write_event_and_answer(deployment, did, "first")
    await deployment.deliver_jobs()
    await reconcile_repository(deployment, did)
    return did


async def write_event_and_answer(deployment: Deployment, did: Did, key: str) -> str:
    """Write an event with this key and name, and its author's RSVP."""
    app = await deployment.stranger("cleo")
    record = {"$type": EVENT, "name": f"Tea {key}", "createdAt": "2026-03-01T00:00:00Z"}
    wish = {"repo": did, "collection": EVENT, "rkey": key_of(key), "record": record}
    uri = str((await app.procedure("com.atproto.repo.putRecord", wish))["uri"])
    subject = {"uri": uri, "cid": str(Cid.for_cbor(b"\xa0"))}
    answer = {"$type": RSVP, "status": f"{RSVP}#going", "subject": subject}
    wish = {"repo": did, "collection": RSVP, "rkey": f"to{key}", "record": answer}
    await app.procedure("com.atproto.repo.putRecord", wish)
    return uri


async def reconcile_repository(deployment: Deployment, did: Did) -> ReconcileResult:
    deployment.clock.turn(SECOND)
    return await reconcile(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
