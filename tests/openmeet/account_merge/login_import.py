"""Many events in a person's repository, and how far the import that a sign-in starts has come."""

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.tid import from_microseconds
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.identities import backfill_progress
from openmeet.domain.identities.backfill_progress import BackfillStage
from openmeet.domain.users.model import UserId
from openmeet.network.repositories.sign_in import sign_in_with_password
from tests.openmeet.deployment import Deployment
from tests.openmeet.ingestion.network import event_value
from tests.simulation.oracle import EVENT


def key_of_event(index: int) -> str:
    """The record key of an event that ``fill`` wrote."""
    return from_microseconds(1_770_000_000_000_000 + index, 0)


async def write_events(client: XrpcClient, did: str, number: int, *, words: str = "Evening") -> None:
    """Write this many events to the repository, as another app would."""
    for start in range(0, number, 200):
        writes = [
            {
                "$type": "com.atproto.repo.applyWrites#create",
                "collection": EVENT,
                "rkey": key_of_event(index),
                "value": event_value(f"{words} {index}", startsAt=f"2026-06-{index % 28 + 1:02}T18:00:00Z"),
            }
            for index in range(start, min(start + 200, number))
        ]
        await client.procedure("com.atproto.repo.applyWrites", {"repo": did, "writes": writes})


async def session_did(client: XrpcClient) -> str:
    return str((await client.query("com.atproto.server.getSession"))["did"])


async def sign_in_on_pds(deployment: Deployment, name: str = "dora") -> UserId:
    async def arrive(tx, did, handle, pds_url):
        return (await account_merge.sign_in_with_did(tx, did, handle=handle, pds_url=pds_url)).user_id

    return (
        await sign_in_with_password(
            deployment.db, deployment.network, identifier=f"{name}.town.test", password="a long password", arrive=arrive
        )
    ).user_id


async def backfill_progress_of(deployment: Deployment, user_id: UserId) -> tuple[BackfillStage, int, int]:
    async with deployment.db.reader() as reader:
        (one,) = await backfill_progress.of_person(reader, user_id)
    return one.stage, one.applied, one.total
