"""Series that others publish: as records of their own, or as a rule in an event's record; and the events that are their dates."""

from collections.abc import Mapping

from at_protocol.data import cbor
from at_protocol.syntax.did import Did
from groundwork.database.transaction import Transaction
from openmeet.events import queries as event_queries
from openmeet.events.model import EventId, NetworkEvent
from openmeet.flags.model import Flag, Switches
from openmeet.identities import actions as identities
from openmeet.ingestion.events import Version
from openmeet.records.collections import EVENT
from openmeet.records.series import SeriesRead, read_native
from openmeet.records.series_part import read_link
from openmeet.series import queries
from openmeet.series import records as series_records
from openmeet.series.dates import original_text
from openmeet.series.model import Series

# Records of one author that are looked through for dates of a series that came after them.
MOST_EVENTS = 500

EVENTS_OF = """
    select uri, body from records where did = :did and collection = :collection and standing = 'mapped'
     order by uri desc limit :limit
"""


async def take_over(tx: Transaction, *, did: Did, uri: str, read: SeriesRead) -> None:
    """A series' own record, of somebody else: it is shown here, and their events that name it are its dates."""
    owner_id, _ = await identities.who_wrote(tx, did)
    series = await series_records.take_over(tx, uri=uri, owner_id=owner_id, template=read.template, timing=read.timing)
    if series is None:
        return
    for row in await tx.fetch(EVENTS_OF, did=did, collection=EVENT, limit=MOST_EVENTS):
        link = read_link(_record(bytes(row["body"])))
        event = await event_queries.by_record_uri(tx, row["uri"]) if link is not None and link.uri == uri else None
        if link is not None and event is not None:
            await series_records.place(tx, series, event.id, link.recurrence_id)


def says_more(record: Mapping[str, object], switches: Switches) -> bool:
    """Whether an event's record says that it comes again, or no longer says so, in a way that is read at present."""
    link = read_link(record)
    names_series = link is not None and bool(link.uri) and Flag.SERIES_LEXICON in switches
    return names_series or Flag.NATIVE_RECURRENCE in switches


async def place(tx: Transaction, version: Version, read: NetworkEvent, event_id: EventId, switches: Switches) -> None:
    """An event that names its author's series is a date of that, whichever comes first; one that carries a rule begins one.

    Whoever publishes a rule with the next date hands it from record to record: what began one has none any more.
    """
    record = _record(version.body)
    link = read_link(record)
    names_own = link is not None and link.uri.startswith(f"at://{version.did}/") and Flag.SERIES_LEXICON in switches
    by_rule = Flag.NATIVE_RECURRENCE in switches
    if by_rule and not names_own and "rrule" in record:
        await _by_rule(tx, version, record, read, event_id)
    elif by_rule:
        await series_records.remove_from_network(tx, version.uri)
    if link is not None and names_own:
        series = await queries.by_record_uri(tx, link.uri)
        if series is not None and series.is_read_only:
            await series_records.place(tx, series, event_id, link.recurrence_id)


async def _by_rule(
    tx: Transaction, version: Version, record: dict[str, object], read: NetworkEvent, event_id: EventId
) -> None:
    found = read_native(record, read.name, read.description, read.time_zone, read.starts_at)
    event = await event_queries.by_id(tx, event_id)
    if found is None or event is None:
        return
    await series_records.go_on(
        tx, uri=version.uri, owner_id=event.author_id, title=found.template.title, at=found.timing
    )
    series: Series | None = await series_records.take_over(
        tx, uri=version.uri, owner_id=event.author_id, template=found.template, timing=found.timing
    )
    if series is not None:
        await series_records.place(tx, series, event_id, original_text(found.timing.pattern.start))


def _record(body: bytes) -> dict[str, object]:
    value = cbor.decode(body)
    return dict(value) if isinstance(value, dict) else {}
