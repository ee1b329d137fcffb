"""An account that a person disconnected: its records stay unchanged, whoever uses the account afterwards (invariant 5)."""

from datetime import timedelta

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did
from groundwork.clock import MINUTE, SECOND
from groundwork.errors import NotSignedIn
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.groups import ownership
from openmeet.domain.groups.model import GroupRole
from openmeet.domain.identities import actions
from openmeet.domain.series import actions as series
from openmeet.domain.series.model import Timing
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.repositories.agents import agent_for
from openmeet.network.repositories.sign_in import sign_in_with_password
from openmeet.outbox import in_flight, publication_rechecks, publication_withdrawals, publications
from openmeet.outbox.in_flight import InFlightWrite
from openmeet.outbox.publications import PublicationKind, PublicationState, SubjectRevision
from openmeet.outbox.reasons import RecordStatus
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import parse_rule
from tests.openmeet.deployment import Deployment, deliver_all_publications, details, records_listed, switch_flag
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.publishing.accounts import connect_second_account, move_records_from
from tests.openmeet.publishing.published_groups import create_group, create_group_event, let_into_group, show_membership

__all__ = ["deployment"]


async def new_series(deployment: Deployment, host: Caller) -> None:
    timing = Timing(
        pattern(parse_date("2026-03-07T18:00", "Europe/Vienna"), "Europe/Vienna", parse_rule("FREQ=WEEKLY;COUNT=10")),
        timedelta(hours=2),
    )
    async with deployment.db.transaction() as tx:
        await series.create(tx, host, details().content, timing)
    await deliver_all_publications(deployment)


async def one_of_each(deployment: Deployment) -> tuple[Caller, Did]:
    """A person, and the older of their two accounts, which has a record of every kind."""
    await switch_flag(deployment, Flag.SERIES_LEXICON, Flag.GROUPS, Flag.MEMBERSHIPS)
    cleo, dan = await deployment.connected("cleo"), await deployment.connected("dan")
    account = (await deployment.identity(cleo.user_id)).did
    await deployment.event(cleo, title="Moved away")
    await new_series(deployment, cleo)
    await connect_second_account(deployment, cleo)
    await move_records_from(deployment, cleo, account)
    async with deployment.db.transaction() as tx:
        await actions.make_default(tx, cleo.user_id, account)
    await deployment.event(cleo)
    await new_series(deployment, cleo)
    hosted = await deployment.event(dan, title="Chess")
    await deliver_all_publications(deployment)
    await deployment.answer(cleo, hosted.slug)
    group = await create_group(deployment, cleo)
    await let_into_group(deployment, cleo, group, dan)
    for one in (dan, cleo):
        await show_membership(deployment, one, group)
    await create_group_event(deployment, cleo, group)
    given_away = await create_group(deployment, cleo, name="Given away")
    await let_into_group(deployment, cleo, given_away, dan, GroupRole.ADMIN)
    async with deployment.db.transaction() as tx:
        await ownership.offer(tx, cleo, given_away.slug, dan.user_id)
        await ownership.accept_offer(tx, dan, given_away.slug)
    await deliver_all_publications(deployment)
    return cleo, account


async def everything_in(deployment: Deployment, did: Did) -> dict[str, object]:
    """The records in an account's repository: URI -> CID."""
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    named = (await client.query("com.atproto.repo.describeRepo", {"repo": did}))["collections"]
    assert isinstance(named, list)
    held: dict[str, object] = {}
    for collection in named:
        answer = await client.query(
            "com.atproto.repo.listRecords", {"repo": did, "collection": str(collection), "limit": 100}
        )
        held |= {str(one["uri"]): one["cid"] for one in records_listed(answer)}
    return held


async def published_in(deployment: Deployment, did: Did) -> set[PublicationKind]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select kind from publications where did = :did and uri is not null", did=did)
    return {PublicationKind(row["kind"]) for row in rows}


async def sign_in_as_somebody_else(deployment: Deployment, cleo: Caller, did: Did) -> Caller:
    """One person disconnects the account. Another person signs in with it and agrees to publishing."""
    async with deployment.db.transaction() as tx:
        await actions.unlink(tx, cleo.user_id, did)
    deployment.clock.turn(5 * SECOND)
    other = await deployment.connected_as("cleo")
    assert other.user_id != cleo.user_id
    return other


