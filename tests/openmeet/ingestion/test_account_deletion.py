"""A deleted account leaves only hashes: every table of the tenant is searched for its content."""

import asyncio
from dataclasses import replace

import pytest

from at_protocol.data import cbor
from at_protocol.syntax.tid import from_microseconds
from aurora_locus.repository import hosting
from groundwork.clock import DAY, SECOND, HandClock
from groundwork.database.transaction import Database, Engine, Transaction
from groundwork.errors import FailureReason
from groundwork.outbox import jobs
from groundwork.queue.contract import Message
from groundwork.queue.embedded import EmbeddedQueue
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_decisions, rsvp_records
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts, ownership, record_changes
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id, by_slug
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, MergeReason, MergeSide
from openmeet.domain.users.actions import create_person
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Switchboard
from openmeet.network.ingestion import account_deletion, dead_letters, identity_refresh
from openmeet.network.ingestion.account_deletion import ErasureContext, erase_here
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.context import IngestionContext
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.ingestion.processor import Processor
from openmeet.network.publishing.decision import WithholdOrRetract
from openmeet.network.publishing.eligibility import decide
from openmeet.network.records import seen, seen_rsvps
from openmeet.network.records.message import Hint, HintKind, RecordMessage, decode, encode
from openmeet.network.records.reasons import RecordReason
from openmeet.network.records.seen import RecordState
from openmeet.outbox import in_flight, leased_publications, publication_queries, publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind, PublicationState, RecordVersion
from openmeet.outbox.reasons import PublicationReason
from tests.databases import MakeDatabase
from tests.openmeet.database_snapshot import columns_containing, rows_of_all_tables
from tests.openmeet.deployment import INSTANCE, Deployment
from tests.openmeet.erasure.erasure_context import ERASURE_KEYS
from tests.openmeet.ingestion.network import did, event, rev, rsvp
from tests.openmeet.ingestion.seats import TWO_PLACES_URI, answer_statuses, create_event_with_two_places
from tests.openmeet.site_under_test import event_by, person
from tests.postgres_locks import is_waited_for
from tests.simulation.oracle import EVENT, RSVP

HERE = IngestionContext("https://meet.example", ERASURE_KEYS)
TEA = f"at://{did(1)}/{EVENT}/tea"
# None of these may be left anywhere. A DID may remain in other people's records.
MARKS = ("Zanzibar", "zanzibar", "Cinnamon", "cinnamon", "@ana", "Nutmeg")


async def take(db: Database, *messages: RecordMessage) -> list[IngestResult]:
    async with db.transaction() as tx:
        return await apply(tx, HERE, messages)


async def leave_traces(db: Database) -> None:
    """Store one of everything that an account can leave on this site."""
    await take(
        db,
        event(
            1,
            "tea",
            1,
            "Zanzibar evening",
            description="Cinnamon for everybody.",
            startsAt="2026-05-01T10:00:00Z",
            locations=[{"$type": "community.lexicon.location.address", "country": "TZ", "name": "Zanzibar"}],
            uris=[{"uri": "https://cinnamon.example/"}],
        ),
        event(1, "odd", 2, "Zanzibar in the past", startsAt="1800-01-01T00:00:00Z"),  # kept without an event
        rsvp(1, "own", 3, f"at://{did(5)}/{EVENT}/unseen", note="Cinnamon"),  # awaits its event
        rsvp(2, "one", 4, TEA),
    )
    async with db.transaction() as tx:
        await identity_queries.update_from_network(tx, did(1), handle="zanzibar.example", pds_url="", status="deleted")
        await tx.execute("update identities set display_name = 'Cinnamon' where did = :did", did=did(1))
        decision = FieldDecision("name", "Zanzibar", "Tea", "Cinnamon", MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS)
        await merge_decisions.store(tx, uri=TEA, theirs_rev="r", ours_revision=1, decisions=(decision,))


