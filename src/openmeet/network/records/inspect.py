"""Explain how calendar and group records are read: every field and its source, what was kept raw, and why.

Accepts common formats: a single record, a response of ``getRecord`` or ``listRecords``, a repository's list, or a file
that wraps several. For other documents, the result says why they are not a record.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import parse_did
from groundwork.clock import Instant
from groundwork.errors import InvalidInput
from openmeet.i18n.reasons.messages import explain
from openmeet.network.records.collections import (
    CONCERNING,
    EVENT,
    EVENTS,
    GROUP_COLLECTIONS,
    RSVP,
    RSVPS,
    SERIES_COLLECTIONS,
)
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.group import read_group
from openmeet.network.records.group_statements import OF_STATEMENTS, read_statement
from openmeet.network.records.reading_notes import Notes, ParsedField, Unmappable, UnmappedPart
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.rsvp import read_rsvp
from openmeet.network.records.series import read_series
from openmeet.recurrence.describe import describe


@dataclass(frozen=True, slots=True)
class InspectedRecord:
    """One record: how it is understood, and its CIDs.

    ``understood_as`` is ``event``, ``rsvp``, ``series``, ``group`` or a group statement (``group membership``, ``group
    acceptance``, ``group event``), or empty if it is not understood; ``problem`` then says why. ``cid`` is computed
    from the bytes that these values have in a repository; None if no repository can store them (``unrepresentable``
    says why). ``cid_claimed`` is the CID given in the file.
    """

    uri: str
    collection: str
    understood_as: str
    problem: str
    fields: tuple[ParsedField, ...]
    kept: tuple[UnmappedPart, ...]
    cid: str | None
    cid_claimed: str | None
    unrepresentable: str


@dataclass(frozen=True, slots=True)
class LocatedRecord:
    """A record in the file. ``path``: where it is."""

    path: str
    uri: str
    cid: str | None
    collection: str
    rkey: str
    value: object


def inspect_file(content: bytes, *, now: Instant) -> list[InspectedRecord]:
    """Read every record in a JSON document. Raises InvalidInput if it is not JSON."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise InvalidInput("file", f"This is not JSON: {wrong}.") from wrong
    return [inspect_record(located, now=now) for located in find_records(document)]


def find_records(document: object) -> list[LocatedRecord]:
    """Return the records in a document, in order; the whole document if nothing in it looks like a record."""
    records = list(_records_in(document, "", collection=""))
    return records or [LocatedRecord("", "", None, "", "", document)]


def inspect_record(located: LocatedRecord, *, now: Instant) -> InspectedRecord:
    """Read one record in the same way as ingestion."""
    notes = Notes()
    understood_as, problem = "", ""
    try:
        if located.collection in EVENTS:
            notes = read_event(located.collection, located.value, rkey=located.rkey, indexed_at=now).notes
            understood_as = "event"
        elif located.collection in RSVPS:
            notes = read_rsvp(located.collection, located.value, rkey=located.rkey).notes
            understood_as = "rsvp"
        elif located.collection in SERIES_COLLECTIONS:
            notes, understood_as = _of_series(located), "series"
        elif located.collection in GROUP_COLLECTIONS:
            notes, understood_as = _of_group(located), "group"
        elif located.collection in OF_STATEMENTS:
            notes, understood_as = _of_statement(located), f"group {OF_STATEMENTS[located.collection].value}"
        else:
            problem = "This is not a calendar or group record: neither a $type nor an at-uri says so."
            if located.collection:
                problem = f"Records of {located.collection} are not calendar or group records."
    except Unmappable as wrong:
        problem = explain(wrong.why)
    cid, unrepresentable = None, ""
    try:
        cid = str(Cid.for_cbor(cbor.encode(json_form.from_json(located.value))))
    except Malformed as wrong:
        unrepresentable = str(wrong)
    return InspectedRecord(
        uri=located.uri or located.path,
        collection=located.collection,
        understood_as=understood_as,
        problem=problem,
        fields=tuple(notes.fields),
        kept=tuple(notes.kept),
        cid=cid,
        cid_claimed=located.cid,
        unrepresentable=unrepresentable,
    )


def lines_of(understood: InspectedRecord) -> Iterator[str]:
    """Format an inspected record as lines for a terminal."""
    yield f"{understood.uri or '(the document)'}"
    yield f"  interpreted as  {understood.understood_as or 'nothing: ' + understood.problem}"
    for one in understood.fields:
        yield f"  {one.name:<15} {_short(one.value)}   ← {one.source}"
    for part in understood.kept:
        yield f"  not mapped      {part.path} {part.why}"
    if understood.unrepresentable:
        yield f"  cannot be stored: {understood.unrepresentable}"
    else:
        claimed = understood.cid_claimed
        comparison = (
            ""
            if claimed is None
            else (" (the same as in the file)" if claimed == understood.cid else f" (but {claimed} in the file)")
        )
        yield f"  CID             {understood.cid}{comparison}"


