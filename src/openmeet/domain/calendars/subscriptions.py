"""Actions on subscribed calendars. Slow work (fetching, parsing) is done before the transaction.

A repeated subscription is recognised by a digest, which does not reveal the calendar's address or content: HMAC-SHA-256
(RFC 2104) with a key of the community. A calendar has the same digest for everybody who subscribes to it, so that it is
kept once if their accounts are merged. Digests from before there was a key contain the id of the user. They are replaced
by a scheduled task.
"""

import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidForm, NotFound, Refused
from groundwork.sealing import CannotUnseal, Sealer
from groundwork.signing_key import SigningKey
from groundwork.telemetry.logs import log
from groundwork.uuid7 import new_id
from groundwork.workers.pool import ChargedPool
from openmeet.domain.calendars import queries
from openmeet.domain.calendars.fetch import SEAL_PURPOSE, CalendarFetcher, FetchedFile, fetch, host_of, read_file
from openmeet.domain.calendars.model import (
    AHEAD,
    MAX_CALENDARS,
    MAX_NAME,
    REFRESH_EVERY,
    TONES,
    CalendarId,
    CalendarReason,
    FeedHealth,
    ReadFile,
    SubscribedCalendar,
)
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.markdown import one_line
from openmeet.outbox import address_keys

_DIGEST_KEY: Final = "calendars"
# The first byte of a digest names its format. Digests from before there was a key have none and are one byte shorter.
_FORMAT: Final = b"\x01"
# Digests that are replaced at once.
_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class CalendarPreview:
    """A calendar that was read but not saved yet. ``url`` is empty for a file."""

    url: str
    fetched: FetchedFile
    read: ReadFile


async def preview_address(
    fetcher: CalendarFetcher, workers: ChargedPool, url: str, now: Instant, zone: str
) -> CalendarPreview:
    """Preview the calendar at an address. Raises the same errors as ``fetch`` and ``read``."""
    fetched = await fetch(fetcher.http, url)
    assert fetched.content is not None  # noqa: S101  # nothing was known before
    return CalendarPreview(url, fetched, await read(workers, fetched.content, now, zone))


async def preview_file(workers: ChargedPool, content: bytes, now: Instant, zone: str) -> CalendarPreview:
    """Preview an uploaded calendar file. Nothing is stored."""
    return CalendarPreview("", FetchedFile(content, "", ""), await read(workers, content, now, zone))


async def read(workers: ChargedPool, content: bytes, now: Instant, zone: str) -> ReadFile:
    """Read a calendar file in another process with ``read_file``. Also raises JobStopped, TooMany and Unavailable."""
    return await workers.run(partial(read_file, content, now, zone))


async def subscribe(
    tx: Transaction,
    key: SigningKey,
    user_id: UserId,
    offered: CalendarPreview,
    name: str,
    fetcher: CalendarFetcher | None,
) -> tuple[SubscribedCalendar, bool]:
    """Save a calendar. Return it and True, or the existing one and False if the person already has it. Raises Refused
    (``TooManyCalendars``). ``key`` is that of the community's links.
    """
    digest = await _new_digest_of(tx, key, offered.url, offered.fetched.content or b"")
    # Requests at the same time would all see the same calendars.
    await user_queries.lock(tx, user_id)
    existing = await queries.by_digest(tx, user_id, digest)
    if existing is not None:
        return existing, False
    calendars = await queries.of_person(tx, user_id)
    calendar_id = CalendarId(new_id(tx.now))
    is_file = not offered.url
    if len(calendars) >= MAX_CALENDARS:
        raise Refused(CalendarReason.TOO_MANY_CALENDARS, most=MAX_CALENDARS, name="TooManyCalendars")
    sealed = None
    if not is_file:
        assert fetcher is not None  # noqa: S101  # an address was fetched with it
        sealed = fetcher.sealer.seal(offered.url.encode(), SEAL_PURPOSE)
    await queries.insert(
        tx,
        queries.NewCalendar(
            id=calendar_id,
            user_id=user_id,
            name=checked_name(name or offered.read.name or host_of(offered.url) or gettext("A calendar")),
            host=host_of(offered.url),
            tone=_free_tone(calendars),
            health=FeedHealth.FILE if is_file else FeedHealth.FRESH,
            url_sealed=sealed,
            digest=digest,
            content=offered.fetched.content or b"",
            etag=offered.fetched.etag,
            last_modified=offered.fetched.last_modified,
            next_fetch_at=None if is_file else Instant(tx.now + REFRESH_EVERY),
            dates_until=Instant(tx.now + AHEAD),
        ),
    )
    await queries.put_dates(tx, calendar_id, user_id, offered.read.dates, Instant(tx.now + AHEAD))
    created = await queries.find(tx, user_id, calendar_id)
    assert created is not None  # noqa: S101  # inserted above
    return created, True