async def erase(db: Database, who: int = 1) -> None:
    async with db.transaction() as tx:
        await erase_here(tx, ERASURE_KEYS, did(who))


async def test_many_rsvps_are_erased_in_several_transactions(db: Database, monkeypatch: pytest.MonkeyPatch):
    """Thousands of RSVPs of one account do not fit into one transaction."""
    monkeypatch.setattr(rsvp_records, "ERASED_AT_ONCE", 2)
    names = [f"tea{number}" for number in range(5)]
    await take(db, *(event(1, name, 1, "Tea") for name in names))
    await take(db, *(rsvp(2, name, 2, f"at://{did(1)}/{EVENT}/{name}") for name in names))
    erase_next, transactions = rsvp_records.erase_next, []

    async def noting(tx: Transaction, who: str, after: tuple[str, str]) -> tuple[str, str] | None:
        transactions.append(tx)
        return await erase_next(tx, who, after)

    async def nothing_outside(_: str) -> None:
        return

    monkeypatch.setattr(rsvp_records, "erase_next", noting)
    await account_deletion.erase(db, ErasureContext(ERASURE_KEYS, nothing_outside), did(2))
    # Three for the five RSVPs, and the last one, which finds none.
    assert len(set(transactions)) == len(transactions) == 4
    async with db.reader() as reader:
        assert await reader.fetch("select id from attendances") == []


async def test_every_event_of_a_deleted_account_is_handed_over_in_its_own_transaction(
    db: Database, monkeypatch: pytest.MonkeyPatch
):
    """Hundreds do not fit into one. Nobody can sign in as their host any longer."""
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, did(7), handle="cleo.example", pds_url="https://pds.example")
        cleo, ben = Caller(user_id, "Cleo"), await person(tx, "Ben")
        teas = [await event_by(tx, cleo) for _ in range(3)]
        for tea in teas:
            await co_hosts.accept(tx, ben, (await co_hosts.invite(tx, cleo, tea.slug, "ben@example.org")).id)
    pass_to_heir, transactions = ownership.pass_to_heir, []

    async def noting(tx: Transaction, event: Event) -> bool:
        transactions.append(tx)
        return await pass_to_heir(tx, event)

    async def nothing_outside(_: str) -> None:
        return

    monkeypatch.setattr(ownership, "pass_to_heir", noting)
    await account_deletion.erase(db, ErasureContext(ERASURE_KEYS, nothing_outside), did(7))
    assert len(set(transactions)) == len(transactions) == 3
    async with db.reader() as reader:
        assert {(await by_id(reader, tea.id)).author_id for tea in teas} == {ben.user_id}


async def test_erased_author_is_found_in_no_table(db: Database, engine: Engine):
    await leave_traces(db)
    before = columns_containing(await rows_of_all_tables(db, engine), MARKS)
    tables = {table for table, _ in before}
    assert {"events", "records", "identities", "merge_decisions"} <= tables, before
    await erase(db)
    rows = await rows_of_all_tables(db, engine)
    assert columns_containing(rows, MARKS) == []
    # The DID remains in data of other people: in their RSVP and in the job that fetches the event.
    own = [trace for trace in columns_containing(rows, (did(1),)) if trace[0] not in {"records", "outbox_jobs"}]
    assert own == []
    assert {row["did"] for row in rows["records"]} == {did(2)}


async def test_only_hashes_of_the_uris_remain(db: Database, engine: Engine):
    """Four hashes remain: those of the three URIs, and one of the DID for the erasure job itself."""
    await leave_traces(db)
    revs = {row["uri"]: row["rev"] for row in (await rows_of_all_tables(db, engine))["records"] if row["did"] == did(1)}
    await erase(db)
    kept = (await rows_of_all_tables(db, engine))["erased_records"]
    assert len(kept) == len(revs) + 1 == 4
    assert set(revs.values()) < {row["rev"] for row in kept}
    assert all(len(bytes(row["hash"])) == 32 for row in kept)


