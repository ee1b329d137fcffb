"""A group and a series of Ana's that this site has published, and updates of their records."""

from datetime import timedelta
from typing import Any

from at_protocol.data import cbor
from at_protocol.data.cid import Cid
from groundwork.database.transaction import Database, Transaction
from openmeet.domain.events.content import Content
from openmeet.domain.groups import queries
from openmeet.domain.groups.model import Group
from openmeet.domain.groups.publication import GroupPublishLevel
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import actions, remote_records
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.users.model import Caller
from openmeet.network.records import links
from openmeet.network.records.collections import GROUP, SERIES
from openmeet.network.records.group import GroupToWrite, write_group
from openmeet.network.records.message import RecordMessage
from openmeet.network.records.series import write_series
from openmeet.outbox import ingested_changes, publications
from openmeet.outbox.publications import PublicationKind, RecordVersion
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.network import HERE, did, message, rev
from tests.simulation.oracle import Change

OWN_GROUP_URI = f"at://{did(1)}/{GROUP}/chess"
OWN_SERIES_URI = f"at://{did(1)}/{SERIES}/tea"


def update_message(uri: str, at: int, value: dict[str, Any]) -> RecordMessage:
    _, _, author, collection, rkey = uri.split("/")
    return message(Change(author, collection, rkey, rev(at), value))


async def connect_ana(tx: Transaction) -> Caller:
    user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
    return Caller(user_id, "Ana")


async def set_published_and_location(
    tx: Transaction, kind: PublicationKind, subject: str, by: Caller, record: dict[str, Any], uri: str
) -> None:
    """Mark the subject as published with this record, which both sides know."""
    body = cbor.encode(record)
    version = RecordVersion(uri, rev(0), str(Cid.for_cbor(body)), body)
    await publications.enqueue(tx, kind=kind, subject_id=subject, user_id=by.user_id, revision=1)
    await ingested_changes.attach_foreign_record(tx, version, kind=kind, subject_id=subject)
    await ingested_changes.accept_foreign_version(tx, version)
    await tx.execute("update publications set state = 'published', was_merged = 0 where uri = :uri", uri=uri)


async def create_published_group(db: Database, **typed: str) -> tuple[Caller, Group, dict[str, Any]]:
    """Ana, her group, and the record that this site has published."""
    async with db.transaction() as tx:
        ana = await connect_ana(tx)
        group = await group_by(tx, ana, sync_enabled="on", description="We meet.", **typed)
        record = write_group(GroupToWrite(group, GroupPublishLevel.FULL, f"{HERE.instance}/groups/{group.slug}"), None)
        await set_published_and_location(tx, PublicationKind.GROUP, group.id, ana, record, OWN_GROUP_URI)
        await links.store_group_location(tx, group.id, OWN_GROUP_URI, "bafy")
    return ana, group, record


async def create_published_series(db: Database) -> tuple[Caller, Series, dict[str, Any]]:
    """Ana, her series, and the record that this site has published."""
    starts = parse_date("2027-03-06T18:00", "Europe/Vienna")
    timing = Timing(pattern(starts, "Europe/Vienna", parse_rule("FREQ=WEEKLY;COUNT=10")), timedelta(hours=2))
    async with db.transaction() as tx:
        ana = await connect_ana(tx)
        series = await actions.create(tx, ana, Content("Tea", "Bring a cup."), timing)
        record = write_series(series, f"{HERE.instance}/series/{series.slug}", None)
        await set_published_and_location(tx, PublicationKind.SERIES, series.id, ana, record, OWN_SERIES_URI)
        await remote_records.store_record_uri(tx, series.id, OWN_SERIES_URI)
    return ana, series, record


async def current_group(db: Database, group: Group) -> Group:
    async with db.reader() as reader:
        kept = await queries.by_id(reader, group.id)
    assert kept is not None
    return kept
