"""Answers by people known only by DID, changed and withdrawn in batches of any size, give the same rows as when applied
one by one.
"""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from groundwork.clock import HOUR, HandClock, Instant
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Unavailable
from groundwork.sealing import Sealer
from openmeet.domain.attendance import host_decisions, registration, rsvp_records_in_bulk
from openmeet.domain.attendance.calendar_entries import DECLINED_MAIL
from openmeet.domain.attendance.model import RecordedRsvp, RsvpKey
from openmeet.domain.attendance.registration import ForeignRsvpPolicy, RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events import record_changes
from openmeet.domain.events.model import EventId
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.moderation import blocks
from openmeet.domain.moderation.model import ModeratedKind, Subject
from openmeet.domain.users.model import Caller
from openmeet.domain.webhooks import actions as webhooks
from openmeet.domain.webhooks.model import WebhookEvent
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.ingestion.network import deletion_of, did, event, rev, rsvp
from tests.openmeet.ingestion.seats import seats_are_consistent
from tests.openmeet.ingestion.view import apply_messages, compared_state, did_of_stranger
from tests.openmeet.site_under_test import details, person
from tests.simulation.oracle import EVENT

HOST = 9
# Events of a local host that strangers answer: without limits, with limits per way to attend, with approval, with
# strangers counted separately, and with an invitation.
JOININGS = {
    "open": RegistrationSettings(),
    "hybrid": RegistrationSettings(),
    "asking": RegistrationSettings(needs_approval=True),
    "apart": RegistrationSettings(foreign_answers=ForeignRsvpPolicy.UNCONFIRMED),
    "private": RegistrationSettings(),
}
THEIRS = [f"at://{did(HOST)}/{EVENT}/{name}" for name in JOININGS]
OF_A_STRANGER = event(8, "walk", 1)
STRANGERS = 10
BEGINNING = Instant(1_772_366_400_000_000)
AT_ONE_TIME = 50
REJECTED, APPROVED, BLOCKED, MUTED = 2, 3, 4, 5

ANSWERS = """
    select e.record_uri, i.did, a.status, a.waitlist_number, a.source, a.revision, a.record_uri as answer_uri,
        a.answered_at,
           a.party, a.mode, a.offered_until, a.pending_for, a.approved_at, a.is_private, a.calendar_entry
      from attendances a join events e on e.id = a.event_id join identities i on i.user_id = a.user_id
"""
HISTORY = """
    select e.record_uri, i.did, h.before_status, h.after_status, h.through, h.party, h.mode, h.is_offered, h.actor_id
      from attendance_history h join attendances a on a.id = h.attendance_id
      join events e on e.id = a.event_id join identities i on i.user_id = a.user_id
     order by e.record_uri, i.did, h.id
"""
NEWS = """
    select i.did, h.did as told, n.kind, e.record_uri, n.is_shown,
           case when n.particulars like '%"answer":"attending"%' then 'attending'
                when n.particulars like '%"answer":"declined"%' then 'declined'
                when n.particulars like '%"answer":"interested"%' then 'interested'
                when n.particulars like '%"answer":"pending"%' then 'pending' else n.particulars end as said
      from notifications n join events e on e.id = n.subject_id join identities h on h.user_id = n.user_id
      left join identities i on n.particulars like '%' || i.user_id || '%' and i.did <> h.did
"""
# How many webhook deliveries there are for an answer.
OUTSIDE = """
    select e.record_uri, i.did, count(*) as n
      from webhook_deliveries d join attendances a on a.id = d.subject_id
      join events e on e.id = a.event_id join identities i on i.user_id = a.user_id group by e.record_uri, i.did
"""


