"""Suppressed e-mail addresses, stored as keyed hashes: addresses that opted out, and addresses that declined an
invitation to a group or event.

The hash is HMAC-SHA-256 (RFC 2104) with a key from ``address_keys``. The input of the hash is the SHA-256 of the address.
Rows from before there was a key contain only that SHA-256, and are hashed with the key when it is made.

CannotUnseal: an operator has removed the sealing key with which the key of the hashes was sealed.
"""

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final, NewType

from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.sealing import CannotUnseal
from groundwork.signing_key import SigningKey
from groundwork.telemetry.logs import log
from openmeet.outbox import address_keys

AddressHash = NewType("AddressHash", str)

_KEY_NAME: Final = "addresses"
_LINK_PURPOSE: Final = "openmeet/opt_out_link"
# Maximum length of the token for the longest accepted address (254 bytes), with a margin.
_MAX_TOKEN_CHARACTERS: Final = 512


def url_of(server_key: SigningKey, public_url: str, email: str) -> str:
    """The URL by which the owner of an address opts out, for the header and the last lines of an e-mail."""
    return f"{public_url}/mail/never/{token_of(server_key, email)}"


def token_of(server_key: SigningKey, email: str) -> str:
    """The token in an opt-out link. It contains the sealed address, so that access logs do not contain the address
    itself.
    """
    return _encoded(address_keys.sealer_of(server_key).seal(email.encode(), _LINK_PURPOSE))


def address_in(server_key: SigningKey, token: str) -> str | None:
    """The address in an opt-out token; None if the token is forged."""
    if len(token) > _MAX_TOKEN_CHARACTERS:
        return None
    try:
        sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        # Base64 can encode the same bytes in several ways; accept only the token that was sent.
        if _encoded(sealed) != token:
            return None
        return address_keys.sealer_of(server_key).unseal(sealed, _LINK_PURPOSE).decode()
    except (binascii.Error, ValueError, CannotUnseal):
        return None


async def is_suppressed(reader: Reader, server_key: SigningKey, email: str) -> bool:
    """Whether an address opted out of e-mails that other people cause. Raises CannotUnseal."""
    row = await reader.fetch_one(
        "select 1 as found from email_suppressions where address_hash = :hash",
        hash=_hash(await _key_in(reader, server_key), email),
    )
    return row is not None


async def opt_out(tx: Transaction, server_key: SigningKey, email: str) -> None:
    """Store that an address opted out of e-mails that other people cause; idempotent. Raises CannotUnseal."""
    await tx.execute(
        "insert into email_suppressions (address_hash, created_at) values (:hash, :now)"
        " on conflict (address_hash) do nothing",
        hash=_hash(await _ensure_key(tx, server_key), email),
        now=tx.now,
    )


async def opt_in(tx: Transaction, server_key: SigningKey, email: str) -> None:
    """Delete the opt-out of an address, because its owner asked for that or has used the site."""
    try:
        secret = await _key_in(tx, server_key)
    except CannotUnseal:
        # An operator who drops a sealing key too early must not prevent people from signing up.
        log.error("address_key.lost")
        return
    await tx.execute("delete from email_suppressions where address_hash = :hash", hash=_hash(secret, email))


async def decline(tx: Transaction, server_key: SigningKey, subject_id: str, email: str) -> None:
    """Store that an address declined an invitation to this group or event, so that it is not invited there again;
    idempotent. Raises CannotUnseal.
    """
    await tx.execute(
        "insert into declined_addresses (subject_id, address_hash, declined_at) values (:subject, :hash, :now)"
        " on conflict (subject_id, address_hash) do nothing",
        subject=subject_id,
        hash=_hash(await _ensure_key(tx, server_key), email),
        now=tx.now,
    )


async def declined_among(reader: Reader, server_key: SigningKey, subject_id: str, emails: Sequence[str]) -> set[str]:
    """Which of these addresses declined an invitation to this group or event. Raises CannotUnseal."""
    if not emails:
        return set()
    secret = await _key_in(reader, server_key)
    by_hash = {_hash(secret, email): email for email in emails}
    rows = await reader.fetch(
        "select address_hash from declined_addresses where subject_id = :subject and address_hash in :hashes"
        " order by address_hash",
        subject=subject_id,
        hashes=list(by_hash),
    )
    return {by_hash[AddressHash(row["address_hash"])] for row in rows}


async def ensure_key(db: Database, server_key: SigningKey) -> None:
    """Make the key if there is none yet, and hash the rows that were stored without one. Raises CannotUnseal."""
    async with db.transaction() as tx:
        await _ensure_key(tx, server_key)


def _encoded(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).decode().rstrip("=")


def _hash(secret: bytes | None, email: str) -> AddressHash:
    """Hash an address, ignoring case. ``secret``: None as long as there is no key."""
    # The prefix is part of every stored hash, so it cannot change.
    plain = hashlib.sha256(b"left alone\x00" + email.strip().casefold().encode()).hexdigest()
    return AddressHash(plain) if secret is None else _keyed(secret, plain)


def _keyed(secret: bytes, plain: str) -> AddressHash:
    return AddressHash(hmac.digest(secret, plain.encode(), hashlib.sha256).hex())


async def _key_in(reader: Reader, server_key: SigningKey) -> bytes | None:
    return await address_keys.find(reader, server_key, _KEY_NAME)


async def _ensure_key(tx: Transaction, server_key: SigningKey) -> bytes:
    secret, is_new = await address_keys.find_or_make(tx, server_key, _KEY_NAME)
    for table in ("email_suppressions", "declined_addresses") if is_new else ():
        rows = await tx.fetch(f"select distinct address_hash from {table} order by address_hash")
        await tx.execute_many(
            f"update {table} set address_hash = :keyed where address_hash = :plain",
            [{"keyed": _keyed(secret, row["address_hash"]), "plain": row["address_hash"]} for row in rows],
        )
    return secret
