"""The line beside an answer says truly whether other apps show it, in each of its states."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from at_protocol.syntax.did import parse_did
from groundwork.clock import MINUTE, HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import actions, queries
from openmeet.domain.attendance.model import ReplyDetails, RsvpReply
from openmeet.domain.events import record_changes
from openmeet.domain.events.model import Event
from openmeet.domain.identities import actions as identities
from openmeet.domain.identities import publishing_preferences
from openmeet.domain.users.model import Caller
from openmeet.outbox.publications import PublicationState
from openmeet.web.events.answer_view import SharingState
from tests.databases import MakeDatabase
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.site_under_test import event_by, person, signed_in, site_on

DID, HOST_DID = parse_did(f"did:plc:{'b' * 24}"), parse_did(f"did:plc:{'h' * 24}")
URI = f"at://{DID}/community.lexicon.calendar.rsvp/3mqdau33ozs2n"
P = PublicationState


@dataclass
class Answering:
    """An event of Ana that other apps show, and Ben, who answers it."""

    db: Database
    event: Event
    ben: Caller

    async def agrees(self) -> None:
        async with self.db.transaction() as tx:
            await identities.grant_consent(tx, self.ben.user_id, handle="ben.test")

    async def answers(self, reply: RsvpReply = RsvpReply.GOING, **details: object) -> None:
        async with self.db.transaction() as tx:
            await actions.answer(tx, self.ben, self.event.slug, reply, ReplyDetails(**details))

    async def publication_is(self, state: PublicationState, *, has_record: bool = True) -> None:
        async with self.db.transaction() as tx:
            rsvp = await queries.find(tx, self.event.id, self.ben.user_id)
            assert rsvp is not None
            await tx.execute(
                "update publications set state = :state, uri = :uri, did = :did, due_at = :due_at where subject_id = :id",
                state=state.value,
                uri=URI if has_record else None,
                did=DID if has_record else None,
                due_at=tx.now + 2 * MINUTE,
                id=rsvp.id,
            )


async def connected(db: Database) -> Caller:
    """A person with their own account, for which we have no session."""
    async with db.transaction() as tx:
        user_id = await identities.connect(tx, DID, handle="ben.example", pds_url="https://pds.example")
        await identities.grant_consent(tx, user_id, handle="ben.example")
    return Caller(user_id, "Ben")


async def of_event_that_stays_here(one: Answering) -> None:
    await one.agrees()
    async with one.db.transaction() as tx:
        await tx.execute("update events set visibility = 'unlisted' where id = :id", id=one.event.id)
    await one.answers()


async def of_person_who_shares_no_answers(one: Answering) -> None:
    await one.agrees()
    async with one.db.transaction() as tx:
        before = await publishing_preferences.of_user(tx, one.ben.user_id)
        await publishing_preferences.change(tx, one.ben.user_id, replace(before, writes_answers=False))
    await one.answers()


async def private(one: Answering) -> None:
    await one.agrees()
    await one.answers(is_private=True)


async def private_since_it_was_shared(one: Answering) -> None:
    await one.agrees()
    await one.answers()
    await one.publication_is(P.PUBLISHED)
    await one.answers(is_private=True)


async def without_consent(one: Answering) -> None:
    await one.answers()


async def waiting_for_sign_in(one: Answering) -> None:
    one.ben = await connected(one.db)
    await one.answers()


async def synced_before_the_session_ended(one: Answering) -> None:
    await waiting_for_sign_in(one)
    await one.publication_is(P.PUBLISHED)


async def nothing(one: Answering) -> None:
    await one.agrees()


async def kept_here(one: Answering) -> None:
    await one.agrees()
    await one.answers(skips_record=True)


async def kept_here_without_session(one: Answering) -> None:
    one.ben = await connected(one.db)
    await one.answers(skips_record=True)


async def kept_here_after_sharing(one: Answering) -> None:
    await one.agrees()
    await one.answers()
    await one.publication_is(P.PUBLISHED)
    await one.answers(RsvpReply.INTERESTED, skips_record=True)
    # The publisher leaves the record alone.
    await one.publication_is(P.PUBLISHED)


async def given(one: Answering) -> None:
    await one.agrees()
    await one.answers()


async def synced(one: Answering) -> None:
    await given(one)
    await one.publication_is(P.PUBLISHED)


async def changed_since(one: Answering) -> None:
    await given(one)
    await one.publication_is(P.RETRYING)


# For each story, what the line says, and its buttons and links.
CASES: list[tuple[SharingState, Callable[[Answering], Awaitable[None]], str, list[str]]] = [
    (SharingState.STAYS_HERE, of_event_that_stays_here, "Only here", []),
    (SharingState.STAYS_HERE, of_person_who_shares_no_answers, "Only here", []),
    (SharingState.HOSTS_ONLY, private, "Only here Only the hosts see your name. Nothing is shared.", []),
    (
        SharingState.HOSTS_ONLY,
        private_since_it_was_shared,
        "Being removed from your account On this site, only the hosts see your name.",
        [],
    ),
    (SharingState.NOT_CONNECTED, without_consent, "Only here", ["Share it with other apps?"]),
    (
        SharingState.SIGN_IN_AGAIN,
        waiting_for_sign_in,
        "We can’t sync your answer to @ben.example until you sign in there again.",
        ["Sign in again to sync"],
    ),
    (
        SharingState.SIGN_IN_AGAIN,
        synced_before_the_session_ended,
        "Synced Shared as @ben.example",
        ["Sign in again to sync", "Stop sharing my answer"],
    ),
    (SharingState.CHOOSE, nothing, "", []),
    (SharingState.KEPT_HERE, kept_here, "Only here", ["Share as @ben.test"]),
    (SharingState.KEPT_HERE, kept_here_without_session, "Only here", ["Share as @ben.example"]),
    (
        SharingState.KEPT_HERE,
        kept_here_after_sharing,
        "Other apps show your earlier answer.",
        ["Share as @ben.test", "Stop sharing my answer"],
    ),
    (SharingState.GIVEN, given, "Syncing", []),
    (SharingState.GIVEN, synced, "Synced Shared as @ben.test", ["Stop sharing my answer"]),
    (
        SharingState.GIVEN,
        changed_since,
        "Syncing, next try in 2 min Other apps show your earlier answer.",
        ["Try again now", "Stop sharing my answer"],
    ),
]


def words(markup: str) -> str:
    visible = re.sub(r'<span class="hidden">.*?</span>|<svg.*?</svg>', "", markup, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", visible).split())


async def test_every_state_has_a_story() -> None:
    assert {state for state, *_ in CASES} == set(SharingState)


@pytest.mark.parametrize(("state", "story", "says", "next_steps"), CASES, ids=[one[1].__name__ for one in CASES])
async def test_the_line_says_whether_other_apps_show_the_answer(
    make_sqlite: MakeDatabase, clock: HandClock, state: SharingState, story, says: str, next_steps: list[str]
) -> None:
    db = await make_sqlite("openmeet", clock=clock)
    async with db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        uri = f"at://{HOST_DID}/community.lexicon.calendar.event/3mqdau33ozs2n"
        await record_changes.store_record_uri(tx, event.id, uri=uri, cid="c", did=HOST_DID)
    one = Answering(db, event, ben)
    await story(one)
    async with offline_publishing(clock) as publishing:
        site = site_on(db, clock, publishing=publishing)
        async with signed_in(site, one.ben.user_id) as browser:
            page = (await browser.get(f"/events/{event.slug}")).text
    line = page.partition('<div class="sync-state">')[2].partition("</section>")[0]
    links = re.findall(r"<(?:button|a) [^>]*>(?:[^<]+)</(?:button|a)>", line)
    said = words(re.sub(r"<form.*?</form>|<a [^>]*>[^<]+</a>", "", line, flags=re.DOTALL))
    assert (said, [words(link) for link in links]) == (says, next_steps)
    assert ("Share my answer as <strong>@ben.test</strong>" in page) is (state is SharingState.CHOOSE)
    # The badge, or else the sentence, leads to the state of the record.
    has_answer = state is not SharingState.CHOOSE
    assert line.count(f'href="/events/{event.slug}/answer/sync"') == has_answer
