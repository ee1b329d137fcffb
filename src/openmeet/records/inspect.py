"""How calendar records are understood, for people: every field and its source, what was kept unmapped and why.

Reads what people have at hand: one record, an answer of ``getRecord`` or ``listRecords``, a repository's list, or a
file that wraps several. What is not a calendar record at all is said so, with the reason.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from at_protocol.data import cbor, json_form
from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import parse_at_uri
from groundwork.clock import Instant
from groundwork.errors import InvalidInput
from openmeet.records.collections import CALENDAR, EVENT, EVENTS, RSVP, RSVPS
from openmeet.records.event import read_event
from openmeet.records.reading import FieldRead, KeptRaw, Notes, Unmappable
from openmeet.records.rsvp import read_rsvp


@dataclass(frozen=True, slots=True)
class Understood:
    """One record: ``understood_as`` is ``event``, ``rsvp``, or empty with ``problem`` saying why.

    ``cid`` is that of the bytes these values have in a repository, None where no repository can hold them (then
    ``unrepresentable`` says why); ``cid_claimed`` is what the file says.
    """

    uri: str
    collection: str
    understood_as: str
    problem: str
    fields: tuple[FieldRead, ...]
    kept: tuple[KeptRaw, ...]
    cid: str | None
    cid_claimed: str | None
    unrepresentable: str


@dataclass(frozen=True, slots=True)
class Found:
    """A record somewhere in the file: ``path`` says where."""

    path: str
    uri: str
    cid: str | None
    collection: str
    rkey: str
    value: object


def inspect_file(content: bytes, *, now: Instant) -> list[Understood]:
    """Understand every record in a JSON document. Raises InvalidInput when it is no JSON."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise InvalidInput("file", f"This is not JSON: {wrong}.") from wrong
    return [inspect_record(found, now=now) for found in find_records(document)]


def find_records(document: object) -> list[Found]:
    """The records in a document, in its order; the whole document where nothing in it looks like one."""
    found = list(_records_in(document, "", collection=""))
    return found or [Found("", "", None, "", "", document)]


def inspect_record(found: Found, *, now: Instant) -> Understood:
    """Understand one record as ingestion would."""
    notes = Notes()
    understood_as, problem = "", ""
    try:
        if found.collection in EVENTS:
            notes = read_event(found.collection, found.value, rkey=found.rkey, indexed_at=now).notes
            understood_as = "event"
        elif found.collection in RSVPS:
            notes = read_rsvp(found.collection, found.value, rkey=found.rkey).notes
            understood_as = "rsvp"
        else:
            problem = "This is not a record of a calendar collection: it has no $type and no at-uri that says so."
            if found.collection:
                problem = f"Records of {found.collection} are not calendar records."
    except Unmappable as wrong:
        problem = wrong.why
    cid, unrepresentable = None, ""
    try:
        cid = str(Cid.for_cbor(cbor.encode(json_form.from_json(found.value))))
    except Malformed as wrong:
        unrepresentable = str(wrong)
    return Understood(
        uri=found.uri or found.path,
        collection=found.collection,
        understood_as=understood_as,
        problem=problem,
        fields=tuple(notes.fields),
        kept=tuple(notes.kept),
        cid=cid,
        cid_claimed=found.cid,
        unrepresentable=unrepresentable,
    )


def lines_of(understood: Understood) -> Iterator[str]:
    """The same for a person at a terminal."""
    yield f"{understood.uri or '(the document)'}"
    yield f"  understood as   {understood.understood_as or 'nothing: ' + understood.problem}"
    for one in understood.fields:
        yield f"  {one.name:<15} {_short(one.value)}   ← {one.source}"
    for kept in understood.kept:
        yield f"  kept unmapped   {kept.path}: {kept.why}"
    if understood.unrepresentable:
        yield f"  in a repository not possible: {understood.unrepresentable}"
    else:
        said = understood.cid_claimed
        agrees = (
            "" if said is None else (" (as the file says)" if said == understood.cid else f" (the file says {said})")
        )
        yield f"  in a repository {understood.cid}{agrees}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else line[:97] + "…"


def _records_in(document: object, path: str, *, collection: str) -> Iterator[Found]:
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
    if isinstance(declared, str) and declared in CALENDAR:
        yield Found(path, "", None, declared, "", document)
        return
    within = document.get("collection")
    for key, entry in document.items():
        if isinstance(entry, list | Mapping):
            yield from _records_in(entry, f"{path}/{key}", collection=within if isinstance(within, str) else collection)


def _wrapped(
    document: Mapping[str, object], value: Mapping[str, object], uri: str, path: str, collection: str
) -> Found:
    rkey = document.get("rkey")
    key = rkey if isinstance(rkey, str) else ""
    cid = document.get("cid")
    named = collection
    try:
        parsed = parse_at_uri(uri)
    except Malformed:
        pass
    else:
        named, key = str(parsed.collection or collection), str(parsed.rkey or key)
    declared = value.get("$type")
    if not named and isinstance(declared, str):
        named = declared
    if not named:
        named = str(RSVP) if "subject" in value else str(EVENT) if "name" in value else ""
    return Found(path, uri, cid if isinstance(cid, str) else None, named, key, value)