async def begin(db: Database) -> None:
    """A host with published events and a webhook. Some strangers have answered before: the host approved one, removed
    one, blocked one and muted one.
    """
    async with db.transaction() as tx:
        host = await person(tx, "Hedi")
        await identity_queries.insert(
            tx, did(HOST), host.user_id, IdentityKind.CONNECTED, handle="", pds_url="", is_default=True
        )
        for uri, (name, registration_settings) in zip(THEIRS, JOININGS.items(), strict=True):
            made = await events.create(
                tx,
                host,
                details(
                    title=name,
                    visibility="private" if name == "private" else "public",
                    **({"mode": "hybrid", "online_url": "https://talk.example/room"} if name == "hybrid" else {}),
                ),
            )
            await record_changes.store_record_uri(tx, made.id, uri=uri, cid="c", did=did(HOST))
            await registration.put(tx, made.id, registration_settings)
        address = "https://hook.example/answers"
        sealer = Sealer([bytes(32)])
        await webhooks.register(tx, host, sealer, url=address, kinds={WebhookEvent.ANSWER}, group_id=None)
    await apply_messages(db, OF_A_STRANGER)
    first = [said(number, key_of(uri), number, uri, "going") for number in range(5) for uri in THEIRS]
    await apply_messages(db, *first, said(MUTED, "zz", 5, OF_A_STRANGER.uri, "going"))
    await _decide(db, host)


async def _decide(db: Database, host: Caller) -> None:
    async with db.transaction() as tx:
        rows = await tx.fetch("select record_uri, slug, id from events order by record_uri")
        asking = next(row for row in rows if row["record_uri"] == THEIRS[2])
        mine = {
            row["did"]: row["id"]
            for row in await tx.fetch(
                "select i.did, a.id from attendances a join identities i on i.user_id = a.user_id where a.event_id = :id",
                id=asking["id"],
            )
        }
        await host_decisions.reject(tx, host, asking["slug"], [mine[did_of_stranger(REJECTED)]])
        await host_decisions.approve(tx, host, asking["slug"], [mine[did_of_stranger(APPROVED)]])
        blocked = await identity_queries.find(tx, did_of_stranger(BLOCKED))
        assert blocked is not None
        await blocks.block(tx, host.user_id, blocked.user_id)
        muted = await identity_queries.find(tx, did_of_stranger(MUTED))
        assert muted is not None
        await blocks.mute(tx, host.user_id, Subject(ModeratedKind.PERSON, muted.user_id))


def said(number: int, rkey: str, at: int, about: str, word: str) -> RecordMessage:
    return replace(rsvp(8, rkey, at, about, word), did=did_of_stranger(number))


def key_of(about: str) -> str:
    """The key of a person's only record about this event."""
    return f"aa{about[-3:]}"


def history(chance: random.Random, length: int) -> list[RecordMessage]:
    """Answers given, changed, moved to another event under the same key, deleted and given again. Some arrive twice or
    too late.
    """
    found: list[RecordMessage] = []
    for number in range(100, 100 + length):
        who, about = chance.randrange(STRANGERS), chance.choice([*THEIRS, OF_A_STRANGER.uri])
        # Most people have one record per event. Some have another one that moves between events.
        rkey = "zz" if chance.random() < 0.2 else key_of(about)
        one = said(who, rkey, number, about, chance.choice(("going", "going", "interested", "notgoing", "dreaming")))
        found.append(deletion_of(one, number) if chance.random() < 0.3 else one)
        if chance.random() < 0.1:
            found.append(chance.choice(found))
        if chance.random() < 0.05:
            found.append(replace(one, rev=rev(number - 40)))
    return found


async def lines_of(db: Database) -> dict[str, list[tuple[object, ...]]]:
    async with db.reader() as reader:
        found = {
            name: [tuple(row) for row in await reader.fetch(sql)]
            for name, sql in {"answers": ANSWERS, "news": NEWS, "outside": OUTSIDE}.items()
        }
        # In order of arrival.
        lines = [tuple(row)[:-1] for row in await reader.fetch(HISTORY)]
    of_each: dict[tuple[object, ...], list[object]] = {}
    for line in lines:
        of_each.setdefault(line[:2], []).append(line[2:])
    return {name: sorted(rows, key=repr) for name, rows in found.items()} | {
        "history": sorted(((*whose, *some) for whose, some in of_each.items()), key=repr)
    }


async def same(alone: Database, together: Database, which: str) -> None:
    expected, found = await lines_of(alone), await lines_of(together)
    for name, rows in expected.items():
        assert found[name] == rows, f"{which}: {name}"
    for name, rows in (await compared_state(alone)).items():
        if name != "debts":  # deliveries have their own ids
            assert (await compared_state(together))[name] == rows, f"{which}: {name}"


