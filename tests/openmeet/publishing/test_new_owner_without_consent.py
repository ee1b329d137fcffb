"""An event was handed over and its new owner has not agreed to publishing yet, or the owner's session has ended:
nothing is lost.
"""

from dataclasses import replace

import pytest

from groundwork.clock import HOUR, SECOND
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.identities.publishing_preferences import DEFAULT_PREFERENCES
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import merge_review
from openmeet.network.records.collections import EVENT, RSVP, SUCCESSION_KEY
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, deliver_all_publications, records_of
from tests.openmeet.publishing.event_hosts import (
    add_co_host,
    current_event,
    event_ids,
    hand_over_event,
    hosted_elsewhere,
    publish_event_with_co_host,
)


async def test_all_changes_made_meanwhile_are_in_the_new_record(deployment: Deployment):
    """Edits by both hosts and answers given on this site and in other apps are all published after the new owner
    agrees.
    """
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben", agrees=False)
    dan = await deployment.connected("dan")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    await deployment.revise(ben, event.slug, title="Ben's tea")
    await deployment.revise(ana, event.slug, title="Ben's tea", description="Ana brings the cups.")
    mine = await deployment.answer(dan, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    await deployment.account("zoe")
    app = await deployment.stranger("zoe")
    did = (await app.query("com.atproto.server.getSession", {}))["did"]
    about = {"uri": old, "cid": (await deployment.record(old))["cid"]}
    value = {"$type": RSVP, "subject": about, "status": f"{RSVP}#going", "createdAt": "2026-02-01T00:00:00.000Z"}
    await app.procedure(
        "com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "rkey": "a", "record": value}
    )
    newest = (await app.query("com.atproto.sync.getLatestCommit", {"did": did}))["rev"]
    await deployment.follow_until(did, lambda state: state.last_head is not None and state.last_head.rev == newest)
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ben.user_id, handle="ben.town.test")
        await events.agree_to_record(tx, ben, event.slug)
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    new = (await current_event(deployment, event)).record_uri or ""
    record = await deployment.record(new)
    assert new != old
    assert (record["name"], record["description"]) == ("Ben's tea", "Ana brings the cups.")
    assert (await deployment.record(old))[SUCCESSION_KEY]["successor"] == new
    answered = (await deployment.status_of(PublicationKind.RSVP, mine.id)).uri or ""
    assert (await deployment.record(answered))["subject"]["uri"] == new
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select status from attendances where event_id = :id", id=event.id)
        assert [row["status"] for row in rows] == [AttendanceStatus.ATTENDING] * 2
    assert await event_ids(deployment) == [event.id]


async def write_elsewhere(deployment: Deployment, uri: str, **said: str) -> None:
    """Ana's other app changes the record."""
    app = await deployment.stranger("ana")
    _, _, did, collection, rkey = uri.split("/")
    record = await deployment.record(uri)
    swap = record.pop("cid")
    wish = {"repo": did, "collection": collection, "rkey": rkey, "swapRecord": swap}
    await app.procedure("com.atproto.repo.putRecord", wish | {"record": record | said})


async def event_of_two(
    deployment: Deployment, ana: Caller, ben: Caller, *, is_from_elsewhere: bool
) -> tuple[Event, str]:
    """Ana's event, which Ben co-hosts, and its record. She wrote it here or in another app."""
    if not is_from_elsewhere:
        return await publish_event_with_co_host(deployment, ana, ben)
    event = await hosted_elsewhere(deployment, ana)
    async with deployment.db.transaction() as tx:
        await add_co_host(tx, event, ana, ben)
    return event, event.record_uri or ""


@pytest.mark.parametrize("is_from_elsewhere", [False, True])
@pytest.mark.parametrize("heir_agrees", [True, False])
async def test_the_owners_edit_elsewhere_before_handing_over_counts(
    deployment: Deployment, heir_agrees: bool, is_from_elsewhere: bool
):
    """The edit in the owner's other app was not ingested yet when the event was handed over."""
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben", agrees=heir_agrees)
    event, old = await event_of_two(deployment, ana, ben, is_from_elsewhere=is_from_elsewhere)
    await deployment.listen(ana.user_id)
    await write_elsewhere(deployment, old, name="Coffee")
    deployment.clock.turn(SECOND)
    await hand_over_event(deployment, event, ana, ben)
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert (await current_event(deployment, event)).title == "Coffee"
    if heir_agrees:
        new = (await current_event(deployment, event)).record_uri or ""
        assert (await deployment.record(new))["name"] == "Coffee"


