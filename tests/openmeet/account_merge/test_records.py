"""Records of merged users: two published RSVPs to one event become one, and no record says something that the
repository's owner did not write.
"""

from itertools import chain

from groundwork.clock import MINUTE
from openmeet.domain.account_merge import actions as account_merge
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, deployment, records_listed
from tests.simulation.oracle import RSVP

__all__ = ["deployment"]


async def answers_in(deployment: Deployment, name: str) -> list[str]:
    """The answers in a person's repository, as another app sees them."""
    client = await deployment.stranger(name)
    did = (await client.query("com.atproto.server.getSession"))["did"]
    listed = await client.query("com.atproto.repo.listRecords", {"repo": did, "collection": RSVP})
    return [str(one["value"]["status"]).partition("#")[2] for one in records_listed(listed)]


async def both_answer(
    deployment: Deployment, first: RsvpReply, later: RsvpReply | None
) -> tuple[Event, Caller, Caller]:
    """Create an event that both people answer, and write their records: first that of the remaining person, later that
    of the merged one.
    """
    host = await deployment.person("Ana")
    tea = await deployment.event(host)
    await wait_until_done(deployment)
    dora, cleo = await deployment.connected("dora"), await deployment.connected("cleo")
    await deployment.answer(dora, tea.slug, first)
    deployment.clock.turn(MINUTE)
    if later is not None:
        await deployment.answer(cleo, tea.slug, later)
    await wait_until_done(deployment)
    return tea, dora, cleo


async def wait_until_done(deployment: Deployment) -> None:
    """Deliver and ingest until nothing is queued."""
    for _ in range(10):
        paid = await deployment.deliver_publications() + await deployment.deliver_jobs()
        await deployment.ingest()
        if not paid:
            return
        deployment.clock.turn(5 * MINUTE)


async def join(deployment: Deployment, stays: Caller, goes: Caller) -> None:
    did = (await deployment.identity(goes.user_id)).did
    async with deployment.db.transaction() as tx:
        signed_in = await account_merge.sign_in_with_did(
            tx, did, handle="cleo.town.test", pds_url=deployment.pds_url, caller=stays.user_id
        )
    assert signed_in.proposal is not None
    await deployment.db.batch(lambda tx: account_merge.confirm(tx, stays.user_id, signed_in.proposal))


async def test_one_of_two_rsvp_records_is_retracted(deployment: Deployment) -> None:
    """After the merge one of the two RSVP records is retracted. The remaining one has the later answer, whichever
    repository it is in.
    """
    tea, dora, cleo = await both_answer(deployment, RsvpReply.GOING, RsvpReply.DECLINED)
    assert [await answers_in(deployment, name) for name in ("dora", "cleo")] == [["going"], ["notgoing"]]
    await join(deployment, dora, cleo)
    await wait_until_done(deployment)
    left = [await answers_in(deployment, name) for name in ("dora", "cleo")]
    assert sorted(chain(*left)) == ["notgoing"]
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id, user_id, status from attendances where event_id = :id", id=tea.id)
        queued = await reader.fetch(
            "select state, subject_id from publications where kind = 'rsvp' and state <> 'retracted'"
        )
    assert [(row["user_id"], row["status"]) for row in rows] == [(dora.user_id, "declined")]
    assert [(row["state"], row["subject_id"]) for row in queued] == [(PublicationState.PUBLISHED, rows[0]["id"])]
    # It is still a single RSVP after the next change.
    await deployment.answer(dora, tea.slug, RsvpReply.INTERESTED)
    await wait_until_done(deployment)
    assert sorted([*await answers_in(deployment, "dora"), *await answers_in(deployment, "cleo")]) == ["interested"]


async def test_an_only_record_stays_in_its_repository(deployment: Deployment) -> None:
    """If only the merged user published an RSVP, the record stays in that repository and follows the remaining person's
    later answers.
    """
    tea, dora, cleo = await both_answer(deployment, RsvpReply.GOING, None)
    await join(deployment, cleo, dora)
    await wait_until_done(deployment)
    assert await answers_in(deployment, "dora") == ["going"]
    await deployment.answer(cleo, tea.slug, RsvpReply.DECLINED)
    await wait_until_done(deployment)
    assert [await answers_in(deployment, name) for name in ("dora", "cleo")] == [["notgoing"], []]
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one(
            "select count(*) as n from publications where kind = :kind", kind=PublicationKind.RSVP
        )
    assert row["n"] == 1
