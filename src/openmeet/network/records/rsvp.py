"""RSVP records: tolerant reader, and a writer that keeps other apps' fields."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri, normal_uri, parse_at_uri
from at_protocol.syntax.datetime import format_datetime, parse_datetime
from at_protocol.syntax.tid import ALPHABET, Tid, parse_tid
from groundwork.clock import Instant
from openmeet.domain.attendance.model import AttendanceStatus, RsvpRecordStatus
from openmeet.domain.identities.publishing_preferences import (
    DEFAULT_PREFERENCES,
    DeclinedAs,
    PublishingPreferences,
    WaitingAs,
)
from openmeet.network.records.collections import EVENTS, RSVP
from openmeet.network.records.event_reader import moment_of_key
from openmeet.network.records.reading_notes import Notes, Unmappable, of_another_type, text_of, token_of
from openmeet.network.records.reasons import RecordReason

# The longest usable URI: a did:web of a host name (261 characters), the longer collection of events, a record key of
# 512. The syntax allows 8 kB, but a PostgreSQL index key is limited to 2.7 kB.
MAX_SUBJECT: Final = 1024

GOING: Final = f"{RSVP}#going"
INTERESTED: Final = f"{RSVP}#interested"
NOT_GOING: Final = f"{RSVP}#notgoing"

_STATUS_OF_TOKEN: Final = {
    "going": RsvpRecordStatus.GOING,
    "yes": RsvpRecordStatus.GOING,
    "interested": RsvpRecordStatus.INTERESTED,
    "maybe": RsvpRecordStatus.INTERESTED,
    "notgoing": RsvpRecordStatus.NOT_GOING,
    "declined": RsvpRecordStatus.NOT_GOING,
    "no": RsvpRecordStatus.NOT_GOING,
}


@dataclass(frozen=True, slots=True)
class ParsedRsvp:
    """The content of an RSVP record. The authority of ``subject`` may still be a handle: resolve it before comparing.

    ``subject_cid`` is only stored. ``precedence`` orders several RSVPs of one DID to one event: the one with the
    greatest text is effective.
    """

    subject: AtUri
    subject_cid: str | None
    status: RsvpRecordStatus
    precedence: str
    notes: Notes


def read_rsvp(collection: str, record: object, *, rkey: str) -> ParsedRsvp:
    """Read a decoded RSVP record. Raises Unmappable with the sentence to store with the record."""
    if not isinstance(record, Mapping):
        raise Unmappable(RecordReason.NOT_A_MAP)
    declared = record.get("$type")
    if declared is not None and declared != collection:
        raise of_another_type(declared, collection)
    notes = Notes()
    subject, cid = _subject(record, notes)
    status = _status(record, notes)
    for key in record:
        if key == "createdAt":
            notes.read("answered", "createdAt (a hint only)", record[key])
        elif key not in {"$type", "subject", "status"}:
            notes.keep(key, "is not part of the calendar lexicon")
    return ParsedRsvp(subject, cid, status, _precedence(record, rkey), notes)


def subject_of(record: object) -> str | None:
    """Return the URI that a record is about, unchanged; None if it has none."""
    subject = record.get("subject") if isinstance(record, Mapping) else None
    return text_of(subject.get("uri") if isinstance(subject, Mapping) else subject)


def _subject(record: Mapping[str, object], notes: Notes) -> tuple[AtUri, str | None]:
    subject = record.get("subject")
    reference = subject.get("uri") if isinstance(subject, Mapping) else subject
    text = text_of(reference)
    if text is None:
        raise Unmappable(RecordReason.NO_SUBJECT)
    try:
        uri = normal_uri(parse_at_uri(text))
    except Malformed as wrong:
        raise Unmappable(RecordReason.SUBJECT_NO_URI) from wrong
    if len(str(uri)) > MAX_SUBJECT:
        raise Unmappable(RecordReason.SUBJECT_TOO_LONG, most=MAX_SUBJECT)
    if uri.rkey is None or uri.collection is None:
        raise Unmappable(RecordReason.SUBJECT_NO_RECORD)
    if uri.collection not in EVENTS:
        raise Unmappable(RecordReason.SUBJECT_NO_EVENT, collection=str(uri.collection))
    notes.read("event", "subject/uri" if isinstance(subject, Mapping) else "subject", uri)
    cid = text_of(subject.get("cid")) if isinstance(subject, Mapping) else None
    if cid is None:
        notes.keep("subject/cid", "is missing; the event is found by its uri")
    return uri, cid


def _status(record: Mapping[str, object], notes: Notes) -> RsvpRecordStatus:
    raw = record.get("status")
    if raw is None:
        notes.read("answer", "nothing (the lexicon’s default)", RsvpRecordStatus.GOING.value)
        return RsvpRecordStatus.GOING
    text = text_of(raw)
    status = (
        _STATUS_OF_TOKEN.get(token_of(text), RsvpRecordStatus.UNCLEAR) if text is not None else RsvpRecordStatus.UNCLEAR
    )
    if status is RsvpRecordStatus.UNCLEAR:
        notes.keep("status", f"is an unknown status: {raw!r}")
    else:
        notes.read("answer", "status", status.value)
    return status


def _precedence(record: Mapping[str, object], rkey: str) -> str:
    """Return (valid ``createdAt``, time of a TID key, key) as text with the same sort order."""
    created = record.get("createdAt")
    try:
        claimed = parse_datetime(created) if isinstance(created, str) else 0
    except Malformed:
        claimed = 0
    return f"{max(claimed, 0):020d}/{moment_of_key(rkey) or 0:020d}/{rkey}"


def written_at(precedence: str) -> Instant:
    """Return when an RSVP claims to have been written, from its ``precedence``; 0 if there is no readable time."""
    return Instant(int(precedence.partition("/")[0] or 0))


def record_key_for(subject: AtUri) -> Tid:
    """Return the record key of a person's RSVP to an event: deterministic, and a valid TID.

    It is the first 64 bits of the SHA-256 of the event's AT URI, with the top bit cleared. It is not a time.
    """
    if not subject.authority.startswith("did:"):
        raise Malformed("at-uri", subject, "the key of an RSVP follows from a DID, not from a handle")
    number = int.from_bytes(hashlib.sha256(str(normal_uri(subject)).encode()).digest()[:8]) & (1 << 63) - 1
    return parse_tid("".join(ALPHABET[number >> shift & 31] for shift in range(60, -5, -5)))


def has_durable_subject(rsvp: ParsedRsvp) -> bool:
    """Whether the subject already contains a DID."""
    return rsvp.subject.authority.startswith("did:")


class NoStatusToken(StrEnum):
    """Why an RSVP has no status to publish. ``UNDECIDED``: an existing record stays until the decision."""

    UNDECIDED = "undecided"
    NO_RECORD = "unsaid"  # no record may exist


def status_token(
    status: AttendanceStatus, preferences: PublishingPreferences = DEFAULT_PREFERENCES
) -> str | NoStatusToken:
    """Return what to publish for a status: the token for the record, or the reason why there is none."""
    match status:
        case AttendanceStatus.ATTENDING | AttendanceStatus.ATTENDED:
            return GOING
        case AttendanceStatus.INTERESTED:
            return INTERESTED
        case AttendanceStatus.DECLINED:
            return NOT_GOING if preferences.declined_as is DeclinedAs.NOT_GOING else NoStatusToken.NO_RECORD
        case AttendanceStatus.PENDING | AttendanceStatus.WAITLISTED:
            return INTERESTED if preferences.waiting_as is WaitingAs.INTERESTED else NoStatusToken.UNDECIDED
        case AttendanceStatus.INVITED | AttendanceStatus.REJECTED:
            return NoStatusToken.UNDECIDED
        case _:
            assert_never(status)


def write_rsvp(
    token: str, *, subject_uri: str, subject_cid: str, created_at: Instant, previous: Mapping[str, Value] | None
) -> dict[str, Value]:
    """Write an RSVP into its record. Other apps' keys, ``createdAt`` and an unchanged RSVP stay. ``created_at``:
    ``createdAt`` of a new record.

    The subject's CID is refreshed only when the RSVP changes, not with each edit of the event.
    """
    subject: Value = {"uri": subject_uri, "cid": subject_cid}
    if previous is None:
        return {"$type": RSVP, "subject": subject, "status": token, "createdAt": format_datetime(created_at)}
    record = dict(previous)
    status = record.get("status")
    old_subject = record.get("subject")
    is_same = (
        isinstance(status, str)
        and _STATUS_OF_TOKEN.get(token_of(status)) is _STATUS_OF_TOKEN[token_of(token)]
        and isinstance(old_subject, dict)
        and old_subject.get("uri") == subject_uri
        and isinstance(old_subject.get("cid"), str)
    )
    if not is_same:
        record.update({"$type": RSVP, "subject": subject, "status": token})
        record.setdefault("createdAt", format_datetime(created_at))
    return record
