"""Open the repositories of a PDS without serving them, for commands that run while the server is running or stopped."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from at_protocol.failures import Malformed
from at_protocol.syntax.did import Did, parse_did
from aurora_locus.blobs.place import open_store
from aurora_locus.blobs.uploads import BlobService, UploadLimits
from aurora_locus.keys.server_keys import sealing_keys
from aurora_locus.keys.signing_keys import SigningKeys
from aurora_locus.repository.repositories import Repositories
from aurora_locus.sequencer.live_events import open_live
from aurora_locus.settings import PdsSettings
from groundwork.clock import SystemClock
from groundwork.database.transaction import Database
from groundwork.errors import InvalidInput
from groundwork.sealing import Sealer
from programs.operations.pds.server_access import run_on_database


def sealer_of(settings: PdsSettings) -> Sealer:
    """A sealer with the server's keys."""
    return Sealer(list(sealing_keys(settings.sealing_keys.reveal(), settings.data_directory)))


async def open_repositories(db: Database, settings: PdsSettings) -> Repositories:
    """Open the repositories without the clean-up at start, which would delete temporary files of a running server."""
    blobs = BlobService(db, open_store(settings), UploadLimits(settings.blob_upload_limit, settings.blob_quota))
    keys = SigningKeys(db, sealer_of(settings))
    live = await open_live(db)
    return Repositories(
        db,
        live,
        keys,
        blobs,
        SystemClock(),
        clock_id=secrets.randbelow(1024),
        node_cache_bytes=settings.node_cache,
        json_cache_bytes=settings.record_cache,
        # Pin the exported blocks in the database, because the server may be running and must not delete them.
        pins_exports=True,
    )


def run_on_repositories(
    settings_file: Path | None, work: Callable[[Repositories, PdsSettings], Awaitable[None]]
) -> None:
    """Run an operator's command directly on the repositories."""

    async def run(db: Database, settings: PdsSettings) -> None:
        repositories = await open_repositories(db, settings)
        try:
            await work(repositories, settings)
        finally:
            await repositories.close()

    run_on_database(settings_file, run)


def did_of(text: str) -> Did:
    """Parse a DID argument. Raises InvalidInput."""
    try:
        return parse_did(text)
    except Malformed as wrong:
        raise InvalidInput(
            "did", f"This is not a DID: {wrong.why}. To find an account's DID: openmeet pds account show HANDLE"
        ) from wrong
