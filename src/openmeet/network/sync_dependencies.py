"""Dependencies of the synchronization pages and commands."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundwork.database.transaction import Database
from groundwork.queue.contract import Queue
from groundwork.telemetry.health import Check
from openmeet.network.ingestion.events import IngestionContext


@dataclass(frozen=True, slots=True)
class SyncDependencies:
    """Dependencies of the pages and commands that show and control synchronization, provided by ``programs/``.

    ``others``: checks whether the databases of other communities respond, if this community's operators may see that.
    """

    installation: Database
    queue: Queue
    ingestion_context: IngestionContext
    others: Mapping[str, Check] = field(default_factory=dict)
