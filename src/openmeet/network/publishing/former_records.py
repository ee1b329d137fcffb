"""What becomes of the record that an event or a series had before it changed hands. Decided from the present (invariants 3, 5, 11).

It stays where it is, and says where to find the one that goes on: nothing more, and only where its owner lets us write there. What went on
decides whether it may stay at all; a record that its author wrote in another app is left to them.
"""

from collections.abc import Mapping

from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.syntax.nsid import Nsid
from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Refused
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import EventId
from openmeet.domain.events.publication import Reach, reach, reach_of
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId
from openmeet.network.publishing.decision import (
    RECALLED,
    Decision,
    Hold,
    Leave,
    LetGo,
    PublishPlain,
    Wait,
    repository_for,
)
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT, SERIES
from openmeet.network.records.event_writer import says_little
from openmeet.network.records.succession import write_former
from openmeet.outbox import former_records
from openmeet.outbox.publication_leases import Publication
from openmeet.outbox.publications import NOT_AGREED, Kind


async def decide_former(reader: Reader, owed: Publication, *, agreed: bool) -> Decision:
    """``owed.subject_id``: the uri of the record, ``owed.user_id``: who had it then, ``agreed``: their yes to publishing."""
    former = await former_records.find(reader, owed.subject_id)
    if former is None:
        return Leave("Nothing is known of what went on from it.")
    is_event = former.kind is Kind.EVENT
    goes_on_at, why_not = await (_event if is_event else _series)(reader, former.subject_id, owed.subject_id)
    if why_not or not agreed or owed.is_recalled:
        if former.is_authors:
            return Leave("It was written elsewhere, and stays until its author deletes it.")
        return Hold(why_not or (RECALLED if agreed else NOT_AGREED))
    if goes_on_at is None or goes_on_at == owed.subject_id:
        return Wait("There is no new record yet.")
    identity = await repository_for(reader, UserId(owed.user_id), owed.did or "")
    if identity is None:
        return LetGo("It stands in a repository that nobody lets us write to.")

    def write(_instance: str, _now: Instant, previous: Mapping[str, Value] | None) -> dict[str, Value]:
        if previous is None:
            raise Refused("The record that it had before is gone.")
        return write_former(goes_on_at, previous)

    return PublishPlain(identity, _collection(former.kind), None, write)


async def _event(reader: Reader, event_id: str, uri: str) -> tuple[str | None, str]:
    """Where the event's record is, and why the old one may not stay."""
    event = await events.by_id(reader, EventId(event_id))
    if event is None or event.deleted_at is not None:
        return None, "The event was deleted."
    if not event.record.is_wanted:
        return None, "Its host keeps it off the network."
    match reach_of(event):
        case Reach.NOTHING:
            return None, "It is not for everybody any more."
        case Reach.MINIMAL if not await _says_little(reader, uri):
            return None, "It says more than everybody may know by now."
        case _:
            return event.record_uri, ""


async def _series(reader: Reader, series_id: str, _uri: str) -> tuple[str | None, str]:
    series = await series_queries.by_id(reader, SeriesId(series_id))
    if series is None or series.deleted_at is not None:
        return None, "The series was deleted."
    if reach(series.template.visibility, series.group, series.record) is not Reach.FULL:
        return None, "Only what is public in full has a series on the network."
    return series.record_uri, ""


async def _says_little(reader: Reader, uri: str) -> bool:
    known = await seen.find(reader, uri)
    record = None if known is None or known.body is None else cbor.decode(known.body)
    return not isinstance(record, dict) or says_little(record)


def _collection(kind: Kind) -> Nsid:
    return EVENT if kind is Kind.EVENT else SERIES
