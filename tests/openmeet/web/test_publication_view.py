"""The chips describe the present intention and not the state that the publisher found in its last run."""

from dataclasses import replace

import httpx

from openmeet.domain.attendance import actions, event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import event_records
from openmeet.domain.events import queries as events
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.apply import apply
from openmeet.network.records.collections import EVENT
from openmeet.outbox import publication_withdrawals
from openmeet.outbox.publications import PublicationKind
from tests.openmeet.deployment import Deployment, details
from tests.openmeet.ingestion.network import HERE as INSTANCE
from tests.openmeet.ingestion.network import did, event, rsvp
from tests.openmeet.site_under_test import site_on

WAITING = "Syncing"
HERE = "Only here"
ON_ITS_WAY_BACK = "Being removed from your account"


async def seen_by(deployment: Deployment, who: Caller, path: str) -> httpx.Response:
    async with deployment.db.transaction() as tx:
        session = await sign_in.open_session(tx, who.user_id, SessionTransport.BROWSER)
    async with site_on(deployment.db, deployment.clock).browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        return await browser.get(path)


async def chips(deployment: Deployment, who: Caller, event: Event) -> set[str]:
    """The chip texts on the event page, in the list of one's own events, and in the API response."""
    page = (await seen_by(deployment, who, f"/events/{event.slug}")).text
    api = (await seen_by(deployment, who, f"/api/events/{event.slug}")).json()["publication"]
    if api is not None:
        assert api["words"] in page
        assert api["words"] in (await seen_by(deployment, who, "/my/events?show=hosting")).text
    return {words for words in (WAITING, HERE, ON_ITS_WAY_BACK) if words in page}


async def test_without_a_decision_nothing_is_shown_as_waiting(deployment: Deployment):
    """Before the publisher has run, the row says ``due``, but the page says what will happen."""
    ana, ben = await deployment.person("Ana", agrees=False), await deployment.person("Ben", agrees=False)
    event = await deployment.event(ana)
    assert await chips(deployment, ana, event) == {HERE}
    await deployment.answer(ben, event.slug)
    assert await chips(deployment, ben, event) == {HERE}


async def test_the_settings_mention_copies_only_if_there_are_some(deployment: Deployment):
    removes = "We’ll remove the copies in your account."
    ana, ben = await deployment.person("Ana", agrees=False), await deployment.person("Ben")
    here, synced = await deployment.event(ana), await deployment.event(ben)
    await deployment.deliver_publications()
    assert removes not in (await seen_by(deployment, ana, f"/events/{here.slug}/publishing")).text
    assert removes in (await seen_by(deployment, ben, f"/events/{synced.slug}/publishing")).text


async def test_after_consenting_the_event_waits(deployment: Deployment):
    """The repository is being created, and public content waits for it."""
    ana = await deployment.person(agrees=False)
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await identities.grant_consent(tx, ana.user_id, handle="ana.town.test")
    assert await chips(deployment, ana, event) == {WAITING}


async def test_unlisted_events_are_only_here_even_with_consent(deployment: Deployment):
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana, visibility="unlisted")
    await deployment.answer(ben, event.slug)
    assert await chips(deployment, ana, event) == {HERE}
    assert await chips(deployment, ben, event) == {HERE}


async def test_what_must_be_retracted_is_shown_as_being_removed(deployment: Deployment):
    """The event was made unlisted or consent was withdrawn, and the publisher has not run yet. Nothing is shown as
    waiting.
    """
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana)
    await deployment.answer(ben, event.slug)
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await event_hosting.revise(tx, ana, event.slug, details(visibility="unlisted"))
    assert await chips(deployment, ana, event) == {ON_ITS_WAY_BACK}
    assert await chips(deployment, ben, event) == {ON_ITS_WAY_BACK}


