"""Writing one record: what the PDS holds is read, our fields are changed in it, key and CID are stored, it is sent.

What is found changed in the repository is handed to ingestion with its proof and merged there; after three such rounds,
or more than five writes in an hour that nobody asked for, a person must look.
"""

from dataclasses import dataclass, replace
from urllib.parse import quote

from at_network.pacing import pause_seconds
from at_network.xrpc_client import XrpcClient
from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.lexicon.validate import validate_record
from at_protocol.repo.proof import Proven
from at_protocol.sync import verify
from at_protocol.sync.verify import check_rev
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from at_protocol.syntax.tid import parse_tid
from groundwork.clock import Instant
from groundwork.errors import Conflict, Refused, RemoteFailed
from groundwork.telemetry.logs import log
from openmeet.debts import publication_leases as leases
from openmeet.debts.doubts import Sent
from openmeet.debts.publication_leases import Publication
from openmeet.debts.publications import Kind, State
from openmeet.events.model import Event
from openmeet.events.promotion import Reach, reach_of
from openmeet.identities.model import Identity
from openmeet.identities.reading import prove_record
from openmeet.publication import settling
from openmeet.publication.answering import is_listed
from openmeet.publication.blob_limits import learn_limit, limit_for
from openmeet.publication.blobs import NO_PICTURE, Blob, Outgoing, PictureTooLarge, blob_of, upload
from openmeet.publication.client import get_event, list_rsvps, store
from openmeet.publication.decision import (
    Publish,
    PublishEvent,
    PublishGroup,
    PublishPlain,
    PublishRsvp,
    PublishSeries,
)
from openmeet.publication.in_doubt import note_answered, until_answered
from openmeet.publication.publisher import (
    CHANGED_ELSEWHERE,
    INGESTED_AFTER,
    MAX_ROUNDS,
    MAX_WRITES_PER_HOUR,
    WRITE_COST,
    Publisher,
    page_of,
)
from openmeet.publication.sending import Current, Stored
from openmeet.records import seen
from openmeet.records.collections import EVENT, GROUP, RSVP, RSVPS, SERIES
from openmeet.records.event import MAX_RECORD_BYTES
from openmeet.records.event_writing import Publishable, owes_nothing, publishable, seal_in_cbor, write_event
from openmeet.records.group import GroupOut, write_group
from openmeet.records.group_part import group_part
from openmeet.records.lineage import lineage_of
from openmeet.records.media import known_picture
from openmeet.records.message import Operation, RecordMessage
from openmeet.records.own_entries import Earlier
from openmeet.records.rsvp import record_key_for, write_rsvp
from openmeet.records.series import write_series
from openmeet.records.series_part import series_page, series_part
from openmeet.records.succession import put_lineage


@dataclass(frozen=True, slots=True)
class Draft:
    """What is about to be written: where, in place of what, and the record.

    ``picture``: what is uploaded first, if anything is; or why the record has none.
    """

    uri: AtUri
    identity: Identity
    current: Current | None
    record: dict[str, Value]
    owes_nothing: bool
    picture: Outgoing = NO_PICTURE


async def settle_earlier_send(publisher: Publisher, held: Publication) -> bool:
    """Something may have been sent without an answer being noted: if it arrived, it is settled here."""
    if held.uri is None or held.chosen_cid is None or held.chosen_body is None or held.chosen_revision is None:
        return False
    if held.chosen_cid == held.base_cid:
        return False
    proven = await _prove(parse_at_uri(held.uri), publisher)
    if str(proven.cid) != held.chosen_cid:
        return False
    await settling.confirm(
        publisher,
        held,
        revision=held.chosen_revision,
        uri=held.uri,
        cid=held.chosen_cid,
        body=held.chosen_body,
        rev=_rev(proven),
    )
    return True


async def absence(publisher: Publisher, uri: AtUri, rev: str | None = None) -> RecordMessage | None:
    """That there is no record, as a message of the rev of the commit that deleted it; without one that can be believed it is proven.

    None where somebody has made another one since.
    """
    is_believed = rev is not None and _is_rev(rev, publisher.network.clock.now())
    if rev is not None and is_believed and uri.collection is not None and uri.rkey is not None:
        did = parse_did(uri.authority)
        return RecordMessage(
            did, uri.collection, uri.rkey, parse_tid(rev), Operation.DELETE, None, None, is_verified=True
        )
    message = await what_is_there(publisher, uri)
    return message if message.cid is None else None


