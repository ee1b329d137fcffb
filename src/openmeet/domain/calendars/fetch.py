"""Reading a calendar from its address, politely: bounded in time and size, with the tags of the last answer.

The client reaches public addresses only (invariant 7) and is never called inside a transaction.
"""

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from groundwork.errors import InvalidInput, RemoteFailed
from groundwork.http.client import HttpClient
from groundwork.sealing import Sealer
from openmeet.domain.events.model import MAX_URL
from openmeet.domain.icalendar.components import MAX_BYTES

SECONDS = 15.0
SEAL_PURPOSE = "subscribed calendar"
_NOT_MODIFIED = 304
_GONE = 410
# Tags longer than this are no tags.
_MAX_TAG = 500


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What this room needs of the outside: a client, and what seals the addresses that people give."""

    http: HttpClient
    sealer: Sealer


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer; ``content`` is None where nothing has changed since the tags."""

    content: bytes | None
    etag: str
    last_modified: str


def checked_url(text: str) -> str:
    """The address of a calendar as somebody typed it; ``webcal:`` means https. Raises InvalidInput (``url``)."""
    url = text.strip()
    scheme, colon, rest = url.partition(":")
    if colon and scheme.lower() in {"webcal", "webcals"}:
        url = f"https:{rest}"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    # Written into a request as it is: a space or a line break would end the address, and begin something else.
    is_odd = any(letter.isspace() or not letter.isprintable() for letter in url)
    if (
        is_odd
        or not host
        or len(url) > MAX_URL
        or urlsplit(url).scheme not in {"https", "http"}
        or "@" in urlsplit(url).netloc
    ):
        raise InvalidInput("url", "Give the whole address of the calendar, like https://example.org/calendar.ics.")
    return url


def host_of(url: str) -> str:
    """The part of an address that may be shown: what stands behind it is often a secret."""
    return urlsplit(url).hostname or ""


def digest_of(user_id: str, what: bytes) -> bytes:
    """What tells that a person has this calendar already, without telling which it is."""
    return hashlib.sha256(user_id.encode() + b"\x00" + what).digest()


async def fetch(http: HttpClient, url: str, *, etag: str = "", last_modified: str = "") -> Fetched:
    """The file, or that it has not changed. Raises RemoteFailed, RemoteSlow and AddressRefused."""
    headers = {"accept": "text/calendar, */*;q=0.1"}
    if etag:
        headers["if-none-match"] = etag
    if last_modified:
        headers["if-modified-since"] = last_modified
    answer = await http.get(url, headers=headers, timeout_seconds=SECONDS, max_bytes=MAX_BYTES, redirects=3)
    if answer.status == _NOT_MODIFIED and (etag or last_modified):
        return Fetched(None, etag, last_modified)
    answer.expect_ok()
    return Fetched(
        answer.body,
        _tag(answer.headers.get("etag", "")),
        _tag(answer.headers.get("last-modified", "")),
    )


def is_gone(failure: RemoteFailed) -> bool:
    """Whether the other server said that it will never have this again."""
    return failure.status == _GONE


def _tag(text: str) -> str:
    return text if text.isprintable() and len(text) <= _MAX_TAG else ""