async def test_late_and_repeated_messages_restore_nothing(db: Database, engine: Engine):
    """Neither known messages nor messages from before the deletion that arrive late restore anything."""
    await leave_traces(db)
    await erase(db)
    before = columns_containing(await rows_of_all_tables(db, engine), (did(1),))
    old = [event(1, "tea", 1, "Zanzibar evening"), event(1, "late", 9, "Zanzibar later"), rsvp(1, "late", 9, TEA)]
    assert await take(db, *old) == [IngestResult.KNOWN] * 3
    rows = await rows_of_all_tables(db, engine)
    assert columns_containing(rows, MARKS) == []
    assert columns_containing(rows, (did(1),)) == before


async def test_an_account_that_returns_can_write_again(db: Database, clock: HandClock):
    """An account can return within days after its deletion, and its new records count."""
    await leave_traces(db)
    await erase(db)
    clock.turn(60 * SECOND)
    again = event(1, "tea", 0, "Again")
    again = type(again)(
        **{name: getattr(again, name) for name in again.__dataclass_fields__}
        | {"rev": from_microseconds(clock.now(), 5)}
    )
    assert await take(db, again) == [IngestResult.APPLIED]


async def test_markers_with_older_keys_still_work(db: Database):
    """Erasure markers still work after the sealing keys were rotated."""
    await leave_traces(db)
    async with db.transaction() as tx:
        await erase_here(tx, ERASURE_KEYS[1:], did(1))
    assert await take(db, event(1, "tea", 1, "Zanzibar evening")) == [IngestResult.KNOWN]


async def test_erasing_twice_changes_nothing(db: Database, engine: Engine):
    await leave_traces(db)
    await erase(db)
    once = await rows_of_all_tables(db, engine)
    await erase(db)
    twice = await rows_of_all_tables(db, engine)
    assert [row["revision"] for row in once["events"]] == [row["revision"] for row in twice["events"]]
    assert once["attendances"] == twice["attendances"]


async def test_the_seat_of_a_deleted_account_is_free(db: Database):
    """The place is offered to the waitlist, unlike the place of a hidden account."""
    tea, people = await create_event_with_two_places(db)
    await take(db, rsvp(0, "one", 1, TWO_PLACES_URI), rsvp(1, "one", 2, TWO_PLACES_URI))
    async with db.transaction() as tx:
        late = await attendance.answer(tx, people[3], tea.slug, RsvpReply.GOING)
    assert late.status is AttendanceStatus.WAITLISTED
    await erase(db, 0)
    after = await answer_statuses(db)
    assert after[people[3].user_id] == "offered"
    assert after[people[0].user_id] == "declined"


async def test_a_check_in_during_the_erasure_is_kept(db: Database, clock: HandClock):
    tea, people = await create_event_with_two_places(db)
    await take(db, rsvp(0, "one", 1, TWO_PLACES_URI))
    assert tea.starts_at is not None
    clock.turn(tea.starts_at - clock.now())
    checked_in = asyncio.Event()

    async def check_in() -> None:
        async with db.transaction() as tx:
            mine = await attendance_queries.find(tx, tea.id, people[0].user_id)
            assert mine is not None
            await host_decisions.check_in(tx, Caller(tea.author_id, ""), tea.slug, mine.id)
            checked_in.set()
            # SQLite has one writer, so the erasure begins after this.
            if tx.engine == "postgresql":
                await is_waited_for(tx)

    async def erase_meanwhile() -> None:
        await checked_in.wait()
        await erase(db, 0)

    await asyncio.gather(check_in(), erase_meanwhile())
    async with db.reader() as reader:
        after = await attendance_queries.find(reader, tea.id, people[0].user_id)
    assert after is not None
    assert (after.status, after.record_uri) == (AttendanceStatus.ATTENDED, None)


