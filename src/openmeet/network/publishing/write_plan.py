"""Plan of a write: the target and the record. Nothing is stored. In a record that the PDS already has, only our own fields
are changed.
"""

from dataclasses import dataclass, replace

from at_network.xrpc_client import XrpcClient
from at_protocol.data import cbor
from at_protocol.data.model import Value
from at_protocol.failures import Malformed
from at_protocol.lexicon.validate import validate_record
from at_protocol.syntax.at_uri import AtUri, parse_at_uri
from at_protocol.syntax.datetime import format_datetime, parse_datetime
from at_protocol.syntax.did import Did
from at_protocol.syntax.nsid import Nsid
from at_protocol.syntax.record_key import RecordKey
from groundwork.database.transaction import Reader
from groundwork.errors import Refused
from groundwork.telemetry.logs import log
from openmeet.domain.events import event_records
from openmeet.domain.events.model import Event
from openmeet.domain.events.publication import PublishLevel, reach_of
from openmeet.domain.groups import record_queries
from openmeet.domain.identities.model import Identity
from openmeet.domain.media.pictures import Picture
from openmeet.domain.page_paths import group_path
from openmeet.domain.series import queries as series_queries
from openmeet.network.publishing import rsvp_plan
from openmeet.network.publishing.blobs import (
    NO_PICTURE,
    Blob,
    PictureToPublish,
    max_picture_bytes_of,
    picture_to_publish,
)
from openmeet.network.publishing.decision import (
    Publish,
    PublishByWriter,
    PublishEvent,
    PublishGroup,
    PublishRsvp,
    PublishSeries,
)
from openmeet.network.publishing.dependencies import PublishingDependencies
from openmeet.network.publishing.repository_calls import CurrentRecord, get_record
from openmeet.network.records import seen
from openmeet.network.records.collections import EVENT, GROUP, SERIES
from openmeet.network.records.event_reader import MAX_RECORD_BYTES, read_origin
from openmeet.network.records.event_writer import Publishable, encode_record, is_up_to_date, publishable, write_event
from openmeet.network.records.first_keys import first_key
from openmeet.network.records.group import GroupToWrite, StrongRef, group_part, is_group_of, write_group
from openmeet.network.records.links import predecessors_of
from openmeet.network.records.own_entries import NO_EARLIER_VERSIONS, EarlierVersions
from openmeet.network.records.places import known_picture
from openmeet.network.records.reading_notes import Notes
from openmeet.network.records.series import is_series_of, series_page, series_part, write_series
from openmeet.network.records.succession import put_predecessors
from openmeet.outbox import in_flight, superseded_records
from openmeet.outbox.publication_queries import Publication
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import PublicationReason

_MILLISECOND = 1_000


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """The write to make: the URI, the version that it replaces, and the record.

    ``is_up_to_date``: the PDS already has all our fields, so nothing is sent. ``picture``: the picture to upload first,
    if any, or why the record has no picture.
    """

    uri: AtUri
    decision: Publish
    current: CurrentRecord | None
    record: dict[str, Value]
    is_up_to_date: bool
    picture: PictureToPublish = NO_PICTURE

    @property
    def identity(self) -> Identity:
        return self.decision.identity


@dataclass(frozen=True, slots=True)
class ChangedElsewhere:
    """Somebody else changed or deleted the record, and that has not been ingested yet: merge first, then write."""

    uri: AtUri


@dataclass(frozen=True, slots=True)
class KeyOccupied:
    """The record of an event, series or group was retracted, and another record now has its key.

    ``is_ours``: that record is an abandoned create of ours that arrived late and is being deleted (``in_flight``).
    """

    uri: AtUri
    is_ours: bool


@dataclass(frozen=True, slots=True)
class WriteTarget:
    """Where a record is written, and what is there now.

    ``was_unattached``: it is an RSVP record that was not attached to the publication before. It is the record to
    update, even if it has to be merged first.
    """

    uri: AtUri
    current: CurrentRecord | None
    was_unattached: bool = False

    @property
    def previous(self) -> dict[str, Value] | None:
        return None if self.current is None else self.current.record


