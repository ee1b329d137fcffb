"""Apply the ledger of deletions to a database that may be older than the ledger."""

from groundwork.clock import SECOND
from groundwork.database.transaction import Database
from openmeet.domain.erasure.ledger import ErasureLedger
from openmeet.network.ingestion import ledger_catch_up
from openmeet.network.ingestion.ledger_catch_up import LedgerGaps
from openmeet.settings import Settings


def ledger_of(settings: Settings) -> ErasureLedger:
    """The ledger named in the settings. All communities share one file, which works because ids are random."""
    path = settings.erasure_ledger or settings.data_directory / "erasures.jsonl"
    return ErasureLedger(path.absolute())


def grace_of(settings: Settings) -> int:
    """The grace period in microseconds."""
    return int(settings.erasure_grace * SECOND)


async def catch_up(settings: Settings, db: Database) -> LedgerGaps:
    """Apply the ledger of deletions before a database is used, in case it was restored from a backup."""
    return await ledger_catch_up.catch_up(db, ledger_of(settings), grace_of(settings))