async def test_events_and_answers_made_here_stay(db: Database, engine: Engine):
    """An event of a person with an account on this site loses only its record, and its publication loses every copy of
    the content.
    """
    async with db.transaction() as tx:
        user_id = await create_person(tx, display_name="Ana", email="ana@example.org")
        await identities.link(tx, did(1), user_id, handle="ana.example", pds_url="https://pds.example")
        ana = Caller(user_id, "Ana")
        await identities.grant_consent(tx, user_id, handle="ana.example")
        tea = await events.create(
            tx, ana, check(Submission(title="Tea", starts="2026-04-01T17:00", time_zone="UTC", visibility="public"))
        )
        mine = await attendance.answer(tx, ana, tea.slug, RsvpReply.GOING)
        body = cbor.encode({"name": "Nutmeg"})
        held = await leased_publications.lease_one(tx, kind=PublicationKind.EVENT, subject_id=tea.id, seconds=60)
        assert held is not None
        await leased_publications.store_before_sending(
            tx, held, in_flight.InFlightWrite(TEA, "c", None), did=did(1), body=body
        )
        await leased_publications.set_published(tx, held, RecordVersion(TEA, "r", "c", body), revision=held.revision)
        await record_changes.store_record_uri(tx, tea.id, uri=TEA, cid="c", did=did(1))
        await rsvp_records.store_record_uri(
            tx, mine.id, uri=f"at://{did(1)}/x/own", event_uri=TEA, refers_to_event=seen_rsvps.refers_to_event
        )
        await in_flight.enqueue_check(tx, TEA)  # as if an earlier create had arrived late
    await erase(db)
    assert columns_containing(await rows_of_all_tables(db, engine), ("Nutmeg", did(1))) == []
    async with db.reader() as reader:
        after = await by_id(reader, tea.id)
        publication = await publication_queries.find(reader, PublicationKind.EVENT, tea.id)
        consent = await identity_queries.consent(reader, user_id)
    assert after is not None
    assert (after.title, after.record_uri, after.is_gone) == ("Tea", None, False)
    assert publication is not None
    assert (publication.state, publication.uri, publication.base_body) == (PublicationState.RETRACTED, None, None)
    assert not consent.is_given
    assert (await answer_statuses(db))[user_id] == "attending"


async def test_only_the_accounts_dead_letters_are_deleted(db: Database, make_database: MakeDatabase, clock: HandClock):
    queue = EmbeddedQueue(await make_database("groundwork.queue"), clock)
    for number in range(250):
        await queue.publish([Message("event.create", did(number % 2), b"x", f"m{number}")])
    for _ in range(125):
        for delivery in await queue.lease(10, 60):
            await queue.bury(delivery, FailureReason.REFUSED())
    assert await dead_letters.erase(db, ERASURE_KEYS, queue, did(1)) == 125
    assert {letter.message.partition for letter in await queue.dead_letters(1000)} == {did(0)}


async def test_queued_messages_of_a_deleted_account_are_deleted(
    db: Database, make_database: MakeDatabase, clock: HandClock
):
    """The messages are deleted even if the workers are stopped. The account's next message is delivered in order."""
    queue = EmbeddedQueue(await make_database("groundwork.queue"), clock)
    late = from_microseconds(clock.now() + DAY, 5)
    young = replace(event(1, "tea", 1), rev=late)
    for one in (event(1, "tea", 1, "Cinnamon"), event(1, "cake", 2), young, event(2, "tea", 1)):
        await queue.publish([Message("event.update", one.did, encode(one), f"{one.did}-{one.rev}")])
    (leased, _) = await queue.lease(2, 60)
    await queue.publish([Message("event.update", did(1), b"no record", "unreadable")])
    assert await dead_letters.erase(db, ERASURE_KEYS, queue, did(1)) == 0
    async with db.transaction() as tx:
        await erase_here(tx, ERASURE_KEYS, did(1))
    assert await dead_letters.erase(db, ERASURE_KEYS, queue, did(1)) == 3
    await queue.ack([leased])
    assert (await queue.depth()).waiting == 2
    assert [decode(one.message.body).rev for one in await queue.lease(9, 60)] == [late]


