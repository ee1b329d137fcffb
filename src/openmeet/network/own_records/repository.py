"""A person's own calendar records at their server: listed as they stand there, written there and nowhere else.

Nothing is changed here. What is written comes back as everybody's records do, by the firehose, and until then it differs from
what was last seen of it: it waits to come back. Editing changes those fields that somebody changed in the form, and keeps every
other as it stands there, to the letter: also what the form shows shorter, or by another clock.
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
from openmeet.domain.attendance.rules import may_answers_be_public
from openmeet.domain.events.by_record import events_with
from openmeet.domain.identities.model import Identity
from openmeet.network.own_records.edits import Form, form_of, written
from openmeet.network.publishing.send import delete_record, get_record, put_record
from openmeet.network.records import repository_state, seen
from openmeet.network.records.collections import EVENT
from openmeet.network.records.event_reader import read_event
from openmeet.network.records.reader import Unmappable
from openmeet.network.repositories.agents import agent_for
from openmeet.network.repositories.clients import NetworkClients

# The most that servers give at once.
PAGE = 100
# Behind every key that there can be.
_NO_KEY = "\x7f"
# Between the last key of a page and the cursor of its server; no key has one.
_BEHIND_THE_KEY = ","


class Whereabouts(StrEnum):
    """How a record at the server stands to what was seen of it here."""

    HERE = "here"
    WAITING = "waiting"  # written there, not come back yet
    LEAVING = "leaving"  # deleted there, not come back yet


@dataclass(frozen=True, slots=True)
class OwnRecord:
    """One record. ``slug`` of its event's page here, empty while there is none; ``starts_at`` where that is known.

    ``title``: the event's name, of an answer what it says; ``about``: to which event, where that is known here.
    """

    uri: AtUri
    title: str
    starts_at: Instant | None
    whereabouts: Whereabouts
    slug: str
    about: str = ""

    @property
    def is_event(self) -> bool:
        return self.uri.collection == EVENT


@dataclass(frozen=True, slots=True)
class OwnPage:
    """Some of the records of one collection. ``older``: where it goes on; empty where nothing follows."""

    records: tuple[OwnRecord, ...]
    older: str


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """An event's record as it stands there: the version, and what the form shows of it."""

    cid: str
    form: Form


async def list_page(
    db: Database, network: NetworkClients, identity: Identity, collection: Nsid, after: str = ""
) -> OwnPage:
    """A page of what a repository has in a collection, newest keys first, and what has left it there and is here still.

    ``after``: ``OwnPage.older`` of the page before; what is no such thing begins with the newest. Of what has left so much is shown as
    a page holds: it leaves here, too, and the others come forward. Raises RemoteFailed and RemoteSlow.
    """
    client = XrpcClient(network.http, network.clock, identity.pds_url, circuits=network.circuits)
    below, _, cursor = after.partition(_BEHIND_THE_KEY)
    if not _is_key(below):
        below, cursor = "", ""
    answer = await client.query(
        "com.atproto.repo.listRecords",
        {"repo": identity.did, "collection": collection, "limit": PAGE, "cursor": cursor or None},
    )
    listed = answer.get("records")
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    at_server = {parse_at_uri(str(one["uri"])): one for one in entries if _is_of(one.get("uri"), identity, collection)}
    keys = [str(uri.rkey) for uri in at_server]
    following = answer.get("cursor")
    goes_on = isinstance(following, str) and bool(following) and bool(keys)
    # Where a record belongs is known where the server lists them as servers do; else on a page that is the only one.
    in_order = keys == sorted(keys, reverse=True)
    between = (keys[-1] if goes_on else "", below if cursor else _NO_KEY)
    found = await _known(db, identity, collection, at_server, between if in_order or not (goes_on or cursor) else None)
    if in_order:
        found.sort(key=lambda one: str(one.uri.rkey), reverse=True)
    return OwnPage(tuple(found), f"{keys[-1]}{_BEHIND_THE_KEY}{following}" if goes_on else "")


async def read_own(network: NetworkClients, identity: Identity, rkey: str, zone: str) -> RecordVersion:
    """An event's record as it stands there. Raises NotFound, and Refused where it cannot be changed without loss."""
    current = await get_record(
        XrpcClient(network.http, network.clock, identity.pds_url, circuits=network.circuits),
        own_uri(identity, EVENT, rkey),
    )
    if current is None:
        raise NotFound("There is no such record in your repository.")
    return RecordVersion(current.cid, form_of(current.record, rkey, zone))


async def create(
    db: Database, network: NetworkClients, tids: TidClock, identity: Identity, wanted: Form, zone: str, key: str = ""
) -> AtUri:
    """Write a new event there. ``key``: from the form, so that sending it twice writes one record.

    Raises InvalidInput, NotSignedIn, Forbidden (not allowed), Conflict (under this key stands another event), and what their
    server fails with.
    """
    uri = own_uri(identity, EVENT, key or tids.next(network.clock.now()))
    record: dict[str, Value] = {"$type": str(EVENT), "createdAt": format_datetime(network.clock.now())}
    record = written(record, None, wanted, zone)
    agent = await agent_for(db, network, identity)
    try:
        await put_record(agent, uri, checked(EVENT, record, "name"), swap=None)
    except Conflict:
        # The same form, sent twice; or gone back to in the browser, and filled with something else.
        current = await get_record(agent, uri)
        if current is None or current.record | {"createdAt": record["createdAt"]} != record:
            raise
    return uri


