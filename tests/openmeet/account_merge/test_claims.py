"""Sign-in and linking with a DID, proof of an e-mail address, and confirmation of the merge; on both engines."""

import asyncio

import pytest

from at_protocol.syntax.did import Did
from groundwork.clock import DAY, HOUR, HandClock
from groundwork.database.transaction import Database, TransactionConflict
from groundwork.errors import NotFound, Refused
from groundwork.outbox import dispatcher
from groundwork.outbox.delivery import one_job_per_call
from openmeet.domain.account_merge import actions, queries
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.account_merge.model import AccountMergeReason, SignInResult
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpRecordStatus, RsvpReply
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.moderation import visibility
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.users import guests
from openmeet.domain.users.model import Caller, UserId
from openmeet.domain.users.queries import by_id
from openmeet.network.ingestion import rsvps_awaiting_event
from openmeet.network.ingestion.apply import apply
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.message import RecordMessage
from openmeet.outbox.kinds import JobKind
from tests.databases import MakeDatabase
from tests.openmeet.attendance.network_answers import apply_network_answer, insert_strangers
from tests.openmeet.ingestion.network import HERE, did, event, rsvp
from tests.openmeet.site_under_test import event_by, person
from tests.openmeet.statement_counter import StatementCounter
from tests.simulation.oracle import EVENT, RSVP

PDS = "https://pds.example"
TEA = f"at://{did(2)}/{EVENT}/tea"


@pytest.fixture
async def db(make_database: MakeDatabase) -> Database:
    return await make_database("openmeet")


async def take(db: Database, *messages: RecordMessage) -> list[IngestResult]:
    async def work(tx):
        return await apply(tx, HERE, messages)

    return await db.batch(work)


async def signs_in(db: Database, who: Did, caller: UserId | None = None) -> SignInResult:
    async with db.transaction() as tx:
        return await actions.sign_in_with_did(tx, who, handle="ana.example", pds_url=PDS, caller=caller)


async def of(db: Database, who: UserId) -> dict[str, str]:
    """A person's RSVPs by event title."""
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select e.title, a.status from attendances a join events e on e.id = a.event_id"
            " where a.user_id = :id order by 1",
            id=who,
        )
    return {row["title"]: row["status"] for row in rows}


async def test_signing_in_claims_the_shadow(db: Database, clock: HandClock) -> None:
    """Signing in claims the shadow's row and records when. It is not a merge."""
    await take(db, event(2, "tea", 1), event(1, "own", 2, "Own"), rsvp(1, "r", 3, TEA))
    async with db.reader() as reader:
        shadow = (await identity_queries.find(reader, did(1))).user_id
    first = await signs_in(db, did(1))
    assert first.user_id == shadow
    assert await of(db, shadow) == {"Tea": "attending"}
    async with db.reader() as reader:
        row = await reader.fetch_one("select kind, claimed_at from users where id = :id", id=shadow)
        queued = await reader.fetch_one(
            "select 1 from outbox_jobs where kind = 'backfill' and subject = :did", did=did(1)
        )
    assert (row["kind"], row["claimed_at"]) == ("person", clock.now())
    assert queued is not None
    assert await signs_in(db, did(1)) == SignInResult(shadow)


async def test_signing_in_confirms_a_strangers_rsvp(db: Database) -> None:
    """When a person who was known only by DID signs in, their unconfirmed RSVP to an event with a limit gets a place or
    joins the end of the waitlist.
    """
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        tea = await event_by(tx, ana, capacity="1")
        await tx.execute(
            "update events set record_uri = :uri, record_did = :did where id = :id", uri=TEA, did=did(2), id=tea.id
        )
    await take(db, rsvp(1, "r", 3, TEA), rsvp(3, "r", 4, TEA))
    known = [await signs_in(db, did(number)) for number in (1, 3)]
    for one in known:
        await rsvps_awaiting_event.reevaluate_awaiting_rsvps(db, one.user_id)
    async with db.reader() as reader:
        found = [await attendance_queries.find(reader, tea.id, one.user_id) for one in known]
    assert [one.status for one in found] == [AttendanceStatus.ATTENDING, AttendanceStatus.WAITLISTED]
    assert ben.user_id not in {one.user_id for one in known}


async def pending_at(db: Database, number: int, events: int) -> UserId:
    """A person known only by a DID, with unconfirmed RSVPs to this many events."""
    async with db.transaction() as tx:
        (stranger,) = await insert_strangers(tx, 1)
        await identity_queries.insert(
            tx, did(number), stranger, IdentityKind.SHADOW, handle="", pds_url="", is_default=True
        )
        ana = await person(tx, f"Host {number}")
        for key in range(events):
            tea = await event_by(tx, ana, capacity="1")
            uri = f"at://{did(number)}/{RSVP}/{key}"
            await apply_network_answer(tx, tea, stranger, RsvpRecordStatus.GOING, uri=uri)
    return stranger


