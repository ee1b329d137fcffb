"""Erasing a repository does not affect repositories with a similar DID: ``_`` and ``%`` in a did:web are literal,
whatever the collation.
"""

from dataclasses import replace

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Engine, Reader
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.groups import record_queries
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion.account_deletion import erase_here
from openmeet.network.ingestion.local_rsvps import RSVP_FIELD
from openmeet.network.records import seen
from openmeet.network.records.message import RecordMessage
from openmeet.outbox import superseded_records
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.group_and_series_messages import group_message
from tests.openmeet.ingestion.network import event, message, rev, rsvp_value
from tests.openmeet.ingestion.query_plans import collate_by_language, query_plan
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import person
from tests.simulation.oracle import RSVP, Change

# The DIDs of each pair match each other with ``like`` or in a range by a language's collation.
PAIRS = [
    ("did:web:tea_time.example", "did:web:tea-time.example"),
    ("did:web:tea.example%3A80", "did:web:tea.example.more%3A80"),
    ("did:web:tea.example", "did:web:tea.example%3A8080"),
    ("did:web:tea.example%3A8080", "did:web:tea.example"),
]
TEA = event(1, "tea", 1)
THEIRS = FieldDecision(RSVP_FIELD, "", "attending", "declined", MergeReason.LATEST_ANSWER, MergeSide.THEIRS)

# Tables with data of a repository, and the column with its URI.
KEPT = {
    "records": "uri",
    "merge_decisions": "uri",
    "attendances": "record_uri",
    "events": "record_uri",
    "groups": "external_id",
    "superseded_records": "uri",
    "superseded_group_records": "uri",
}


async def kept(reader: Reader, did: Did) -> dict[str, int]:
    """The number of rows in each table that belong to this repository, compared in Python, where prefixes are exact."""
    found = {}
    for table, column in KEPT.items():
        # An empty row remains for a group that was known only from that repository.
        rest = "and deleted_at is null" if table == "groups" else ""
        rows = await reader.fetch(f"select {column} as uri from {table} where {column} is not null {rest}")
        found[table] = sum(str(row["uri"]).startswith(f"at://{did}/") for row in rows)
    return found


async def wrote(db: Database, did: Did) -> None:
    """Write everything that a repository can have: an event, an RSVP, a group, and replaced records, also of groups
    made on this site.
    """
    theirs: list[RecordMessage] = [replace(one, did=did) for one in (event(1, "walk", 2), group_message(4))]
    answer = message(Change(did, RSVP, "a", rev(6), rsvp_value(TEA.uri)))
    await apply_messages(db, *theirs, answer)
    async with db.transaction() as tx:
        await merge_decisions.store(tx, uri=answer.uri, theirs_rev=rev(9), ours_revision=1, decisions=(THEIRS,))
        await superseded_records.store(tx, PublicationKind.EVENT, "e", f"{theirs[0].uri}-before", is_foreign=True)
        made = await group_by(tx, await person(tx, "Ana"), name=f"Readers of {did}")
        await record_queries.set_record(tx, made.id, f"{theirs[1].uri}-made-here", "c")
        await record_queries.add_superseded(tx, made.id, f"{theirs[1].uri}-before", "c")


@pytest.mark.usefixtures("new_connections")
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
async def test_only_this_repository_is_erased(db: Database, clock: HandClock, pair: tuple[str, str]) -> None:
    gone, other = map(parse_did, pair)
    # This runs before any connection has a plan for these columns.
    async with db.transaction() as tx:
        await collate_by_language(tx)
    for flag in (Flag.GROUPS, Flag.MEMBERSHIPS):
        async with db.transaction() as tx:
            await switch(tx, flag, is_on=True, changed_by="a test")
    clock.turn(MAX_AGE)
    await apply_messages(db, TEA)
    for did in (gone, other):
        await wrote(db, did)
    async with db.transaction() as tx:
        before = await kept(tx, other)
        assert await kept(tx, gone) == before
        assert [table for table, number in before.items() if not number] == []
        await erase_here(tx, [b"k" * 32], gone)
        assert await kept(tx, other) == before
        assert [table for table, number in (await kept(tx, gone)).items() if number] == []


def _statements(engine: Engine) -> dict[str, tuple[str, str]]:
    """The queries that find a repository's rows for erasure, each with the index that it must use."""
    return {
        "decisions": (merge_decisions.ERASE[engine], "merge_decisions_by_repository"),
        "records": (seen.URIS_OF, "records_by_repository"),
        "answers": (attendance_queries.ERASABLE[engine], "attendances_by_repository"),
        "what changed hands": (superseded_records.ERASE[engine], "superseded_records_by_repository"),
        "groups": (record_queries.HELD_BY[engine], "groups_by_repository"),
        "groups made here": (record_queries.FORGET_RECORDS_OF[engine], "groups_by_repository"),
        "groups that went on": (record_queries.FORGET_SUPERSEDED_OF[engine], "superseded_group_records_by_repository"),
    }


@pytest.mark.parametrize("what", list(_statements("sqlite")))
async def test_its_rows_are_found_without_a_table_scan(db: Database, what: str) -> None:
    async with db.transaction() as tx:
        statement, index = _statements(tx.engine)[what]
        pages = {"after_event_id": "", "after_id": "", "limit": 100} if what == "answers" else {}
        found = await query_plan(tx, statement, did=PAIRS[0][0], **pages)
    # A scan of rows that are already selected is not a table scan.
    through = [line for line in found.splitlines() if "Seq Scan" in line or line.startswith("SCAN")]
    assert through == [], found
    assert index in found