@dataclass(frozen=True)
class Store:
    """A database and its clock. The clock does not change for ``AT_ONE_TIME`` messages, because answers at one instant
    are notified together.
    """

    db: Database
    clock: HandClock

    async def take(self, first: int, messages: Sequence[RecordMessage]) -> list[IngestResult]:
        """Apply messages. ``first`` is the position of the first one in the whole sequence."""
        self.clock.turn(self.start_of(first) - self.clock.now())
        return await apply_messages(self.db, *messages)

    @staticmethod
    def start_of(number: int) -> Instant:
        return Instant(BEGINNING + (1 + number // AT_ONE_TIME) * HOUR)


async def opened(make: MakeDatabase) -> Store:
    clock = HandClock(BEGINNING)
    store = Store(await make("openmeet", clock=clock), clock)
    await begin(store.db)
    return store


async def one_by_one(make: MakeDatabase, messages: Sequence[RecordMessage]) -> tuple[Store, list[IngestResult]]:
    """Apply each message separately. Returns the store and the results."""
    with nothing_together():
        store = await opened(make)
        return store, [result for place, one in enumerate(messages) for result in await store.take(place, [one])]


@contextmanager
def nothing_together() -> Iterator[None]:
    """Disable batching, so that every message is applied separately, which is always correct."""

    async def leave_words(_tx: Transaction, words: Sequence[RecordedRsvp]) -> set[RsvpKey]:
        return {word.key for word in words}

    async def leave_records(_tx: Transaction, event_ids: Mapping[str, EventId | None]) -> set[str]:
        return set(event_ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rsvp_records_in_bulk, "apply_in_bulk", leave_words)
        patch.setattr(rsvp_records_in_bulk, "apply_deletions_in_bulk", leave_records)
        yield


async def compare(make: MakeDatabase, seed: int, length: int) -> None:
    chance = random.Random(seed)
    messages = history(chance, length)
    alone, expected = await one_by_one(make, messages)
    together = await opened(make)
    found: list[IngestResult] = []
    while len(found) < len(messages):
        at = len(found)
        size = min(chance.choice((2, 9, AT_ONE_TIME)), AT_ONE_TIME - at % AT_ONE_TIME)
        found += await together.take(at, messages[at : at + size])
    await same(alone.db, together.db, f"seed {seed}")
    assert {IngestResult.APPLIED, IngestResult.KNOWN} <= {*found}
    assert [(one, there) for one, there in zip(expected, found, strict=True) if one is not there] == []


@pytest.mark.parametrize("seed", range(5))
async def test_every_row_is_the_same_as_with_single_messages(make_sqlite: MakeDatabase, seed: int):
    await compare(make_sqlite, seed, 150)


async def test_every_row_is_the_same_as_with_single_messages_on_both_engines(make_database: MakeDatabase):
    await compare(make_database, 99, 200)


@pytest.mark.parametrize("seed", range(2))
async def test_parallel_processors_write_the_same_rows(make_database: MakeDatabase, seed: int):
    """Each processor has a share of the people, in the order of their messages. All write to the same events."""
    chance = random.Random(seed)
    messages = history(chance, 150)
    alone, _ = await one_by_one(make_database, messages)
    together = await opened(make_database)

    async def process(first: int, share: int) -> None:
        own = random.Random(seed * 10 + share)
        queue = [one for one in messages[first : first + AT_ONE_TIME] if hash_of(one) % 3 == share]
        while queue:
            size = own.choice((1, 5, 30))
            try:
                await apply_messages(together.db, *queue[:size])
            except Unavailable:
                continue  # lost a conflict, and is retried
            del queue[:size]

    for first in range(0, len(messages), AT_ONE_TIME):
        await together.take(first, [])
        await asyncio.gather(*(process(first, share) for share in range(3)))
    await same(alone.db, together.db, f"seed {seed}")


def hash_of(message: RecordMessage) -> int:
    return sum(message.did.encode())


async def test_leaving_in_a_batch_frees_places_for_the_waitlist(make_database: MakeDatabase):
    """Two strangers hold places and others wait. One declines, one deletes their answer, and one of the waiting people
    gives up.
    """
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        host = await person(tx, "Hedi")
        made = await events.create(tx, host, details(capacity="2", visibility="public"))
        await record_changes.store_record_uri(tx, made.id, uri=THEIRS[0], cid="c", did=did(HOST))
        await registration.put(tx, made.id, RegistrationSettings(foreign_answers=ForeignRsvpPolicy.COUNT))
    await apply_messages(db, OF_A_STRANGER)
    for number in range(6):
        await apply_messages(db, said(number, "aa", number, THEIRS[0], "going"))
    beside = [said(10 + number, "aa", 40, OF_A_STRANGER.uri, "going") for number in range(20)]
    await apply_messages(db, *beside)
    leaving = [
        said(0, "aa", 50, THEIRS[0], "notgoing"),
        deletion_of(said(1, "aa", 1, THEIRS[0], "going"), 51),
        deletion_of(said(2, "aa", 2, THEIRS[0], "going"), 52),
        *(deletion_of(one, 60) if place % 2 else replace(one, rev=rev(60)) for place, one in enumerate(beside)),
    ]
    await apply_messages(db, *leaving)
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select i.did, a.status from attendances a join identities i on i.user_id = a.user_id"
            " where a.event_id = :id order by i.did",
            id=made.id,
        )
    left = ["declined", "declined", "declined", "attending", "attending", "waitlisted"]
    assert [(row["did"], row["status"]) for row in rows] == [
        (did_of_stranger(number), status) for number, status in enumerate(left)
    ]
    assert await seats_are_consistent(db)


async def test_deleting_the_effective_record_uncovers_the_other(make_database: MakeDatabase, clock: HandClock):
    """Of two records by one person, the batch deletes the one that counts, both, or the other one."""
    db = await make_database("openmeet", clock=clock)
    await apply_messages(db, OF_A_STRANGER)
    about = OF_A_STRANGER.uri
    first = [said(number, "aa", 5, about, "interested") for number in range(4)]
    # Between records without createdAt, the one with the greater URI counts.
    second = [said(number, "bb", 6, about, "going") for number in range(4)]
    await apply_messages(db, *first, *second)
    await apply_messages(
        db, deletion_of(second[0], 10), deletion_of(first[1], 11), deletion_of(second[1], 12), deletion_of(first[2], 13)
    )
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select i.did, a.status, a.record_uri from attendances a join identities i on i.user_id = a.user_id "
            "order by i.did"
        )
    assert [(row["status"], row["record_uri"]) for row in rows] == [
        ("interested", first[0].uri),
        ("declined", None),
        ("attending", second[2].uri),
        ("attending", second[3].uri),
    ]


