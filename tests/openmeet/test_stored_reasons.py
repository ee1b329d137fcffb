"""No row contains an English sentence about a failure. It contains a code and parameters, which pages explain in any
language.
"""

import re

import msgspec
from aiohttp import web

from at_network.circuits import Circuits
from groundwork.database.transaction import Database
from groundwork.errors import RemoteSlow, decode_explanation
from openmeet.i18n.catalogue import Plural
from openmeet.i18n.reasons.messages import MESSAGES, explain
from openmeet.network.ingestion import quarantine
from openmeet.network.ingestion.quarantine import FailedStep, RecordFailure
from openmeet.network.records.collections import CONCERNING
from openmeet.network.repositories import circuits
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, deployment
from tests.openmeet.ingestion.network import did, event, rev
from tests.openmeet.ingestion.view import apply_messages

__all__ = ["deployment"]

# Columns with a reason as ``encode_explanation`` stores it.
PACKED = {
    ("backfills", "reason"),
    ("chat_rooms", "matrix_error"),
    ("circuit_breakers", "reason"),
    ("publications", "reason"),
    ("quarantined_records", "reason"),
    ("records", "reason"),
    ("subscribed_calendars", "problem"),
    ("webhook_deliveries", "why"),
    ("webhooks", "off_why"),
}
# Columns with text that people typed, or with a code that a constraint limits. The state of a labeler and the type of an
# error are for operators.
OTHERS = {
    ("event_series", "status_reason"),
    ("failed_items", "reason"),
    ("events", "status_reason"),
    ("feature_flag_changes", "why"),
    ("labelers", "reason"),
    ("moderation_log", "reason"),
    ("moderation_states", "reason"),
    ("reports", "reason"),
    ("chat_acts", "reason"),
    ("chat_reports", "reason"),
    ("chat_sanctions", "reason"),
    ("matrix_guests", "reason"),
    ("subscribed_calendars", "reason"),
}
_ABOUT_FAILURE = re.compile(r"(^|_)(reason|why|problem|error|failure)$")
# Messages without parameters that are too long to be typed by chance.
SENTENCES = {one for one in MESSAGES.values() if not isinstance(one, Plural) and "%(" not in one and one.count(" ") > 3}


async def tables_of(db: Database) -> dict[str, list[str]]:
    """The columns of every table of a SQLite database."""
    async with db.reader() as reader:
        names = [row["name"] for row in await reader.fetch("select name from sqlite_master where type = 'table'")]
        return {name: [row["name"] for row in await reader.fetch(f"pragma table_info({name})")] for name in names}


async def sentences_in(db: Database) -> list[str]:
    """Stored reasons with an unknown code, and stored texts that contain a sentence of the catalogue."""
    found = []
    async with db.reader() as reader:
        for table, column in sorted(PACKED):
            for row in await reader.fetch(f"select {column} as said from {table} where {column} <> ''"):
                try:
                    explained = explain(decode_explanation(row["said"]))
                except (msgspec.DecodeError, KeyError, TypeError):
                    explained = ""
                if not explained:
                    found.append(f"{table}.{column}: {row['said']}")
        for table in await tables_of(db):
            if table in {"search_index", "search_chat_index"}:
                continue
            for row in await reader.fetch(f"select * from {table}"):
                texts = [value for value in dict(row).values() if isinstance(value, str)]
                found += [f"{table}: {text}" for text in texts if any(one in text for one in SENTENCES)]
    return found


async def test_every_column_about_failures_is_listed(deployment: Deployment) -> None:
    """A new column contains encoded reasons, or is listed in this file with its content."""
    tables = await tables_of(deployment.db)
    there = {(table, name) for table, names in tables.items() for name in names if _ABOUT_FAILURE.search(name)}
    assert there == PACKED | OTHERS


async def test_failures_are_stored_as_codes(deployment: Deployment) -> None:
    """The test stores withheld, refused, raw and quarantined records, and the failures of a server."""
    await deployment.event(await deployment.person("Ben", agrees=False))
    refused = await deployment.event(await deployment.person())
    deployment.proxy.twists = lambda request, _: (
        web.json_response({"error": "InvalidRequest", "message": "No tea here."}, status=400)
        if request.path.endswith(("applyWrites", "putRecord"))
        else None
    )
    await deployment.deliver_jobs()
    await deployment.deliver_publications()
    publication = await deployment.status_of(PublicationKind.EVENT, refused.id)
    assert publication.state is PublicationState.REFUSED
    assert "No tea here." in explain(publication.reason)
    await apply_messages(deployment.db, event(1, "tea", 1, startsAt="1800-01-01T00:00:00Z"))
    failing = Circuits(deployment.clock)
    for _ in range(10):
        failing.note("https://pds.away.example", RemoteSlow("pds.away.example did not answer in time."))
    await circuits.store_changes(deployment.db, failing)
    async with deployment.db.transaction() as tx:
        failed = [RecordFailure(event(1, "walk", 1).uri, rev(1), ValueError("no such day"))]
        await quarantine.store_result(tx, did(1), FailedStep.APPLY, CONCERNING, failed)
    assert await sentences_in(deployment.db) == []
    async with deployment.db.reader() as reader:
        for table in ("circuit_breakers", "publications", "quarantined_records", "records"):
            (row,) = await reader.fetch(f"select count(*) as n from {table} where reason <> ''")
            assert row["n"], f"no row was stored in {table}, so nothing was checked"


async def test_a_stored_sentence_is_found(deployment: Deployment) -> None:
    await deployment.event(await deployment.person(agrees=False))
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await tx.execute("update publications set reason = :said", said="You haven’t agreed to sync.")
    assert await sentences_in(deployment.db) == [
        "publications.reason: You haven’t agreed to sync.",
        "publications: You haven’t agreed to sync.",
    ]