async def plan_first_write(
    dependencies: PublishingDependencies, publication: Publication, decision: Publish
) -> PlannedWrite | None:
    """Plan the write of a record that was never sent, and check the record. None if it may already exist, or has a
    picture to upload first.

    Sends no request to find that out, because a create fails if its key is taken. Raises Refused, as ``check_record``
    does, and the errors of the calls.
    """
    if publication.uri is not None:
        return None
    uri, is_new = await _uri_for(dependencies, publication, decision, decision.identity.did)
    if isinstance(decision, PublishRsvp):
        is_new = await rsvp_plan.has_no_record(dependencies, decision, uri)
    if not is_new or _picture_of(decision) is not None:
        return None
    record = await _first_record(dependencies, publication, decision, uri)
    planned = PlannedWrite(uri, decision, None, record, is_up_to_date=False)
    check_record(dependencies, planned, encode_record(planned.record).body)
    return planned


async def _first_record(
    dependencies: PublishingDependencies, publication: Publication, decision: Publish, uri: AtUri
) -> dict[str, Value]:
    match decision:
        case PublishByWriter():
            return decision.write(dependencies.instance, dependencies.network.clock.now(), None)
        case PublishEvent():
            ours, _ = await _event_content(dependencies, decision.event, uri, None)
            return write_event(ours, None)
        case PublishGroup():
            content = await _group_content(dependencies, decision, uri, None)
            return _make_unique(publication, write_group(content, None))
        case PublishSeries():
            return await _series_record(dependencies, publication, decision, uri, None, NO_EARLIER_VERSIONS)
        case PublishRsvp():
            return await rsvp_plan.rsvp_record(dependencies, publication, decision, None)


def _picture_of(decision: Publish) -> Picture | None:
    match decision:
        case PublishEvent():
            return decision.event.content.picture
        case PublishGroup():
            return decision.picture
        case _:
            return None


async def read_target(
    dependencies: PublishingDependencies, client: XrpcClient, publication: Publication, decision: Publish
) -> WriteTarget:
    """Read the record that is to be written, if it exists. Raises the errors of the calls."""
    uri, is_new = await _uri_for(dependencies, publication, decision, decision.identity.did)
    if not isinstance(decision, PublishRsvp) or publication.uri is not None:
        return WriteTarget(uri, None if is_new else await get_record(client, uri))
    uri = await rsvp_plan.find_uri(dependencies, client, decision) or uri
    current = await get_record(client, uri)
    return WriteTarget(uri, current, was_unattached=current is not None)


async def plan_write(
    dependencies: PublishingDependencies,
    client: XrpcClient,
    publication: Publication,
    decision: Publish,
    target: WriteTarget,
    max_picture_bytes: int | None,
) -> PlannedWrite | ChangedElsewhere | KeyOccupied:
    """Plan the write to this target. Returns ChangedElsewhere if something must be ingested first, KeyOccupied if the key
    is taken.

    ``max_picture_bytes``: None for the limit of the PDS. Raises the errors of the calls.
    """
    obstacle = await _obstacle_to(dependencies, publication, decision, target)
    if obstacle is not None:
        return obstacle
    if isinstance(decision, PublishEvent):
        max_bytes = max_picture_bytes or await max_picture_bytes_of(
            dependencies.network, client.service, decision.event.content.picture
        )
        return await _plan_event(dependencies, publication, decision, target, max_bytes)
    if isinstance(decision, PublishGroup):
        max_bytes = max_picture_bytes or await max_picture_bytes_of(
            dependencies.network, client.service, decision.picture
        )
        return await _plan_group(dependencies, publication, decision, target, max_bytes)
    if isinstance(decision, PublishSeries):
        record = await _series_record(
            dependencies, publication, decision, target.uri, target.previous, _earlier_versions(publication)
        )
    elif isinstance(decision, PublishByWriter):
        record = decision.write(dependencies.instance, dependencies.network.clock.now(), target.previous)
    else:
        record = await rsvp_plan.rsvp_record(dependencies, publication, decision, target.previous)
    return PlannedWrite(target.uri, decision, target.current, record, record == target.previous)


async def _obstacle_to(
    dependencies: PublishingDependencies, publication: Publication, decision: Publish, target: WriteTarget
) -> ChangedElsewhere | KeyOccupied | None:
    """Compare the record with what we know of it. Return why it must not be written now; None if it may be written."""
    uri, current = target.uri, target.current
    async with dependencies.db.reader() as reader:
        seen_record = await seen.find(reader, str(uri))
    if (None if current is None else current.cid) != (None if seen_record is None else seen_record.cid):
        return ChangedElsewhere(uri)
    if current is not None and publication.uri is None and _is_without_record_uri(decision):
        async with dependencies.db.reader() as reader:
            is_late = (str(uri), current.cid) in await in_flight.among(reader, [str(uri)])
            is_unclaimed = await _is_unclaimed(reader, decision, str(uri))
            superseded = await superseded_records.find(reader, str(uri))
        # A record that the author wrote in another app never had a mark of ours.
        is_foreign = superseded is not None and superseded.is_foreign
        is_of_subject = is_foreign or _is_of_subject(dependencies, decision, current.record)
        if is_late or not is_unclaimed or not is_of_subject:
            return KeyOccupied(uri, is_ours=is_late)
    return None


