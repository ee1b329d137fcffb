"""A scheduled draft is not published while its host is blocked by a moderator or is deleting their account."""

import html

import pytest

from groundwork.clock import DAY, HOUR, HandClock
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.events import co_hosts, drafts, queries
from openmeet.domain.events.rules import Submission
from openmeet.domain.identities import actions as identities
from openmeet.domain.moderation import actions as moderation
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.users import erasure_requests
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import person, signed_in, site_on

FULL = Submission(title="Board games", starts="2026-07-04T18:00", time_zone="Europe/Berlin")
DID = "did:plc:ana"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("blocked", "A moderator of this site had blocked your account."),
        ("account blocked", "A moderator of this site had blocked your account."),
        ("leaving", "You had asked us to delete your account."),
    ],
)
async def test_it_stays_a_draft_and_its_page_says_why(
    make_database: MakeDatabase, clock: HandClock, what: str, reason: str
) -> None:
    """Once nothing stands in the way, the host schedules it again. A co-host does not learn the reason."""
    site = site_on(await make_database("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        ana, ben, mo = await person(tx, "Ana"), await person(tx, "Ben"), await person(tx, "Mo")
        await identities.link(tx, DID, ana.user_id, handle="ana.example", pds_url="https://pds.example")
        draft = await drafts.begin(tx, ana, FULL, {})
        invitation = await co_hosts.invite(tx, ana, draft.slug, "ben@example.org")
        await co_hosts.accept(tx, ben, invitation.id)
        await drafts.keep(tx, ana, draft.slug, FULL, {}, publish_at=tx.now + HOUR)
        about = (
            Subject(ModeratedKind.DID, DID) if what == "account blocked" else Subject(ModeratedKind.PERSON, ana.user_id)
        )
        if what == "leaving":
            await erasure.request(tx, ana.user_id, 14 * DAY)
        else:
            await moderation.decide(tx, mo.user_id, about, SubjectVisibility.HIDDEN, "spam")
    clock.turn(HOUR)
    assert await drafts.publish_due(site.db) == 0
    async with site.db.reader() as reader:
        event = await queries.by_id(reader, draft.id)
    assert event is not None
    assert (event.is_draft, event.publish_at) == (True, None)
    path = f"/events/{draft.slug}/draft"
    async with signed_in(site, ana.user_id) as browser:
        assert f"We couldn’t publish it on time. {reason}" in html.unescape((await browser.get(path)).text)
    async with site.db.transaction() as tx:
        if what == "leaving":
            await erasure_requests.cancel(tx, ana.user_id)
        else:
            await moderation.decide(tx, mo.user_id, about, SubjectVisibility.SHOWN, "")
    async with signed_in(site, ben.user_id) as browser:
        shared = html.unescape((await browser.get(path)).text)
    assert "We couldn’t publish it on time. The person who started it couldn’t publish events at that time." in shared
    async with site.db.transaction() as tx:
        await drafts.keep(tx, ana, draft.slug, FULL, {}, publish_at=tx.now + HOUR)
    clock.turn(HOUR)
    assert await drafts.publish_due(site.db) == 1
