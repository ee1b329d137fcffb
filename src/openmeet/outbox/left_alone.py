"""Addresses that this site writes to no more because somebody else wants it to: to confirm an answer that was given with them, to host
something, to come to an event or into a group.

Whoever has the letter says so by one click (RFC 8058), without an account, and takes it back where they said it. What was asked for by the
address itself goes on: codes to sign in, news of what they answered. Nobody else learns of it: what is asked for such an address is promised
as for any other, and its letter is never written.

Of the address a hash is kept, so that the list tells nobody whom to write to; its link carries the same hash, with a proof from the
installation's key, so that it works for as long as the letter is there, whatever is forgotten meanwhile (invariant 8).
"""

import hashlib
import re
from typing import NewType

from groundwork.database.transaction import Reader, Transaction
from groundwork.signing_key import SigningKey

AddressHash = NewType("AddressHash", str)

_TOKEN = re.compile(r"([0-9a-f]{64})\.([0-9a-f]{32})")


def hash_of(email: str) -> AddressHash:
    """What is kept of an address; capitals make no other one."""
    return AddressHash(hashlib.sha256(b"left alone\x00" + email.strip().casefold().encode()).hexdigest())


def url_of(key: SigningKey, public_url: str, email: str) -> str:
    """Where the owner of an address says that they want no such letters; for the header of the letter, and its end."""
    return f"{public_url}/mail/never/{token_of(key, hash_of(email))}"


def token_of(key: SigningKey, address: AddressHash) -> str:
    proof = key.digest(b"left alone\x00" + address.encode()).hex()
    return f"{address}.{proof[:32]}"


def address_in(key: SigningKey, token: str) -> AddressHash | None:
    """Whose a link is; None where it was made up."""
    found = _TOKEN.fullmatch(token)
    if found is None:
        return None
    address = AddressHash(found[1])
    return address if key.made(token, lambda one: token_of(one, address)) else None


async def is_left_alone(reader: Reader, address: AddressHash) -> bool:
    row = await reader.fetch_one(
        "select 1 as found from addresses_left_alone where address = :address", address=address
    )
    return row is not None


async def leave_alone(tx: Transaction, address: AddressHash) -> None:
    """No more such letters; once more changes nothing."""
    await tx.execute(
        "insert into addresses_left_alone (address, created_at) values (:address, :now) on conflict (address) do nothing",
        address=address,
        now=tx.now,
    )


async def write_again(tx: Transaction, address: AddressHash) -> None:
    """Its owner wants such letters after all, or has come here themselves."""
    await tx.execute("delete from addresses_left_alone where address = :address", address=address)


def closing(url: str) -> str:
    """The end of a letter that somebody else has caused."""
    return f"Never get such letters from this site again, whoever wants to send them:\n{url}\n"