async def _plan_event(
    dependencies: PublishingDependencies,
    publication: Publication,
    decision: PublishEvent,
    target: WriteTarget,
    max_picture_bytes: int | None,
) -> PlannedWrite:
    previous = target.previous
    ours, picture = await _event_content(dependencies, decision.event, target.uri, max_picture_bytes)
    earlier = _earlier_versions(publication)
    is_unchanged = previous is not None and is_up_to_date(ours, previous, earlier)
    if picture.blob is not None and known_picture(previous) == str(picture.blob.media.cid):
        picture = NO_PICTURE  # already uploaded
    record = write_event(ours, previous, earlier)
    return PlannedWrite(target.uri, decision, target.current, record, is_unchanged, picture)


async def _plan_group(
    dependencies: PublishingDependencies,
    publication: Publication,
    decision: PublishGroup,
    target: WriteTarget,
    max_picture_bytes: int | None,
) -> PlannedWrite:
    previous = target.previous
    picture = await picture_to_publish(dependencies.pictures, decision.picture, max_picture_bytes)
    content = await _group_content(dependencies, decision, target.uri, picture.blob)
    record = write_group(content, previous, _decoded(publication.base_body))
    record = _make_unique(publication, record) if previous is None else record
    if previous is not None and record.get("avatar") == previous.get("avatar"):
        picture = replace(picture, blob=None)  # already uploaded
    return PlannedWrite(target.uri, decision, target.current, record, record == previous, picture)


def check_record(dependencies: PublishingDependencies, planned: PlannedWrite, body: bytes) -> None:
    """Raise Refused for a record that no server should accept."""
    if len(body) > MAX_RECORD_BYTES:
        raise Refused(PublicationReason.RECORD_TOO_LARGE, most=MAX_RECORD_BYTES)
    if planned.current is not None:
        # a record of another app does not have to be valid; we change our fields in it, and the PDS validates it
        return
    try:
        validate_record(dependencies.catalog, str(planned.uri.collection), planned.record)
    except Malformed as wrong:
        log.warning("record.invalid", uri=str(planned.uri), error=str(wrong.why))
        raise Refused(PublicationReason.RECORD_INVALID, lexicon=str(planned.uri.collection)) from wrong


async def _event_content(
    dependencies: PublishingDependencies, event: Event, uri: AtUri, max_picture_bytes: int | None
) -> tuple[Publishable, PictureToPublish]:
    """Return the content of the record, and the picture that it refers to."""
    async with dependencies.db.reader() as reader:
        series = await series_part(reader, event, dependencies.instance)
        group_uri = await group_part(reader, event)
        predecessors = await predecessors_of(reader, PublicationKind.EVENT, event.id, str(uri))
    picture = await picture_to_publish(
        dependencies.pictures,
        event.content.picture if reach_of(event) is PublishLevel.FULL else None,
        max_picture_bytes,
    )
    ours = publishable(event, instance=dependencies.instance, series=series, group_uri=group_uri)
    return replace(ours, media=None if picture.blob is None else picture.blob.media, predecessors=predecessors), picture


async def _group_content(
    dependencies: PublishingDependencies, decision: PublishGroup, uri: AtUri, blob: Blob | None
) -> GroupToWrite:
    group, avatar = decision.group, None if blob is None else blob.media
    page = f"{dependencies.instance}{group_path(group.slug)}"
    async with dependencies.db.reader() as reader:
        superseded = await record_queries.newest_superseded(reader, group.id, other_than=str(uri))
    predecessor = None if superseded is None else StrongRef(superseded.uri, superseded.cid)
    return GroupToWrite(group, decision.publish_level, page, decision.backup_admins, predecessor, avatar)


async def _series_record(
    dependencies: PublishingDependencies,
    publication: Publication,
    decision: PublishSeries,
    uri: AtUri,
    previous: dict[str, Value] | None,
    earlier: EarlierVersions,
) -> dict[str, Value]:
    """The record of the series. ``previous``: the record at the PDS."""
    async with dependencies.db.reader() as reader:
        predecessors = await predecessors_of(reader, PublicationKind.SERIES, decision.series.id, str(uri))
    record = write_series(
        decision.series, series_page(dependencies.instance, decision.series), previous, earlier.agreed
    )
    record = _make_unique(publication, record) if previous is None else record
    put_predecessors(record, predecessors, earlier.written)
    return record


