"""Dependencies of publishing, assembled once by ``programs/``; constants, event page URLs and counts of results."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.tid import TidClock
from groundwork.blobstore.contract import BlobStore
from groundwork.clock import MINUTE, SECOND
from groundwork.database.transaction import Database
from openmeet.domain.events.model import Event
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.records.collections import Result
from openmeet.network.records.message import RecordMessage
from openmeet.network.repositories.clients import NetworkClients
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind, PublicationState

LEASE_SECONDS = 60.0
MAX_MERGE_ROUNDS = 3
MAX_WRITES_PER_HOUR = 5
# A waiting RSVP becomes due when its event is published. This delay covers a missed notification.
RECHECK_AFTER = 10 * MINUTE
# A job becomes due again when ingestion has applied the version that was found. This delay covers a message that
# ingestion already knew.
INGESTED_AFTER = 30 * SECOND
# A create costs three points of a repository's hourly budget, an update two.
WRITE_COST = 3

# Called when an RSVP record was written, with (create, update or delete; going, interested, notgoing or empty).
CountRsvp = Callable[[str, str], None]
# Called with the kind and result of each record that was sent or failed.
CountResult = Callable[[str, Result], None]

HandToIngestion = Callable[[Sequence[RecordMessage]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Publisher:
    """Dependencies of publishing: database, network clients and callbacks. ``pictures``: the store of event pictures.

    ``hand_to_ingestion`` enqueues messages for ingestion and returns when they are durable. ``instance`` is our public
    address.
    """

    db: Database
    network: NetworkClients
    catalog: Catalog
    tids: TidClock
    hand_to_ingestion: HandToIngestion
    instance: str
    pictures: BlobStore | None = None
    count_rsvp: CountRsvp = lambda _operation, _status: None
    count_result: CountResult = lambda _kind, _result: None
    flags: Switchboard = field(default_factory=Switchboard)


def page_of(instance: str, event: Event) -> str:
    """Return the URL of the event's page on this installation."""
    return f"{instance}/events/{quote(event.slug)}"


# A record that waits, is withheld or is already due for its next revision counts as none of these.
RESULTS = {
    PublicationState.PUBLISHED: Result.SUCCESS,
    PublicationState.RETRACTED: Result.SUCCESS,
    PublicationState.RETRYING: Result.RETRIED,
    PublicationState.REFUSED: Result.FAILED,
    PublicationState.CONFLICTED: Result.FAILED,
    PublicationState.BLOCKED: Result.FAILED,
}

_AFTER_DELIVERY: Final = (
    "select subject_id, state, uri, base_cid from publications where kind = :kind and subject_id in :ids"
)


async def count_results(publisher: Publisher, publications: Sequence[Publication]) -> None:
    """Count the outcome of each leased publication in the metrics, once."""
    for kind in PublicationKind:
        ids = [one.subject_id for one in publications if one.kind is kind]
        if not ids:
            continue
        before = {one.subject_id: (one.uri, one.base_cid) for one in publications if one.kind is kind}
        async with publisher.db.reader() as reader:
            rows = await reader.fetch(_AFTER_DELIVERY, kind=kind.value, ids=ids)
        for row in rows:
            result = RESULTS.get(PublicationState(row["state"]))
            is_as_before = before[row["subject_id"]] == (row["uri"], row["base_cid"])
            if result is not None and not (result is Result.SUCCESS and is_as_before):
                publisher.count_result(kind.value, result)
