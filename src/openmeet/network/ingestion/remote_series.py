"""Events that claim to be dates of a series in the same repository. The newest are assigned at once, the others in
batches by a job.

A series may arrive after its dates, and a date may lose its event. Only the records say which events claim a date, and
an author can have more of them than one transaction can read.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from at_protocol.data import cbor
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.did import Did, parse_did
from groundwork.database.transaction import Database, Reader, Transaction
from groundwork.outbox import jobs
from groundwork.outbox.delivery import JobHandler
from openmeet.domain.events import event_records
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import Event, EventId, NetworkEvent
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.series import date_queries, queries, remote_records
from openmeet.domain.series.dates import original_text
from openmeet.domain.series.model import Series, SeriesId
from openmeet.domain.series.remote_records import normal_name
from openmeet.feature_flags.flags import Flag, Switches
from openmeet.network.ingestion.parsed_messages import ParsedMessage
from openmeet.network.records.collections import EVENT, SERIES_COLLECTIONS
from openmeet.network.records.series import ParsedSeries, ParsedSeriesLink, read_link, read_native
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import RecordVersion

# Records per transaction; each one is decoded.
BATCH: Final = 500

_NEWEST: Final = """
    select uri, rkey, body from records where did = :did and collection = :collection and state = 'mapped'
     order by rkey desc limit :limit
"""

_AFTER: Final = """
    select uri, rkey, body from records where did = :did and collection = :collection and state = 'mapped'
        and rkey > :after
     order by rkey limit :limit
"""

Claim = tuple[str, str]


async def newest_claims(tx: Transaction, did: Did, series_uris: Collection[str]) -> dict[str, list[Claim]]:
    """Return (URI, name of the date) of the events that claim a date of these series, newest first, by series.

    The repository's records are read once for all of these series. Older records, if any, are left to a job.
    """
    rows = await tx.fetch(_NEWEST, did=did, collection=EVENT, limit=BATCH)
    if len(rows) == BATCH:
        await jobs.enqueue_again(tx, JobKind.CLAIMED_DATES, series_uris)
    claims_by_series: dict[str, list[Claim]] = {uri: [] for uri in series_uris}
    for row in rows:
        link = _link_in(bytes(row["body"]))
        if link is not None and link.uri in claims_by_series:
            claims_by_series[link.uri].append((row["uri"], link.recurrence_id))
    return claims_by_series


def claimed_dates_handler(db: Database) -> JobHandler:
    """Return the handler of ``JobKind.CLAIMED_DATES``. The subject is the record of a series. Each batch is a separate
    transaction.
    """

    async def handle(job: jobs.Job) -> None:
        after: str | None = ""
        while after is not None:
            async with db.transaction() as tx:
                after = await _place_batch(tx, job.subject, after)

    return handle


async def _place_batch(tx: Transaction, series_uri: str, after: str) -> str | None:
    """Assign the events of one batch to the dates they claim, if those are free. Returns the record after which the
    next batch begins, or None.
    """
    placed_series = await queries.by_record_uri(tx, series_uri)
    series = None if placed_series is None else await queries.lock(tx, placed_series.id)
    if series is None or not series.is_read_only or series.deleted_at is not None:
        return None
    claims, following = await _next_batch(tx, series_uri, after)
    for event_uri, name in claims:
        event = await event_records.by_record_uri(tx, event_uri)
        if event is not None:
            await remote_records.attach_date(tx, series, event.id, name)
    return following


async def _next_batch(reader: Reader, series_uri: str, after: str) -> tuple[list[Claim], str | None]:
    author = parse_at_uri(series_uri).authority
    rows = await reader.fetch(_AFTER, did=author, collection=EVENT, after=after, limit=BATCH)
    links = [(row["uri"], _link_in(bytes(row["body"]))) for row in rows]
    claims = [(uri, link.recurrence_id) for uri, link in links if link is not None and link.uri == series_uri]
    return claims, rows[-1]["rkey"] if len(rows) == BATCH else None


def _link_in(body: bytes) -> ParsedSeriesLink | None:
    record = cbor.decode(body)
    return read_link(dict(record)) if isinstance(record, dict) else None


# Names of the dates that lost their events in a batch, by the URI of the series' record.
Freed = dict[str, set[str]]


async def apply_record(
    tx: Transaction, *, did: Did, uri: str, parsed_series: ParsedSeries, changed_series: set[str]
) -> None:
    """Apply a series record of somebody else. The series is shown here, and their events that refer to it are its
    dates.

    ``changed_series``: collects such records of a batch. Dates are assigned at the end of the batch
    (``fill_freed_dates``), so that the events of an author with a hundred series are read only once.
    """
    owner_id, _ = await identity_actions.author_for_did(tx, did)
    if await remote_records.apply_from_network(
        tx, uri=uri, owner_id=owner_id, content=parsed_series.content, timing=parsed_series.timing
    ):
        changed_series.add(uri)


def series_named_by(parsed_messages: Iterable[ParsedMessage]) -> set[str]:
    """Return the series records that these events refer to. The two may arrive in either order."""
    links = (read_link(one.record) for one in parsed_messages if one.event is not None)
    return {link.uri for link in links if link is not None and _is_series(link.uri)}


def changes_recurrence(record: Mapping[str, object], event: Event, switches: Switches) -> bool:
    """Whether an event's record starts or stops being recurring, in a form that is currently read."""
    link = read_link(record)
    may_name = (link is not None and bool(link.uri)) or event.position_in_series is not None
    return (may_name and Flag.SERIES_LEXICON in switches) or Flag.NATIVE_RECURRENCE in switches