async def test_a_message_that_fails_after_the_erasure_is_deleted(
    db: Database, make_database: MakeDatabase, clock: HandClock
):
    """The message was waiting in RabbitMQ. Messages by other accounts, and later ones by the same account, stay. So do
    hints, because the account may be back, except those about an erased commit.
    """
    queue = EmbeddedQueue(await make_database("groundwork.queue"), clock)
    young = replace(event(1, "tea", 1), rev=from_microseconds(clock.now() + DAY, 5))
    back = Hint(did(1), HintKind.ACCOUNT, "active", 1)
    async with db.transaction() as tx:
        await erase_here(tx, ERASURE_KEYS, did(1))
    for one in (event(1, "tea", 1, "Cinnamon"), young, event(2, "tea", 1), back, replace(back, rev=rev(1))):
        await queue.publish([Message(one.routing_key, one.did, encode(one), f"{one.did}-{one.rev}")])
        for leased in await queue.lease(9, 60):
            await queue.bury(leased, FailureReason.REFUSED())
    await queue.publish([Message("event.update", did(1), b"no record", "unreadable")])
    for leased in await queue.lease(9, 60):
        await queue.bury(leased, FailureReason.REFUSED())
    assert await dead_letters.forget_erased(db, ERASURE_KEYS, queue) == 3
    assert [decode(one.message.body) for one in await queue.dead_letters(9)] == [young, event(2, "tea", 1), back]


async def nothing_else(_did: object) -> None:
    """No messages or frames exist in this test."""


@pytest.fixture
def erasing() -> ErasureContext:
    return ErasureContext(ERASURE_KEYS, nothing_else)


async def refresh_all(deployment: Deployment, erasing: ErasureContext) -> None:
    handler = identity_refresh.identity_handler(deployment.db, deployment.network, erasing)
    async with deployment.db.transaction() as tx:
        rows = await tx.fetch("select subject from outbox_jobs where kind = 'refresh_identity' order by subject")
        queued = [await jobs.find(tx, JobKind.REFRESH_IDENTITY, row["subject"]) for row in rows]
    for job in queued:
        assert job is not None
        await handler(job)


async def test_deletion_that_the_pds_confirms_erases(deployment: Deployment, erasing: ErasureContext):
    """The PDS announces the deletion and, when queried, no longer has the repository. Its events are deleted on this
    site.
    """
    deployment.processor = Processor(
        deployment.db, deployment.queue, IngestionContext(INSTANCE, ERASURE_KEYS), deployment.processor.metrics
    )
    ana, cleo = await deployment.person(), await deployment.connected()
    tea = await deployment.event(ana)
    await deployment.deliver_publications()
    await deployment.answer(cleo, tea.slug)
    await deployment.deliver_publications()
    await deployment.listen(cleo.user_id)
    gone = (await deployment.identity(cleo.user_id)).did
    await refresh_all(deployment, erasing)
    assert columns_containing(await rows_of_all_tables(deployment.db, "sqlite"), (gone,)) != []
    repositories = deployment.pds.registry.repositories
    await repositories.db.write(lambda w: hosting.remove(w, repositories, gone))
    deployment.clock.turn(SECOND)
    await deployment.follow_until(gone, lambda state: not state.active)
    await refresh_all(deployment, erasing)
    assert columns_containing(await rows_of_all_tables(deployment.db, "sqlite"), (gone,)) == []
    async with deployment.db.reader() as reader:
        assert await by_slug(reader, tea.slug) is not None