async def test_records_of_a_disconnected_account_are_not_changed(deployment: Deployment):
    """Records of every kind stay unchanged, whatever happens to their subjects and whatever their author decides about
    publishing.
    """
    cleo, account = await one_of_each(deployment)
    assert await published_in(deployment, account) == set(PublicationKind)
    before = await everything_in(deployment, account)
    await sign_in_as_somebody_else(deployment, cleo, account)

    async def looked_at_again() -> None:
        async with deployment.db.transaction() as tx:
            for kind in PublicationKind:
                await publication_rechecks.make_kind_due(tx, kind)

    async def edited() -> None:
        async with deployment.db.transaction() as tx:
            await tx.execute(
                "update publications set state = 'due', revision = revision + 1, due_at = :now"
                " where did = :did and uri is not null",
                did=account,
                now=tx.now,
            )

    async def taken_back() -> None:
        async with deployment.db.transaction() as tx:
            await actions.withdraw(tx, cleo.user_id)
            await publication_rechecks.make_unpublished_due_of(tx, cleo.user_id)

    async def vanished() -> None:
        async with deployment.db.transaction() as tx:
            rows = await tx.fetch(
                "select kind, subject_id, user_id, revision from publications where did = :did and uri is not null",
                did=account,
            )
            for kind in PublicationKind:
                subjects = [
                    SubjectRevision(row["subject_id"], row["user_id"], row["revision"] + 1)
                    for row in rows
                    if row["kind"] == kind
                ]
                await publications.enqueue_retractions(tx, kind=kind, subjects=subjects, record_uris={})
            await tx.execute("update events set deleted_at = :now", now=tx.now)
            await tx.execute("update groups set deleted_at = :now", now=tx.now)

    for attack in (looked_at_again, edited, taken_back, vanished):
        await attack()
        await deliver_all_publications(deployment)
        deployment.clock.turn(MINUTE)
        await deliver_all_publications(deployment)
        assert await everything_in(deployment, account) == before, attack.__name__


async def test_records_are_updated_again_after_reconnecting(deployment: Deployment):
    """Until the person reconnects the account, the page asks them to sign in, and no second record is made in their
    other account.
    """
    cleo = await deployment.connected("cleo")
    account = (await deployment.identity(cleo.user_id)).did
    event, hosted = (
        await deployment.event(cleo),
        await deployment.event(await deployment.connected("dan"), title="Chess"),
    )
    await deliver_all_publications(deployment)
    answer = await deployment.answer(cleo, hosted.slug)
    await deliver_all_publications(deployment)
    work = await connect_second_account(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await actions.unlink(tx, cleo.user_id, account)
    before = await everything_in(deployment, account)
    await deployment.revise(cleo, event.slug, title="Coffee")
    await deployment.answer(cleo, hosted.slug, RsvpReply.DECLINED)
    await deliver_all_publications(deployment)
    for kind, subject in ((PublicationKind.EVENT, event.id), (PublicationKind.RSVP, answer.id)):
        publication = await deployment.status_of(kind, subject)
        assert publication.state is PublicationState.BLOCKED
        assert (
            publication.explanation_for_owner(deployment.clock.now(), is_allowed=True)
            == RecordStatus.SIGN_IN_TO_PUBLISH()
        )
    assert await everything_in(deployment, account) == before
    assert await everything_in(deployment, work) == {}
    async with deployment.db.transaction() as tx:
        await actions.link(tx, account, cleo.user_id, handle="cleo.town.test", pds_url=deployment.pds_url)
    await sign_in_with_password(
        deployment.db, deployment.network, identifier="cleo.town.test", password="a long password"
    )
    await deliver_all_publications(deployment)
    for kind, subject, said in ((PublicationKind.EVENT, event.id, "Coffee"), (PublicationKind.RSVP, answer.id, None)):
        publication = await deployment.status_of(kind, subject)
        assert publication.state is PublicationState.PUBLISHED
        record = await deployment.record(publication.uri or "")
        assert record.get("name") == said
    assert record["status"].endswith("#notgoing")


async def last_account_let_go(deployment: Deployment) -> tuple[Caller, Did, Event]:
    """A person who can sign in by e-mail disconnects their only account, where their event is public."""
    cleo = await deployment.connected("cleo")
    account = (await deployment.identity(cleo.user_id)).did
    event = await deployment.event(cleo)
    await deliver_all_publications(deployment)
    async with deployment.db.transaction() as tx:
        await tx.execute("update users set email = 'cleo@example.org' where id = :id", id=cleo.user_id)
        await actions.unlink(tx, cleo.user_id, account)
    await deployment.revise(cleo, event.slug, title="Coffee")
    await deliver_all_publications(deployment)
    async with deployment.db.transaction() as tx:
        await actions.link(tx, account, cleo.user_id, handle="cleo.town.test", pds_url=deployment.pds_url)
    await sign_in_with_password(
        deployment.db, deployment.network, identifier="cleo.town.test", password="a long password"
    )
    await deliver_all_publications(deployment)
    return cleo, account, event


@pytest.mark.parametrize("says", ["nothing", "yes", "no"])
async def test_consent_that_ended_with_the_account_does_not_count_as_a_refusal(deployment: Deployment, says: str):
    """After reconnecting, the records stay unchanged until their author says yes or no."""
    cleo, account, event = await last_account_let_go(deployment)
    (uri,) = await everything_in(deployment, account)
    assert (await deployment.record(uri))["name"] == "Tea in the park"
    async with deployment.db.transaction() as tx:
        if says == "yes":
            await actions.grant_consent(tx, cleo.user_id, handle="cleo.town.test")
        elif says == "no":
            await actions.withdraw(tx, cleo.user_id)
    await deliver_all_publications(deployment)
    if says == "no":
        assert await everything_in(deployment, account) == {}
    else:
        assert (await deployment.record(uri))["name"] == ("Coffee" if says == "yes" else "Tea in the park")
        assert (await deployment.status_of(PublicationKind.EVENT, event.id)).uri == uri


async def test_a_retracted_answer_is_published_in_the_remaining_account(deployment: Deployment):
    """An answer that was private for a while is published in the remaining account."""
    cleo, dan = await deployment.connected("cleo"), await deployment.connected("dan")
    account = (await deployment.identity(cleo.user_id)).did
    hosted = await deployment.event(dan, title="Chess")
    await deliver_all_publications(deployment)
    answer = await deployment.answer(cleo, hosted.slug)
    await deliver_all_publications(deployment)
    async with deployment.db.transaction() as tx:
        await publication_withdrawals.withdraw(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.RETRACTED
    work = await connect_second_account(deployment, cleo)
    async with deployment.db.transaction() as tx:
        await actions.unlink(tx, cleo.user_id, account)
        await publications.retry_now(tx, kind=PublicationKind.RSVP, subject_id=answer.id)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, answer.id)).state is PublicationState.PUBLISHED
    assert list(await everything_in(deployment, work)) == [
        (await deployment.status_of(PublicationKind.RSVP, answer.id)).uri
    ]


