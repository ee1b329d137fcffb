"""A person with several accounts answers again. The record is written to the account with their earlier answer, so that
no other app shows the earlier answer any more.
"""

import pytest

from at_protocol.syntax.datetime import format_datetime
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.groups import publication_settings
from openmeet.domain.identities import actions, backfill_progress
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.backfill import backfill
from openmeet.network.publishing.repository_choice import MAX_WAIT_FOR_READ
from openmeet.network.records.collections import MEMBERSHIP, RSVP
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import Deployment, deliver_all_publications, records_in_repository, switch_flag
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.publishing.accounts import connect_second_account
from tests.openmeet.publishing.answers import answer_in_app
from tests.openmeet.publishing.published_groups import create_group, let_into_group

__all__ = ["deployment"]


async def public_event(deployment: Deployment) -> tuple[Event, str]:
    event = await deployment.event(await deployment.connected("hedi"), title="Chess")
    await deliver_all_publications(deployment)
    return event, (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""


async def write(deployment: Deployment, name: str, did: Did, collection: str, record: dict[str, object]) -> str:
    """The person writes a record with another app, and it is ingested."""
    app = await deployment.stranger(name)
    made = await app.procedure(
        "com.atproto.repo.createRecord",
        {
            "repo": did,
            "collection": collection,
            "record": {"$type": collection, "createdAt": "2026-03-01T00:00:00Z", **record},
        },
    )
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    return str(made["uri"])


async def going(deployment: Deployment, name: str, did: Did, event_uri: str) -> str:
    cid = (await deployment.record(event_uri))["cid"]
    subject = {"uri": event_uri, "cid": cid}
    return await write(deployment, name, did, RSVP, {"subject": subject, "status": f"{RSVP}#going"})


async def says_no(deployment: Deployment, who: Caller, event: Event, answered_at: str) -> None:
    """The person declines on this site: their existing answer is changed, and no other repository of theirs has one."""
    deployment.clock.turn(MINUTE)
    answer = await deployment.answer(who, event.slug, RsvpReply.DECLINED)
    await deliver_all_publications(deployment)
    publication = await deployment.status_of(PublicationKind.RSVP, answer.id)
    assert (publication.state, publication.uri) == (PublicationState.PUBLISHED, answered_at)
    assert (await deployment.record(answered_at))["status"] == f"{RSVP}#notgoing"


async def test_an_answer_in_the_older_account_is_changed_there(deployment: Deployment):
    event, uri = await public_event(deployment)
    cleo = await deployment.connected("cleo")
    first = (await deployment.identity(cleo.user_id)).did
    said = await going(deployment, "cleo", first, uri)
    work = await connect_second_account(deployment, cleo)
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, work)
    await says_no(deployment, cleo, event, said)
    assert await records_in_repository(deployment, work, RSVP) == {}


async def test_of_several_answers_the_one_that_counts_is_changed(deployment: Deployment):
    """The effective record is changed to "not going", whatever the other one says, because the person's page follows
    the effective one.
    """
    event, uri = await public_event(deployment)
    cleo = await deployment.connected("cleo")
    first = (await deployment.identity(cleo.user_id)).did
    await going(deployment, "cleo", first, uri)
    work = await connect_second_account(deployment, cleo)
    subject = {"uri": uri, "cid": (await deployment.record(uri))["cid"]}
    later = {"subject": subject, "status": f"{RSVP}#interested", "createdAt": "2026-03-01T00:00:30Z"}
    counts = await write(deployment, "office", work, RSVP, later)
    async with deployment.db.transaction() as tx:
        await actions.make_default(tx, cleo.user_id, first)
    await says_no(deployment, cleo, event, counts)


async def test_an_answer_in_a_claimed_account_is_changed_there(deployment: Deployment):
    """The account was first known only by its DID and then linked to a person who already has an account. That account
    continues to get new records.
    """
    event, uri = await public_event(deployment)
    cleo = await deployment.connected("cleo")
    await deployment.account("office")
    app = await deployment.stranger("office")
    work = Did(str((await app.query("com.atproto.server.getSession"))["did"]))
    async with deployment.db.transaction() as tx:
        await actions.person_for_did(tx, work)
    said = await going(deployment, "office", work, uri)
    async with deployment.db.transaction() as tx:
        proven = await account_merge.sign_in_with_did(
            tx, work, handle="office.town.test", pds_url=deployment.pds_url, caller=cleo.user_id
        )
    assert proven.proposal is not None
    async with deployment.db.transaction() as tx:
        await account_merge.confirm(tx, cleo.user_id, proven.proposal)
    assert (await deployment.connected_as("office")).user_id == cleo.user_id
    first = (await deployment.identity(cleo.user_id)).did
    assert first != work
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, work)
    await says_no(deployment, cleo, event, said)
    assert await records_in_repository(deployment, first, RSVP) == {}


