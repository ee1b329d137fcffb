"""Dependencies of the deletion of people and accounts, for the scheduler, the publisher and the operator’s command."""

from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database
from openmeet.network.firehose import cursors
from openmeet.network.ingestion import dead_letters
from openmeet.network.ingestion.account_deletion import ErasureContext
from openmeet.network.ingestion.person_erasure import PersonErasureContext, discard_logs
from programs.erasure_ledger import grace_of, ledger_of
from programs.platform import Platform


def erasing_of(platform: Platform) -> ErasureContext:
    async def elsewhere(did: Did) -> None:
        await dead_letters.erase(platform.db, platform.ingestion_context.erasure_keys, platform.queue, did)
        async with platform.installation.transaction() as tx:
            await cursors.erase(tx, did)

    return ErasureContext(platform.ingestion_context.erasure_keys, elsewhere)


def person_erasing(platform: Platform) -> PersonErasureContext:
    return PersonErasureContext(
        erasing_of(platform),
        ledger_of(platform.settings),
        platform.pictures,
        grace_of(platform.settings),
        other_databases(platform),
    )


def other_databases(platform: Platform) -> list[Database]:
    """Other databases that can contain data about people: those of an embedded queue and of the installation."""
    return [platform.installation, *([platform.queue_tables] if platform.queue_tables is not None else [])]


async def discard_old_pages(platform: Platform) -> None:
    """Every hour, remove deleted data from SQLite's logs, including what other tasks deleted."""
    await discard_logs([platform.db, *other_databases(platform)])