async def test_what_was_unpublished_is_shown_as_being_removed(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    await deployment.deliver_publications()
    async with deployment.db.transaction() as tx:
        await publication_withdrawals.withdraw(tx, kind=PublicationKind.EVENT, subject_id=event.id)
    assert await chips(deployment, ana, event) == {ON_ITS_WAY_BACK}


async def test_a_published_reply_can_be_taken_back_after_declining(deployment: Deployment):
    """The record says "not going", and stays public until its author removes it."""
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    event = await deployment.event(ana)
    await deployment.answer(ben, event.slug)
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    await deployment.answer(ben, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    page = (await seen_by(deployment, ben, f"/events/{event.slug}")).text
    assert ("Synced" in page, "Stop sharing my answer" in page) == (True, True)
    cleo = await deployment.person("Cleo", agrees=False)
    await deployment.answer(cleo, event.slug, RsvpReply.DECLINED)
    await deployment.deliver_publications()
    await deployment.deliver_publications()
    assert "Stop sharing my answer" not in (await seen_by(deployment, cleo, f"/events/{event.slug}")).text


async def test_imported_records_are_not_shown_as_only_here(deployment: Deployment):
    """For people whose account already had records, their event and answer show the repository, and whether the version
    on this site differs.
    """
    async with deployment.db.transaction() as tx:
        user_id = await identities.connect(tx, did(1), handle="ana.example", pds_url="https://pds.example")
        own = event(1, "tea", 1, "Tea", startsAt="2027-06-01T12:00:00Z")
        await apply(tx, INSTANCE, [own, rsvp(1, "yes", 2, own.uri)])
        found = await event_records.by_record_uri(tx, own.uri)
    assert found is not None
    ana = Caller(user_id, "Ana")
    page = (await seen_by(deployment, ana, f"/events/{found.slug}")).text
    assert page.count("Synced</span>") == 2
    assert HERE not in page
    assert "Publish it" not in page
    async with deployment.db.transaction() as tx:
        await event_hosting.revise(tx, ana, found.slug, details(title="More tea"))
    for reply in (RsvpReply.INTERESTED, RsvpReply.DECLINED):
        async with deployment.db.transaction() as tx:
            await actions.answer(tx, ana, found.slug, reply)
        page = (await seen_by(deployment, ana, f"/events/{found.slug}")).text
        assert page.count("Changed only here</span>") == 2


async def test_without_consent_for_events_nothing_is_shown_as_waiting(deployment: Deployment):
    """The person has given consent, but not for events: the publisher has run, and the event stays on this site until
    its host decides otherwise.
    """
    ana = await deployment.connected("ana")
    for wanted, words in ((False, HERE), (True, WAITING)):
        async with deployment.db.transaction() as tx:
            before = await publishing_preferences.of_user(tx, ana.user_id)
            await publishing_preferences.change(tx, ana.user_id, replace(before, writes_events=wanted))
        if not wanted:
            event = await deployment.event(ana)
            await deployment.deliver_publications()
        assert await chips(deployment, ana, event) == {words}


async def test_edits_of_another_apps_event_are_shown_as_only_here(deployment: Deployment):
    """If its author does not want events published, nothing waits for their PDS."""
    ana = await deployment.connected("ana")
    async with deployment.db.transaction() as tx:
        before = await publishing_preferences.of_user(tx, ana.user_id)
        await publishing_preferences.change(tx, ana.user_id, replace(before, writes_events=False))
    app = await deployment.stranger("ana")
    who = (await app.query("com.atproto.server.getSession"))["did"]
    tea = {"$type": EVENT, "name": "Tea", "createdAt": "2026-01-01T00:00:00.000Z", "startsAt": "2037-04-01T16:00:00Z"}
    await app.procedure("com.atproto.repo.createRecord", {"repo": who, "collection": EVENT, "record": tea})
    await deployment.listen(ana.user_id)
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select id from events")
        assert row is not None
        found = await events.by_id(reader, row["id"])
    assert found is not None
    async with deployment.db.transaction() as tx:
        await event_hosting.revise(tx, ana, found.slug, details(title="Tea at ours"))
    await deployment.deliver_publications()
    page = (await seen_by(deployment, ana, f"/events/{found.slug}")).text
    assert "Changed only here" in page
    assert WAITING not in page
    settings = (await seen_by(deployment, ana, f"/events/{found.slug}/publishing")).text
    assert "A copy from another app stays until you delete it in that app." in settings
    assert f'href="/events/{found.slug}/merged"' in settings, "where the versions are compared"
