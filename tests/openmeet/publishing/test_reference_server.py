"""The complete engine with the reference PDS as a person's server: write on this site, ingest, edit on the PDS,
retract.
"""

from playwright.async_api import Page, expect

from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.model import Event
from openmeet.domain.events.rules import check
from openmeet.domain.events.submissions import submission_of, values_of_event
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import policy
from openmeet.domain.moderation.model import ModerationPolicy
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT, ORIGIN_KEY, RSVP
from openmeet.outbox import publication_status
from openmeet.outbox.publication_status import PublicationStatus
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.browser.browsers import chromium
from tests.external_dependencies import needs
from tests.openmeet.remote_pds import RemoteSite, authorize_on_pds, remote
from tests.openmeet.site_under_test import details

__all__ = ["remote"]

pytestmark = needs("reference", "chromium")


async def sign_in(remote: RemoteSite, page: Page, name: str) -> Caller:
    """Sign in by OAuth and consent to publishing."""
    await page.goto("/sign-in")
    await page.get_by_label("E-mail or account name").fill(f"{name}.test")
    await page.get_by_role("button", name="Sign in").click()
    await authorize_on_pds(page)
    await expect(page).to_have_url(f"{remote.url}/home")
    found = await remote.identity(name)
    async with remote.db.transaction() as tx:
        await identities.grant_consent(tx, found.user_id, handle=found.handle)
    return Caller(found.user_id, name)


async def status_of(remote: RemoteSite, kind: PublicationKind, subject_id: str) -> PublicationStatus:
    async with remote.db.reader() as reader:
        return (await publication_status.statuses(reader, kind, [subject_id]))[subject_id]


async def known(remote: RemoteSite, uri: str) -> Event | None:
    async with remote.db.reader() as reader:
        return await by_record_uri(reader, uri)


async def revise(remote: RemoteSite, host: Caller, event: Event, **typed: str) -> Event:
    async with remote.db.transaction() as tx:
        return await events.revise(tx, host, event.slug, check(submission_of(values_of_event(event) | typed), event))


async def test_a_repository_on_the_reference_is_written_read_and_cleared(remote: RemoteSite):
    ana_there, cleo_there = await remote.pds.sign_up("ana"), await remote.pds.sign_up("cleo")
    async with chromium() as browser, remote.phone(browser) as page:
        ana = await sign_in(remote, page, "ana")
    did, cleo = ana_there["did"], cleo_there["did"]

    # A person's event, written by their app on the reference PDS, arrives by its firehose. In this test new accounts
    # are not held for moderation.
    async with remote.db.transaction() as tx:
        await policy.change(tx, ModerationPolicy(new_author_minutes=0), by=None)
    party = {"$type": EVENT, "name": "Party", "startsAt": "2099-07-04T18:00:00Z", "createdAt": "2026-03-01T12:00:00Z"}
    wish = {"repo": cleo, "collection": EVENT, "record": party}
    made = await remote.pds.call("com.atproto.repo.createRecord", wish, token=cleo_there["accessJwt"])
    await remote.listen(cleo)
    await remote.welcome()
    invited = await known(remote, made["uri"])
    assert invited is not None

    # Ana's own event and her answer to the other event are written to her repository.
    async with remote.db.transaction() as tx:
        tea = await events.create(tx, ana, details(title="Tea", starts="2099-07-04T18:00", ends="2099-07-04T20:00"))
        answer = await attendance.answer(tx, ana, invited.slug, RsvpReply.GOING)
    await remote.deliver_publications()
    (uri,), (rsvp_uri,) = await remote.records(did, EVENT), await remote.records(did, RSVP)
    record = (await remote.records(did, EVENT))[uri]
    assert (record["name"], record[ORIGIN_KEY]["eventId"]) == ("Tea", tea.id)
    rsvp = (await remote.records(did, RSVP))[rsvp_uri]
    assert (rsvp["subject"], rsvp["status"]) == ({"uri": made["uri"], "cid": made["cid"]}, f"{RSVP}#going")

    # They are recognised when they come back.
    before = (
        await status_of(remote, PublicationKind.EVENT, tea.id),
        await status_of(remote, PublicationKind.RSVP, answer.id),
    )
    assert [one.state for one in before] == [PublicationState.PUBLISHED] * 2
    await remote.listen(did)
    assert (
        await status_of(remote, PublicationKind.EVENT, tea.id),
        await status_of(remote, PublicationKind.RSVP, answer.id),
    ) == before
    async with remote.db.reader() as reader:
        assert len(await reader.fetch("select id from events")) == 2
        assert [
            row["revision"] for row in await reader.fetch("select revision from events where id = :id", id=tea.id)
        ] == [tea.revision]
    assert await remote.deliver_publications() == 0

    # An edit made with the reference PDS's own API is taken over, and the field that its app added is kept by our next
    # edit.
    edited = {**record, "name": "Tea and cake", "theme": "dark"}
    wish = {"repo": did, "collection": EVENT, "rkey": uri.rpartition("/")[2], "record": edited}
    await remote.pds.call("com.atproto.repo.putRecord", wish, token=ana_there["accessJwt"])
    await remote.listen(did)
    tea_now = await known(remote, uri)
    assert tea_now is not None
    assert (tea_now.id, tea_now.title) == (tea.id, "Tea and cake")
    assert await remote.deliver_publications() == 0, "an edit from that server causes no write to it"
    await revise(remote, ana, tea_now, description="Bring a cup.")
    await remote.deliver_publications()
    record = (await remote.records(did, EVENT))[uri]
    assert (record["name"], record["theme"]) == ("Tea and cake", "dark")
    assert record["description"].startswith("Bring a cup.")

    # Retraction deletes both records. The answer stays on this site, and the stream restores nothing.
    await remote.listen(did)
    tea_now = await known(remote, uri)
    assert tea_now is not None
    await revise(remote, ana, tea_now, visibility="private")
    async with remote.db.transaction() as tx:
        await identities.withdraw(tx, ana.user_id)
    while await remote.deliver_publications():
        pass
    assert (await remote.records(did, EVENT), await remote.records(did, RSVP)) == ({}, {})
    await remote.listen(did)
    assert (await status_of(remote, PublicationKind.EVENT, tea.id)).state is PublicationState.RETRACTED
    async with remote.db.reader() as reader:
        rows = await reader.fetch("select removed_at, title from events order by title")
        going = await reader.fetch("select status from attendances where id = :id", id=answer.id)
    assert [tuple(row) for row in rows] == [(None, "Party"), (None, "Tea and cake")]
    assert [row["status"] for row in going] == ["attending"]
