"""Ingestion applies each message once, in any order of arrival."""

import random
from dataclasses import replace

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.transaction import Database
from openmeet.i18n.reasons.messages import explain
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records import repository_state, seen, seen_rsvps
from openmeet.network.records.collections import DETAILS_KEY
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState
from tests.openmeet.ingestion.network import deletion_of, did, event, rev, rsvp
from tests.openmeet.ingestion.view import apply_messages, view_of
from tests.simulation.oracle import EVENT

TEA = f"at://{did(1)}/{EVENT}/tea"
WALK = f"at://{did(1)}/{EVENT}/walk"


async def test_an_event_and_its_rsvp_are_applied(db: Database):
    assert await apply_messages(db, event(1, "tea", 1), rsvp(2, "one", 2, TEA)) == [
        IngestResult.APPLIED,
        IngestResult.APPLIED,
    ]
    view = await view_of(db)
    assert view.events == {TEA: "Tea"}
    assert view.answers == {(did(2), TEA): "going"}


async def test_an_rsvp_before_its_event_counts_once(db: Database):
    """The RSVP waits for its event and the event is requested once. Both orders end in the same state."""
    assert await apply_messages(db, rsvp(2, "one", 2, TEA), rsvp(3, "one", 2, TEA)) == [
        IngestResult.AWAITS_EVENT,
        IngestResult.AWAITS_EVENT,
    ]
    async with db.reader() as reader:
        queued = await reader.fetch("select kind, subject from outbox_jobs where kind = 'fetch_subject'")
    assert [tuple(row) for row in queued] == [("fetch_subject", TEA)]
    await apply_messages(db, event(1, "tea", 1))
    assert (await view_of(db)).answers == {(did(2), TEA): "going", (did(3), TEA): "going"}


async def test_older_revs_change_nothing(db: Database):
    newest = event(1, "tea", 5, "Newest")
    await apply_messages(db, newest)
    assert await apply_messages(db, event(1, "tea", 4, "Older"), newest) == [IngestResult.KNOWN, IngestResult.KNOWN]
    assert (await view_of(db)).events == {TEA: "Newest"}


async def test_delete_before_create_wins_by_its_rev(db: Database):
    tea = event(1, "tea", 1)
    await apply_messages(db, deletion_of(tea, 2))
    assert await apply_messages(db, tea) == [IngestResult.KNOWN]
    assert (await view_of(db)).events == {}


async def test_a_deleted_record_can_be_created_again(db: Database):
    tea = event(1, "tea", 1)
    await apply_messages(db, tea, deletion_of(tea, 2), event(1, "tea", 3, "Again"))
    assert (await view_of(db)).events == {TEA: "Again"}


async def test_deleting_one_rsvp_leaves_the_others(db: Database):
    """Another RSVP of the same person and another person's RSVP with the same key stay (invariant 9)."""
    one = rsvp(2, "one", 3, TEA)
    await apply_messages(
        db, event(1, "tea", 1), event(1, "walk", 2), one, rsvp(2, "two", 4, WALK), rsvp(3, "one", 5, TEA)
    )
    await apply_messages(db, deletion_of(one, 6))
    assert (await view_of(db)).answers == {(did(2), WALK): "going", (did(3), TEA): "going"}


async def test_deleting_the_effective_answer_uncovers_the_next(db: Database):
    older = rsvp(2, "aa", 2, TEA, "interested", createdAt="2026-02-01T00:00:00Z")
    newer = rsvp(2, "bb", 3, TEA, "notgoing", createdAt="2026-02-02T00:00:00Z")
    await apply_messages(db, event(1, "tea", 1), newer, older)
    assert (await view_of(db)).answers == {(did(2), TEA): "notgoing"}
    await apply_messages(db, deletion_of(newer, 9))
    assert (await view_of(db)).answers == {(did(2), TEA): "interested"}


async def test_an_rsvp_can_move_to_another_event(db: Database):
    await apply_messages(db, event(1, "tea", 1), event(1, "walk", 2), rsvp(2, "one", 3, TEA))
    await apply_messages(db, rsvp(2, "one", 4, WALK))
    assert (await view_of(db)).answers == {(did(2), WALK): "going"}


