"""Queries about one repository find all of its decisions and rows and no others, with every collation."""

from dataclasses import replace

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import HandClock
from groundwork.database.bulk import for_one
from groundwork.database.transaction import Database
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.feature_flags.flags import MAX_AGE, Flag
from openmeet.network.flag_changes import switch
from openmeet.network.ingestion.local_rsvps import RSVP_FIELD
from openmeet.network.ingestion.reconcile import RECORDLESS
from openmeet.network.records import seen, seen_rsvps
from openmeet.network.records.collections import RSVPS
from openmeet.network.records.message import RecordMessage
from tests.openmeet.groups.people import group_by
from tests.openmeet.ingestion.group_and_series_messages import group_message, membership_message, series_message
from tests.openmeet.ingestion.network import event, message, rev, rsvp_value
from tests.openmeet.ingestion.query_plans import collate_by_language, query_plan
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import person
from tests.simulation.oracle import RSVP, Change

# A DID with a port begins with the DID without one. In most collations, strings other than those with a slash sort
# between "/" and "0".
SHORT, LONGER = parse_did("did:web:meet.example"), parse_did("did:web:meet.example%3A8080")
TEA = event(1, "tea", 1)
THEIRS = FieldDecision(RSVP_FIELD, "", "attending", "declined", MergeReason.LATEST_ANSWER, MergeSide.THEIRS)


@pytest.mark.usefixtures("new_connections")
async def test_decisions_about_records_of_one_repository(db: Database):
    answers = {one: message(Change(one, RSVP, "a", rev(2), rsvp_value(TEA.uri))) for one in (SHORT, LONGER)}
    await apply_messages(db, TEA, *answers.values())
    async with db.transaction() as tx:
        await collate_by_language(tx)
        for one in answers.values():
            await merge_decisions.store(tx, uri=one.uri, theirs_rev=rev(9), ours_revision=1, decisions=(THEIRS,))
        for did, answer in answers.items():
            found = await merge_decisions.with_unknown_time(tx, did, field=RSVP_FIELD, rev=rev(5))
            assert [one.uri for one in found] == [answer.uri]


async def test_queries_about_decisions_read_no_records(db: Database):
    """A hint about a person with ten thousand records reads only their decisions, which are few."""
    async with db.transaction() as tx:
        found = await query_plan(
            tx, merge_decisions.WITH_UNKNOWN_TIME[tx.engine], did=SHORT, field=RSVP_FIELD, rev=rev(5)
        )
    assert "merge_decisions_by_repository" in found
    assert "records" not in found


@pytest.mark.usefixtures("new_connections")
async def test_rows_without_a_record_in_one_repository(db: Database, clock: HandClock):
    """For each kind: event, RSVP, series, group, local membership, and membership statements."""
    for flag in (Flag.SERIES_LEXICON, Flag.GROUPS, Flag.MEMBERSHIPS):
        async with db.transaction() as tx:
            await switch(tx, flag, is_on=True, changed_by="a test")
    clock.turn(MAX_AGE)
    expected: dict[str, list[str]] = {}
    await apply_messages(db, TEA)
    for did in (SHORT, LONGER):
        theirs: list[RecordMessage] = [
            replace(one, did=did)
            for one in (event(1, "walk", 2), series_message(3), group_message(4), membership_message(5))
        ]
        theirs.append(message(Change(did, RSVP, "a", rev(6), rsvp_value(TEA.uri))))
        await apply_messages(db, *theirs)
        membership = f"at://{did}/community.lexicon.groups.membership/here"
        async with db.transaction() as tx:
            made = await group_by(tx, await person(tx, "Ana"), name=f"Readers of {did}")
            assert await tx.execute(
                "update group_members set external_id = :uri where group_id = :id", uri=membership, id=made.id
            )
        expected[did] = sorted([*(one.uri for one in theirs), membership])
    async with db.transaction() as tx:
        await collate_by_language(tx)
        await tx.execute("delete from records")
        found = {did: await tx.fetch(RECORDLESS[tx.engine], did=did) for did in expected}
    assert {did: sorted(row["uri"] for row in rows) for did, rows in found.items()} == expected


async def test_rows_without_a_record_are_found_without_a_table_scan(db: Database):
    async with db.transaction() as tx:
        found = await query_plan(tx, RECORDLESS[tx.engine], did=SHORT)
    assert [line for line in found.splitlines() if "Seq Scan" in line or line.startswith("SCAN")] == []
    for index in ("event_series_by_repository", "groups_by_repository", "group_members_by_repository"):
        assert index in found


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (seen_rsvps.WITH_RSVPS.replace("each(uri text)", "(select :uri as uri)"), {"uri": TEA.uri}),
        (seen_rsvps.AWAITED_AMONG, {"subject_uris": [TEA.uri]}),
        (seen_rsvps.AWAITING_SUBJECTS, {"subject_uris": [TEA.uri]}),
        (seen_rsvps.RSVPS_TO, {"subject_uri": TEA.uri}),
        (seen_rsvps.END_WAIT, {"uris": [TEA.uri]}),
        (seen_rsvps.COUNT_AWAITING, {"dids": [SHORT, LONGER]}),
    ],
    ids=["answered", "waited for", "pending", "counted", "count in", "of authors"],
)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_records_are_not_found_by_their_state(db: Database, sql: str, values: dict[str, object]):
    """Most records have the same state. SQLite has no statistics about the state, and would read nearly all records for
    each event.
    """
    async with db.transaction() as tx:
        found = await query_plan(tx, sql, **values)
    assert "SEARCH" in found
    assert not any(index in found for index in ("records_counted", "records_awaiting_event", "state=?")), found


async def test_a_persons_answers_to_an_event_are_found_by_both(db: Database):
    """Not by the person alone, who may have answered thousands of events, and not by the event alone."""
    of_person = {"subject_uri": TEA.uri, "dids": [SHORT], "collections": sorted(RSVPS)}
    of_pair = {"subject_uri": TEA.uri, "did": SHORT}
    async with db.transaction() as tx:
        plans = [
            await query_plan(tx, seen_rsvps.RSVPS_OF_PERSON, **of_person),
            await query_plan(tx, for_one(seen_rsvps.RSVPS_OF_PAIRS), **of_pair),
        ]
    for plan in plans:
        assert "records_by_subject" in plan
        assert not any(
            index in plan for index in ("records_by_repository", "records_counted", "records_awaiting_event")
        )


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_records_in_each_state_are_counted_from_an_index_alone(db: Database):
    async with db.transaction() as tx:
        found = await query_plan(tx, seen.COUNT_BY_STATE)
    assert "COVERING INDEX records_counted" in found
