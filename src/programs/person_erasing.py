"""Dependencies of the deletion of people, for the scheduler and the operator's command."""

from groundwork.database.transaction import Database
from openmeet.network.ingestion.person_erasure import PersonErasureContext, discard_logs
from programs.erasure_ledger import grace_of, ledger_of
from programs.outbox_dispatcher import erasing_of
from programs.platform import Platform


def person_erasing(platform: Platform) -> PersonErasureContext:
    return PersonErasureContext(
        erasing_of(platform),
        ledger_of(platform.settings),
        platform.pictures,
        other_databases(platform),
        grace_of(platform.settings),
    )


def other_databases(platform: Platform) -> list[Database]:
    """Other databases that can contain data about people: those of an embedded queue and of the installation."""
    return [platform.installation, *([platform.queue_tables] if platform.queue_tables is not None else [])]


async def discard_old_pages(platform: Platform) -> None:
    """Every hour, remove deleted data from SQLite's logs, including what other tasks deleted."""
    await discard_logs([platform.db, *other_databases(platform)])
