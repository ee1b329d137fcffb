"""Dependencies of publishing, assembled once by ``programs/``."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from at_protocol.lexicon.catalog import Catalog
from at_protocol.syntax.tid import TidClock
from groundwork.blobstore.contract import BlobStore
from groundwork.database.transaction import Database
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.metrics import SyncResult
from openmeet.network.repositories.clients import NetworkClients

# Called when an RSVP record was written, with (create, update or delete; going, interested, notgoing or empty).
CountRsvp = Callable[[str, str], None]
# Called with the kind and result of each record that was sent or failed.
CountResult = Callable[[str, SyncResult], None]

HandToIngestion = Callable[[Sequence[RecordMessage]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class PublishingDependencies:
    """Dependencies of publishing: database, network clients and callbacks. ``pictures``: the store of event pictures.

    ``hand_to_ingestion`` enqueues messages for ingestion and returns when they are durable. ``instance`` is our public
    address. ``deliveries`` are those that go on although the request that started them no longer waits; without this
    reference, they could be garbage-collected.
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
    deliveries: set[asyncio.Task[None]] = field(default_factory=set)
