"""Provenance of a record, as shown to people: which app it comes from, which account has it, and since when.

The app is the one that the record itself names, and never relied on: in our origin mark, in ``createdWith``, by its
collection, or by a link to its page in a known app. Only ``createdWith`` and the collection are about the app that
wrote a version: the mark says where the record was created, and stays when another app edits it; anyone can set links.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Row
from openmeet.domain.users.model import UserId
from openmeet.network.records.collections import LEGACY_EVENT, ORIGIN_KEYS
from openmeet.outbox.publications import PublicationKind

# Display names of known apps, by host. Subdomains count too.
KNOWN: Final[Mapping[str, str]] = {
    "atmo.rsvp": "atmo.rsvp",
    "openmeet.net": "OpenMeet",
    "smokesignal.events": "Smoke Signal",
}
# Longer records are skipped, because a list shows many. Only the first links are checked.
MAX_BYTES: Final = 16_384
MAX_LINKS: Final = 20

_HOST = re.compile(r"(?=.{4,60}\Z)(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z]")
_BODIES: Final = """
    select uri, collection, rev, body from records
     where uri in :uris and state = 'mapped' and length(body) <= :most order by uri
"""


async def apps_of(reader: Reader, uris: Sequence[str], own_host: str) -> dict[str, str]:
    """Return the names of the apps that the records at these URIs come from, by any sign in the record (``app_of``). The
    stored version may be by another app. Records that name no app, or this site, are left out.
    """
    hosts = {row["uri"]: app_of(row["collection"], _record(row)) for row in await _rows(reader, uris)}
    return {uri: name_of(host) for uri, host in hosts.items() if host and not _is_own(host, own_host)}


async def writers_of(reader: Reader, uris: Sequence[str], own_host: str) -> dict[str, tuple[str, str]]:
    """Return the revs of the stored versions of these records with the names of the apps that wrote them. Records that
    do not say, or name this site, are left out.
    """
    rows = await _rows(reader, uris)
    hosts = [(row, writer_of(row["collection"], _record(row))) for row in rows]
    return {row["uri"]: (row["rev"], name_of(host)) for row, host in hosts if host and not _is_own(host, own_host)}


async def _rows(reader: Reader, uris: Sequence[str]) -> Sequence[Row]:
    return await reader.fetch(_BODIES, uris=sorted(set(uris)), most=MAX_BYTES) if uris else []


def _record(row: Row) -> object:
    return cbor.decode(bytes(row["body"]))


def _is_own(host: str, own_host: str) -> bool:
    return host == own_host.removeprefix("www.")


def app_of(collection: str, record: object) -> str:
    """Return the host of the app that this record comes from; empty if the record does not say."""
    if not isinstance(record, Mapping):
        return ""
    marks = [record.get(key) for key in ORIGIN_KEYS]
    instances = [origin.get("instance") for origin in marks if isinstance(origin, Mapping)]
    created_at = next((host for host in map(_host, instances) if host), "")
    if host := created_at or writer_of(collection, record):
        return host
    links = record.get("uris")
    some = links[:MAX_LINKS] if isinstance(links, list) else []
    hosts = (_host(link.get("uri") if isinstance(link, Mapping) else link) for link in some)
    return next((host for host in hosts if _known(host)), "")


def writer_of(collection: str, record: object) -> str:
    """Return the host of the app that wrote this version of a record; empty if the record does not say."""
    if not isinstance(record, Mapping):
        return ""
    return _host(record.get("createdWith")) or ("smokesignal.events" if collection == LEGACY_EVENT else "")


def name_of(host: str) -> str:
    """Return the display name of the app at this host: that of a known app, otherwise the host."""
    return _known(host) or host


def _known(host: str) -> str:
    return next((name for app, name in KNOWN.items() if host == app or host.endswith(f".{app}")), "")


def _host(address: object) -> str:
    """Return the host of a web address, or the host itself; empty if it is invalid."""
    if not isinstance(address, str):
        return ""
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return ""
    return host if parts.scheme in {"http", "https"} and _HOST.fullmatch(host) else ""


# A published record was synced when its newest version was confirmed. Any other one was last synced when the last known
# version was written or read. A publication has no URI while the record is only another app's. Once we accept another
# app's version, it is the base, and no write of ours is stored.
_WHEREABOUTS = """
    select i.user_id, i.handle, r.seen_at as version_seen_at, r.first_seen_at,
           case when p.state = 'published' and p.uri = x.uri then p.changed_at else r.seen_at end as synced_at,
           p.edited_at, p.revision,
           case when p.state = 'published' and p.completed_revision >= p.revision then 1 else 0 end as is_edit_synced,
           case when p.uri is null or (p.chosen_cid is null and p.base_cid = r.cid) then 1 else 0 end as is_foreign
      from (select cast(:uri as text) as uri) x
      left join identities i on i.did = :did
      left join records r on r.uri = x.uri and r.cid is not null
      left join publications p on p.kind = :kind and p.subject_id = :subject_id
"""


@dataclass(frozen=True, slots=True)
class RecordLocation:
    """``handle`` and ``owner``: of the account that has the record; empty or None if unknown. ``in_account_since``:
    when the version that the account has now was written or first read. Times are None if no version is known.

    Everybody can read a record that is in an account. Which apps have read it is not known.

    Earlier versions are not stored, so only the last edit of each side is known. ``edited_here_at``: that of this site;
    ``is_new_here``: it was the first one; ``is_edit_synced``: the account has it. ``edited_elsewhere_at``: when we read
    the version that another app wrote; None if the newest version is ours or may be. ``is_first_known``: we know of no
    version before that.
    """

    handle: str
    owner: UserId | None
    synced_at: Instant | None
    in_account_since: Instant | None
    edited_here_at: Instant | None = None
    is_new_here: bool = False
    is_edit_synced: bool = False
    edited_elsewhere_at: Instant | None = None
    is_first_known: bool = False


async def whereabouts_of(reader: Reader, uri: str | None, kind: PublicationKind, subject_id: str) -> RecordLocation:
    """Return the whereabouts of the record of an event, a series or a group. ``subject_id``: the id of that. ``uri``: None
    while there is no record.
    """
    did = None if uri is None else str(parse_at_uri(uri).authority)
    row = await reader.fetch_one(_WHEREABOUTS, uri=uri, did=did, kind=kind.value, subject_id=subject_id)
    assert row is not None  # noqa: S101 - the first table has one row
    return RecordLocation(
        row["handle"] or "",
        row["user_id"],
        row["synced_at"],
        row["version_seen_at"],
        edited_here_at=row["edited_at"],
        is_new_here=row["revision"] == 1,
        is_edit_synced=bool(row["is_edit_synced"]),
        edited_elsewhere_at=row["version_seen_at"] if row["is_foreign"] else None,
        is_first_known=row["first_seen_at"] == row["version_seen_at"],
    )
