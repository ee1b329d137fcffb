"""Rotation of the server's rotation key: in every identity, the new key takes the place of the old one.

The new key is stored, sealed, before the first identity is changed, and replaces the old one after the last. After an
interruption, running it again continues where it stopped. The server must be stopped meanwhile, because it signs with
one key only.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from at_network.plc_client import PlcClient
from at_protocol.crypto.did_key import PrivateKey, format_did_key
from at_protocol.crypto.k256 import K256PrivateKey
from at_protocol.identity import plc_operation
from at_protocol.identity.plc_operation import Tombstone
from at_protocol.syntax.did import Did
from aurora_locus.keys import server_keys
from groundwork.database.transaction import Database, Writer
from groundwork.errors import NotFound
from groundwork.sealing import Sealer


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