async def edit(
    db: Database, network: NetworkClients, identity: Identity, rkey: str, wanted: Form, zone: str, version: str
) -> None:
    """Change in an event there what differs from what the form showed; everything else stays.

    ``version``: the CID that the form was opened for; empty: whatever stands there. Raises Conflict when it changed meanwhile.
    """
    agent = await agent_for(db, network, identity)
    uri = own_uri(identity, EVENT, rkey)
    current = await get_record(agent, uri)
    if current is None:
        raise NotFound("There is no such record in your repository.")
    if version not in {"", current.cid}:
        raise Conflict("The record was changed since the form was opened.")
    record = written(current.record, form_of(current.record, rkey, zone), wanted, zone)
    if record == current.record:
        return
    # What another app wrote need not be valid; their server judges it.
    await put_record(
        agent, uri, checked(EVENT, record, "name") if _is_valid(current.record) else record, swap=current.cid
    )


async def delete(db: Database, network: NetworkClients, identity: Identity, rkey: str) -> None:
    """Take an event out of the repository."""
    await delete_record(await agent_for(db, network, identity), own_uri(identity, EVENT, rkey), expected=None)


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
    """What is listed, and of what left the repository what has its key ``between`` these two; None of that where that is None."""
    at_server = {str(uri): one for uri, one in listed.items()}
    async with db.reader() as reader:
        known = await seen.find_many(reader, list(at_server))
        leaving: list[str] = []
        if between is not None:
            above, below = between
            leaving = await repository_state.between(
                reader, identity.did, collection, above=above, below=below, besides=list(at_server), limit=PAGE
            )
        subjects = {text: _subject(one.get("value")) or text for text, one in at_server.items()}
        here_too = await events_with(reader, [*subjects.values(), *leaving])
    shown = {uri: event for uri, event in here_too.items() if not event.is_gone}
    slugs = {uri: event.slug for uri, event in shown.items()}
    about = {uri: event.title for uri, event in shown.items() if may_answers_be_public(event)}
    found = []
    for text, one in at_server.items():
        last = known.get(text)
        is_here = last is not None and last.cid == one.get("cid")
        where = Whereabouts.HERE if is_here else Whereabouts.WAITING
        uri = parse_at_uri(text)
        title, starts_at = _said(uri, one.get("value"))
        subject = subjects[text]
        told = "" if uri.collection == EVENT else about.get(subject, "")
        found.append(OwnRecord(uri, title, starts_at, where, slugs.get(subject, ""), told))
    gone = [parse_at_uri(text) for text in leaving]
    names = {uri: event.title for uri, event in shown.items()}
    return found + [
        OwnRecord(uri, names.get(str(uri), ""), None, Whereabouts.LEAVING, slugs.get(str(uri), "")) for uri in gone
    ]


def _is_of(uri: object, identity: Identity, collection: str) -> bool:
    """Whether a server names a record of this repository: it may say anything."""
    try:
        named = parse_at_uri(uri) if isinstance(uri, str) else None
    except Malformed:
        return False
    return named is not None and (named.authority, named.collection) == (identity.did, collection) and bool(named.rkey)


def _subject(value: object) -> str | None:
    """The event that an answer is about."""
    subject = value.get("subject") if isinstance(value, dict) else None
    uri = subject.get("uri") if isinstance(subject, dict) else None
    return uri if isinstance(uri, str) else None


def _said(uri: AtUri, value: object) -> tuple[str, Instant | None]:
    if uri.collection != EVENT:
        status = value.get("status") if isinstance(value, dict) else None
        return (status.rpartition("#")[2] if isinstance(status, str) else ""), None
    try:
        read = read_event(str(uri.collection), value, rkey=str(uri.rkey), indexed_at=Instant(0)).event
    except Unmappable:
        return "", None
    return read.name, read.starts_at


def _is_valid(record: dict[str, Value]) -> bool:
    try:
        checked(EVENT, record, "name")
    except InvalidInput:
        return False
    return True


_catalog = Catalog()


def checked(collection: Nsid, record: dict[str, Value], field: str) -> dict[str, Value]:
    """The record, which others can read. Raises InvalidInput, about this field of the form."""
    try:
        validate_record(_catalog, str(collection), record)
        json_form.to_json(record)
    except Malformed as wrong:
        raise InvalidInput(field, f"Other apps could not read this: {wrong.why}.") from None
    return record


def own_uri(identity: Identity, collection: Nsid, rkey: str) -> AtUri:
    """Raises NotFound for a key that can be none."""
    try:
        return parse_at_uri(f"at://{identity.did}/{collection}/{rkey}")
    except Malformed:
        raise NotFound("There is no such record in your repository.") from None
