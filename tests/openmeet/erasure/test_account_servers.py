"""Deleting an account whose records or custodial account are on an account server; on both engines."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest

from at_network.xrpc_client import XrpcClient
from at_protocol.syntax.did import Did
from groundwork.clock import DAY, HOUR, HandClock
from groundwork.errors import NotFound, Unavailable
from groundwork.outbox import dispatcher, jobs
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.jobs import JobState
from openmeet.domain.attendance import group_hosting
from openmeet.domain.erasure import actions
from openmeet.domain.erasure.actions import preview_deletion
from openmeet.domain.erasure.model import DELETION_MAIL
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import queries as identity_queries
from openmeet.domain.identities import session_queries
from openmeet.domain.identities.model import IdentityReason
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users import actions as users
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.erasure_requests import ErasureStage
from openmeet.domain.users.model import Caller, UserId
from openmeet.emails.account import deletion_composer
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.person_erasure import take_due
from openmeet.network.records.collections import EVENT, RSVP
from openmeet.network.repositories.custodial import (
    LOOKS_AGAIN,
    MAX_TRIES,
    admin_client,
    custodial_deletion_handler,
    make_account,
)
from openmeet.outbox.emails import DueEmail
from openmeet.outbox.kinds import JobKind
from tests.openmeet.deployment import Deployment, deliver_all_publications, records_of, switch_flag
from tests.openmeet.deployment import deployment_on_each as deployment
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.publishing.published_groups import create_group

__all__ = ["deployment"]


GRACE = 14 * DAY


async def is_there(deployment: Deployment, did: str) -> bool:
    client = admin_client(deployment.network, deployment.custodial_pds)
    try:
        await client.query("com.atproto.admin.getAccountInfo", {"did": did})
    except NotFound:
        return False
    return True


async def mail_to(deployment: Deployment, who: Caller):
    """The e-mail queued for a person who is deleting their account and has an address."""
    async with deployment.db.transaction() as tx:
        await tx.execute("update users set email = 'cleo@example.org' where id = :id", id=who.user_id)
        asked = await erasure_requests.find(tx, who.user_id)
    due = DueEmail(DELETION_MAIL, who.user_id, str(asked.requested_at), 1)
    return await deletion_composer("Town", "https://meet.example")(deployment.db, due)


async def test_a_late_scheduler_still_leaves_time_to_retract(deployment: Deployment, tmp_path: Path) -> None:
    """A scheduler that was down for the whole grace period first ends all events and retracts all records, and then
    waits the usual time before it deletes the account.
    """
    cleo = await deployment.connected()
    await deployment.event(cleo)
    await deliver_all_publications(deployment)
    assert len(await records_of(deployment, cleo, EVENT)) == 1
    await actions.begin(deployment.db, cleo.user_id, GRACE)
    deployment.clock.turn(GRACE + 5 * DAY)
    assert await take_due(deployment.db, erasing_in(tmp_path)) == 0
    async with deployment.db.reader() as reader:
        asked = await erasure_requests.find(reader, cleo.user_id)
    assert (asked.stage, asked.due_at) == (ErasureStage.ENDING, deployment.clock.now() + 2 * DAY)
    (uri,) = await records_of(deployment, cleo, EVENT)
    assert uri in (await mail_to(deployment, cleo)).text
    await deliver_all_publications(deployment)
    assert await records_of(deployment, cleo, EVENT) == {}
    assert "at://" not in (await mail_to(deployment, cleo)).text
    deployment.clock.turn(2 * DAY)
    assert await take_due(deployment.db, erasing_in(tmp_path)) == 1


async def test_records_without_access_are_shown_and_mailed(deployment: Deployment, tmp_path: Path) -> None:
    """Records on an account server that the site cannot access are shown in advance and listed in the last e-mail.
    Signing in keeps the account, and no last e-mail is sent.
    """
    cleo = await deployment.connected()
    await deployment.event(cleo)
    await deliver_all_publications(deployment)
    (uri,) = await records_of(deployment, cleo, EVENT)
    did = (await deployment.identity(cleo.user_id)).did
    async with deployment.db.transaction() as tx:
        assert (await preview_deletion(tx, cleo.user_id, GRACE)).out_of_reach == ()
        session = await session_queries.find(tx, did)
        await session_queries.set_needs_login(tx, session)
        assert (await preview_deletion(tx, cleo.user_id, GRACE)).out_of_reach == (uri,)
    await actions.begin(deployment.db, cleo.user_id, GRACE)
    deployment.clock.turn(12 * DAY)
    await take_due(deployment.db, erasing_in(tmp_path))
    async with deployment.db.reader() as reader:
        mails = list(await reader.fetch("select subject, due_at from outbox_jobs where kind = 'mail'"))
    (mail,) = [row for row in mails if row["subject"].startswith(DELETION_MAIL)]
    assert mail["due_at"] == deployment.clock.now() + DAY
    said = await mail_to(deployment, cleo)
    assert (said.to, uri in said.text) == ("cleo@example.org", True)
    due = DueEmail(DELETION_MAIL, cleo.user_id, "1", 1)
    assert await deletion_composer("Town", "https://meet.example")(deployment.db, due) is None
    async with deployment.db.transaction() as tx:
        await open_session(tx, cleo.user_id, SessionTransport.BROWSER)
    assert await deletion_composer("Town", "https://meet.example")(deployment.db, due) is None


async def test_an_unreachable_server_does_not_delay_the_deletion(deployment: Deployment, tmp_path: Path) -> None:
    """The data on this site is deleted at once. The custodial account is deleted as soon as its server responds."""
    ana = await deployment.person()
    did = (await deployment.identity(ana.user_id)).did
    assert await is_there(deployment, did)
    await actions.begin(deployment.db, ana.user_id, DAY)
    deployment.clock.turn(2 * DAY)
    deployment.proxy.loses = lambda _request: True
    assert await take_due(deployment.db, erasing_in(tmp_path)) == 1
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        job = await jobs.find(reader, JobKind.DELETE_CUSTODIAL_ACCOUNT, did)
    assert (job.state, job.attempts) == (JobState.DUE, 1)
    deployment.proxy.loses = lambda _request: False
    deployment.clock.turn(DAY)
    await deployment.deliver_jobs()
    assert not await is_there(deployment, did)


async def test_a_server_that_is_gone_is_listed_for_the_operator(deployment: Deployment, tmp_path: Path) -> None:
    """The server is listed after several days of attempts, or at once if the site has no admin authorization for it."""
    did = "did:plc:" + "g" * 24
    async with deployment.db.transaction() as tx:
        await jobs.enqueue(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, did)
        await tx.execute("update outbox_jobs set attempts = :tries", tries=MAX_TRIES)
    gone = replace(deployment.custodial_pds, pds_url="http://127.0.0.1:1")
    for custodial_pds, reason in (
        (gone, IdentityReason.SERVER_WAS_AWAY),
        (replace(deployment.custodial_pds, admin_authorization=""), IdentityReason.CANNOT_DELETE_ACCOUNT),
    ):
        handler = one_job_per_call(custodial_deletion_handler(deployment.db, deployment.network, custodial_pds))
        await dispatcher.run_once(deployment.db, {JobKind.DELETE_CUSTODIAL_ACCOUNT: handler})
        async with deployment.db.transaction() as tx:
            job = await jobs.find(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, did)
            assert (job.state, job.reason_code) == (JobState.FAILED, reason.value)
            await jobs.enqueue(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, did, 2)


async def test_an_account_whose_creation_was_not_answered_is_found_by_its_handle(
    deployment: Deployment, tmp_path: Path
) -> None:
    async with deployment.db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana", email="ana@example.org")
        await identities.grant_consent(tx, ana, handle="ana.town.test")
    deployment.proxy.loses = lambda request: request.path.endswith("createAccount")
    await deployment.deliver_jobs()
    deployment.proxy.loses = lambda _request: False
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    did = (await client.query("com.atproto.identity.resolveHandle", {"handle": "ana.town.test"}))["did"]
    await actions.begin(deployment.db, ana, DAY)
    deployment.clock.turn(2 * DAY)
    assert await take_due(deployment.db, erasing_in(tmp_path)) == 1
    await deployment.deliver_jobs()
    assert not await is_there(deployment, did)


async def test_a_handle_with_a_new_owner_is_not_deleted(deployment: Deployment, tmp_path: Path) -> None:
    await deployment.account("cleo")
    async with deployment.db.transaction() as tx:
        await jobs.enqueue(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, "cleo.town.test")
        await jobs.enqueue(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, "nobody.town.test")
    ben = await deployment.person("Ben")
    async with deployment.db.transaction() as tx:
        await jobs.enqueue(tx, JobKind.DELETE_CUSTODIAL_ACCOUNT, "ben.town.test")
    for _ in range(LOOKS_AGAIN + 1):
        await deployment.deliver_jobs()
        deployment.clock.turn(HOUR)
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    for handle in ("cleo.town.test", "ben.town.test"):
        did = (await client.query("com.atproto.identity.resolveHandle", {"handle": handle}))["did"]
        assert await is_there(deployment, did)
    async with deployment.db.reader() as reader:
        for handle in ("cleo.town.test", "nobody.town.test", "ben.town.test"):
            job = await jobs.find(reader, JobKind.DELETE_CUSTODIAL_ACCOUNT, handle)
            assert job.state is JobState.COMPLETED
    assert (await deployment.identity(ben.user_id)).handle == "ben.town.test"


async def test_an_account_created_late_is_deleted(deployment: Deployment, tmp_path: Path) -> None:
    """The create request was still running while the data on this site was deleted, and its response was lost. At first
    the handle does not resolve.
    """
    async with deployment.db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana", email="ana@example.org")
        await identity_queries.put_custodial_account(
            tx,
            ana,
            handle="ana.town.test",
            email=f"{ana}@{deployment.custodial_pds.mail_domain}",
            sealed_password=b"sealed",
        )
    await actions.begin(deployment.db, ana, DAY)
    deployment.clock.turn(2 * DAY)
    assert await take_due(deployment.db, erasing_in(tmp_path)) == 1
    await deployment.deliver_jobs()
    did = await made_late(deployment, "ana.town.test", f"{ana}@{deployment.custodial_pds.mail_domain}")
    assert await is_there(deployment, did)
    deployment.clock.turn(HOUR)
    await deployment.deliver_jobs()
    assert not await is_there(deployment, did)


async def test_an_account_with_an_abandoned_handle_is_deleted(deployment: Deployment) -> None:
    """The creation was never acknowledged, and the person has chosen another handle since. The account with the new
    handle stays.
    """
    async with deployment.db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana", email="ana@example.org")
        await identities.grant_consent(tx, ana, handle="ana.town.test")
    deployment.proxy.loses = lambda request: request.path.endswith("createAccount")
    await deployment.deliver_jobs()
    deployment.proxy.loses = lambda _request: False
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    given_up = (await client.query("com.atproto.identity.resolveHandle", {"handle": "ana.town.test"}))["did"]
    async with deployment.db.transaction() as tx:
        await tx.execute("update consents set handle = 'anna.town.test'")
    for _ in range(2):
        deployment.clock.turn(HOUR)
        await deployment.deliver_jobs()
    kept = (await client.query("com.atproto.identity.resolveHandle", {"handle": "anna.town.test"}))["did"]
    assert (await deployment.identity(ana)).did == kept
    assert await is_there(deployment, kept)
    assert not await is_there(deployment, given_up)


async def agreed(deployment: Deployment, handle: str, user_id: UserId | None = None) -> UserId:
    """A person who agreed to a custodial account with this handle, for which the account was requested. If ``user_id``
    is given, that person changes the handle.
    """
    async with deployment.db.transaction() as tx:
        ana = user_id or await users.create_person(tx, display_name="Ana", email="ana@example.org")
        await identities.grant_consent(tx, ana, handle=handle)
    await deployment.deliver_jobs()
    return ana


async def test_a_handle_chosen_again_keeps_its_account(deployment: Deployment) -> None:
    """The creation was never acknowledged. The person chose another handle and then the first one again, before the
    account was deleted.
    """
    deployment.proxy.loses = lambda request: request.path.endswith("createAccount")
    ana = await agreed(deployment, "ana.town.test")
    deployment.proxy.loses = lambda _request: False
    async with deployment.db.reader() as reader:
        (key,) = await reader.fetch("select public_key from recovery_keys")
    for handle in ("anna.town.test", "ana.town.test"):
        async with deployment.db.transaction() as tx:
            await identities.grant_consent(tx, ana, handle=handle)
        with pytest.raises(Unavailable):
            await make_account(deployment.db, deployment.network, deployment.custodial_pds, ana)
    for _ in range(LOOKS_AGAIN + 2):
        deployment.clock.turn(HOUR)
        await deployment.deliver_jobs()
    identity = await deployment.identity(ana)
    assert identity.handle == "ana.town.test"
    assert await is_there(deployment, identity.did)
    document = await deployment.network.http.request("GET", f"{deployment.plc_url}/{identity.did}/data")
    assert key["public_key"] in document.json()["rotationKeys"]
    async with deployment.db.reader() as reader:
        (used,) = await reader.fetch("select public_key, did from recovery_keys")
    assert (used["public_key"], used["did"]) == (key["public_key"], identity.did)


async def test_after_a_refused_handle_another_one_is_created_at_once(deployment: Deployment) -> None:
    """No account was created because the handle was taken or not allowed, so there is none to delete first."""
    await deployment.account("cleo")
    ana = await agreed(deployment, "cleo.town.test")
    await agreed(deployment, "admin.town.test", ana)
    await agreed(deployment, "anna.town.test", ana)
    assert (await deployment.identity(ana)).handle == "anna.town.test"
    async with deployment.db.reader() as reader:
        kinds = await reader.fetch("select kind from outbox_jobs where kind = 'delete_custodial_account'")
        job = await jobs.find(reader, JobKind.CUSTODIAL_ACCOUNT, ana)
    assert kinds == []
    assert job.state is JobState.COMPLETED


async def test_a_refused_handle_leaves_nothing_to_delete(deployment: Deployment, tmp_path: Path) -> None:
    """The refused handle belongs to another person."""
    await deployment.account("cleo")
    ana = await agreed(deployment, "cleo.town.test")
    await actions.begin(deployment.db, ana, DAY)
    deployment.clock.turn(2 * DAY)
    assert await take_due(deployment.db, erasing_in(tmp_path)) == 1
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select subject from outbox_jobs where kind = 'delete_custodial_account'") == []


async def made_late(deployment: Deployment, handle: str, email: str) -> str:
    """Create the account, as the server does with a request that was still running."""
    admin = admin_client(deployment.network, deployment.custodial_pds)
    invite = await admin.procedure("com.atproto.server.createInviteCode", {"useCount": 1})
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    made = await client.procedure(
        "com.atproto.server.createAccount",
        {"handle": handle, "email": email, "password": secrets.token_urlsafe(16), "inviteCode": invite["code"]},
    )
    return str(made["did"])


async def test_an_account_created_after_the_erasure_is_deleted(deployment: Deployment, tmp_path: Path) -> None:
    """The create request was still running while the rows were deleted."""
    async with deployment.db.transaction() as tx:
        ana = await users.create_person(tx, display_name="Ana", email="ana@example.org")
        await identities.grant_consent(tx, ana, handle="ana.town.test")
    await actions.begin(deployment.db, ana, DAY)

    async def meanwhile(request) -> None:
        if request.path.endswith("createAccount"):
            deployment.clock.turn(2 * DAY)
            assert await take_due(deployment.db, erasing_in(tmp_path)) == 1

    deployment.proxy.meanwhile = meanwhile
    await deployment.deliver_jobs()
    await deployment.deliver_jobs()
    client = XrpcClient(deployment.network.http, deployment.clock, deployment.pds_url)
    with pytest.raises(NotFound):
        await client.query("com.atproto.identity.resolveHandle", {"handle": "ana.town.test"})
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select did from identities") == []


async def test_a_group_without_other_members_loses_its_account(deployment: Deployment, tmp_path: Path) -> None:
    """The group's account is deleted with the owner's. This also happens if the owner deleted only the group, when its
    texts are erased.
    """
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana = await deployment.person("Ana")
    group = await create_group(deployment, ana)
    async with deployment.db.transaction() as tx:
        await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
    await deployment.deliver_jobs()
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select did from identities where handle = 'chess.town.test'")
    did = Did(row["did"])
    assert await is_there(deployment, did)
    await actions.begin(deployment.db, ana.user_id, DAY)
    deployment.clock.turn(2 * DAY)
    assert await take_due(deployment.db, erasing_in(tmp_path)) == 1
    await deployment.deliver_jobs()
    assert not await is_there(deployment, did)


async def test_answers_to_events_of_a_deleted_person_are_retracted(
    deployment: Deployment, tmp_path: Path, clock: HandClock
) -> None:
    """Their records in other people's repositories would refer to a record that no longer exists."""
    ana, dan = await deployment.person("Ana"), await deployment.connected("dan")
    event = await deployment.event(ana)
    await deliver_all_publications(deployment)
    await deployment.answer(dan, event.slug)
    await deliver_all_publications(deployment)
    assert len(await records_of(deployment, dan, RSVP)) == 1
    await actions.begin(deployment.db, ana.user_id, GRACE)
    clock.turn(GRACE + HOUR)
    await take_due(deployment.db, erasing_in(tmp_path))
    await deliver_all_publications(deployment)
    assert await records_of(deployment, dan, RSVP) == {}
