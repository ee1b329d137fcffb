"""Events of a repository that say they are dates of a series of it: the newest at once, the others piece by piece, as a debt.

A series may come after its dates, and a date may lose the event that had it. Whose events those are is in their records alone, and an
author may have more of them than one transaction reads.
"""

from collections.abc import Collection
from typing import Final

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox import owe
from groundwork.outbox.pay import Payer
from openmeet.domain.events import queries as event_queries
from openmeet.domain.series import queries
from openmeet.domain.series import record_settings as series_records
from openmeet.network.records.collections import EVENT
from openmeet.network.records.series_part import LinkRead, read_link
from openmeet.outbox.kinds import Debt

# Records that one transaction reads: each is decoded.
PIECE: Final = 500

_NEWEST: Final = """
    select uri, rkey, body from records where did = :did and collection = :collection and standing = 'mapped'
     order by rkey desc limit :limit
"""

_AFTER: Final = """
    select uri, rkey, body from records where did = :did and collection = :collection and standing = 'mapped' and rkey > :after
     order by rkey limit :limit
"""

Claim = tuple[str, str]


async def newest(tx: Transaction, did: Did, series_uris: Collection[str]) -> dict[str, list[Claim]]:
    """(uri, name of the date) of the events that claim one, by these series of the repository, the newest first.

    Its records are read once, for all of these series. Older ones are owed where there may be any.
    """
    rows = await tx.fetch(_NEWEST, did=did, collection=EVENT, limit=PIECE)
    if len(rows) == PIECE:
        await owe.owe_many(tx, Debt.CLAIMED_DATES, [(uri, int(tx.now), tx.now) for uri in sorted(series_uris)])
    found: dict[str, list[Claim]] = {uri: [] for uri in series_uris}
    for row in rows:
        link = _link_in(bytes(row["body"]))
        if link is not None and link.uri in found:
            found[link.uri].append((row["uri"], link.recurrence_id))
    return found


def claimed_dates_payer(db: Database) -> Payer:
    """The payer of ``Debt.CLAIMED_DATES``; the subject is the record of a series. Every piece is a transaction of its own."""

    async def pay(debt: owe.Debt) -> None:
        after: str | None = ""
        while after is not None:
            async with db.transaction() as tx:
                after = await _place_piece(tx, debt.subject, after)

    return pay


async def _place_piece(tx: Transaction, series_uri: str, after: str) -> str | None:
    """The events of one piece that claim a date get it, where it is free; behind which record the next one begins, None at the end."""
    found = await queries.by_record_uri(tx, series_uri)
    series = None if found is None else await queries.lock(tx, found.id)
    if series is None or not series.is_read_only or series.deleted_at is not None:
        return None
    claims, following = await _piece(tx, series_uri, after)
    for event_uri, name in claims:
        event = await event_queries.by_record_uri(tx, event_uri)
        if event is not None:
            await series_records.place(tx, series, event.id, name)
    return following


async def _piece(reader: Reader, series_uri: str, after: str) -> tuple[list[Claim], str | None]:
    author = parse_at_uri(series_uri).authority
    rows = await reader.fetch(_AFTER, did=author, collection=EVENT, after=after, limit=PIECE)
    links = [(row["uri"], _link_in(bytes(row["body"]))) for row in rows]
    claims = [(uri, link.recurrence_id) for uri, link in links if link is not None and link.uri == series_uri]
    return claims, rows[-1]["rkey"] if len(rows) == PIECE else None


def _link_in(body: bytes) -> LinkRead | None:
    record = cbor.decode(body)
    return read_link(dict(record)) if isinstance(record, dict) else None
