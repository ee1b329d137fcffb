"""Every operation does what its documentation says, tested with a tool that reads only the documentation."""

from pathlib import Path

from groundwork.blobstore.disk import DiskBlobStore
from groundwork.clock import HandClock
from openmeet.routes import operations
from tests.attack.api_contract import hold
from tests.attack.garbage import SEED
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import site_on

# ``python -m tests.soak --only api`` runs it for longer.
EXAMPLES = 6


async def test_every_response_matches_the_openapi_document(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    pictures = DiskBlobStore(tmp_path / "pictures")
    site = site_on(await make_sqlite("openmeet"), clock, pictures=pictures, api_requests_per_minute=0)
    assert await hold(site, first_seed=SEED, examples=EXAMPLES) == len(operations())
