"""Who has several accounts answers where they answered before: no other app goes on showing what they said first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, HandClock
from openmeet.domain.account_merge import actions as claiming
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.groups import publication_settings
from openmeet.domain.identities import actions, backfill_progress
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.publishing.repositories import READ_WITHIN
from openmeet.network.records.collections import MEMBERSHIP, RSVP
from openmeet.outbox.publications import BEING_READ, PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.openmeet.publication.test_groups import found, let_in, pay, records_in, turn
from tests.openmeet.publication.test_moving_records import second_account
from tests.openmeet.town import Town, open_town


@pytest.fixture
async def town(
    make_database: MakeDatabase, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> AsyncIterator[Town]:
    async with open_town(await make_database("openmeet", clock=clock), make_sqlite, clock, tmp_path) as opened:
        yield opened


async def public_event(town: Town) -> tuple[Event, str]:
    event = await town.event(await town.connected("hedi"), title="Chess")
    await pay(town)
    return event, (await town.standing(PublicationKind.EVENT, event.id)).uri or ""


async def write(town: Town, name: str, did: Did, collection: str, record: dict[str, object]) -> str:
    """What somebody writes into their own repository with another app; read in here."""
    app = await town.stranger(name)
    made = await app.procedure(
        "com.atproto.repo.createRecord",
        {
            "repo": did,
            "collection": collection,
            "record": {"$type": collection, "createdAt": "2026-03-01T00:00:00Z", **record},
        },
    )
    await backfill(town.db, town.network, town.processor.here, did)
    return str(made["uri"])


async def going(town: Town, name: str, did: Did, event_uri: str) -> str:
    cid = (await town.record(event_uri))["cid"]
    subject = {"uri": event_uri, "cid": cid}
    return await write(town, name, did, RSVP, {"subject": subject, "status": f"{RSVP}#going"})


async def says_no(town: Town, who: Caller, event: Event, answered_at: str) -> None:
    """They say no here; the answer that they had given is changed, and their other repositories hold none."""
    town.clock.turn(MINUTE)
    answer = await town.answer(who, event.slug, RsvpReply.DECLINED)
    await pay(town)
    standing = await town.standing(PublicationKind.RSVP, answer.id)
    assert (standing.state, standing.uri) == (PublicationState.PUBLISHED, answered_at)
    assert (await town.record(answered_at))["status"] == f"{RSVP}#notgoing"


async def test_an_answer_in_the_older_account_is_changed_there(town: Town):
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    first = (await town.identity(cleo.user_id)).did
    said = await going(town, "cleo", first, uri)
    work = await second_account(town, cleo)
    await backfill(town.db, town.network, town.processor.here, work)
    await says_no(town, cleo, event, said)
    assert await records_in(town, work, RSVP) == {}


async def test_of_several_the_one_that_counts_is_changed(town: Town):
    """It said no: whatever the other says, that is not what their page here goes by."""
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    first = (await town.identity(cleo.user_id)).did
    await going(town, "cleo", first, uri)
    work = await second_account(town, cleo)
    subject = {"uri": uri, "cid": (await town.record(uri))["cid"]}
    later = {"subject": subject, "status": f"{RSVP}#interested", "createdAt": "2026-03-01T00:00:30Z"}
    counts = await write(town, "work", work, RSVP, later)
    async with town.db.transaction() as tx:
        await actions.switch(tx, cleo.user_id, first)
    await says_no(town, cleo, event, counts)


async def test_an_answer_of_an_account_that_they_claimed_is_changed_there(town: Town):
    """Met as a stranger's, joined with somebody who has an account already, which stays the one for new records."""
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    await town.account("work")
    app = await town.stranger("work")
    work = Did(str((await app.query("com.atproto.server.getSession"))["did"]))
    async with town.db.transaction() as tx:
        await actions.person_for_did(tx, work)
    said = await going(town, "work", work, uri)
    async with town.db.transaction() as tx:
        proven = await claiming.sign_in_with_did(
            tx, work, handle="work.town.test", pds_url=town.pds_url, caller=cleo.user_id
        )
    assert proven.claim is not None
    async with town.db.transaction() as tx:
        await claiming.confirm(tx, cleo.user_id, proven.claim)
    assert (await town.connected_as("work")).user_id == cleo.user_id
    first = (await town.identity(cleo.user_id)).did
    assert first != work
    await backfill(town.db, town.network, town.processor.here, work)
    await says_no(town, cleo, event, said)
    assert await records_in(town, first, RSVP) == {}


async def test_what_a_member_said_in_the_older_account_is_the_one_to_change(town: Town):
    await turn(town, Flag.GROUPS, Flag.MEMBERSHIPS)
    hedi, cleo = await town.connected("hedi"), await town.connected("cleo")
    group = await found(town, hedi)
    await let_in(town, hedi, group, cleo)
    first = (await town.identity(cleo.user_id)).did
    said = await write(town, "cleo", first, MEMBERSHIP, {"group": group.network.record_uri})
    work = await second_account(town, cleo)
    async with town.db.transaction() as tx:
        await publication_settings.show_membership(tx, cleo, group.slug, is_public=False)
    await pay(town)
    async with town.db.transaction() as tx:
        await publication_settings.show_membership(tx, cleo, group.slug, is_public=True)
    await pay(town)
    assert await records_in(town, work, MEMBERSHIP) == {}
    assert len(await records_in(town, first, MEMBERSHIP)) == 1, said


