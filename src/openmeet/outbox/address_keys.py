"""Secret keys of hashes of addresses, one for each kind of address. A copy of the database does not reveal whether an
address is in it.

Each key is random, is made once per community and is stored sealed. It is not derived from a sealing key: sealing keys
are replaced over time, and hashes made with a removed key could never be matched again.
"""

import os
from typing import Final

from groundwork.database.resealing import SealedColumn
from groundwork.database.transaction import Reader, Transaction
from groundwork.sealing import Sealer
from groundwork.signing_key import SigningKey

_KEY_BYTES: Final = 32


def _purpose_of(name: str) -> str:
    return f"openmeet/address_keys/{name}"


SEALED_KEY: Final = SealedColumn("address_keys", "name", "sealed", _purpose_of)


def sealer_of(server_key: SigningKey) -> Sealer:
    """The sealer for these keys, and for addresses in links."""
    return server_key.sealer(b"openmeet/addresses")


async def find(reader: Reader, server_key: SigningKey, name: str) -> bytes | None:
    """Unseal a key. None if it was not made yet. Raises CannotUnseal if the sealing key that it was sealed with is
    gone.
    """
    row = await reader.fetch_one("select sealed from address_keys where name = :name", name=name)
    return None if row is None else sealer_of(server_key).unseal(row["sealed"], _purpose_of(name))


async def find_or_make(tx: Transaction, server_key: SigningKey, name: str) -> tuple[bytes, bool]:
    """The key, and whether it was made just now. Raises CannotUnseal."""
    existing = await find(tx, server_key, name)
    if existing is not None:
        return existing, False
    secret = os.urandom(_KEY_BYTES)
    made = await tx.execute(
        "insert into address_keys (name, sealed, created_at) values (:name, :sealed, :now) on conflict (name) do nothing",
        name=name,
        sealed=sealer_of(server_key).seal(secret, _purpose_of(name)),
        now=tx.now,
    )
    if made != 1:
        # Another process was faster. Its row is committed by now.
        return await find_or_make(tx, server_key, name)
    return secret, True