async def what_is_there(publisher: Publisher, uri: AtUri) -> RecordMessage:
    """The record, or that there is none, proven and as a message of the rev of the repository's newest commit."""
    return _message_of(uri, await _prove(uri, publisher))


async def write(
    publisher: Publisher, client: XrpcClient, held: Publication, decision: Publish, picture_bytes: int | None = None
) -> None:
    """Make the repository agree with the present. Raises the failures of the calls; nothing is half done.

    ``picture_bytes``: a picture has at most so many, because the server has just refused a larger one.
    """
    draft = await _draft(publisher, client, held, decision, picture_bytes)
    if draft is None:
        return
    if draft.owes_nothing and draft.current is not None:
        await _agree(publisher, held, draft, draft.current)
        return
    try:
        await _send(publisher, client, held, draft)
    except PictureTooLarge as refused:
        # Half of it each time: after a few the record goes, with a small picture or with none.
        await learn_limit(publisher.network, client.service, refused.size // 2)
        await write(publisher, client, held, decision, refused.size // 2)


async def first_draft(publisher: Publisher, held: Publication, decision: Publish) -> Draft | None:
    """The record of something that was never sent, checked; None where one may be there already.

    Nobody is asked for it: a create fails where something is under its key. Raises what ``write`` raises.
    """
    if held.uri is not None:
        return None
    uri, is_new = await _uri_for(publisher, held, decision, decision.identity.did)
    if isinstance(decision, PublishPlain):
        if not is_new:
            return None
        record = decision.write(publisher.instance, publisher.network.clock.now(), None)
        draft = Draft(uri, decision.identity, None, record, owes_nothing=False)
    elif isinstance(decision, PublishEvent):
        if not is_new or decision.event.picture is not None:
            return None  # with a picture it goes alone: that is uploaded first
        ours, _ = await _publishable(publisher, decision.event, None)
        draft = Draft(uri, decision.identity, None, write_event(ours, None), owes_nothing=False)
    elif isinstance(decision, PublishGroup):
        if not is_new or decision.picture is not None:
            return None
        record = write_group(_group_out(publisher, decision, None), None)
        draft = Draft(uri, decision.identity, None, record, owes_nothing=False)
    elif isinstance(decision, PublishSeries):
        record = await _series_record(publisher, decision, None, None)
        draft = Draft(uri, decision.identity, None, record, owes_nothing=False)
    else:
        async with publisher.db.reader() as reader:
            known = await seen.find(reader, str(uri))
            is_known = await is_listed(reader, decision.identity)
        if not is_known or (known is not None and known.cid is not None):
            return None
        record = await _rsvp_record(publisher, decision, None)
        draft = Draft(uri, decision.identity, None, record, owes_nothing=False)
    _check(publisher, draft, seal_in_cbor(draft.record).body)
    return draft


async def _draft(
    publisher: Publisher, client: XrpcClient, held: Publication, decision: Publish, picture_bytes: int | None
) -> Draft | None:
    """The record to write; None when what is there must be ingested first."""
    uri, is_new = await _uri_for(publisher, held, decision, decision.identity.did)
    if isinstance(decision, PublishRsvp) and held.uri is None:
        uri = await _answer_before(publisher, client, decision, uri)
    current = None if is_new else await get_event(client, uri)
    if isinstance(decision, PublishRsvp) and held.uri is None and current is not None:
        # Whatever merging leaves, that record is the one to change from now on.
        async with publisher.db.transaction() as tx:
            await leases.attach_current(tx, held, did=decision.identity.did, uri=str(uri))
    async with publisher.db.reader() as reader:
        known = await seen.find(reader, str(uri))
    if (None if current is None else current.cid) != (None if known is None else known.cid):
        # Changed or deleted by somebody else, and the stream has not brought it: merge first, write afterwards.
        await _hand_to_ingestion(publisher, held, uri)
        return None
    previous = None if current is None else current.record
    if isinstance(decision, PublishEvent):
        limit = picture_bytes or await limit_for(publisher.network, client.service, decision.event.picture)
        ours, picture = await _publishable(publisher, decision.event, limit)
        earlier = Earlier(agreed=_decoded(held.base_body), written=_decoded(held.chosen_body))
        settled = previous is not None and owes_nothing(ours, previous, earlier)
        if picture.blob is not None and known_picture(previous) == str(picture.blob.media.cid):
            picture = NO_PICTURE  # it is there
        return Draft(uri, decision.identity, current, write_event(ours, previous, earlier), settled, picture)
    if isinstance(decision, PublishGroup):
        limit = picture_bytes or await limit_for(publisher.network, client.service, decision.picture)
        picture = await blob_of(publisher.pictures, decision.picture, limit)
        record = write_group(_group_out(publisher, decision, picture.blob), previous, _decoded(held.base_body))
        if previous is not None and record.get("avatar") == previous.get("avatar"):
            picture = replace(picture, blob=None)  # it is there
        return Draft(uri, decision.identity, current, record, record == previous, picture)
    if isinstance(decision, PublishSeries):
        agreed = _decoded(held.base_body)
        record = await _series_record(publisher, decision, previous, _decoded(held.chosen_body), agreed)
    elif isinstance(decision, PublishPlain):
        record = decision.write(publisher.instance, publisher.network.clock.now(), previous)
    else:
        record = await _rsvp_record(publisher, decision, previous)
    return Draft(uri, decision.identity, current, record, record == previous)


async def _publishable(publisher: Publisher, event: Event, limit: int | None) -> tuple[Publishable, Outgoing]:
    """What the record is to say, and the picture that it names."""
    async with publisher.db.reader() as reader:
        series = await series_part(reader, event, publisher.instance)
        group_uri = await group_part(reader, event)
        lineage = await lineage_of(reader, Kind.EVENT, event.id)
    picture = await blob_of(publisher.pictures, event.picture if reach_of(event) is Reach.FULL else None, limit)
    page = page_of(publisher.instance, event)
    ours = publishable(event, instance=publisher.instance, page_url=page, series=series, group_uri=group_uri)
    return replace(ours, media=None if picture.blob is None else picture.blob.media, lineage=lineage), picture


def _group_out(publisher: Publisher, decision: PublishGroup, blob: Blob | None) -> GroupOut:
    group, avatar = decision.group, None if blob is None else blob.media
    page = f"{publisher.instance}/groups/{quote(group.slug)}"
    return GroupOut(group, decision.share, page, decision.backup_admins, decision.predecessor, avatar)


async def _series_record(
    publisher: Publisher,
    decision: PublishSeries,
    previous: dict[str, Value] | None,
    written: dict[str, Value] | None,
    agreed: dict[str, Value] | None = None,
) -> dict[str, Value]:
    async with publisher.db.reader() as reader:
        lineage = await lineage_of(reader, Kind.SERIES, decision.series.id)
    record = write_series(decision.series, series_page(publisher.instance, decision.series), previous, agreed)
    put_lineage(record, lineage, written)
    return record


async def _rsvp_record(
    publisher: Publisher, decision: PublishRsvp, previous: dict[str, Value] | None
) -> dict[str, Value]:
    return write_rsvp(
        decision.token,
        subject_uri=decision.event.record_uri or "",
        subject_cid=await _subject_cid(publisher, decision.event),
        now=publisher.network.clock.now(),
        previous=previous,
    )


def _decoded(body: bytes | None) -> dict[str, Value] | None:
    value = None if body is None else cbor.decode(body)
    return value if isinstance(value, dict) else None


async def _uri_for(publisher: Publisher, held: Publication, decision: Publish, did: Did) -> tuple[AtUri, bool]:
    """Where the record is or will be, and whether nothing can be there yet."""
    if held.uri is not None:
        return parse_at_uri(held.uri), False
    if isinstance(decision, PublishEvent):
        if decision.event.record_uri is not None and decision.event.record_did == did:
            return parse_at_uri(decision.event.record_uri), False
        return _new_uri(publisher, did, EVENT), True
    if isinstance(decision, PublishSeries):
        return _new_uri(publisher, did, SERIES), True
    if isinstance(decision, PublishGroup):
        return _new_uri(publisher, did, GROUP), True
    if isinstance(decision, PublishPlain):
        if decision.key is None:
            return _new_uri(publisher, did, decision.collection), True
        return AtUri(did, decision.collection, decision.key), False
    subject = parse_at_uri(decision.event.record_uri or "")
    async with publisher.db.reader() as reader:
        # Whatever key an earlier answer stands under, it is the one to change: never a second one.
        known = await seen.answers_of(reader, subject_uri=str(subject), dids=[did], collections=sorted(RSVPS))
    mine = next((one for one in known if one.collection == RSVP), None)
    if mine is not None:
        return parse_at_uri(mine.uri), False
    return AtUri(did, RSVP, RecordKey(record_key_for(subject))), False


async def _answer_before(publisher: Publisher, client: XrpcClient, decision: PublishRsvp, uri: AtUri) -> AtUri:
    """Where an answer to this event stands already, under whatever key, in a repository that nobody has read whole yet."""
    async with publisher.db.reader() as reader:
        if await is_listed(reader, decision.identity):
            return uri
    async for one in list_rsvps(client, decision.identity.did):
        if str(one.subject) == decision.event.record_uri:
            return one.uri
    return uri


def _new_uri(publisher: Publisher, did: Did, collection: Nsid) -> AtUri:
    return AtUri(did, collection, RecordKey(publisher.tids.next(publisher.network.clock.now())))


async def _subject_cid(publisher: Publisher, event: Event) -> str:
    """The CID of the event's record: from our verified index, else proven by its author's PDS."""
    uri = event.record_uri or ""
    async with publisher.db.reader() as reader:
        known = await seen.find(reader, uri)
    if known is not None and known.cid is not None and known.is_verified:
        return known.cid
    proven = await _prove(parse_at_uri(uri), publisher)
    if proven.cid is None:
        raise RemoteFailed("The event's record cannot be found in its author's repository.")
    return str(proven.cid)


async def _send(publisher: Publisher, client: XrpcClient, held: Publication, draft: Draft) -> None:
    written = seal_in_cbor(draft.record)
    cid, uri = str(written.cid), str(draft.uri)
    _check(publisher, draft, written.body)
    wait = pause_seconds(client.pace, publisher.network.clock.now(), cost=WRITE_COST)
    if wait > 0:
        await settling.try_later(publisher, held, "The PDS asks for slower writes.", wait)
        return
    if draft.picture.blob is not None:
        await upload(client, draft.picture.blob)
    sent = Sent(uri, cid, None if draft.current is None else draft.current.cid)
    async with publisher.db.transaction() as tx:
        writes = await leases.fix(tx, held, sent, did=draft.identity.did, body=written.body)
    if writes is None:
        return  # the lease is another payer's by now
    if writes > MAX_WRITES_PER_HOUR:
        await note_answered(publisher, [sent])
        await written_too_often(publisher, held, uri, writes)
        return
    try:
        async with until_answered(publisher, [sent]):
            stored = await store(client, draft.uri, written.record, swap=sent.instead_of)
    except Conflict:
        await _after_conflict(publisher, held, draft.uri, cid, written.body)
        return
    await settle_stored(publisher, held, sent, written.body, stored, lacks=draft.picture.without)


async def written_too_often(publisher: Publisher, held: Publication, uri: str, writes: int) -> None:
    """Nothing more is sent of a row that was written so many times within an hour: its owner looks at it."""
    log.error("publication.written_too_often", uri=uri, writes=writes)
    reason = "Another program keeps changing this record back."
    await settling.give_back(publisher, held, State.CONFLICTED, reason=reason)


async def settle_stored(
    publisher: Publisher, held: Publication, sent: Sent, body: bytes, stored: Stored, lacks: str = ""
) -> None:
    """The PDS has answered a write of these bytes: its answer is noted, or what it really holds is read back."""
    if stored.cid == sent.cid and stored.rev is not None and _is_rev(stored.rev, publisher.network.clock.now()):
        await settling.confirm(
            publisher,
            held,
            revision=held.revision,
            uri=sent.uri,
            cid=sent.cid,
            body=body,
            rev=stored.rev,
            answered=sent,
            lacks=lacks,
        )
        return
    # No commit was made, since nothing changed, or the PDS stores something else than was sent: its bytes are the base,
    # or each comparison would fail. Or its rev is none: what is stored beside a record orders all that follows.
    proven = await _prove(parse_at_uri(sent.uri), publisher)
    if proven.cid is None or proven.record is None:
        raise RemoteFailed("What the PDS stored cannot be read back.")
    await settling.confirm(
        publisher,
        held,
        revision=held.revision,
        uri=sent.uri,
        cid=str(proven.cid),
        body=proven.record,
        rev=_rev(proven),
        answered=sent,
        lacks=lacks,
    )


def _is_rev(text: str, now: Instant) -> bool:
    try:
        check_rev(text, now)
    except verify.Refused:
        return False
    return True


def _check(publisher: Publisher, draft: Draft, body: bytes) -> None:
    if len(body) > MAX_RECORD_BYTES:
        raise Refused(f"The record would have more than {MAX_RECORD_BYTES} bytes.")
    if draft.current is not None:
        return  # what another app wrote need not be valid; we change our fields in it and leave judging to the PDS
    try:
        validate_record(publisher.catalog, str(draft.uri.collection), draft.record)
    except Malformed as wrong:
        raise Refused(f"The record would not be valid: {wrong.why}.") from wrong


async def _agree(publisher: Publisher, held: Publication, draft: Draft, current: Current) -> None:
    """The record says all of ours already: no write, and what is there is the base."""
    async with publisher.db.transaction() as tx:
        known = await seen.find(tx, str(draft.uri))
        if known is None:
            return  # cannot be: ``_draft`` found it; the lease ends and the row is looked at again
        await leases.attach_current(tx, held, did=draft.identity.did, uri=str(draft.uri))
        await settling.settle(
            tx,
            held,
            revision=held.revision,
            uri=str(draft.uri),
            cid=current.cid,
            body=current.body,
            rev=known.rev,
            lacks=draft.picture.without,
        )


async def _after_conflict(publisher: Publisher, held: Publication, uri: AtUri, cid: str, body: bytes) -> None:
    """Something else is there than we thought: perhaps our own bytes, from a send whose answer was lost."""
    proven = await _prove(uri, publisher)
    if str(proven.cid) == cid:
        await settling.confirm(
            publisher, held, revision=held.revision, uri=str(uri), cid=cid, body=body, rev=_rev(proven)
        )
    else:
        await _hand_to_ingestion(publisher, held, uri, proven)


async def _hand_to_ingestion(publisher: Publisher, held: Publication, uri: AtUri, proven: Proven | None = None) -> None:
    """Enqueue what the repository holds, with its proof, as a message of that rev; the debt is due after it."""
    # A round is one version merged. Coming back before ingestion has applied it is none: the row still says so.
    is_round = held.reason != CHANGED_ELSEWHERE
    if is_round and held.rounds + 1 > MAX_ROUNDS:
        reason = "The record changed again and again while we wrote."
        await settling.give_back(publisher, held, State.CONFLICTED, reason=reason)
        return
    await publisher.enqueue([_message_of(uri, proven or await _prove(uri, publisher))])
    due_at = Instant(publisher.network.clock.now() + INGESTED_AFTER)
    await settling.give_back(
        publisher, held, State.RETRYING, reason=CHANGED_ELSEWHERE, due_at=due_at, is_round=is_round
    )


def _message_of(uri: AtUri, proven: Proven) -> RecordMessage:
    if proven.commit.rev is None or uri.collection is None or uri.rkey is None:
        raise RemoteFailed("The repository is of an older version, without a rev.")
    is_gone = proven.cid is None or proven.record is None
    return RecordMessage(
        did=parse_did(uri.authority),
        collection=uri.collection,
        rkey=uri.rkey,
        rev=proven.commit.rev,
        operation=Operation.DELETE if is_gone else Operation.UPDATE,
        cid=None if is_gone else str(proven.cid),
        body=None if is_gone else proven.record,
        is_verified=True,
        is_read=True,
    )


async def _prove(uri: AtUri, publisher: Publisher) -> Proven:
    """What the repository holds. Raises also RemoteFailed where its rev is of a time to come: believed, it would overrule all until then."""
    proven = await prove_record(publisher.network, parse_did(uri.authority), str(uri.collection), str(uri.rkey))
    if proven.commit.rev is not None and not _is_rev(proven.commit.rev, publisher.network.clock.now()):
        raise RemoteFailed("The clock of the PDS is ahead of ours: its revs are of a time to come.")
    return proven


def _rev(proven: Proven) -> str:
    if proven.commit.rev is None:
        raise RemoteFailed("The repository is of an older version, without a rev.")
    return proven.commit.rev