def _make_unique(publication: Publication, record: dict[str, Value]) -> dict[str, Value]:
    """Make the bytes of a new record differ from earlier ones under its key, so that no late delete removes it.

    See docs/decisions/0090. The lease number is added to ``createdAt`` as milliseconds.
    """
    created = record.get("createdAt")
    if not isinstance(created, str):
        return record
    return {**record, "createdAt": format_datetime(parse_datetime(created) + publication.lease * _MILLISECOND)}


def _is_without_record_uri(decision: Publish) -> bool:
    """Whether this is an event, series or group whose row does not have the URI of a record."""
    match decision:
        case PublishEvent(event):
            return event.record_uri is None
        case PublishSeries(series):
            return series.record_uri is None
        case PublishGroup(group):
            return group.network.record_uri is None
        case _:
            return False


async def _is_unclaimed(reader: Reader, decision: Publish, uri: str) -> bool:
    """Whether no event, series or group has this record, such as one that was derived from it."""
    match decision:
        case PublishEvent():
            return await event_records.by_record_uri(reader, uri) is None
        case PublishSeries():
            return await series_queries.by_record_uri(reader, uri) is None
        case PublishGroup():
            return await record_queries.by_record(reader, uri) is None
        case _:
            return True


def _is_of_subject(dependencies: PublishingDependencies, decision: Publish, record: dict[str, Value]) -> bool:
    """Whether we wrote the record for this event, series or group, as its mark or its link to this site shows. Another
    app has restored it, perhaps while somebody else was the owner, and it belongs to the same subject again.
    """
    match decision:
        case PublishEvent(event):
            origin = read_origin(record, Notes())
            return origin is not None and (origin.instance, origin.event_id) == (dependencies.instance, event.id)
        case PublishSeries():
            return is_series_of(dependencies.instance, record)
        case PublishGroup():
            return is_group_of(dependencies.instance, record)
        case _:
            return False


def _earlier_versions(publication: Publication) -> EarlierVersions:
    return EarlierVersions(agreed=_decoded(publication.base_body), written=_decoded(publication.chosen_body))


def _decoded(body: bytes | None) -> dict[str, Value] | None:
    value = None if body is None else cbor.decode(body)
    return value if isinstance(value, dict) else None


async def _uri_for(
    dependencies: PublishingDependencies, publication: Publication, decision: Publish, did: Did
) -> tuple[AtUri, bool]:
    """Return the URI that the record has or will have, and whether it is certain that nothing exists there yet."""
    if publication.uri is not None:
        return parse_at_uri(publication.uri), False
    if isinstance(decision, PublishRsvp):
        return await rsvp_plan.known_or_new_uri(dependencies, decision, did), False
    if isinstance(decision, PublishByWriter):
        if decision.key is None:
            return _new_uri(dependencies, did, decision.collection), True
        return AtUri(did, decision.collection, decision.key), False
    async with dependencies.db.reader() as reader:
        collection, last = await _last_uri(reader, decision, did)
    if last is not None:
        return parse_at_uri(last), False
    first = AtUri(did, collection, first_key(_subject_id(decision)))
    async with dependencies.db.reader() as reader:
        return first, await seen.find(reader, str(first)) is None


def _subject_id(decision: PublishEvent | PublishSeries | PublishGroup) -> str:
    match decision:
        case PublishEvent(event):
            return event.id
        case PublishSeries(series):
            return series.id
        case PublishGroup(group):
            return group.id


async def _last_uri(
    reader: Reader, decision: PublishEvent | PublishSeries | PublishGroup, did: Did
) -> tuple[Nsid, str | None]:
    """Return the collection, and the URI that the record has or last had in this repository."""
    match decision:
        case PublishEvent(event):
            if event.record_uri is not None and event.record_did == did:
                return EVENT, event.record_uri
            return EVENT, await superseded_records.last_in_repository(reader, PublicationKind.EVENT, event.id, did)
        case PublishSeries(series):
            return SERIES, await superseded_records.last_in_repository(reader, PublicationKind.SERIES, series.id, did)
        case PublishGroup(group):
            return GROUP, await record_queries.last_in_repository(reader, group.id, did)


def _new_uri(dependencies: PublishingDependencies, did: Did, collection: Nsid) -> AtUri:
    return AtUri(did, collection, RecordKey(dependencies.tids.next(dependencies.network.clock.now())))
