"""An event has changed hands and its new owner has not agreed to publishing yet, or its owner's session is gone: nothing is lost."""

from dataclasses import replace

import pytest

from groundwork.clock import HOUR, SECOND
from openmeet.domain.attendance.model import AttendanceStatus, RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publication_consent
from openmeet.domain.identities.publication_consent import USUAL
from openmeet.network.ingestion import merge_review
from openmeet.network.records.collections import RSVP, SUCCESSION_KEY
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.publication.test_groups import pay
from tests.openmeet.publication.test_owners import events_here, hand_over, hosted, now
from tests.openmeet.town import Town


async def test_what_everybody_says_meanwhile_is_in_the_new_record_and_about_it(town: Town):
    """Edits of both hosts here, answers from here and from elsewhere: nothing of it is lost when the heir says yes."""
    ana, ben = await town.person("Ana"), await town.person("Ben", agrees=False)
    dan = await town.connected("dan")
    event, old = await hosted(town, ana, ben)
    await hand_over(town, event, ana, ben)
    await town.revise(ben, event.slug, title="Ben's tea")
    await town.revise(ana, event.slug, title="Ben's tea", description="Ana brings the cups.")
    mine = await town.answer(dan, event.slug, RsvpReply.GOING)
    await pay(town)
    await town.account("zoe")
    app = await town.stranger("zoe")
    did = (await app.query("com.atproto.server.getSession", {}))["did"]
    about = {"uri": old, "cid": (await town.record(old))["cid"]}
    value = {"$type": RSVP, "subject": about, "status": f"{RSVP}#going", "createdAt": "2026-02-01T00:00:00.000Z"}
    await app.procedure(
        "com.atproto.repo.createRecord", {"repo": did, "collection": RSVP, "rkey": "a", "record": value}
    )
    newest = (await app.query("com.atproto.sync.getLatestCommit", {"did": did}))["rev"]
    await town.follow_until(did, lambda state: state.known is not None and state.known.rev == newest)
    async with town.db.transaction() as tx:
        await identities.agree(tx, ben.user_id, handle="ben.town.test")
        await events.agree_to_record(tx, ben, event.slug)
    await town.pay_debts()
    await pay(town)
    new = (await now(town, event)).record_uri or ""
    record = await town.record(new)
    assert new != old
    assert (record["name"], record["description"]) == ("Ben's tea", "Ana brings the cups.")
    assert (await town.record(old))[SUCCESSION_KEY]["successor"] == new
    answered = (await town.standing(PublicationKind.RSVP, mine.id)).uri or ""
    assert (await town.record(answered))["subject"]["uri"] == new
    async with town.db.reader() as reader:
        rows = await reader.fetch("select status from attendances where event_id = :id", id=event.id)
        assert [row["status"] for row in rows] == [AttendanceStatus.ATTENDING] * 2
    assert await events_here(town) == [event.id]


async def write_elsewhere(town: Town, uri: str, **said: str) -> None:
    """Ana's own app changes the record."""
    app = await town.stranger("ana")
    _, _, did, collection, rkey = uri.split("/")
    record = await town.record(uri)
    swap = record.pop("cid")
    wish = {"repo": did, "collection": collection, "rkey": rkey, "swapRecord": swap}
    await app.procedure("com.atproto.repo.putRecord", wish | {"record": record | said})


@pytest.mark.parametrize("heir_agrees", [True, False])
async def test_what_the_owner_wrote_elsewhere_before_handing_over_counts(town: Town, heir_agrees: bool):
    """Their app's edit was on its way when the event changed hands."""
    ana, ben = await town.connected("ana"), await town.person("Ben", agrees=heir_agrees)
    event, old = await hosted(town, ana, ben)
    await town.listen(ana.user_id)
    await write_elsewhere(town, old, name="Coffee")
    town.clock.turn(SECOND)
    await hand_over(town, event, ana, ben)
    await town.listen(ana.user_id)
    await pay(town)
    assert (await now(town, event)).title == "Coffee"
    if heir_agrees:
        new = (await now(town, event)).record_uri or ""
        assert (await town.record(new))["name"] == "Coffee"


async def test_an_edit_from_before_gives_way_to_what_was_edited_here(town: Town):
    """Both called it something else: what stands here stays, and the host can look at what the other version said."""
    ana, ben = await town.connected("ana"), await town.person("Ben")
    event, old = await hosted(town, ana, ben)
    await town.listen(ana.user_id)
    await write_elsewhere(town, old, name="Coffee", description="Cake, too.")
    town.clock.turn(SECOND)
    await hand_over(town, event, ana, ben)
    await town.revise(ben, event.slug, title="Ben's tea")
    await town.listen(ana.user_id)
    await pay(town)
    after = await now(town, event)
    assert (after.title, after.description) == ("Ben's tea", "Cake, too.")
    record = await town.record(after.record_uri or "")
    assert (record["name"], record["description"]) == ("Ben's tea", "Cake, too.")
    async with town.db.reader() as reader:
        _, (one,) = await merge_review.merged(reader, ben, event.slug)
    assert (one.decision.field, one.decision.theirs) == ("name", "Coffee")


async def test_while_the_owners_session_is_gone_others_go_on_and_nothing_is_lost(town: Town):
    """Who hosts it beside them edits, people answer; when the owner has signed in again their repository says all of it."""
    ana, ben, dan = await town.connected("ana"), await town.person("Ben"), await town.connected("dan")
    event, uri = await hosted(town, ana, ben)
    async with town.db.transaction() as tx:
        await publication_consent.change(tx, ana.user_id, replace(USUAL, lets_co_hosts_publish=True))
    async with town.pds.registry.db.transaction() as tx:
        await tx.execute("delete from sessions where did = :did", did=uri.split("/")[2])
    town.clock.turn(3 * HOUR)  # what access was given ends with the session behind it
    await town.revise(ben, event.slug, title="Ben's tea")
    mine = await town.answer(dan, event.slug, RsvpReply.GOING)
    await pay(town)
    assert (await town.standing(PublicationKind.EVENT, event.id)).state is PublicationState.BLOCKED
    assert (await now(town, event)).title == "Ben's tea"
    answered = (await town.standing(PublicationKind.RSVP, mine.id)).uri or ""
    assert (await town.record(answered))["subject"]["uri"] == uri
    await town.revise(ben, event.slug, title="Ben's tea", description="And cake.")
    await town.connected_as("ana")
    await pay(town)
    record = await town.record(uri)
    assert (record["name"], record["description"]) == ("Ben's tea", "And cake.")
