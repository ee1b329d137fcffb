"""A person's own calendar records at their PDS. Listing and writing use only the PDS.

No domain table is changed here. Writes come back through the firehose like everybody else's records. Until then, a
record differs from its last seen version and is shown as waiting. Editing changes only the fields that somebody changed
in the form; every other field stays exactly as it is, even if the form shows it with less precision.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from at_network.xrpc_client import XrpcClient
from at_protocol.data import json_form
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.validate import validate_record
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import TidClock
from groundwork.clock import Instant
from groundwork.database.transaction import Database
from groundwork.errors import Conflict, InvalidInput, NotFound
from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events.event_records import events_with
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.model import Identity
from openmeet.network.own_records.edits import EventRecordForm, OwnRecordReason, form_of, written
from openmeet.network.publishing.repository_calls import delete_record, get_record, put_record
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.reading_notes import Unmappable
from openmeet.network.repositories.agents import agent_for
from openmeet.network.repositories.clients import NetworkClients

# The maximum page size that servers support.
PAGE = 100
# Sorts after every valid record key.
_AFTER_ALL_KEYS = "\x7f"
# Separates the last key of a page from the server's cursor. No key contains it.
_KEY_SEPARATOR = ","


class OwnRecordState(StrEnum):
    """How a record at the PDS compares with its last seen version here."""

    HERE = "here"
    WAITING = "waiting"  # written there, but the firehose has not delivered it yet
    LEAVING = "leaving"  # deleted there, but the firehose has not delivered that yet


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """One record. ``slug``: slug of its event's page here, empty if there is none yet. ``starts_at``: None if unknown.

    ``title``: the event's name, or the status of an RSVP. ``about``: title of the RSVP's event, if it is known here.
    """

    uri: AtUri
    title: str
    starts_at: Instant | None
    state: OwnRecordState
    slug: str
    about: str = ""

    @property
    def is_event(self) -> bool:
        return self.uri.collection == EVENT


@dataclass(frozen=True, slots=True)
class OwnPage:
    """One page of the records of a collection. ``older``: start of the next page; empty on the last page."""

    records: tuple[OwnRecord, ...]
    older: str


@dataclass(frozen=True, slots=True)
class EditableEvent:
    """An event's record at the PDS: its CID and the values of its edit form."""

    cid: str
    form: EventRecordForm


async def list_page(
    db: Database, network: NetworkClients, identity: Identity, collection: Nsid, after: str = ""
) -> OwnPage:
    """Return one page of a collection in a repository, newest keys first, including records that were deleted at the
    PDS but are still known here.

    ``after``: ``OwnPage.older`` of the previous page; an invalid value starts with the newest record. At most one page
    of deleted records is shown; they will soon be deleted here too, and others then appear. Raises RemoteFailed and
    RemoteSlow.
    """
    client = XrpcClient(network.http, network.clock, identity.pds_url, circuits=network.circuits)
    below, _, cursor = after.partition(_KEY_SEPARATOR)
    if not _is_key(below):
        below, cursor = "", ""
    response = await client.query(
        "com.atproto.repo.listRecords",
        {"repo": identity.did, "collection": collection, "limit": PAGE, "cursor": cursor or None},
    )
    listed = response.get("records")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    at_server = {parse_at_uri(str(one["uri"])): one for one in entries if _is_of(one.get("uri"), identity, collection)}
    keys = [str(uri.rkey) for uri in at_server]
    following = response.get("cursor")
    goes_on = isinstance(following, str) and bool(following) and bool(keys)
    # A deleted record can be placed only if the server lists keys in order, or if there is only one page.
    in_order = keys == sorted(keys, reverse=True)
    between = (keys[-1] if goes_on else "", below if cursor else _AFTER_ALL_KEYS)
    records = await _known(
        db, identity, collection, at_server, between if in_order or not (goes_on or cursor) else None
    )
    if in_order:
        records.sort(key=lambda one: str(one.uri.rkey), reverse=True)
    return OwnPage(tuple(records), f"{keys[-1]}{_KEY_SEPARATOR}{following}" if goes_on else "")


async def read_own(network: NetworkClients, identity: Identity, rkey: str, zone: str) -> EditableEvent:
    """Read an event's record at the PDS. Raises NotFound, and Refused if it cannot be changed without loss."""
    current = await get_record(
        XrpcClient(network.http, network.clock, identity.pds_url, circuits=network.circuits),
        own_uri(identity, EVENT, rkey),
    )
    if current is None:
        raise NotFound(OwnRecordReason.NO_SUCH_RECORD)
    return EditableEvent(current.cid, form_of(current.record, rkey, zone))


async def create(
    db: Database,
    network: NetworkClients,
    tids: TidClock,
    identity: Identity,
    form: EventRecordForm,
    zone: str,
    key: str = "",
) -> AtUri:
    """Write a new event. ``key``: record key from the form, so that submitting the form twice writes only one record.

    Raises InvalidInput, NotSignedIn, Forbidden (not allowed), Conflict (the key belongs to another event), and the
    errors of the PDS.
    """
    uri = own_uri(identity, EVENT, key or tids.next(network.clock.now()))
    record: dict[str, Value] = {"$type": str(EVENT), "createdAt": format_datetime(network.clock.now())}
    record = written(record, None, form, zone)
    agent = await agent_for(db, network, identity)
    try:
        await put_record(agent, uri, checked(EVENT, record, "name"), replaced_cid=None)
    except Conflict:
        # The same form was submitted twice, or again with different content after browser Back.
        current = await get_record(agent, uri)
        if current is None or current.record | {"createdAt": record["createdAt"]} != record:
            raise
    return uri


