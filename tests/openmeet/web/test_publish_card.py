"""The card below a new event says what other apps show of it, as the sync badge does."""

import re
from typing import Final

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database
from groundwork.errors import Explanation, encode_explanation
from openmeet.domain.events import record_changes
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, inputs_of, signed_in, site_on

DID: Final = parse_did("did:plc:4hodhjl2kposuchzvpiviwps")
URI: Final = f"at://{DID}/community.lexicon.calendar.event/3mqdau33ozs2n"
S = PublicationState
HERE, NOT_YET = "It stays on this site.", "Other apps don’t show it yet."
SHOWN = "Other apps show it, too, as an event of @ana.example."
OLDER = "Other apps show an older version."
LEAVING = "Other apps still show it. It’s being removed from your account."

# State, whether the account has a record, the reason, the badge, and the line of the card.
CASES: Final = [
    (S.DUE, False, None, "Syncing", NOT_YET),
    (S.SENDING, False, None, "Syncing", NOT_YET),
    (S.RETRYING, False, PublicationReason.FLAG_OFF(), "Waiting: sync is turned off on this site", NOT_YET),
    (S.RETRYING, False, None, "Syncing, next try in 2 min", NOT_YET),
    (S.BLOCKED, False, PublicationReason.SESSION_ENDED(), "Sign in again to sync", NOT_YET),
    (S.BLOCKED, False, PublicationReason.NO_ACCESS_GRANTED(), "Not allowed at your server", NOT_YET),
    (S.REFUSED, False, PublicationReason.RESPONSE_WITHOUT_RECORD(), "Your account server refused it:", NOT_YET),
    (S.WITHHELD, False, PublicationReason.EVENTS_NOT_WANTED(), "Only here", HERE),
    (S.PUBLISHED, True, None, "Synced", SHOWN),
    (S.DUE, True, None, "Syncing", OLDER),
    (S.RETRYING, True, None, "Syncing, next try in 2 min", OLDER),
    (S.BLOCKED, True, PublicationReason.SESSION_ENDED(), "Sign in again to sync", OLDER),
    (S.REFUSED, True, PublicationReason.RESPONSE_WITHOUT_RECORD(), "Your account server refused it:", OLDER),
    (S.CONFLICTED, True, PublicationReason.CHANGED_TOO_OFTEN(), "Changed here and in another app:", OLDER),
    (S.RETRACTING, True, None, "Being removed from your account", LEAVING),
    (S.RETRACTED, False, PublicationReason.WITHDRAWN(), "Removed from your account", HERE),
]


@pytest.fixture
async def db(make_sqlite: MakeDatabase, clock: HandClock) -> Database:
    return await make_sqlite("openmeet", clock=clock)


async def new_event(db: Database, **typed: str) -> tuple[Caller, Event]:
    """An event of a person whose account is connected and who has agreed to publish."""
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, DID, handle="ana.example", pds_url="https://pds.example")
        await identities.grant_consent(tx, user_id, handle="ana.example")
        ana = Caller(user_id, "Ana")
        return ana, await event_by(tx, ana, **typed)


async def give_status(
    db: Database, event: Event, state: PublicationState, reason: Explanation | None, *, has_record: bool
) -> None:
    """Let the publication of the event have this state."""
    async with db.transaction() as tx:
        if has_record:
            await record_changes.store_record_uri(tx, event.id, uri=URI, cid="c", did=DID)
        await tx.execute(
            "update publications set state = :state, uri = :uri, did = :did, reason = :reason, due_at = :due_at,"
            " completed_revision = :completed, leased_until = :until where subject_id = :id",
            state=state.value,
            uri=URI if has_record else None,
            did=DID if has_record else None,
            reason=encode_explanation(reason),
            due_at=tx.now + 2 * MINUTE,
            completed=event.revision if state is S.PUBLISHED else 0,
            until=tx.now + MINUTE if state in {S.SENDING, S.RETRACTING} else None,
            id=event.id,
        )


async def shown_to(db: Database, clock: HandClock, ana: Caller, event: Event) -> tuple[str, str, str]:
    """The sync badge, the line of the card, and its markup."""
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        page = (await browser.get(f"/events/{event.slug}")).text
    (line,) = re.findall(r'<p class="publish-where hint">.*?<span>(.*?)</span></p>', page, re.DOTALL)
    (badges,) = re.findall(r'<ul class="chips topics">(.*?)</ul>', page, re.DOTALL)
    words = [" ".join(re.sub(r"<[^>]+>", "", one).split()) for one in (badges, line.partition(" <a")[0])]
    return words[0], words[1], line


async def test_the_card_says_what_the_badge_says(db: Database, clock: HandClock, subtests: pytest.Subtests) -> None:
    ana, event = await new_event(db)
    for state, has_record, reason, badge, says in CASES:
        with subtests.test(state=state.value, has_record=has_record, badge=badge):
            await give_status(db, event, state, reason, has_record=has_record)
            said = await shown_to(db, clock, ana, event)
            assert badge in said[0]
            assert said[1] == says
            explains = says not in {HERE, SHOWN}
            assert (f'<a href="/events/{event.slug}/merged">See why</a>' in said[2]) is explains


@pytest.mark.parametrize(
    ("visibility", "says"), [("unlisted", HERE), ("private", "Other apps show its name, its time and a link.")]
)
async def test_the_card_of_an_event_that_is_not_public(
    db: Database, clock: HandClock, visibility: str, says: str
) -> None:
    """A host may let other apps know that a private event takes place."""
    ana, event = await new_event(db, visibility=visibility)
    if visibility == "private":
        async with signed_in(site_on(db, clock), ana.user_id) as browser:
            revision = inputs_of((await browser.get(f"/events/{event.slug}/publishing")).text)["revision"]
            chosen = {"publishes": "minimal", "revision": revision}
            assert (await browser.post(f"/events/{event.slug}/publishing", data=chosen)).status_code == 303
        async with db.transaction() as tx:
            await record_changes.store_record_uri(tx, event.id, uri=URI, cid="c", did=DID)
            await tx.execute(
                "update publications set state = 'published', uri = :uri, did = :did where subject_id = :id",
                uri=URI,
                did=DID,
                id=event.id,
            )
    assert (await shown_to(db, clock, ana, event))[1] == says


async def test_the_badge_leads_to_the_page_of_the_record(
    db: Database, clock: HandClock, subtests: pytest.Subtests
) -> None:
    """Also before there is a record. The page says what waits, and has the next step."""
    ana, event = await new_event(db)
    at = f"/events/{event.slug}"
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        assert f'<a href="{at}/merged"><span class="chip plain">Syncing</span>' in (await browser.get(at)).text
        assert f'<a href="{at}/merged">What happened</a>' in (await browser.get(f"{at}/publishing")).text
        for state, has_record, reason, badge, says in CASES:
            with subtests.test(state=state.value, has_record=has_record, badge=badge):
                await give_status(db, event, state, reason, has_record=has_record)
                page = (await browser.get(f"{at}/merged")).text.partition("What happened</h2>")
                assert ("The last edit here isn’t synced." in page[0]) is (says in {NOT_YET, OLDER})
                assert (badge in page[0]) is (says in {NOT_YET, OLDER, LEAVING})
                assert ("Only on this site." in page[0]) is (says == HERE)
                tries = state in {S.RETRYING, S.REFUSED, S.CONFLICTED}
                assert (f'action="{at}/publish"' in page[0]) is tries
                assert (f'href="/settings/identity?next={at}/merged"' in page[0]) is (state is S.BLOCKED)
                assert ("Created on this site" in page[2]) is (says != HERE or state is S.RETRACTED)