async def test_an_unmappable_record_is_kept_with_its_reason(db: Database):
    odd = event(1, "tea", 1, startsAt="1800-01-01T00:00:00Z")
    assert await apply_messages(db, odd) == [IngestResult.RAW]
    async with db.reader() as reader:
        kept = await seen.unmapped(reader)
    assert [(record.uri, record.state, record.body) for record in kept] == [(TEA, RecordState.RAW, odd.body)]
    assert "1900" in explain(kept[0].reason)


async def test_rev_from_the_future_is_refused(db: Database):
    assert await apply_messages(db, event(1, "tea", 5000)) == [IngestResult.FROM_THE_FUTURE]
    assert (await view_of(db)).events == {}


async def test_same_key_and_same_bytes_under_two_authors_are_two_events(db: Database):
    await apply_messages(db, event(1, "tea", 1), event(2, "tea", 1))
    assert len((await view_of(db)).events) == 2


async def test_an_unverified_message_never_overrides_a_verified_one(db: Database):
    await apply_messages(db, event(1, "tea", 1, "Signed"))
    hearsay = event(1, "tea", 2, "Hearsay")
    doubtful = type(hearsay)(
        **{name: getattr(hearsay, name) for name in hearsay.__dataclass_fields__} | {"is_verified": False}
    )
    assert await apply_messages(db, doubtful) == [IngestResult.KNOWN]
    assert await apply_messages(db, hearsay) == [IngestResult.APPLIED]


async def test_messages_at_or_below_the_floor_are_ignored(db: Database):
    """After a complete read, late messages about records that it did not contain are ignored."""
    tea = event(1, "tea", 1)
    async with db.transaction() as tx:
        await repository_state.raise_floor(tx, did(1), rev(5))
    assert await apply_messages(db, tea) == [IngestResult.KNOWN]
    assert await apply_messages(db, event(1, "tea", 6)) == [IngestResult.APPLIED]


async def test_new_epoch_orders_before_revs(db: Database):
    """When an operator starts a new epoch, a re-created repository counts as newer although its revs are lower."""
    await apply_messages(db, event(1, "tea", 50, "Old life"))
    async with db.transaction() as tx:
        await repository_state.start_epoch(tx, did(1))
    await apply_messages(db, event(1, "tea", 2, "New life"))
    assert (await view_of(db)).events == {TEA: "New life"}


async def test_answers_awaiting_their_event_are_capped_and_expire(db: Database, clock: HandClock, monkeypatch):
    monkeypatch.setattr(seen_rsvps, "MAX_AWAITING_PER_AUTHOR", 1)
    assert await apply_messages(db, rsvp(2, "one", 1, TEA), rsvp(2, "two", 2, WALK)) == [
        IngestResult.AWAITS_EVENT,
        IngestResult.RAW,
    ]
    clock.turn(31 * DAY)
    async with db.transaction() as tx:
        assert await seen_rsvps.expire_awaiting(tx) == 1


async def test_unsigned_answers_leave_room_for_signed_ones(db: Database, monkeypatch):
    """Anybody can send unsigned answers in somebody else's name. Signed ones still await their events."""
    monkeypatch.setattr(seen_rsvps, "MAX_AWAITING_PER_AUTHOR", 1)
    forged, true = replace(rsvp(2, "one", 1, TEA), is_verified=False), rsvp(2, "two", 2, WALK)
    assert await apply_messages(db, forged) == [IngestResult.AWAITS_EVENT]
    assert await apply_messages(db, true) == [IngestResult.AWAITS_EVENT]
    assert await apply_messages(db, rsvp(2, "three", 3, TEA)) == [IngestResult.RAW]