async def place(
    tx: Transaction,
    version: RecordVersion,
    network_event: NetworkEvent,
    event_id: EventId,
    switches: Switches,
    freed: Freed,
) -> None:
    """Make an event the date that it claims in its author's series, no matter which arrives first. An event with a rule
    starts a series.

    Its previous date is added to ``freed``. An app that publishes a rule with the next date moves the rule from record
    to record, so the first date's record no longer has one.
    """
    record = _record(version.body)
    link = read_link(record)
    names_own = link is not None and link.uri.startswith(f"at://{version.did}/") and Flag.SERIES_LEXICON in switches
    by_rule = Flag.NATIVE_RECURRENCE in switches
    if by_rule and not names_own and "rrule" in record:
        await _start_series_by_rule(tx, version, record, network_event, event_id)
    elif by_rule:
        await remote_records.apply_deletion(tx, version.uri)
    if Flag.SERIES_LEXICON in switches:
        await _assign_to_named_series(tx, event_id, link if names_own else None, freed)


async def _assign_to_named_series(
    tx: Transaction, event_id: EventId, link: ParsedSeriesLink | None, freed: Freed
) -> None:
    """Make the event a date of the series that it refers to now, and remove it from its previous series."""
    event = await event_queries.by_id(tx, event_id)
    if event is None:
        return
    before = await _series_of_date(tx, event)
    if before is not None and event.position_in_series is not None:
        name = event.position_in_series.original_date
        if link is not None and (link.uri, normal_name(link.recurrence_id)) == (before.record_uri, name):
            return
        await date_queries.detach(tx, [event.id])
        freed.setdefault(before.record_uri or "", set()).add(name)
    series = None if link is None else await queries.by_record_uri(tx, link.uri)
    locked = None if series is None else await queries.lock(tx, series.id)
    if link is not None and locked is not None and locked.is_read_only and locked.deleted_at is None:
        await remote_records.attach_date(tx, locked, event_id, link.recurrence_id)


async def free_date(tx: Transaction, event: Event, freed: Freed) -> None:
    """Add the date of an event whose record was deleted to ``freed``, and remove a series that the event's rule
    started.
    """
    if event.position_in_series is not None and event.record_uri is not None:
        await remote_records.apply_deletion(tx, event.record_uri)
    series = await _series_of_date(tx, event)
    if series is not None and event.position_in_series is not None:
        freed.setdefault(series.record_uri or "", set()).add(event.position_in_series.original_date)