def _of_series(located: LocatedRecord) -> Notes:
    series = read_series(located.collection, located.value)
    shape, length = series.timing.pattern, series.timing.length
    fields = {
        "name": ("title", series.content.title),
        "description": ("description", series.content.description),
        "timezone": ("time zone", shape.zone_name),
        "dtstart": ("first date", shape.start.isoformat()),
        "durationMinutes": ("length", "" if length is None else f"{length}"),
        "rrule": ("repeats", describe(shape)),
        "rdate": ("added dates", ", ".join(map(str, shape.added))),
        "exdate": ("skipped dates", ", ".join(map(str, shape.left_out))),
        "template": ("each date", ", ".join((series.content.mode.value, *series.content.venue.lines))),
    }
    return _noted(located, fields)


def _of_group(located: LocatedRecord) -> Notes:
    group = read_group(located.collection, located.value)
    fields = {
        "name": ("name", group.name),
        "description": ("description", group.description),
        "location": ("place", ", ".join(filter(None, (group.locality, group.country)))),
        "timezone": ("time zone", group.time_zone),
        "joining": ("join policy", group.join_policy.value),
        "criteria": ("question", group.join_question),
        "promotion": ("published", group.level.value),
        "backupAdmins": ("backup admins", ", ".join(group.backup_admins)),
        "predecessor": ("predecessor", group.predecessor),
        "successor": ("successor", group.successor),
        "avatar": ("picture", group.avatar),
        "roles": ("roles", ", ".join(str(one.get("name", "")) for one in _listed(located, "roles"))),
        "website": ("page", _value(located, "website")),
    }
    return _noted(located, fields)


def _of_statement(located: LocatedRecord) -> Notes:
    group_uri = _value(located, "group")
    try:
        did = parse_did(parse_at_uri(located.uri or (group_uri if isinstance(group_uri, str) else "")).authority)
    except Malformed:
        raise Unmappable(RecordReason.NEEDS_REPOSITORY) from None
    statement = read_statement(located.collection, did, located.value)
    fields = {
        "group": ("group", statement.group_uri),
        "member": ("member", statement.about),
        "membership": ("answers", statement.refers_to),
        "role": ("role", statement.role.value),
        "event": ("event", statement.about),
    }
    return _noted(located, fields)


def _value(located: LocatedRecord, key: str) -> object:
    return located.value.get(key, "") if isinstance(located.value, Mapping) else ""


def _listed(located: LocatedRecord, key: str) -> list[Mapping[str, object]]:
    value = _value(located, key)
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _noted(located: LocatedRecord, fields: Mapping[str, tuple[str, object]]) -> Notes:
    """Return the meaning of each key of the record. Keys of other apps are kept."""
    notes = Notes()
    for key in located.value if isinstance(located.value, Mapping) else ():
        if key in fields:
            notes.read(fields[key][0], key, fields[key][1])
        elif key not in {"$type", "createdAt"}:
            notes.keep(str(key), "is not part of the lexicon")
    return notes


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else line[:97] + "…"


def _records_in(document: object, path: str, *, collection: str) -> Iterator[LocatedRecord]:
    if isinstance(document, list):
        for index, entry in enumerate(document):
            yield from _records_in(entry, f"{path}/{index}", collection=collection)
        return
    if not isinstance(document, Mapping):
        return
    uri, value = document.get("uri"), document.get("value", document.get("record"))
    if isinstance(value, Mapping) and (isinstance(uri, str) or "rkey" in document):
        yield _wrapped(document, value, uri if isinstance(uri, str) else "", path, collection)
        return
    declared = document.get("$type")
    if isinstance(declared, str) and declared in CONCERNING:
        yield LocatedRecord(path, "", None, declared, "", document)
        return
    within = document.get("collection")
    for key, entry in document.items():
        if isinstance(entry, list | Mapping):
            yield from _records_in(entry, f"{path}/{key}", collection=within if isinstance(within, str) else collection)


def _wrapped(
    document: Mapping[str, object], value: Mapping[str, object], uri: str, path: str, collection: str
) -> LocatedRecord:
    rkey = document.get("rkey")
    key = rkey if isinstance(rkey, str) else ""
    cid = document.get("cid")
    collection_name = collection
    try:
        parsed = parse_at_uri(uri)
    except Malformed:
        pass
    else:
        collection_name, key = str(parsed.collection or collection), str(parsed.rkey or key)
    declared = value.get("$type")
    if not collection_name and isinstance(declared, str):
        collection_name = declared
    if not collection_name:
        collection_name = str(RSVP) if "subject" in value else str(EVENT) if "name" in value else ""
    return LocatedRecord(path, uri, cid if isinstance(cid, str) else None, collection_name, key, value)
