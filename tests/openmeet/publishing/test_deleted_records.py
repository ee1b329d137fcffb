"""Another app deletes the record of an event that was made on this site: the event stays, its hosts are asked, and
guests are not notified until the hosts decide.
"""

import pytest

from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.events.record_changes import DeletedRecordChoice
from openmeet.domain.notifications.queries import newest
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.answers import new_guest, publish_event
from tests.openmeet.publishing.deliveries import run_jobs_for_minutes
from tests.openmeet.site_under_test import site_on


async def deleted_elsewhere(deployment: Deployment, host: Caller) -> tuple[Event, dict[str, str]]:
    """A published event of a person with their own account, whose record another app deletes."""
    event, named = await publish_event(deployment, host)
    await delete(deployment, named["uri"])
    await run_jobs_for_minutes(deployment, host)
    return event, named


async def delete(deployment: Deployment, uri: str) -> None:
    app = await deployment.stranger("ana")
    _, _, did, collection, rkey = uri.split("/")
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})


async def now(deployment: Deployment, event: Event) -> Event:
    async with deployment.db.reader() as reader:
        found = await by_id(reader, event.id)
    assert found is not None
    return found


async def heard_by(deployment: Deployment, who: Caller) -> list[str]:
    async with deployment.db.reader() as reader:
        return [one.kind.name for one in await newest(reader, who.user_id, 50)]


async def decide(deployment: Deployment, host: Caller, event: Event, decision: DeletedRecordChoice) -> None:
    async with deployment.db.transaction() as tx:
        await event_hosting.decide_about_deleted_record(tx, host, event.slug, decision)
    await run_jobs_for_minutes(deployment, host)


async def test_the_event_stays_and_only_its_hosts_are_told(deployment: Deployment):
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben")
    event, named = await publish_event(deployment, ana)
    await deployment.answer(ben, event.slug, RsvpReply.GOING)
    await run_jobs_for_minutes(deployment, ana)
    await delete(deployment, named["uri"])
    await run_jobs_for_minutes(deployment, ana)
    after = await now(deployment, event)
    assert (after.is_gone, after.record_deleted_at is not None) == (False, True)
    assert "record_deleted" in await heard_by(deployment, ana)
    assert not {"record_deleted", "event_deleted"} & set(await heard_by(deployment, ben))
    assert (await heard_by(deployment, ana)).count("record_deleted") == 1


async def test_nothing_is_written_until_the_hosts_decide(deployment: Deployment):
    """An edit made meanwhile is shown on this site, and is sent under the same URI when the hosts decide to publish the
    event again.
    """
    ana = await deployment.connected("ana")
    event, named = await deleted_elsewhere(deployment, ana)
    await deployment.revise(ana, event.slug, title="Coffee in the park")
    await run_jobs_for_minutes(deployment, ana)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.WAITING
    await decide(deployment, ana, event, DeletedRecordChoice.PUBLISH)
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.uri) == (PublicationState.PUBLISHED, named["uri"])
    assert (await deployment.record(named["uri"]))["name"] == "Coffee in the park"
    assert (await now(deployment, event)).record_deleted_at is None


async def test_an_event_kept_only_here_stays_unpublished_and_answers_count(deployment: Deployment):
    ana = await deployment.connected("ana")
    event, named = await deleted_elsewhere(deployment, ana)
    gus = await new_guest(deployment, "gus")
    await gus.says(named, "going")
    assert await gus.status(event) == "attending"
    await decide(deployment, ana, event, DeletedRecordChoice.KEEP)
    await deployment.revise(ana, event.slug, title="Coffee in the park")
    await run_jobs_for_minutes(deployment, ana)
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert (publication.state, publication.uri, publication.is_withdrawn) == (PublicationState.WITHHELD, None, True)
    await gus.says(named, "notgoing")
    assert await gus.status(event) == "declined"


async def test_cancelling_the_event_notifies_attendees(deployment: Deployment):
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben")
    event, named = await publish_event(deployment, ana)
    await deployment.answer(ben, event.slug, RsvpReply.GOING)
    await delete(deployment, named["uri"])
    await run_jobs_for_minutes(deployment, ana)
    async with deployment.db.transaction() as tx:
        await event_hosting.cancel(tx, ana, event.slug, "")
    await run_jobs_for_minutes(deployment, ana)
    after = await now(deployment, event)
    assert (after.is_cancelled, after.record_deleted_at, after.record_uri) == (True, None, None)
    assert "event_cancelled" in await heard_by(deployment, ben)


async def test_if_the_other_app_restores_the_record_there_is_nothing_to_decide(deployment: Deployment):
    ana = await deployment.connected("ana")
    event, named = await publish_event(deployment, ana)
    record = await deployment.record(named["uri"])
    record.pop("cid")
    await delete(deployment, named["uri"])
    await run_jobs_for_minutes(deployment, ana)
    app = await deployment.stranger("ana")
    _, _, did, collection, rkey = named["uri"].split("/")
    body = {"repo": did, "collection": collection, "rkey": rkey, "record": record}
    await app.procedure("com.atproto.repo.putRecord", body)
    await run_jobs_for_minutes(deployment, ana)
    after = await now(deployment, event)
    assert (after.record_deleted_at, after.record_uri) == (None, named["uri"])
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    async with deployment.db.reader() as reader:
        assert len(await reader.fetch("select id from events")) == 1


@pytest.mark.parametrize(
    ("button", "said"), [("publish", PublicationState.PUBLISHED), ("keep", PublicationState.WITHHELD)]
)
async def test_the_page_asks_and_carries_out_the_choice(deployment: Deployment, button: str, said: PublicationState):
    """The host reads that the record was deleted and can choose one of three actions. A guest's page does not mention
    it.
    """
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben")
    event, _ = await deleted_elsewhere(deployment, ana)
    path = f"/events/{event.slug}"
    async with site_on(deployment.db, deployment.clock).browser() as browser:
        shown = {}
        for who in (ben, ana):
            async with deployment.db.transaction() as tx:
                session = await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)
            browser.cookies.set("openmeet_session", session.token)
            shown[who.user_id] = (await browser.get(path)).text
        assert "Deleted in another app" not in shown[ben.user_id]
        assert "Other apps show this event" not in shown[ben.user_id]
        assert "at://" not in shown[ben.user_id] + shown[ana.user_id]
        for words in ("Deleted in another app", "Sync it again", "Keep it only here", "Cancel it"):
            assert words in shown[ana.user_id]
        assert (await browser.post(f"{path}/deleted-record", data={"decision": "both"})).status_code == 400
        answer = await browser.post(f"{path}/deleted-record", data={"decision": button})
        assert answer.status_code == 303
        again = await browser.post(f"{path}/deleted-record", data={"decision": button})
        assert again.status_code == 422
    await run_jobs_for_minutes(deployment, ana)
    assert (await deployment.status_of(PublicationKind.EVENT, event.id)).state is said
