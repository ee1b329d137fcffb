"""Which tests one worker runs one after the other: what they start is shared between them, or is too much for a machine twice at once.

By file, and not by xdist's own marks: those reach its scheduler as part of a test's name, which pytest 9.2 does not let it change any more,
and nothing says so; each test went to whichever worker was free.
"""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

# Programs that take much of the machine; of PostgreSQL's hundred connections those of "cluster" leave few.
TOGETHER = {
    "tests/aurora_locus/adopting/test_adopt.py": "reference",
    "tests/journeys/test_claiming.py": "up",
    "tests/journeys/test_cluster_kills.py": "cluster",
    "tests/journeys/test_communities.py": "cluster",
    "tests/journeys/test_disk_full.py": "pds",
    "tests/journeys/test_durable_answers.py": "pds",
    "tests/journeys/test_parts_away.py": "workers",
    "tests/journeys/test_pds_kills.py": "pds",
    "tests/journeys/test_publishing.py": "up",
    "tests/journeys/test_tour.py": "up",
    "tests/journeys/test_up.py": "up",
    "tests/journeys/test_worker_kills.py": "workers",
    "tests/openmeet/site/test_openapi.py": "openapi",
}


class OneWorker(LoadScopeScheduling):
    """Every other test goes alone to whichever worker is free; the largest groups go first."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.partition("::")[0], nodeid)

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """What has run is forgotten: after each test all that its worker was ever given is counted through."""
        name = self._split_scope(self.registered_collections[node][item_index])
        super().mark_test_complete(node, item_index, duration)
        if all(self.assigned_work[node][name].values()):
            del self.assigned_work[node][name]
