"""The records of an event before and after its transfer to another owner, which name each other."""

from openmeet.network.records.collections import SUCCESSION_KEY
from tests.openmeet.ingestion.network import did
from tests.simulation.oracle import EVENT

OLD_URI, NEW_URI = f"at://{did(0)}/{EVENT}/tea", f"at://{did(1)}/{EVENT}/walk"
WITH_SUCCESSOR = {SUCCESSION_KEY: {"$type": SUCCESSION_KEY, "successor": NEW_URI}}
WITH_PREDECESSOR = {SUCCESSION_KEY: {"$type": SUCCESSION_KEY, "predecessors": [OLD_URI]}}
CREATION_DATES = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