async def test_an_earlier_edit_yields_to_an_edit_made_here(deployment: Deployment):
    """Both renamed the event. The name given on this site stays, and the host can look at the other version."""
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await deployment.listen(ana.user_id)
    await write_elsewhere(deployment, old, name="Coffee", description="Cake, too.")
    deployment.clock.turn(SECOND)
    await hand_over_event(deployment, event, ana, ben)
    await deployment.revise(ben, event.slug, title="Ben's tea")
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    after = await current_event(deployment, event)
    assert (after.title, after.content.description) == ("Ben's tea", "Cake, too.")
    record = await deployment.record(after.record_uri or "")
    assert (record["name"], record["description"]) == ("Ben's tea", "Cake, too.")
    async with deployment.db.reader() as reader:
        _, (one,) = await merge_review.merged(reader, ben, event.slug)
    assert (one.decision.field, one.decision.theirs) == ("name", "Coffee")


async def test_without_the_owners_session_others_continue_and_nothing_is_lost(deployment: Deployment):
    """A co-host edits and people answer. After the owner has signed in again, their repository has all of it."""
    ana, ben, dan = await deployment.connected("ana"), await deployment.person("Ben"), await deployment.connected("dan")
    event, uri = await publish_event_with_co_host(deployment, ana, ben)
    async with deployment.db.transaction() as tx:
        await publishing_preferences.change(tx, ana.user_id, replace(DEFAULT_PREFERENCES, lets_co_hosts_publish=True))
    async with deployment.pds.registry.db.transaction() as tx:
        await tx.execute("delete from sessions where did = :did", did=uri.split("/")[2])
    deployment.clock.turn(3 * HOUR)  # access tokens expire together with the session
    await deployment.revise(ben, event.slug, title="Ben's tea")
    mine = await deployment.answer(dan, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.BLOCKED
    assert (await current_event(deployment, event)).title == "Ben's tea"
    answered = (await deployment.status_of(PublicationKind.RSVP, mine.id)).uri or ""
    assert (await deployment.record(answered))["subject"]["uri"] == uri
    await deployment.revise(ben, event.slug, title="Ben's tea", description="And cake.")
    await deployment.connected_as("ana")
    await deliver_all_publications(deployment)
    record = await deployment.record(uri)
    assert (record["name"], record["description"]) == ("Ben's tea", "And cake.")


async def test_answers_wait_if_the_earlier_owner_takes_the_last_record_back(deployment: Deployment):
    """Ana handed the event over to Ben, who has not agreed. Then Ana withdraws her consent, and with it the event's
    only record. An answer waits for Ben's record; its delivery does not fail again and again.
    """
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben", agrees=False)
    dan = await deployment.connected("dan")
    event, old = await publish_event_with_co_host(deployment, ana, ben)
    await hand_over_event(deployment, event, ana, ben)
    async with deployment.db.transaction() as tx:
        await identities.withdraw(tx, ana.user_id)
    await deliver_all_publications(deployment)
    assert await records_of(deployment, ana, EVENT) == {}
    mine = await deployment.answer(dan, event.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    assert (await deployment.status_of(PublicationKind.RSVP, mine.id)).state is PublicationState.WAITING
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ben.user_id, handle="ben.town.test")
        await events.agree_to_record(tx, ben, event.slug)
    await deployment.deliver_jobs()
    deployment.clock.turn(HOUR)
    await deliver_all_publications(deployment)
    new = (await current_event(deployment, event)).record_uri or ""
    answered = (await deployment.status_of(PublicationKind.RSVP, mine.id)).uri or ""
    assert new not in {old, ""}
    assert (await deployment.record(answered))["subject"]["uri"] == new


@pytest.mark.parametrize("is_from_elsewhere", [False, True])
async def test_the_owners_edit_elsewhere_after_handing_over_changes_nothing(
    deployment: Deployment, is_from_elsewhere: bool
):
    """Ana no longer decides about the event, although her record is its only one. Her record keeps her edit."""
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben", agrees=False)
    event, old = await event_of_two(deployment, ana, ben, is_from_elsewhere=is_from_elsewhere)
    await hand_over_event(deployment, event, ana, ben)
    await deployment.listen(ana.user_id)
    deployment.clock.turn(SECOND)
    await write_elsewhere(deployment, old, name="Coffee")
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    now = await current_event(deployment, event)
    assert (now.title, now.record_uri) == (event.title, old)
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ben.user_id, handle="ben.town.test")
        await events.agree_to_record(tx, ben, event.slug)
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    new = (await current_event(deployment, event)).record_uri or ""
    assert new != old
    assert (await deployment.record(new))["name"] == event.title
    assert (await deployment.record(old))["name"] == "Coffee"
