"""A user's events as a calendar file for other programs, and the token in its URL.

Join links are never in the feed. The token is derived from the server's key and a serial number, and only its hash is
stored (invariant 8). This has three effects: the settings page can show the same URL again, a copy of the database does
not give access, and a new serial number revokes the old token.
"""

import base64
import hashlib
from dataclasses import replace

from groundwork.clock import DAY, Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.signing_key import SigningKey
from groundwork.token_hash import hash_token
from openmeet.domain.calendars import queries
from openmeet.domain.calendars.entries import own
from openmeet.domain.calendars.model import EntryKind
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import several
from openmeet.domain.icalendar.write import FeedAddress, write_calendar
from openmeet.domain.series import calendar_uids
from openmeet.domain.users.model import UserId
from openmeet.web.events.feeds import entry_of

PAST = 92 * DAY
AHEAD = 366 * DAY
MAX_ENTRIES = 2_000

# Events the user is only interested in are not in their calendar yet.
_IN_FEED = frozenset({EntryKind.HOSTING, EntryKind.GOING, EntryKind.WAITING})


async def file_of(reader: Reader, user_id: UserId, *, name: str, public_url: str) -> bytes:
    """The calendar file, without drafts, because other people may have the URL. The same events always give the same
    bytes.
    """
    now = reader.now
    listed = [
        entry
        for entry in await own(reader, user_id, Instant(now - PAST), Instant(now + AHEAD))
        if entry.kind in _IN_FEED and not entry.is_draft
    ][:MAX_ENTRIES]
    events = await several(reader, [EventId(entry.key) for entry in listed])
    waiting = {entry.key for entry in listed if entry.kind is EntryKind.WAITING}
    identities = await calendar_uids.identities(reader, [event.id for event in events])
    files = []
    for event in events:
        written = entry_of(event, identities[event.id], public_url)
        if written is not None:
            # Tentative until the attendee has a place (RFC 5545, section 3.8.1.11).
            files.append(replace(written, is_tentative=written.is_tentative or event.id in waiting))
    return write_calendar(files, name=name, feed=FeedAddress(f"{public_url}/my/calendar"))


def tag_of(file: bytes) -> str:
    """The strong ETag of a calendar file."""
    return f'"{hashlib.sha256(file).hexdigest()[:32]}"'


async def token_of(reader: Reader, key: SigningKey, user_id: UserId) -> str | None:
    """The token of the user's feed, or None if there is no feed.

    Empty if the feed works but its token cannot be derived again, because the server no longer has the key of that time
    or the feed belonged to a merged account.
    """
    feed = await queries.feed_of(reader, user_id)
    if feed is None:
        return None
    serial, token_hash = feed
    return (
        key.find_valid(lambda one: _feed_token(one, user_id, serial), lambda one: hash_token(one) == token_hash) or ""
    )


async def open_feed(tx: Transaction, key: SigningKey, user_id: UserId) -> str:
    """The token of the user's feed, created if necessary."""
    serial = await queries.feed_serial(tx, user_id)
    return await token_of(tx, key, user_id) or await _with_serial(tx, key, user_id, serial)


async def renew_feed(tx: Transaction, key: SigningKey, user_id: UserId) -> str:
    """Create a new token. The previous one stops working."""
    return await _with_serial(tx, key, user_id, await queries.feed_serial(tx, user_id) + 1)


async def close_feed(tx: Transaction, user_id: UserId) -> None:
    """Revoke the feed."""
    await queries.set_feed(tx, user_id, await queries.feed_serial(tx, user_id) + 1, None)


async def owner_of(reader: Reader, token: str) -> UserId | None:
    """The user whose feed a token opens. None while they are deleting their account."""
    return await queries.feed_owner(reader, hash_token(token))


async def _with_serial(tx: Transaction, key: SigningKey, user_id: UserId, serial: int) -> str:
    token = _feed_token(key, user_id, serial)
    await queries.set_feed(tx, user_id, serial, hash_token(token))
    return token


def _feed_token(key: SigningKey, user_id: UserId, serial: int) -> str:
    digest = key.digest(b"calendar feed\x00" + f"{user_id}\n{serial}".encode())
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
