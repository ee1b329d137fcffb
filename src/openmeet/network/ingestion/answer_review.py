"""A person's RSVP to an event and its record: what both say, and what merges decided about it."""

from dataclasses import dataclass
from typing import Final

from at_protocol.data import cbor
from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.attendance import visibility
from openmeet.domain.attendance.model import Attendance, RsvpRecordStatus
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import KeptDecision
from openmeet.domain.paging import Page
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.local_rsvps import read_of
from openmeet.network.records import seen
from openmeet.network.records.collections import RSVP
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.records.rsvp import read_rsvp
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.outbox import publication_queries
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind

# Each version of a record can be a decision, so there can be many. Only the newest are shown.
_DECISIONS: Final = Page(20)


@dataclass(frozen=True, slots=True)
class AnswerReview:
    """``uri``: the record that has the RSVP, or will have it; None if there is none. ``recorded``: what it says, as far as
    we know; None if the account does not have it.
    """

    event: Event
    rsvp: Attendance
    uri: str | None
    recorded: RsvpRecordStatus | None
    decisions: list[KeptDecision]


async def review_of(reader: Reader, caller: Caller, slug: EventSlug) -> AnswerReview:
    """The caller's RSVP to an event that they can see. Raises NotFound, also if they have not answered."""
    event, rsvp = await visibility.visible_event(reader, slug, caller.user_id)
    if rsvp is None:
        raise NotFound(AttendanceReason.NO_OWN_ANSWER)
    publication = await publication_queries.find(reader, PublicationKind.RSVP, rsvp.id)
    published_uri = None if publication is None else publication.uri
    uris = sorted({uri for uri in (rsvp.record_uri, published_uri) if uri is not None})
    uri = rsvp.record_uri or published_uri
    decisions, _ = _DECISIONS.cut(
        await merge_decisions.of_records(reader, uris, _DECISIONS), lambda decision: decision.mark
    )
    recorded = None if uri is None else await _recorded_status(reader, uri, publication)
    return AnswerReview(event, rsvp, uri, recorded, list(decisions))


async def _recorded_status(reader: Reader, uri: str, publication: Publication | None) -> RsvpRecordStatus | None:
    """The status in the newest known version of a record: the last that we published, which need not have come back yet,
    or a later one of another app.
    """
    record = await seen.find(reader, uri)
    if publication is None or publication.uri != uri or publication.base_body is None:
        return None if record is None else _status_of(record)
    if record is not None and record.rev > (publication.base_rev or "") and record.cid != publication.base_cid:
        return _status_of(record)
    if publication.was_deleted_elsewhere:
        return None
    try:
        return read_rsvp(RSVP, cbor.decode(publication.base_body), rkey=uri.rpartition("/")[2]).status
    except Unmappable:
        return RsvpRecordStatus.UNCLEAR


def _status_of(record: SeenRecord) -> RsvpRecordStatus | None:
    if record.body is None or record.state is RecordState.TOMBSTONE:
        return None
    return RsvpRecordStatus.UNCLEAR if record.state is RecordState.RAW else read_of(record).status
