"""A person's RSVP records at their PDS. They are written only there, as in ``repository``.

There is one record per event. Its key is derived from the event's URI; if there is an RSVP under another key, that one
is updated instead. Nothing is written about an event whose RSVPs are not public.
"""

from urllib.parse import unquote, urlsplit

from at_network.xrpc_client import XrpcClient
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.syntax.at_uri import AtUri, normal_uri, parse_at_uri
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.handle import parse_handle
from at_protocol.syntax.record_key import RecordKey
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Conflict, InvalidInput, NotFound, Unavailable
from openmeet.domain.attendance.rules import are_rsvps_publishable
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.domain.identities.model import Identity
from openmeet.network.own_records.edits import OwnRecordReason
from openmeet.network.own_records.repository import checked, own_uri
from openmeet.network.publishing.repository_calls import delete_record, get_record, list_rsvps, put_record
from openmeet.network.publishing.repository_choice import knows_all_rsvps
from openmeet.network.records import seen, seen_rsvps
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.records.rsvp import GOING, INTERESTED, NOT_GOING, record_key_for, write_rsvp
from openmeet.network.repositories.agents import agent_for
from openmeet.network.repositories.clients import NetworkClients
from openmeet.network.repositories.read import prove_record

# The choices on the page, and the tokens that are written.
CHOICES = {"going": GOING, "interested": INTERESTED, "notgoing": NOT_GOING}


async def subject_at(db: Database, network: NetworkClients, typed: str, public_url: str) -> AtUri:
    """Find the event record for the text that a person typed: its AT URI (with a DID or a handle), or the URL of its
    page on this site.

    Raises InvalidInput if the text does not refer to an event, or if the event's RSVPs are not public.
    """
    async with db.reader() as reader:
        uri = await _by_page(reader, typed.strip(), public_url)
    if uri is None:
        uri = await _by_uri(network, typed.strip())
    await _check_is_for_everybody(db, uri)
    return uri


async def create(db: Database, network: NetworkClients, identity: Identity, subject: AtUri, choice: str) -> AtUri:
    """Write a first RSVP to an event. Raises InvalidInput if there already is one with a different status, and
    Unavailable if there may be one in a large repository that was not read completely yet.

    Submitting the same form twice writes only one record.
    """
    agent = await agent_for(db, network, identity)
    token = _token(choice)
    existing = await _find_uri(db, agent, identity, subject)
    if existing is not None:
        return await _existing_if_same(agent, existing, token)
    uri = AtUri(identity.did, RSVP, RecordKey(record_key_for(subject)))
    record = write_rsvp(
        token,
        subject_uri=str(subject),
        subject_cid=await _cid_of(db, network, subject),
        created_at=network.clock.now(),
        previous=None,
    )
    try:
        await put_record(agent, uri, checked(RSVP, record, "event"), replaced_cid=None)
    except Conflict:
        return await _existing_if_same(agent, uri, token)
    return uri


async def read_own(db: Database, network: NetworkClients, identity: Identity, rkey: str) -> tuple[str, str]:
    """Read an RSVP record at the PDS: (the event's URI, one of ``CHOICES`` or an unknown token). Raises NotFound."""
    current = await get_record(await agent_for(db, network, identity), own_uri(identity, RSVP, rkey))
    if current is None:
        raise NotFound(OwnRecordReason.NO_SUCH_RECORD)
    return _subject_and_status(current.record)


async def edit(db: Database, network: NetworkClients, identity: Identity, rkey: str, choice: str) -> None:
    """Change an RSVP at the PDS; fields of other apps stay.

    Raises Conflict if it has changed in the meantime, InvalidInput if RSVPs are not public (any longer).
    """
    agent = await agent_for(db, network, identity)
    uri, token = own_uri(identity, RSVP, rkey), _token(choice)
    current = await get_record(agent, uri)
    if current is None:
        raise NotFound(OwnRecordReason.NO_SUCH_RECORD)
    subject = await _by_uri(network, _subject_and_status(current.record)[0])
    await _check_is_for_everybody(db, subject)
    record = write_rsvp(
        token,
        subject_uri=str(subject),
        subject_cid=await _cid_of(db, network, subject),
        created_at=network.clock.now(),
        previous=current.record,
    )
    if record != current.record:
        await put_record(agent, uri, checked(RSVP, record, "event"), replaced_cid=current.cid)