async def test_answers_count_for_an_event_that_comes_back_under_its_uri(make_database: MakeDatabase):
    """The account starts again and writes the record again. The RSVP belongs to the new event, no longer to the empty
    one.
    """
    db = await make_database("openmeet")
    await take(db, event(1, "tea", 1), rsvp(2, "yes", 2, TEA))
    async with db.transaction() as tx:
        await erase_here(tx, ERASURE_KEYS, did(1))
    await take(db, rsvp(2, "yes", 3, TEA, "interested"))
    # After the deletion, which came an hour after the first message.
    await take(db, event(1, "tea", 3700))
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select e.record_uri, a.status from attendances a join events e on e.id = a.event_id"
            " where a.record_uri = :uri",
            uri=f"at://{did(2)}/{RSVP}/yes",
        )
    assert [tuple(row) for row in rows] == [(TEA, "interested")]


async def _answers_to_tea(db: Database) -> list[tuple[str | None, str, str | None]]:
    """(event title, status, record) of every answer."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select e.title, a.status, a.record_uri from attendances a join events e on e.id = a.event_id order by a.id"
        )
    return [tuple(row) for row in rows]


async def test_strangers_answers_to_an_erased_event_wait(db: Database):
    """The event is deleted, so the answers have no event. If the account starts again and writes the event again, the
    answers count again.
    """
    yes = f"at://{did(2)}/{RSVP}/yes"
    await take(db, event(1, "tea", 1), rsvp(2, "yes", 2, TEA), event(4, "other", 1))
    await take(db, rsvp(3, "elsewhere", 2, f"at://{did(4)}/{EVENT}/other"))
    await erase(db)
    async with db.reader() as reader:
        waiting = await seen.find(reader, yes)
        untouched = await seen.find(reader, f"at://{did(3)}/{RSVP}/elsewhere")
    assert waiting is not None
    assert untouched is not None
    assert (waiting.state, untouched.state) == (RecordState.AWAITS_EVENT, RecordState.MAPPED)
    assert waiting.reason == RecordReason.EVENT_AUTHOR_DELETED()
    assert await _answers_to_tea(db) == [("Tea", "attending", f"at://{did(3)}/{RSVP}/elsewhere")]
    # After the deletion, which came an hour after the first message.
    await take(db, event(1, "tea", 3700, "Tea again"))
    assert ("Tea again", "attending", yes) in await _answers_to_tea(db)


async def test_local_answers_to_an_erased_event_stay_without_records(db: Database):
    """The answers belong to their authors. Their records are retracted, because the URI might later belong to another
    event.
    """
    own = f"at://{did(5)}/{RSVP}/own"
    await take(db, event(1, "tea", 1))
    async with db.transaction() as tx:
        ben = Caller(await identities.connect(tx, did(5), handle="ben.example", pds_url="https://pds.example"), "Ben")
        await identities.grant_consent(tx, ben.user_id, handle="ben.example")
    await take(db, rsvp(5, "own", 2, TEA))
    async with db.transaction() as tx:
        mine = await attendance_queries.by_record_uri(tx, own)
        assert mine is not None
        await publications.enqueue(tx, kind=PublicationKind.RSVP, subject_id=mine.id, user_id=ben.user_id, revision=1)
        held = await leased_publications.lease_one(tx, kind=PublicationKind.RSVP, subject_id=mine.id, seconds=60)
        assert held is not None
        await leased_publications.store_before_sending(
            tx, held, in_flight.InFlightWrite(own, "c", None), did=did(5), body=b"\xa0"
        )
        await leased_publications.set_published(tx, held, RecordVersion(own, "r", "c", b"\xa0"), revision=held.revision)
    await erase(db)
    assert await _answers_to_tea(db) == [("", "attending", None)]
    async with db.reader() as reader:
        owned = await publication_queries.find(reader, PublicationKind.RSVP, mine.id)
        assert owned is not None
        assert (owned.state, owned.uri) == (PublicationState.DUE, own)
        decision = await decide(reader, owned, Switchboard())
    assert decision == WithholdOrRetract(PublicationReason.EVENT_ERASED)
