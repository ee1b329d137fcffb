"""Fetch subscribed calendars with conditional requests and parse them in a worker process."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from groundwork.clock import Instant
from groundwork.errors import InvalidInput, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.sealing import Sealer
from openmeet.domain.calendars.model import AHEAD, BEHIND, MAX_DATES, MAX_NAME, CalendarReason, ReadDate, ReadFile
from openmeet.domain.events.values import MAX_URL
from openmeet.domain.icalendar.components import MAX_BYTES
from openmeet.domain.icalendar.instances import Bounds, Instance, instances
from openmeet.domain.icalendar.read import read_calendars
from openmeet.recurrence.wall_time import instant_of, is_zone, local_of

SECONDS = 15.0
SEAL_PURPOSE = "subscribed calendar"
_NOT_MODIFIED = 304
_GONE = 410
# Longer ETags are ignored.
_MAX_TAG = 500


@dataclass(frozen=True, slots=True)
class CalendarFetcher:
    """External dependencies: an HTTP client, and encryption for addresses."""

    http: HttpClient
    sealer: Sealer


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """A response. ``content`` is None if the file has not changed since the last fetch."""

    content: bytes | None
    etag: str
    last_modified: str


def checked_url(text: str) -> str:
    """Validate a typed calendar address and replace ``webcal:`` with https. Raises InvalidInput (``url``)."""
    url = text.strip()
    scheme, colon, rest = url.partition(":")
    if colon and scheme.lower() in {"webcal", "webcals"}:
        url = f"https:{rest}"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    # The address is sent in a request as it is. A space or line break would end the URL and inject text into the
    # request.
    is_odd = any(letter.isspace() or not letter.isprintable() for letter in url)
    if is_odd or not host or len(url) > MAX_URL or urlsplit(url).scheme not in {"https", "http"}:
        raise InvalidInput("url", CalendarReason.URL_INCOMPLETE)
    if "@" in urlsplit(url).netloc:
        raise InvalidInput("url", CalendarReason.PASSWORD_IN_URL)
    return url


def host_of(url: str) -> str:
    """The host name, which may be shown. The rest of an address is often secret."""
    return urlsplit(url).hostname or ""


async def fetch(http: HttpClient, url: str, *, etag: str = "", last_modified: str = "") -> FetchedFile:
    """Fetch the file with a conditional request. Raises RemoteFailed, RemoteSlow and AddressRefused."""
    headers = {"accept": "text/calendar, */*;q=0.1"}
    if etag:
        headers["if-none-match"] = etag
    if last_modified:
        headers["if-modified-since"] = last_modified
    answer = await http.get(url, headers=headers, timeout_seconds=SECONDS, max_bytes=MAX_BYTES, redirects=3)
    if answer.status == _NOT_MODIFIED and (etag or last_modified):
        return FetchedFile(None, etag, last_modified)
    answer.expect_ok()
    return FetchedFile(
        answer.body,
        _tag(answer.headers.get("etag", "")),
        _tag(answer.headers.get("last-modified", "")),
    )


def is_gone(failure: RemoteFailed) -> bool:
    """Whether the server's response means that the file is permanently gone."""
    return failure.status == _GONE


def _tag(text: str) -> str:
    return text if text.isprintable() and len(text) <= _MAX_TAG else ""


MAX_TITLE = 300


def read_file(data: bytes, now: Instant, zone: str) -> ReadFile:
    """Parse a file for the window around now. ``zone`` applies to times without a time zone. Raises InvalidInput and
    TooLarge.
    """
    calendars = read_calendars(data)
    bounds = Bounds(MAX_DATES)
    for calendar in calendars:
        instances(calendar.events, Instant(now - BEHIND), Instant(now + AHEAD), bounds)
    dates: dict[tuple[str, Instant], ReadDate] = {}
    for one in bounds.kept:
        dates.setdefault((one.event.uid, one.starts_at), _date(one, zone))
    in_order = sorted(dates.values(), key=lambda date: (date.starts_at, date.uid))
    return ReadFile(
        name=next((calendar.name for calendar in calendars if calendar.name), "")[:MAX_NAME],
        dates=tuple(in_order),
        events=sum(len(calendar.events) for calendar in calendars),
    )


def _date(instance: Instance, zone: str) -> ReadDate:
    event = instance.event
    named = instance.zone_name if is_zone(instance.zone_name) else zone
    starts_at, ends_at = instance.starts_at, instance.ends_at
    if event.pattern.zone_name is None and not event.pattern.is_all_day:
        # A floating time has no time zone. It is interpreted in the reader's time zone.
        named = zone
        starts_at, ends_at = (instant_of(local_of(at, "UTC").replace(tzinfo=None), zone) for at in (starts_at, ends_at))
    return ReadDate(
        uid=event.uid[:MAX_TITLE],
        title=event.summary[:MAX_TITLE],
        place=" ".join(event.location.split())[:MAX_TITLE],
        starts_at=starts_at,
        ends_at=max(starts_at, ends_at),
        time_zone=named,
        is_all_day=event.pattern.is_all_day,
        is_cancelled=event.is_cancelled,
    )
