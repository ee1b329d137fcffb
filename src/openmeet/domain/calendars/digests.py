"""Digests by which a repeated subscription is recognised without revealing its address or content: HMAC-SHA-256 (RFC
2104) with a key of the community.

A calendar has the same digest for everybody who subscribes to it, so that it is kept once if their accounts are merged.
Digests from before there was a key contain the id of the user. They are replaced by a scheduled task.
"""

import hashlib
import hmac
import os
from typing import Final

from groundwork.database.transaction import Database, Transaction
from groundwork.sealing import CannotUnseal, Sealer
from groundwork.signing_key import SigningKey
from groundwork.telemetry.logs import log
from openmeet.domain.calendars import queries
from openmeet.domain.calendars.fetch import SEAL_PURPOSE
from openmeet.domain.calendars.model import CalendarId
from openmeet.domain.calendars.queries import OldDigest
from openmeet.domain.users import queries as user_queries
from openmeet.outbox import address_keys

_KEY_NAME: Final = "calendars"
# The first byte of a digest names its format. Digests from before there was a key have none and are one byte shorter.
_FORMAT: Final = b"\x01"
_AT_ONCE: Final = 100


async def digest_of(tx: Transaction, key: SigningKey, url: str, content: bytes) -> bytes:
    """The digest of a calendar's address, or of the bytes of a file, whose ``url`` is empty. Raises CannotUnseal if the
    sealing key is gone that the key of the digests was sealed with.
    """
    secret, _ = await address_keys.find_or_make(tx, key, _KEY_NAME)
    message = b"url\x00" + url.encode() if url else b"file\x00" + content
    return _FORMAT + hmac.digest(secret, message, hashlib.sha256)


async def new_digest_of(tx: Transaction, key: SigningKey, url: str, content: bytes) -> bytes:
    """``digest_of``, or a random digest if its key is lost: an operator who drops a sealing key too early must not
    prevent people from subscribing to calendars.
    """
    try:
        return await digest_of(tx, key, url, content)
    except CannotUnseal:
        log.error("calendar_key.lost")
        return _FORMAT + os.urandom(hashlib.sha256().digest_size)


async def replace_old_digests(db: Database, key: SigningKey, sealer: Sealer) -> int:
    """Give calendars from before there was a key their digest. Returns their number. ``sealer`` opens the addresses.

    Of several that are the same calendar of one person, who has merged accounts, the oldest is kept. Calendars whose
    address is lost stay as they are.
    """
    done, after = 0, CalendarId("")
    while True:
        async with db.reader() as reader:
            old = await queries.old_digests(reader, after=after, limit=_AT_ONCE)
        for one in old:
            async with db.transaction() as tx:
                done += await _replace(tx, key, sealer, one)
        if len(old) < _AT_ONCE:
            return done
        after = old[-1].id


async def _replace(tx: Transaction, key: SigningKey, sealer: Sealer, old: OldDigest) -> bool:
    try:
        url = "" if old.url_sealed is None else sealer.unseal(old.url_sealed, SEAL_PURPOSE).decode()
        content = await queries.content_of(tx, old.id) if old.url_sealed is None else b""
        digest = await digest_of(tx, key, url, content)
    except CannotUnseal:
        return False
    # As in ``subscriptions.subscribe``: otherwise the person could subscribe to the calendar meanwhile.
    await user_queries.lock(tx, old.user_id)
    if await queries.find(tx, old.user_id, old.id) is None:
        return False
    twin = await queries.by_digest(tx, old.user_id, digest)
    if twin is not None:
        # Ids are in the order of time.
        await queries.delete(tx, old.user_id, max(twin.id, old.id))
    return await queries.replace_digest(tx, old, digest)