async def test_another_did_of_the_same_stranger_still_counts(make_database: MakeDatabase):
    """If two DIDs belong to one person and one deletes its answer, the other's answer still counts."""
    db = await make_database("openmeet")
    first = said(2, "aa", 5, OF_A_STRANGER.uri, "going")
    await apply_messages(db, OF_A_STRANGER, first)
    async with db.transaction() as tx:
        known = await identity_queries.find(tx, did_of_stranger(2))
        assert known is not None
        await identity_queries.insert(
            tx, did_of_stranger(1), known.user_id, IdentityKind.SHADOW, handle="", pds_url="", is_default=False
        )
    # Between records without createdAt, the one with the greater URI counts.
    second = said(1, "aa", 6, OF_A_STRANGER.uri, "interested")
    await apply_messages(db, second)
    await apply_messages(db, deletion_of(first, 7), deletion_of(said(3, "aa", 1, OF_A_STRANGER.uri, "going"), 8))
    async with db.reader() as reader:
        rows = await reader.fetch("select status, record_uri from attendances")
    assert [(row["status"], row["record_uri"]) for row in rows] == [("interested", second.uri)]


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_an_account_without_the_did_gets_a_cancellation(make_database: MakeDatabase, is_deleted: bool):
    """The account's record no longer says that the person is going, so the calendar entry sent by e-mail is cancelled."""
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        await identity_queries.insert(
            tx, did_of_stranger(1), ben.user_id, IdentityKind.SHADOW, handle="", pds_url="", is_default=True
        )
    going = said(1, "aa", 5, OF_A_STRANGER.uri, "going")
    await apply_messages(db, OF_A_STRANGER, going)
    await apply_messages(db, deletion_of(going, 6) if is_deleted else said(1, "aa", 6, OF_A_STRANGER.uri, "notgoing"))
    async with db.reader() as reader:
        rows = await reader.fetch("select subject from outbox_jobs where kind = :kind", kind=JobKind.MAIL.value)
    assert [ben.user_id in row["subject"] and DECLINED_MAIL in row["subject"] for row in rows] == [True]