async def delete(db: Database, network: NetworkClients, identity: Identity, rkey: str) -> None:
    """Delete an RSVP from the repository."""
    await delete_record(await agent_for(db, network, identity), own_uri(identity, RSVP, rkey), known_cid=None)


async def _by_page(reader: Reader, url: str, public_url: str) -> AtUri | None:
    """Return the record of the event with this page; None if it is not one of our pages. Raises InvalidInput."""
    try:
        parts, own = urlsplit(url), urlsplit(public_url)
    except ValueError:
        return None
    words = parts.path.rstrip("/").split("/")
    is_ours = (parts.scheme, parts.netloc.lower()) == (own.scheme, own.netloc.lower())
    if not is_ours or len(words) != 3 or words[1] != "events":
        return None
    event = await by_slug(reader, EventSlug(unquote(words[2])))
    if event is None or event.is_gone or event.record_uri is None or not are_rsvps_publishable(event):
        raise InvalidInput("event", OwnRecordReason.NO_EVENT_RECORD)
    return parse_at_uri(event.record_uri)


async def _by_uri(network: NetworkClients, text: str) -> AtUri:
    try:
        uri = normal_uri(parse_at_uri(text))
        if uri.collection != EVENT or uri.rkey is None:
            raise InvalidInput("event", OwnRecordReason.NOT_AN_EVENT_ADDRESS)
        if not uri.authority.startswith("did:"):
            uri = AtUri(await network.handles.resolve(parse_handle(uri.authority)), uri.collection, uri.rkey)
    except Malformed:
        raise InvalidInput("event", OwnRecordReason.EVENT_ADDRESS_NEEDED) from None
    return uri


async def _check_is_for_everybody(db: Database, subject: AtUri) -> None:
    async with db.reader() as reader:
        event = await by_record_uri(reader, str(subject))
    if event is not None and not are_rsvps_publishable(event):
        raise InvalidInput("event", OwnRecordReason.ANSWERS_NOT_PUBLIC)


async def _cid_of(db: Database, network: NetworkClients, subject: AtUri) -> str:
    """Return the CID of the event's record: from our verified index, otherwise verified with its author's PDS. Raises
    InvalidInput.
    """
    async with db.reader() as reader:
        seen_record = await seen.find(reader, str(subject))
    if seen_record is not None and seen_record.cid is not None and seen_record.is_verified:
        return seen_record.cid
    try:
        proof = await prove_record(network, parse_did(subject.authority), str(subject.collection), str(subject.rkey))
    except NotFound:
        proof = None
    if proof is None or proof.cid is None:
        raise InvalidInput("event", OwnRecordReason.NO_SUCH_EVENT)
    return str(proof.cid)


async def _find_uri(db: Database, agent: XrpcClient, identity: Identity, subject: AtUri) -> AtUri | None:
    """Find the RSVP to this event, under any key. Raises Unavailable if the repository is large and was not read
    completely yet.
    """
    try:
        async for one in list_rsvps(agent, identity.did):
            if one.subject == subject:
                return one.uri
    except Unavailable:
        async with db.reader() as reader:
            if not await knows_all_rsvps(reader, identity):
                raise
            known = await seen_rsvps.effective_rsvp(
                reader, subject_uri=str(subject), dids=[identity.did], collections=[RSVP]
            )
        return None if known is None else parse_at_uri(known.record.uri)
    return None


async def _existing_if_same(agent: XrpcClient, uri: AtUri, token: str) -> AtUri:
    """Return the existing RSVP if it already has this status, because the form was submitted twice. Raises
    InvalidInput.
    """
    current = await get_record(agent, uri)
    if current is not None and current.record.get("status") == token:
        return uri
    raise InvalidInput("event", OwnRecordReason.ANSWERED_ALREADY)


def _subject_and_status(record: dict[str, Value]) -> tuple[str, str]:
    subject, status = record.get("subject"), record.get("status")
    uri = subject.get("uri") if isinstance(subject, dict) else None
    return uri if isinstance(uri, str) else "", status.rpartition("#")[2] if isinstance(status, str) else ""


def _token(choice: str) -> str:
    if choice not in CHOICES:
        raise InvalidInput("answer", OwnRecordReason.CHOOSE_AN_ANSWER)
    return CHOICES[choice]
