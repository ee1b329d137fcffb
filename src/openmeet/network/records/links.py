"""Where the record of an event or a series stands, or stands no more: what knows it, and what follows from it.

Answers are kept under the uri that their event's record has now, whichever of its uris they name: so they are one person's answers to
one event. Whoever notes another uri holds the locks on all of them (``uris_of``), as whoever applies an answer does on its own.
"""

from collections.abc import Collection

from groundwork.database.transaction import Reader, Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import EventId
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import record_settings as series_records
from openmeet.domain.series.model import SeriesId
from openmeet.network.records import seen
from openmeet.outbox import former_records, publications
from openmeet.outbox.publications import FORMER_OF, Kind


async def note_event(tx: Transaction, event_id: EventId, *, uri: str, cid: str, did: str) -> None:
    """The event's record is at ``uri``. Where it was not before, answers are kept under that, and what names its records is decided anew."""
    if not await events.note_record(tx, event_id, uri=uri, cid=cid, did=did):
        return
    await _note_current(tx, Kind.EVENT, event_id, uri)
    await seen.move_answers(tx, [one.uri for one in await former_records.of(tx, Kind.EVENT, event_id)], uri)
    await attendance.decide_records_anew(tx, event_id)


async def note_series(tx: Transaction, series_id: SeriesId, uri: str | None) -> None:
    """The same of a series, which may have no record (any more): then it keeps the address of the one that it had."""
    before = await series_queries.by_id(tx, series_id)
    if uri is None and before is not None and before.record_uri is not None and before.deleted_at is None:
        await former_records.note(tx, Kind.SERIES, series_id, before.record_uri, is_authors=False, is_there=False)
    await series_records.note_record(tx, series_id, uri)
    if uri is not None:
        await _note_current(tx, Kind.SERIES, series_id, uri)


async def note_former_gone(tx: Transaction, uri: str) -> None:
    """A record of before was deleted, or taken back: what goes on no longer names it, and its address stays."""
    gone = await former_records.note_gone(tx, uri)
    if gone is not None:
        if gone.kind is Kind.EVENT:
            await events.count_retraction(tx, EventId(gone.subject_id))
        await publications.look_again(tx, kind=gone.kind, subject_ids=[gone.subject_id], is_edit=True)


async def erase_from(tx: Transaction, did: str) -> None:
    """A repository is gone with its account: nothing leads on from its records, and nothing names them."""
    for gone in await former_records.forget_of(tx, did):
        await publications.look_again(tx, kind=gone.kind, subject_ids=[gone.subject_id], is_edit=True)


async def uris_of(reader: Reader, uris: Collection[str]) -> set[str]:
    """These records, and all others that the events had whose records they are, or were: what is locked together."""
    if not uris:
        return set()
    rows = await reader.fetch(
        "select f.uri from former_records f join publications p on p.kind = f.kind and p.subject_id = f.subject_id"
        " where f.kind = 'event' and p.uri in :uris union"
        " select f.uri from former_records f join former_records g on g.kind = f.kind and g.subject_id = f.subject_id"
        " where f.kind = 'event' and g.uri in :uris",
        uris=sorted(uris),
    )
    return {*uris, *(row["uri"] for row in rows)}


async def _note_current(tx: Transaction, kind: Kind, subject_id: str, uri: str) -> None:
    await former_records.drop(tx, uri)
    # Of what stood there before nothing is left: the record under this key is the one of its subject again.
    await publications.forget_unsent(tx, kind=FORMER_OF[kind], subject_ids=[uri])
    former = [one.uri for one in await former_records.of(tx, kind, subject_id)]
    await publications.look_again(tx, kind=FORMER_OF[kind], subject_ids=former, is_edit=True)
