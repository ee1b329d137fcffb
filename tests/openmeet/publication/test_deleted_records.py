"""Another app deletes the record of an event that was made here: the event stays, its hosts are asked, and guests hear nothing until then."""

import pytest

from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.deleted_records import DeletedRecordChoice
from openmeet.domain.events.model import Event
from openmeet.domain.events.queries import by_id
from openmeet.domain.notifications.queries import newest
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.publication.test_addresses import guest, published, settle
from tests.openmeet.site_under_test import site_on
from tests.openmeet.town import Town


async def deleted_elsewhere(town: Town, host: Caller) -> tuple[Event, dict[str, str]]:
    """A published event of somebody with an account of their own, whose record another app of theirs deletes."""
    event, named = await published(town, host)
    await delete(town, named["uri"])
    await settle(town, host)
    return event, named


async def delete(town: Town, uri: str) -> None:
    app = await town.stranger("ana")
    _, _, did, collection, rkey = uri.split("/")
    await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})


async def now(town: Town, event: Event) -> Event:
    async with town.db.reader() as reader:
        found = await by_id(reader, event.id)
    assert found is not None
    return found


async def heard_by(town: Town, who: Caller) -> list[str]:
    async with town.db.reader() as reader:
        return [one.kind.value for one in await newest(reader, who.user_id, 50)]


async def decide(town: Town, host: Caller, event: Event, decision: DeletedRecordChoice) -> None:
    async with town.db.transaction() as tx:
        await event_hosting.decide_record(tx, host, event.slug, decision)
    await settle(town, host)


async def test_the_event_stays_and_only_its_hosts_hear_of_it(town: Town):
    ana, ben = await town.connected("ana"), await town.person("Ben")
    event, named = await published(town, ana)
    await town.answer(ben, event.slug, RsvpReply.GOING)
    await settle(town, ana)
    await delete(town, named["uri"])
    await settle(town, ana)
    after = await now(town, event)
    assert (after.is_gone, after.record_deleted_at is not None) == (False, True)
    assert "record_deleted" in await heard_by(town, ana)
    assert not {"record_deleted", "event_deleted"} & set(await heard_by(town, ben))
    assert (await heard_by(town, ana)).count("record_deleted") == 1


async def test_nothing_is_written_until_it_is_decided(town: Town):
    """An edit made meanwhile holds here, and goes out with the decision to publish it again, under the same address."""
    ana = await town.connected("ana")
    event, named = await deleted_elsewhere(town, ana)
    await town.revise(ana, event.slug, title="Coffee in the park")
    await settle(town, ana)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.WAITING
    await decide(town, ana, event, DeletedRecordChoice.PUBLISH)
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert (standing.state, standing.uri) == (PublicationState.PUBLISHED, named["uri"])
    assert (await town.record(named["uri"]))["name"] == "Coffee in the park"
    assert (await now(town, event)).record_deleted_at is None


async def test_kept_here_only_it_stays_off_the_network_and_answers_count(town: Town):
    ana = await town.connected("ana")
    event, named = await deleted_elsewhere(town, ana)
    gus = await guest(town, "gus")
    await gus.says(named, "going")
    assert await gus.status(event) == "attending"
    await decide(town, ana, event, DeletedRecordChoice.KEEP)
    await town.revise(ana, event.slug, title="Coffee in the park")
    await settle(town, ana)
    standing = await town.standing(PublicationKind.EVENT, event.id)
    assert (standing.state, standing.uri, standing.is_recalled) == (PublicationState.WITHHELD, None, True)
    await gus.says(named, "notgoing")
    assert await gus.status(event) == "declined"


async def test_cancelling_it_tells_those_who_answered(town: Town):
    ana, ben = await town.connected("ana"), await town.person("Ben")
    event, named = await published(town, ana)
    await town.answer(ben, event.slug, RsvpReply.GOING)
    await delete(town, named["uri"])
    await settle(town, ana)
    async with town.db.transaction() as tx:
        await event_hosting.cancel(tx, ana, event.slug, "")
    await settle(town, ana)
    after = await now(town, event)
    assert (after.is_cancelled, after.record_deleted_at, after.record_uri) == (True, None, None)
    assert "event_cancelled" in await heard_by(town, ben)


async def test_brought_back_by_the_other_app_there_is_nothing_to_decide(town: Town):
    ana = await town.connected("ana")
    event, named = await published(town, ana)
    record = await town.record(named["uri"])
    record.pop("cid")
    await delete(town, named["uri"])
    await settle(town, ana)
    app = await town.stranger("ana")
    _, _, did, collection, rkey = named["uri"].split("/")
    body = {"repo": did, "collection": collection, "rkey": rkey, "record": record}
    await app.procedure("com.atproto.repo.putRecord", body)
    await settle(town, ana)
    after = await now(town, event)
    assert (after.record_deleted_at, after.record_uri) == (None, named["uri"])
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.PUBLISHED
    async with town.db.reader() as reader:
        assert len(await reader.fetch("select id from events")) == 1


@pytest.mark.parametrize(
    ("button", "said"), [("publish", PublicationState.PUBLISHED), ("keep", PublicationState.WITHHELD)]
)
async def test_the_page_asks_and_does_it(town: Town, button: str, said: PublicationState):
    """Its host reads what happened and has three answers; a guest's page says nothing of it."""
    ana, ben = await town.connected("ana"), await town.person("Ben")
    event, _ = await deleted_elsewhere(town, ana)
    path = f"/events/{event.slug}"
    async with site_on(town.db, town.clock).browser() as browser:
        shown = {}
        for who in (ben, ana):
            async with town.db.transaction() as tx:
                session = await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)
            browser.cookies.set("openmeet_session", session.token)
            shown[who.user_id] = (await browser.get(path)).text
        assert "Deleted in another app" not in shown[ben.user_id]
        assert "other apps show it" not in shown[ben.user_id]
        assert "at://" not in shown[ben.user_id] + shown[ana.user_id]
        for words in ("Deleted in another app", "Publish it again", "Keep it only here", "Cancel it"):
            assert words in shown[ana.user_id]
        assert (await browser.post(f"{path}/deleted-record", data={"decision": "both"})).status_code == 400
        answer = await browser.post(f"{path}/deleted-record", data={"decision": button})
        assert answer.status_code == 303
        again = await browser.post(f"{path}/deleted-record", data={"decision": button})
        assert again.status_code == 422
    await settle(town, ana)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is said