async def statuses_of(db: Database, who: UserId) -> set[str]:
    async with db.reader() as reader:
        rows = await reader.fetch(
            "select distinct status from attendances where user_id = :who order by status", who=who
        )
    return {row["status"] for row in rows}


async def test_signing_in_takes_the_same_time_however_many_rsvps_are_pending(db: Database) -> None:
    """A job confirms the RSVPs afterwards, each in its own transaction."""
    statements = []
    for number, events in ((1, 2), (3, 40)):
        stranger = await pending_at(db, number, events)
        async with db.transaction() as tx:
            counting = StatementCounter(tx)
            await actions.sign_in_with_did(counting, did(number), handle="ana.example", pds_url=PDS)
        statements.append(counting.statements)
        assert await statuses_of(db, stranger) == {AttendanceStatus.PENDING}
    assert statements[0] == statements[1]
    while await dispatcher.run_once(
        db, {JobKind.GAINED_ACCESS: one_job_per_call(rsvps_awaiting_event.gained_access_handler(db))}
    ):
        pass
    assert await statuses_of(db, stranger) == {AttendanceStatus.ATTENDING}


async def test_merging_takes_the_same_time_however_many_rsvps_are_pending(db: Database) -> None:
    """A person's RSVPs to events with a limit are pending until the account that signed in gets them."""
    statements = []
    for number, events in ((1, 2), (3, 40)):
        stranger = await pending_at(db, number, events)
        async with db.transaction() as tx:
            ben = await person(tx, f"Ben {number}")
            counting = StatementCounter(tx)
            await merge(counting, stranger, ben.user_id)
        statements.append(counting.statements)
        assert await statuses_of(db, ben.user_id) == {AttendanceStatus.PENDING}
    assert statements[0] == statements[1]
    await rsvps_awaiting_event.reevaluate_awaiting_rsvps(db, ben.user_id)
    assert await statuses_of(db, ben.user_id) == {AttendanceStatus.ATTENDING}


async def test_linking_merges_only_after_confirmation(db: Database) -> None:
    """Both accounts stay as they are until the person confirms. Afterwards the shadow is gone, and its DID signs the
    person in.
    """
    await take(db, event(2, "tea", 1), rsvp(1, "r", 3, TEA))
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    linked = await signs_in(db, did(1), ana.user_id)
    assert linked.user_id == ana.user_id
    assert linked.proposal is not None
    assert await of(db, ana.user_id) == {}
    async with db.reader() as reader:
        _, holdings = await actions.proposal_and_holdings(reader, ana.user_id, linked.proposal)
    assert [one.text for one in holdings] == ["1 answer"]
    async with db.transaction() as tx:
        assert await actions.confirm(tx, ana.user_id, linked.proposal) == holdings
    async with db.transaction() as tx:
        assert await actions.confirm(tx, ana.user_id, linked.proposal) == holdings
    assert await of(db, ana.user_id) == {"Tea": "attending"}
    async with db.reader() as reader:
        identity = await identity_queries.find(reader, did(1))
        proposal, said = await actions.proposal_and_holdings(reader, ana.user_id, linked.proposal)
    assert (identity.user_id, identity.kind, identity.handle) == (ana.user_id, IdentityKind.CONNECTED, "ana.example")
    assert (proposal.other_id, said) == (None, holdings)
    # Later messages from the DID also belong to the person.
    await take(db, rsvp(1, "r", 5, TEA, "notgoing"))
    assert await of(db, ana.user_id) == {"Tea": "declined"}


async def test_a_double_click_merges_once(db: Database) -> None:
    """Confirming twice at the same moment merges once, and both requests report what was merged."""
    await take(db, event(2, "tea", 1), rsvp(1, "r", 3, TEA))
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    proposal = (await signs_in(db, did(1), ana.user_id)).proposal
    assert proposal is not None

    async def click():
        return await db.batch(lambda tx: actions.confirm(tx, ana.user_id, proposal))

    heard = await asyncio.gather(*(click() for _ in range(4)))
    assert [[one.text for one in holdings] for holdings in heard] == [["1 answer"]] * 4
    assert await of(db, ana.user_id) == {"Tea": "attending"}


async def test_an_unknown_or_unused_did_is_linked_at_once(db: Database) -> None:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        await identities.person_for_did(tx, did(3))
    for number in (1, 3, 1):
        assert await signs_in(db, did(number), ana.user_id) == SignInResult(ana.user_id)
    async with db.reader() as reader:
        mine = await identity_queries.of_user(reader, ana.user_id)
    assert [(one.did, one.is_default) for one in mine] == [(did(1), True), (did(3), False)]