async def test_agent_of_one_person_is_refused_to_another(deployment: Deployment):
    """Even an agent that was opened before and now needs fresh tokens is refused."""
    cleo = await deployment.connected("cleo")
    identity = await deployment.identity(cleo.user_id)
    await connect_second_account(deployment, cleo)
    before = await agent_for(deployment.db, deployment.network, identity)
    other = await sign_in_as_somebody_else(deployment, cleo, identity.did)
    with pytest.raises(NotSignedIn):
        await agent_for(deployment.db, deployment.network, identity)
    deployment.clock.turn(3 * 60 * MINUTE)
    with pytest.raises(NotSignedIn):
        await before.query("com.atproto.server.getSession")
    theirs = await agent_for(deployment.db, deployment.network, await deployment.identity(other.user_id))
    assert (await theirs.query("com.atproto.server.getSession"))["did"] == identity.did


async def test_late_creates_in_a_disconnected_account_are_kept(deployment: Deployment):
    """A create whose response was lost can still arrive after the account was disconnected. The person who has the
    account then keeps that record.
    """
    cleo = await deployment.connected("cleo")
    account = (await deployment.identity(cleo.user_id)).did
    event = await deployment.event(cleo)
    await deliver_all_publications(deployment)
    await connect_second_account(deployment, cleo)
    (uri,) = held = await everything_in(deployment, account)
    async with deployment.db.transaction() as tx:
        await in_flight.store(tx, InFlightWrite(uri, str(held[uri]), None), did=account)
        await in_flight.enqueue_check(tx, uri)
        await tx.execute("update publications set uri = null, state = 'withheld' where subject_id = :id", id=event.id)
    await sign_in_as_somebody_else(deployment, cleo, account)
    await deployment.deliver_jobs()
    assert await everything_in(deployment, account) == held
    async with deployment.db.reader() as reader:
        assert await in_flight.of_uri(reader, uri) is None