async def edit(
    db: Database, network: NetworkClients, identity: Identity, rkey: str, form: EventRecordForm, zone: str, version: str
) -> None:
    """Change the fields of an event that differ from what the form showed; everything else stays.

    ``version``: the CID that the form was opened with; empty means any version. Raises Conflict if the record has
    changed since.
    """
    agent = await agent_for(db, network, identity)
    uri = own_uri(identity, EVENT, rkey)
    current = await get_record(agent, uri)
    if current is None:
        raise NotFound(OwnRecordReason.NO_SUCH_RECORD)
    if version not in {"", current.cid}:
        raise Conflict(OwnRecordReason.CHANGED_SINCE_OPENED)
    record = written(current.record, form_of(current.record, rkey, zone), form, zone)
    if record == current.record:
        return
    # A record of another app does not have to be valid here; the PDS validates it.
    await put_record(
        agent, uri, checked(EVENT, record, "name") if _is_valid(current.record) else record, replaced_cid=current.cid
    )


async def delete(db: Database, network: NetworkClients, identity: Identity, rkey: str) -> None:
    """Delete an event from the repository."""
    await delete_record(await agent_for(db, network, identity), own_uri(identity, EVENT, rkey), known_cid=None)


def _is_key(text: str) -> bool:
    try:
        parse_record_key(text)
    except Malformed:
        return False
    return True


async def _known(
    db: Database,
    identity: Identity,
    collection: str,
    listed: Mapping[AtUri, dict[str, object]],
    between: tuple[str, str] | None,
) -> list[OwnRecord]:
    """Return the listed records, and those known here that are no longer listed although their keys lie between these
    two (None: only the listed ones).
    """
    at_server = {str(uri): one for uri, one in listed.items()}
    async with db.reader() as reader:
        seen_records = await seen.find_many(reader, list(at_server))
        leaving: list[str] = []
        if between is not None:
            above, below = between
            leaving = await seen.uris_between(
                reader, identity.did, collection, above=above, below=below, besides=list(at_server), limit=PAGE
            )
        subjects = {text: _subject(one.get("value")) or text for text, one in at_server.items()}
        here_too = await events_with(reader, [*subjects.values(), *leaving])
    shown = {uri: event for uri, event in here_too.items() if not event.is_gone}
    # Anybody can write an RSVP to any URI, and the slug may be all that protects the page of an event.
    open_to_all = {uri: event for uri, event in shown.items() if are_rsvps_publishable(event)}
    slugs = {
        uri: event.slug
        for uri, event in shown.items()
        if event.visibility is Visibility.PUBLIC or uri in open_to_all or event.author_id == identity.user_id
    }
    records = []
    for text, one in at_server.items():
        last = seen_records.get(text)
        is_here = last is not None and last.cid == one.get("cid")
        where = OwnRecordState.HERE if is_here else OwnRecordState.WAITING
        uri = parse_at_uri(text)
        title, starts_at = _title_and_start(uri, one.get("value"))
        subject = subjects[text]
        about = "" if uri.collection == EVENT or subject not in open_to_all else open_to_all[subject].title
        records.append(OwnRecord(uri, title, starts_at, where, slugs.get(subject, ""), about))
    deleted_uris = [parse_at_uri(text) for text in leaving]
    names = {uri: event.title for uri, event in shown.items()}
    return records + [
        OwnRecord(uri, names.get(str(uri), ""), None, OwnRecordState.LEAVING, slugs.get(str(uri), ""))
        for uri in deleted_uris
    ]


def _is_of(uri: object, identity: Identity, collection: str) -> bool:
    """Whether a URI belongs to this repository and collection. A server may return anything."""
    try:
        parsed_uri = parse_at_uri(uri) if isinstance(uri, str) else None
    except Malformed:
        return False
    return (
        parsed_uri is not None
        and (parsed_uri.authority, parsed_uri.collection) == (identity.did, collection)
        and bool(parsed_uri.rkey)
    )


def _subject(value: object) -> str | None:
    """Return the URI of an RSVP's event."""
    subject = value.get("subject") if isinstance(value, dict) else None
    uri = subject.get("uri") if isinstance(subject, dict) else None
    return uri if isinstance(uri, str) else None


def _title_and_start(uri: AtUri, value: object) -> tuple[str, Instant | None]:
    if uri.collection != EVENT:
        status = value.get("status") if isinstance(value, dict) else None
        return (status.rpartition("#")[2] if isinstance(status, str) else ""), None
    try:
        event = read_event(str(uri.collection), value, rkey=str(uri.rkey), indexed_at=Instant(0)).event
    except Unmappable:
        return "", None
    return event.name, event.starts_at


def _is_valid(record: dict[str, Value]) -> bool:
    try:
        checked(EVENT, record, "name")
    except InvalidInput:
        return False
    return True


_catalog = Catalog()


def checked(collection: Nsid, record: dict[str, Value], field: str) -> dict[str, Value]:
    """Return the record if other apps can read it. Raises InvalidInput for the given field of the form."""
    try:
        validate_record(_catalog, str(collection), record)
        json_form.to_json(record)
    except Malformed:
        raise InvalidInput(field, OwnRecordReason.UNREADABLE_FOR_APPS) from None
    return record


def own_uri(identity: Identity, collection: Nsid, rkey: str) -> AtUri:
    """Return the AT URI of a person's record. Raises NotFound for an invalid record key."""
    try:
        return parse_at_uri(f"at://{identity.did}/{collection}/{rkey}")
    except Malformed:
        raise NotFound(OwnRecordReason.NO_SUCH_RECORD) from None
