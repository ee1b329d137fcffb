"""Rotation of keys. Sealing keys: every stored secret is sealed with the newest one, so that older ones can be
dropped. The server's rotation key: in every identity, the new key takes the place of the old one.

The new rotation key is stored, sealed, before the first identity is changed, and replaces the old one after the last.
After an interruption, running it again continues where it stopped. The server must be stopped meanwhile, because it
signs with one key only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import PrivateKey, format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import Tombstone
from at_protocol.syntax.did import Did
from aurora_locus.account_migration.moves import purpose_of as move_purpose
from aurora_locus.accounts.second_factors.totp import purpose_of as totp_purpose
from aurora_locus.keys import server_keys
from aurora_locus.keys.server_keys import purpose_of as server_purpose
from aurora_locus.keys.signing_keys import purpose_of as signing_purpose
from groundwork.database import resealing
from groundwork.database.resealing import SealedColumn
from groundwork.database.transaction import Database, Writer
from groundwork.errors import NotFound
from groundwork.sealing import Sealer

# Every sealed column.
SEALED: tuple[SealedColumn, ...] = (
    SealedColumn("signing_keys", "did_key", "sealed", signing_purpose),
    SealedColumn("server_keys", "purpose", "sealed", server_purpose),
    SealedColumn("totp_secrets", "did", "sealed", lambda did: totp_purpose(Did(did))),
    SealedColumn("moves", "did", "session", move_purpose),
)


@dataclass(slots=True)
class RotationResult:
    """Result of a rotation. ``others`` counts identities that name neither key, because the account moved away or its
    owner removed the server's key.
    """

    changed: int = 0
    already: int = 0
    others: int = 0


async def next_key(db: Database, sealer: Sealer) -> K256PrivateKey:
    """Return the next key, which is generated and stored at the first call."""
    return K256PrivateKey.from_bytes(await server_keys.find_or_make(db, sealer, server_keys.NEXT_ROTATION_KEY))


async def rotate(
    db: Database, directory: PlcClient, old: PrivateKey, new: PrivateKey, on_progress: Callable[[int, int], None]
) -> RotationResult:
    """Change every did:plc identity of this server. ``on_progress`` is called with the number done and the total.

    Raises the directory's errors. Changes made until then stay.
    """
    async with db.reader() as reader:
        rows = await reader.fetch("select did from accounts where did like 'did:plc:%' order by did")
    done = RotationResult()
    for number, row in enumerate(rows, 1):
        await _rotate_one(directory, Did(row["did"]), old, new, done)
        on_progress(number, len(rows))
    return done


async def replace_key(db: Database, sealer: Sealer, new: K256PrivateKey) -> None:
    """Make the new key the server's key, and delete the old one."""

    def work(w: Writer) -> None:
        server_keys.put(w, sealer, server_keys.ROTATION_KEY, new.to_bytes())
        server_keys.drop(w, server_keys.NEXT_ROTATION_KEY)

    await db.write(work)


async def _rotate_one(directory: PlcClient, did: Did, old: PrivateKey, new: PrivateKey, done: RotationResult) -> None:
    old_key, follows = format_did_key(old.public), format_did_key(new.public)
    try:
        newest = await directory.last(did)
    except NotFound:
        done.others += 1
        return
    if isinstance(newest, Tombstone):
        done.others += 1
        return
    present = plc_operation.normalised(newest)
    if follows in present.rotation_keys:
        done.already += 1
    elif old_key not in present.rotation_keys:
        done.others += 1
    else:
        keys = tuple(follows if key == old_key else key for key in present.rotation_keys)
        changed = replace(present, rotation_keys=keys, prev=str(plc_operation.cid_of(newest)), sig=None)
        await directory.submit(did, plc_operation.sign(changed, old))
        done.changed += 1


async def reseal(db: Database, sealer: Sealer) -> tuple[int, int]:
    """Reseal values that were sealed with an older key. Return the total number of values, and how many were resealed.

    This can be repeated at any time, and run while a server with both keys is running. Raises CannotUnseal.
    """
    return await resealing.reseal(db, sealer, SEALED)
