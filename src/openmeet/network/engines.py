"""What the synchronisation of this installation runs on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from groundwork.database.transaction import Database
from groundwork.queue.contract import Queue
from groundwork.telemetry.health import Check
from openmeet.network.ingestion.events import Here


@dataclass(frozen=True, slots=True)
class Engines:
    """What the synchronisation runs on, given by ``programs/``: sources and cursors, the queue, who we are.

    ``others``: what tells whether other communities' databases answer, where that is this one's operators' business.
    """

    installation: Database
    queue: Queue
    here: Here
    others: Mapping[str, Check] = field(default_factory=dict)