async def fill_freed_dates(tx: Transaction, freed: Freed, changed_series: Collection[str] = frozenset()) -> None:
    """Assign dates that lost their events to the author's other events that claim them; for ``changed_series`` series,
    assign all dates.

    Called once at the end of a batch, so that the records of an author who deletes a hundred dates are read only once.
    """
    of_author: dict[Did, list[str]] = {}
    for uri in sorted({*freed, *changed_series}):
        of_author.setdefault(parse_did(parse_at_uri(uri).authority), []).append(uri)
    for did, uris in of_author.items():
        claims = await newest_claims(tx, did, uris)
        names_by_series = {uri: _named(claims[uri], freed[uri]) for uri in uris if uri not in changed_series}
        claimants = {claimant for names in names_by_series.values() for claimant in names}
        claimants |= {claimant for uri in uris if uri in changed_series for claimant, _ in claims[uri]}
        events_by_uri = await event_records.events_with(tx, claimants)
        for uri in uris:
            if uri in names_by_series:
                await _assign_freed(tx, uri, names_by_series[uri], events_by_uri)
            else:
                await _assign_all(tx, uri, claims[uri], events_by_uri)


async def _assign_all(tx: Transaction, uri: str, claims: Iterable[Claim], events_by_uri: Mapping[str, Event]) -> None:
    series = await _locked(tx, uri)
    if series is None:
        return
    for event_uri, name in claims:
        if event_uri in events_by_uri:
            await remote_records.attach_date(tx, series, events_by_uri[event_uri].id, name)


async def _locked(tx: Transaction, uri: str) -> Series | None:
    """Lock and return the series of this record; None if it was removed in the meantime."""
    unlocked = await queries.by_record_uri(tx, uri)
    series = None if unlocked is None else await queries.lock(tx, unlocked.id)
    return series if series is not None and series.is_read_only and series.deleted_at is None else None


def _named(claims: Iterable[Claim], names: Collection[str]) -> dict[str, str]:
    """Return the claimed date names, by the URIs of the events that claim them."""
    name_by_event = {event_uri: normal_name(claimed) for event_uri, claimed in claims}
    return {event_uri: name for event_uri, name in name_by_event.items() if name in names}


async def _assign_freed(
    tx: Transaction, uri: str, names_by_event: Mapping[str, str], events_by_uri: Mapping[str, Event]
) -> None:
    series = await _locked(tx, uri) if names_by_event else None
    if series is None:
        return
    filled: set[str] = set()
    # If several events exist, the one with the smallest URI gets the date.
    for event_uri in sorted(
        names_by_event.keys() & events_by_uri.keys(), key=lambda one: (events_by_uri[one].is_gone, one)
    ):
        name, event = names_by_event[event_uri], events_by_uri[event_uri]
        if name not in filled and await remote_records.attach_date(tx, series, event.id, name):
            filled.add(name)


async def _series_of_date(tx: Transaction, event: Event) -> Series | None:
    """Lock and return the foreign series that this event is a date of, if the series has a record of its own."""
    if event.position_in_series is None:
        return None
    series = await queries.lock(tx, SeriesId(event.position_in_series.series_id))
    is_read = series is not None and series.is_read_only and _is_series(series.record_uri or "")
    return series if is_read else None


def _is_series(uri: str) -> bool:
    return any(f"/{collection}/" in uri for collection in SERIES_COLLECTIONS)


async def _start_series_by_rule(
    tx: Transaction, version: RecordVersion, record: dict[str, object], network_event: NetworkEvent, event_id: EventId
) -> None:
    native_rule = read_native(
        record, network_event.name, network_event.description, network_event.time_zone, network_event.starts_at
    )
    event = await event_queries.by_id(tx, event_id)
    if native_rule is None or event is None:
        return
    await remote_records.continue_by_rule(
        tx, uri=version.uri, owner_id=event.author_id, title=native_rule.content.title, at=native_rule.timing
    )
    series: Series | None = await remote_records.apply_from_network(
        tx, uri=version.uri, owner_id=event.author_id, content=native_rule.content, timing=native_rule.timing
    )
    if series is not None:
        await remote_records.attach_date(tx, series, event_id, original_text(native_rule.timing.pattern.start))


def _record(body: bytes) -> dict[str, object]:
    value = cbor.decode(body)
    return dict(value) if isinstance(value, dict) else {}