async def test_events_of_answers_beyond_the_limit_are_not_fetched(db: Database, monkeypatch):
    """Each fetch calls a server that the author of the answers chooses."""
    monkeypatch.setattr(seen_rsvps, "MAX_AWAITING_PER_AUTHOR", 1)
    results = await apply_messages(db, rsvp(2, "one", 1, TEA), rsvp(2, "two", 2, WALK))
    assert results == [IngestResult.AWAITS_EVENT, IngestResult.RAW]
    async with db.reader() as reader:
        rows = await reader.fetch("select subject from outbox_jobs where kind = 'fetch_subject'")
    assert [row["subject"] for row in rows] == [TEA]


@pytest.mark.parametrize("seed", range(3))
async def test_the_greatest_answers_of_a_person_to_an_event_are_kept(db: Database, monkeypatch, seed: int):
    """In any order, the same ones are kept, signed ones first. The others are set aside, with the reason."""
    monkeypatch.setattr(seen_rsvps, "MAX_RSVPS_TO_EVENT", 3)
    signed = [
        rsvp(2, f"k{n}", n + 2, TEA, "going" if n == 4 else "notgoing", createdAt=f"2026-01-0{n + 1}T00:00:00Z")
        for n in range(5)
    ]
    forged = [
        replace(rsvp(2, f"z{n}", n + 10, TEA, "interested", createdAt="2026-02-01T00:00:00Z"), is_verified=False)
        for n in range(5)
    ]
    messages = signed + forged
    random.Random(seed).shuffle(messages)
    await apply_messages(db, event(1, "tea", 1))
    for start in range(0, len(messages), 3):
        await apply_messages(db, *messages[start : start + 3])
    assert (await view_of(db)).answers == {(did(2), TEA): "going"}
    async with db.reader() as reader:
        found = await seen.find_many(reader, [one.uri for one in messages])
    counted = {one.rkey for one in found.values() if one.state is RecordState.MAPPED}
    assert counted == {"k2", "k3", "k4"}
    assert all(
        one.reason == RecordReason.TOO_MANY_RSVPS(event=TEA) for one in found.values() if one.rkey not in counted
    )


async def test_an_rsvp_with_an_overlong_uri_is_kept_with_its_reason(db: Database):
    """The at-uri syntax allows 8 kB, but a PostgreSQL index entry can have at most 2.7 kB."""
    host = "".join(f"{number:03d}" for number in range(1000))
    odd = rsvp(2, "one", 1, f"at://did:web:{host[:1900]}.example/{EVENT}/tea")
    assert await apply_messages(db, odd) == [IngestResult.RAW]
    async with db.reader() as reader:
        kept = await seen.find(reader, odd.uri)
    assert kept is not None
    assert (kept.state, kept.body) == (RecordState.RAW, odd.body)
    assert kept.reason == RecordReason.SUBJECT_TOO_LONG(most=1024)


async def test_an_rsvp_with_the_longest_possible_uri_is_applied(db: Database):
    host = ".".join("".join(f"{number:02d}" for number in range(30)) for _ in range(4))
    about = f"at://did:web:{host}/{EVENT}/{'k' * 512}"
    assert await apply_messages(db, rsvp(2, "one", 1, about)) == [IngestResult.AWAITS_EVENT]


async def test_remote_all_day_events_stay_all_day_until_moved(db: Database):
    """The row follows each version of the record."""
    days = {"startsAt": "2026-07-03T22:00:00Z", "endsAt": "2026-07-05T22:00:00Z", "timezone": "Europe/Berlin"}
    whole = {**days, DETAILS_KEY: {"isAllDay": True}}

    async def is_whole() -> bool:
        async with db.reader() as reader:
            row = await reader.fetch_one("select is_all_day from events where record_uri = :uri", uri=TEA)
            assert row is not None
            return bool(row["is_all_day"])

    await apply_messages(db, event(1, "tea", 1, **whole))
    assert await is_whole()
    await apply_messages(db, event(1, "tea", 2, "Tea, twice", **whole))
    assert await is_whole()
    await apply_messages(db, event(1, "tea", 3, **{**whole, "startsAt": "2026-07-04T10:00:00Z"}))
    assert not await is_whole()
    await apply_messages(db, event(1, "tea", 4, **days))
    assert not await is_whole()