async def test_a_claim_belongs_to_one_person_and_expires(db: Database, clock: HandClock) -> None:
    await take(db, event(1, "own", 1))
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
    proposal = (await signs_in(db, did(1), ana.user_id)).proposal
    for who in (ben, ana):
        with pytest.raises(NotFound):
            async with db.transaction() as tx:
                await actions.confirm(tx, who.user_id, proposal)
        clock.turn(HOUR)
    again = (await signs_in(db, did(1), ana.user_id)).proposal
    assert again == proposal
    async with db.transaction() as tx:
        await actions.decline(tx, ana.user_id, again)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await actions.confirm(tx, ana.user_id, again)
    async with db.reader() as reader:
        assert (await identity_queries.find(reader, did(1))).kind is IdentityKind.SHADOW
    clock.turn(DAY)
    assert await queries.forget_old_proposals(db) == 0


async def test_unlinking_a_did_ends_claims_by_it(db: Database) -> None:
    """Two people can prove the same DID. If its owner unlinks it, the other person's earlier proof no longer merges
    their accounts.
    """
    async with db.transaction() as tx:
        ana, eve = await person(tx, "Ana"), await person(tx, "Eve")
        await event_by(tx, ana, title="Anas own")
    await signs_in(db, did(1), ana.user_id)
    proposal = (await signs_in(db, did(1), eve.user_id)).proposal
    async with db.transaction() as tx:
        shown, _ = await actions.proposal_and_holdings(tx, eve.user_id, proposal)
        assert shown.other_id == ana.user_id
        await identities.unlink(tx, ana.user_id, did(1))
    for step in (actions.proposal_and_holdings, actions.confirm):
        with pytest.raises(NotFound):
            async with db.transaction() as tx:
                await step(tx, eve.user_id, proposal)
    async with db.reader() as reader:
        assert await by_id(reader, ana.user_id) is not None
    # When Eve proves the DID again, it has no owner and becomes hers at once. Nothing of Ana's account comes with it.
    assert (await signs_in(db, did(1), eve.user_id)).proposal is None
    async with db.reader() as reader:
        assert (await identity_queries.find(reader, did(1))).user_id == eve.user_id
        assert await reader.fetch_one("select 1 from events where author_id = :id", id=ana.user_id) is not None


async def test_changing_the_address_ends_claims_by_it(db: Database) -> None:
    async with db.transaction() as tx:
        ana, eve = await person(tx, "Ana"), await person(tx, "Eve")
        proposal, _ = await actions.prove_email(tx, eve.user_id, "ana@example.org")
        assert proposal is not None
        await tx.execute("update users set email = 'new@example.org' where id = :id", id=ana.user_id)
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await actions.confirm(tx, eve.user_id, proposal)
    async with db.reader() as reader:
        assert await by_id(reader, ana.user_id) is not None


async def test_a_claim_rests_on_the_latest_proof(db: Database) -> None:
    """Eve proves Ana's account by e-mail address and then by DID. Unlinking the DID ends the proposal, although the
    address still belongs to Ana.
    """
    async with db.transaction() as tx:
        ana, eve = await person(tx, "Ana"), await person(tx, "Eve")
        await event_by(tx, ana)
    await signs_in(db, did(1), ana.user_id)
    async with db.transaction() as tx:
        first, _ = await actions.prove_email(tx, eve.user_id, "ana@example.org")
    proposal = (await signs_in(db, did(1), eve.user_id)).proposal
    assert proposal == first
    async with db.transaction() as tx:
        await identities.unlink(tx, ana.user_id, did(1))
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await actions.confirm(tx, eve.user_id, proposal)


async def test_only_one_of_two_claimants_gets_a_shadow(db: Database) -> None:
    """If both people confirm at the same moment, one of them gets everything, and the other reads that the account no
    longer exists.
    """
    await take(db, event(2, "tea", 1), rsvp(1, "r", 3, TEA))
    async with db.transaction() as tx:
        people = [await person(tx, name) for name in ("Ana", "Eve")]
    proposals = [(await signs_in(db, did(1), one.user_id)).proposal for one in people]

    async def click(who: Caller, proposal) -> bool:
        while True:
            try:
                return bool(await db.batch(lambda tx: actions.confirm(tx, who.user_id, proposal)))
            except NotFound:
                return False
            except TransactionConflict:
                continue  # the page says that nothing was saved, and they click again

    heard = await asyncio.gather(*(click(who, proposal) for who, proposal in zip(people, proposals, strict=True)))
    assert sorted(heard) == [False, True]
    winner = people[heard.index(True)]
    assert await of(db, winner.user_id) == {"Tea": "attending"}
    assert await of(db, people[heard.index(False)].user_id) == {}
    async with db.reader() as reader:
        assert (await identity_queries.find(reader, did(1))).user_id == winner.user_id