async def asked_to_read(town: Town, did: Did) -> None:
    """Somebody has just signed in with it, as far as reading it goes."""
    async with town.db.transaction() as tx:
        await backfill_progress.ask(tx, did)


async def said_elsewhere(town: Town, name: str, did: Did, event_uri: str, status: str = "going", at: str = "") -> str:
    """What another app writes, and nobody here has heard yet."""
    app = await town.stranger(name)
    subject = {"uri": event_uri, "cid": (await town.record(event_uri))["cid"]}
    record = {
        "$type": RSVP,
        "createdAt": at or "2026-03-01T00:00:00Z",
        "subject": subject,
        "status": f"{RSVP}#{status}",
    }
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "record": record})
    return str(made["uri"])


async def two_accounts(town: Town) -> tuple[Caller, Did, Did]:
    """Cleo, whose first account is the one for new records and was read, and a second one that nobody has read yet."""
    cleo = await town.connected("cleo")
    first = (await town.identity(cleo.user_id)).did
    await backfill(town.db, town.network, town.processor.here, first)
    work = await second_account(town, cleo)
    async with town.db.transaction() as tx:
        await actions.switch(tx, cleo.user_id, first)
    await asked_to_read(town, work)
    return cleo, first, work


async def test_an_answer_waits_until_a_new_account_has_been_read(town: Town):
    """It is theirs here at once; on the network the one that they have already is changed, and there is no second."""
    event, uri = await public_event(town)
    cleo, first, work = await two_accounts(town)
    said = await said_elsewhere(town, "work", work, uri)
    town.clock.turn(MINUTE)
    answer = await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await pay(town)
    standing = await town.standing(PublicationKind.RSVP, answer.id)
    assert (standing.state, standing.reason) == (PublicationState.WAITING, BEING_READ)
    assert await records_in(town, first, RSVP) == {}
    await backfill(town.db, town.network, town.processor.here, work)
    await says_no(town, cleo, event, said)
    assert await records_in(town, first, RSVP) == {}


async def test_an_account_that_cannot_be_read_keeps_no_answer_back_for_good(town: Town):
    event, _ = await public_event(town)
    cleo, first, _ = await two_accounts(town)
    answer = await town.answer(cleo, event.slug, RsvpReply.GOING)
    await pay(town)
    assert (await town.standing(PublicationKind.RSVP, answer.id)).state is PublicationState.WAITING
    town.clock.turn(READ_WITHIN)
    await pay(town)
    assert (await town.standing(PublicationKind.RSVP, answer.id)).state is PublicationState.PUBLISHED
    assert len(await records_in(town, first, RSVP)) == 1


async def test_what_was_written_since_an_account_was_last_read_is_found(town: Town):
    """It was read long ago; signing in again asks for it anew, and until then its server is asked."""
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    first = (await town.identity(cleo.user_id)).did
    await backfill(town.db, town.network, town.processor.here, first)
    said = await said_elsewhere(town, "cleo", first, uri)
    await asked_to_read(town, first)
    await town.answer(cleo, event.slug, RsvpReply.DECLINED)
    await pay(town)
    assert list(await records_in(town, first, RSVP)) == [said]


async def test_ours_stays_where_the_later_one_cannot_be_changed_now(town: Town):
    """Their other server asks for a new sign-in first: an answer taken back for that would be said nowhere meanwhile."""
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    first = (await town.identity(cleo.user_id)).did
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await pay(town)
    (ours,) = await records_in(town, first, RSVP)
    work = await second_account(town, cleo)
    town.clock.turn(MINUTE)
    await said_elsewhere(town, "work", work, uri, "interested", format_datetime(town.clock.now()))
    await backfill(town.db, town.network, town.processor.here, work)
    async with town.db.transaction() as tx:
        await tx.execute("update repository_sessions set needs_login = 1 where did = :did", did=work)
    await says_no(town, cleo, event, ours)


@pytest.mark.parametrize("where", ["another account", "the same account"])
async def test_a_later_answer_of_another_app_is_changed_and_ours_goes(town: Town, where: str):
    """Else what they say here last would be an older answer than the one that stands beside it, and lose to it when all is read anew."""
    event, uri = await public_event(town)
    cleo = await town.connected("cleo")
    first = (await town.identity(cleo.user_id)).did
    await backfill(town.db, town.network, town.processor.here, first)
    await town.answer(cleo, event.slug, RsvpReply.GOING)
    await pay(town)
    (ours,) = await records_in(town, first, RSVP)
    name, did = ("cleo", first) if where == "the same account" else ("work", await second_account(town, cleo))
    town.clock.turn(MINUTE)
    later = format_datetime(town.clock.now())
    counts = await said_elsewhere(town, name, did, uri, "interested", later)
    await backfill(town.db, town.network, town.processor.here, did)
    assert {*await records_in(town, first, RSVP), *await records_in(town, did, RSVP)} == {ours, counts}
    await says_no(town, cleo, event, counts)
    assert {*await records_in(town, first, RSVP), *await records_in(town, did, RSVP)} == {counts}
    for one in {first, did}:
        await backfill(town.db, town.network, town.processor.here, one)
    async with town.db.reader() as reader:
        mine = await attendance_queries.find(reader, event.id, cleo.user_id)
        assert mine is not None
        assert mine.status is AttendanceStatus.DECLINED