async def test_a_membership_record_in_the_older_account_is_changed_there(deployment: Deployment):
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    hedi, cleo = await deployment.connected("hedi"), await deployment.connected("cleo")
    group = await create_group(deployment, hedi)
    await let_into_group(deployment, hedi, group, cleo)
    first = (await deployment.identity(cleo.user_id)).did
    said = await write(deployment, "cleo", first, MEMBERSHIP, {"group": group.network.record_uri})
    work = await connect_second_account(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await publication_settings.show_membership(tx, cleo, group.slug, is_public=False)
    await deliver_all_publications(deployment)
    async with deployment.db.transaction() as tx:
        await publication_settings.show_membership(tx, cleo, group.slug, is_public=True)
    await deliver_all_publications(deployment)
    assert await records_in_repository(deployment, work, MEMBERSHIP) == {}
    assert len(await records_in_repository(deployment, first, MEMBERSHIP)) == 1, said


async def asked_to_read(deployment: Deployment, did: Did) -> None:
    """Queue the read of the repository, as signing in with it does."""
    async with deployment.db.transaction() as tx:
        await backfill_progress.track(tx, did)


async def two_accounts(deployment: Deployment) -> tuple[Caller, Did, Did]:
    """Cleo with two accounts: the first gets new records and has been read, the second has not been read yet."""
    cleo = await deployment.connected("cleo")
    first = (await deployment.identity(cleo.user_id)).did
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, first)
    work = await connect_second_account(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await actions.make_default(tx, cleo.user_id, first)
    await asked_to_read(deployment, work)
    return cleo, first, work


async def test_an_answer_waits_until_a_new_account_has_been_read(deployment: Deployment):
    """The answer counts on this site at once. On the network the person's existing record is changed, and there is no
    second one.
    """
    event, uri = await public_event(deployment)
    cleo, first, work = await two_accounts(deployment)
    said = await answer_in_app(deployment, "office", work, uri)
    deployment.clock.turn(MINUTE)
    answer = await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deliver_all_publications(deployment)
    publication = await deployment.status_of(PublicationKind.RSVP, answer.id)
    assert (publication.state, publication.reason) == (
        PublicationState.WAITING,
        PublicationReason.ACCOUNTS_BEING_READ(),
    )
    assert await records_in_repository(deployment, first, RSVP) == {}
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, work)
    await says_no(deployment, cleo, event, said)
    assert await records_in_repository(deployment, first, RSVP) == {}


async def test_an_account_that_cannot_be_read_delays_answers_only_for_a_while(deployment: Deployment):
    event, _ = await public_event(deployment)
    cleo, first, _ = await two_accounts(deployment)
    answer = await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.WAITING
    deployment.clock.turn(MAX_WAIT_FOR_READ)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.PUBLISHED
    assert len(await records_in_repository(deployment, first, RSVP)) == 1


async def test_an_answer_written_since_the_last_read_is_found(deployment: Deployment):
    """The account was last read long ago. Signing in queues another read, and until then its server is queried
    directly.
    """
    event, uri = await public_event(deployment)
    cleo = await deployment.connected("cleo")
    first = (await deployment.identity(cleo.user_id)).did
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, first)
    said = await answer_in_app(deployment, "cleo", first, uri)
    await asked_to_read(deployment, first)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deliver_all_publications(deployment)
    assert list(await records_in_repository(deployment, first, RSVP)) == [said]


async def test_our_record_stays_while_the_later_one_cannot_be_changed(deployment: Deployment):
    """The person's other server needs a new sign-in first. If this site's record were deleted already, no answer would
    be published in the meantime.
    """
    event, uri = await public_event(deployment)
    cleo = await deployment.connected("cleo")
    first = (await deployment.identity(cleo.user_id)).did
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    (ours,) = await records_in_repository(deployment, first, RSVP)
    work = await connect_second_account(deployment, cleo)
    deployment.clock.turn(MINUTE)
    await answer_in_app(deployment, "office", work, uri, "interested", format_datetime(deployment.clock.now()))
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, work)
    async with deployment.db.transaction() as tx:
        await tx.execute("update repository_sessions set needs_login = 1 where did = :did", did=work)
    await says_no(deployment, cleo, event, ours)


@pytest.mark.parametrize("where", ["another account", "the same account"])
async def test_a_later_answer_of_another_app_is_changed_and_ours_deleted(deployment: Deployment, where: str):
    """Otherwise this site's answer, the last one, would be older than the other record, and the next whole read would
    replace it.
    """
    event, uri = await public_event(deployment)
    cleo = await deployment.connected("cleo")
    first = (await deployment.identity(cleo.user_id)).did
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, first)
    await deployment.answer(cleo, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    (ours,) = await records_in_repository(deployment, first, RSVP)
    name, did = (
        ("cleo", first) if where == "the same account" else ("office", await connect_second_account(deployment, cleo))
    )
    deployment.clock.turn(MINUTE)
    later = format_datetime(deployment.clock.now())
    counts = await answer_in_app(deployment, name, did, uri, "interested", later)
    await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, did)
    assert {
        *await records_in_repository(deployment, first, RSVP),
        *await records_in_repository(deployment, did, RSVP),
    } == {ours, counts}
    await says_no(deployment, cleo, event, counts)
    assert {
        *await records_in_repository(deployment, first, RSVP),
        *await records_in_repository(deployment, did, RSVP),
    } == {counts}
    for one in {first, did}:
        await backfill(deployment.db, deployment.network, deployment.processor.ingestion_context, one)
    async with deployment.db.reader() as reader:
        mine = await attendance_queries.find(reader, event.id, cleo.user_id)
        assert mine is not None
        assert mine.status is AttendanceStatus.DECLINED