async def test_an_address_is_deleted_when_its_claim_is_completed(db: Database) -> None:
    async with db.transaction() as tx:
        ana, _ = await person(tx, "Ana"), await person(tx, "Old")
        proposal, _ = await actions.prove_email(tx, ana.user_id, "old@example.org")
        await actions.confirm(tx, ana.user_id, proposal)
        (row,) = await tx.fetch("select proven, joined from account_merges order by id")
    assert row["proven"] == ""


async def test_proving_an_address_claims_guest_rsvps(db: Database) -> None:
    """When a person proves the e-mail address of a guest, the guest's RSVPs become theirs. The address belongs to their
    account from then on.
    """
    async with db.transaction() as tx:
        host = await person(tx, "Host")
        tea = await event_by(tx, host)
        guest = await guests.make(tx, display_name="Ana A.", email="ana@example.net")
        await attendance.answer(tx, Caller(guest, "Ana A."), tea.slug, RsvpReply.GOING)
    ana = (await signs_in(db, did(1))).user_id
    async with db.transaction() as tx:
        proposal, _ = await actions.prove_email(tx, ana, "ana@example.net")
        await actions.confirm(tx, ana, proposal)
        assert await actions.prove_email(tx, ana, "ana@example.net") == (None, False)
        assert await guests.by_email(tx, "ana@example.net") is None
        assert (await by_id(tx, ana)).email == "ana@example.net"
    assert await of(db, ana) == {"Board games": "attending"}


async def test_two_custodial_repositories_are_not_merged(db: Database) -> None:
    """Neither repository's key may be lost, so the person has to take over one repository first. The attempt to merge
    changes nothing.
    """
    async with db.transaction() as tx:
        people = [await person(tx, name) for name in ("Ana", "Ben")]
        for one in people:
            await identity_queries.put_custodial_account(
                tx, one.user_id, handle=f"{one.display_name}.test", email="x@y", sealed_password=b"x"
            )
        proposal, _ = await actions.prove_email(tx, people[0].user_id, "ben@example.org")
    with pytest.raises(Refused, match=AccountMergeReason.TWO_REPOSITORIES):
        async with db.transaction() as tx:
            await actions.confirm(tx, people[0].user_id, proposal)
    async with db.reader() as reader:
        assert await by_id(reader, people[1].user_id) is not None


async def test_messages_during_the_merge_are_applied_to_the_merged_account(db: Database, clock: HandClock) -> None:
    """Messages from this DID and from others are applied while the person confirms. There is one answer per event, no
    attendee is lost, and the number of taken places is exact.
    """
    async with db.transaction() as tx:
        host = await person(tx, "Host")
        full = await event_by(tx, host, capacity="1")
        uri = f"at://{did(5)}/{EVENT}/full"
        await tx.execute(
            "update events set record_uri = :uri, record_did = :did where id = :id", uri=uri, did=did(5), id=full.id
        )
        await visibility.hold(tx, [Subject(ModeratedKind.DID, did(2))], SubjectVisibility.TRUSTED)
    for who in range(6, 12):
        subjects = [f"at://{did(2)}/{EVENT}/e{who}-{index}" for index in range(6)]
        await take(db, *(event(2, about.rpartition("/")[2], who) for about in subjects))
        await take(db, rsvp(who, "first", 1, subjects[0]), rsvp(who, "full", 1, uri))
        async with db.transaction() as tx:
            ana = await person(tx, f"Ana {who}")
        proposal = (await signs_in(db, did(who), ana.user_id)).proposal
        assert proposal is not None

        async def answers_here(ana=ana, subjects=subjects) -> None:
            for about in subjects[3:]:
                async with db.reader() as reader:
                    slug = (await by_record_uri(reader, about)).slug
                async with db.transaction() as tx:
                    await attendance.answer(tx, ana, slug, RsvpReply.GOING)

        async def joins(ana=ana, proposal=proposal) -> None:
            async def work(tx):
                return await actions.confirm(tx, ana.user_id, proposal)

            await db.batch(work)

        async def arrives(who=who, subjects=subjects) -> None:
            for index, about in enumerate(subjects[1:]):
                await take(db, rsvp(who, f"r{index}", 2 + index, about))

        await asyncio.gather(joins(), arrives(), answers_here())
        async with db.reader() as reader:
            rows = await reader.fetch(
                "select e.record_uri from attendances a join events e on e.id = a.event_id where a.user_id = :id",
                id=ana.user_id,
            )
            identity = await identity_queries.find(reader, did(who))
        assert {row["record_uri"] for row in rows} >= set(subjects)
        assert identity.user_id == ana.user_id
    async with db.reader() as reader:
        assert await attendance_queries.seats_held(reader, full.id) <= 1
        alone = await reader.fetch(
            "select event_id, user_id from attendances group by event_id, user_id having count(*) > 1"
        )
    assert not alone