def _free_tone(others: Sequence[SubscribedCalendar]) -> int:
    """The colour used least often among the person's other calendars."""
    used = [one.tone for one in others]
    return min(range(TONES), key=used.count)


async def edit(
    tx: Transaction, user_id: UserId, calendar_id: CalendarId, *, name: str, is_busy: bool, tone: int | None = None
) -> SubscribedCalendar:
    """Change a subscribed calendar's name or colour (0 to 8), or whether its events count as busy."""
    if tone is not None:
        await queries.set_tone(tx, user_id, calendar_id, tone)
    if not await queries.edit(tx, user_id, calendar_id, name=checked_name(name), is_busy=is_busy):
        raise NotFound(CalendarReason.NO_SUCH_CALENDAR)
    subscription = await queries.find(tx, user_id, calendar_id)
    assert subscription is not None  # noqa: S101  # edited above
    return subscription


async def show(tx: Transaction, user_id: UserId, calendar_id: CalendarId, *, is_shown: bool) -> None:
    """Show or hide a calendar on the calendar page."""
    if not await queries.set_shown(tx, user_id, calendar_id, is_shown=is_shown):
        raise NotFound(CalendarReason.NO_SUCH_CALENDAR)


async def remove(tx: Transaction, user_id: UserId, calendar_id: CalendarId) -> None:
    """Remove a calendar with all its dates."""
    if not await queries.delete(tx, user_id, calendar_id):
        raise NotFound(CalendarReason.NO_SUCH_CALENDAR)


def checked_name(text: str) -> str:
    name = one_line(text)[:MAX_NAME]
    if not name:
        raise InvalidForm({"name": CalendarReason.NAME_NEEDED})
    return name


async def digest_of(tx: Transaction, key: SigningKey, url: str, content: bytes) -> bytes:
    """The digest of a calendar's address, or of the bytes of a file, whose ``url`` is empty. Raises CannotUnseal if the
    sealing key is gone that the key of the digests was sealed with.
    """
    secret, _ = await address_keys.find_or_make(tx, key, _DIGEST_KEY)
    message = b"url\x00" + url.encode() if url else b"file\x00" + content
    return _FORMAT + hmac.digest(secret, message, hashlib.sha256)


async def _new_digest_of(tx: Transaction, key: SigningKey, url: str, content: bytes) -> bytes:
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


async def _replace(tx: Transaction, key: SigningKey, sealer: Sealer, old: queries.OldDigest) -> bool:
    try:
        url = "" if old.url_sealed is None else sealer.unseal(old.url_sealed, SEAL_PURPOSE).decode()
        content = await queries.content_of(tx, old.id) if old.url_sealed is None else b""
        digest = await digest_of(tx, key, url, content)
    except CannotUnseal:
        return False
    # As in ``subscribe``: otherwise the person could subscribe to the calendar meanwhile.
    await user_queries.lock(tx, old.user_id)
    if await queries.find(tx, old.user_id, old.id) is None:
        return False
    twin = await queries.by_digest(tx, old.user_id, digest)
    if twin is not None:
        # Ids are in the order of time.
        await queries.delete(tx, old.user_id, max(twin.id, old.id))
    return await queries.replace_digest(tx, old, digest)
