"""Versions of records: from a message or as last seen, and the time of their commit."""

from dataclasses import replace

from at_protocol.syntax.tid import parse_tid, to_microseconds
from groundwork.clock import Instant
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState, SeenRecord
from openmeet.outbox.publications import RecordVersion


def version_of(message: RecordMessage) -> RecordVersion:
    """Return the version in a message that is not a deletion."""
    return RecordVersion(message.uri, message.rev, message.cid or "", message.body or b"")


def version_seen(seen_record: SeenRecord) -> RecordVersion | None:
    """Return the version of a record as last seen; None if it was deleted."""
    if seen_record.cid is None or seen_record.body is None:
        return None
    return RecordVersion(seen_record.uri, seen_record.rev, seen_record.cid, seen_record.body)


def moment_of_rev(rev: str, now: Instant) -> Instant:
    """Return the time in a remote commit's rev, but never later than now."""
    return Instant(min(to_microseconds(parse_tid(rev)), now))


def last_readable_version(seen_record: SeenRecord | None) -> RecordVersion | None:
    """Return the version of an event record that the event here shows: as last seen, or the last one before it that could
    be read. None if the record is unknown or was deleted.

    An unproven rev is left out, because anybody could have chosen it. The empty one is lower than every other.
    """
    version = readable_version_seen(seen_record)
    if version is None or seen_record is None:
        return None if seen_record is None else seen_record.readable
    return version if seen_record.is_verified else replace(version, rev="")


def readable_version_seen(seen_record: SeenRecord | None) -> RecordVersion | None:
    """Return the version of a record as last seen; None if it is unknown, was deleted or could not be read.

    A version of ours that took effect after its retraction is stored unchanged, but can be read.
    """
    if seen_record is None:
        return None
    is_readable = seen_record.state is RecordState.MAPPED or seen_record.reason == RecordReason.RETRACTED_BEFORE()
    return version_seen(seen_record) if is_readable else None
