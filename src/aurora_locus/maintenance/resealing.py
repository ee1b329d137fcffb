"""Seal every stored secret with the newest sealing key, so that older keys can be dropped."""

from at_protocol.syntax.did import Did
from aurora_locus.account_migration.moves import purpose_of as move_purpose
from aurora_locus.accounts.second_factors.totp import purpose_of as totp_purpose
from aurora_locus.keys.server_keys import purpose_of as server_purpose
from aurora_locus.keys.signing_keys import purpose_of as signing_purpose
from groundwork.database import resealing
from groundwork.database.resealing import SealedColumn
from groundwork.database.transaction import Database
from groundwork.sealing import Sealer

# Every sealed column.
SEALED: tuple[SealedColumn, ...] = (
    SealedColumn("signing_keys", "did_key", "sealed", signing_purpose),
    SealedColumn("server_keys", "purpose", "sealed", server_purpose),
    SealedColumn("totp_secrets", "did", "sealed", lambda did: totp_purpose(Did(did))),
    SealedColumn("moves", "did", "session", move_purpose),
)


async def reseal(db: Database, sealer: Sealer) -> tuple[int, int]:
    """Reseal values that were sealed with an older key. Return the total number of values, and how many were resealed.

    This can be repeated at any time, and run while a server with both keys is running. Raises CannotUnseal.
    """
    return await resealing.reseal(db, sealer, SEALED)
