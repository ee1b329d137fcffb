"""Hosts see the merge decisions about their event and can reverse them."""

import re

import pytest

from groundwork.clock import SECOND, HandClock, Instant
from groundwork.database.transaction import Database, Reader
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events import actions as events
from openmeet.domain.events import queries as event_queries
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.queries import by_slug
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, KeptDecision, MergeReason, MergeSide
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.network.ingestion import merge_review
from openmeet.outbox import leased_publications, publication_queries, publication_status
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.web.atproto.merges_pages import merge_view
from tests.openmeet.ingestion.merge_conflicts import (
    TEA_TIMES,
    TEA_URI,
    choose_version,
    create_person,
    edit_on_both_sides,
    ingest_anas_event,
    kept_decisions,
)
from tests.openmeet.ingestion.network import event
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import details, h1_of, inputs_of, signed_in, site_on


async def open_decisions(reader: Reader) -> list[KeptDecision]:
    """The decisions about Ana's event of which she is still asked."""
    found = await merge_decisions.of_records(reader, [TEA_URI], ALL_ROWS)
    newest = {one.decision.field: one for one in reversed(found)}
    return [one for one in newest.values() if one.reviewed_at is None and one.decision.ours_values is not None]


async def test_both_versions_and_the_rule_are_shown(db: Database):
    ana, tea = await edit_on_both_sides(db)
    name = (await kept_decisions(db, ana, tea))["name"].decision
    assert (name.base, name.ours, name.theirs, name.result) == ("Tea", "Ours", "Theirs", MergeSide.OURS)
    assert name.policy.value == "manual edit is kept"


async def test_taking_theirs_is_an_edit_that_is_published(db: Database):
    """The kept title is replaced, a new revision is queued, and the choice is recorded."""
    ana, tea = await edit_on_both_sides(db)
    async with db.reader() as reader:
        before = await by_slug(reader, tea.slug)
    after = await choose_version(db, ana, tea, "name", MergeSide.THEIRS)
    assert before is not None
    assert (before.title, after.title) == ("Ours", "Theirs")
    assert after.revision == before.revision + 1
    conflict = (await kept_decisions(db, ana, tea))["name"]
    assert conflict.choice is MergeSide.THEIRS
    assert conflict.reviewed_at is not None
    async with db.reader() as reader:
        publication = await publication_queries.find(reader, PublicationKind.EVENT, tea.id)
    assert publication is not None
    assert (publication.state, publication.revision) == (PublicationState.DUE, after.revision)


async def test_a_decision_can_be_reversed_again(db: Database):
    ana, tea = await edit_on_both_sides(db)
    await choose_version(db, ana, tea, "name", MergeSide.THEIRS)
    assert (await choose_version(db, ana, tea, "name", MergeSide.OURS)).title == "Ours"


async def test_keeping_the_current_value_makes_no_revision(db: Database):
    ana, tea = await edit_on_both_sides(db)
    async with db.reader() as reader:
        before = await by_slug(reader, tea.slug)
    assert before is not None
    assert (await choose_version(db, ana, tea, "name", MergeSide.OURS)).revision == before.revision
    assert (await kept_decisions(db, ana, tea))["name"].choice is MergeSide.OURS


async def test_a_restored_time_is_consistent(db: Database):
    """Instant, text and local time are consistent after the host's own time is restored."""
    ana, tea = await edit_on_both_sides(db)
    async with db.reader() as reader:
        merged = await by_slug(reader, tea.slug)
    assert merged is not None
    start = (await kept_decisions(db, ana, tea))["starts_at"].decision
    other = MergeSide.OURS if start.result is MergeSide.THEIRS else MergeSide.THEIRS
    after = await choose_version(db, ana, tea, "starts_at", other)
    assert str(after.starts_at) == (start.ours if other is MergeSide.OURS else start.theirs)
    assert after.starts_local != merged.starts_local
    assert after.starts_local == ("2026-07-04T19:00:00" if other is MergeSide.OURS else "2026-07-04T17:00:00")


async def test_a_choice_survives_the_next_version_from_elsewhere(db: Database):
    """The host's choice is an ordinary edit, so the next version is merged with it and does not overwrite it."""
    ana, tea = await edit_on_both_sides(db)
    await choose_version(db, ana, tea, "name", MergeSide.THEIRS)
    base = {"startsAt": "2026-07-04T15:00:00Z", "timezone": "Europe/Berlin"}
    await apply_messages(db, event(1, "tea", 3, "Theirs", description="More", **base))
    async with db.reader() as reader:
        after = await by_slug(reader, tea.slug)
    assert after is not None
    assert (after.title, after.content.description) == ("Theirs", "More")


async def test_inconsistent_dates_are_refused(db: Database):
    ana, tea = await edit_on_both_sides(db)
    async with db.transaction() as tx:
        early = details(title="Ours", starts="2026-07-04T09:00", ends="2026-07-04T10:00")
        await events.revise(tx, ana, tea.slug, early)
    with pytest.raises(Refused):
        await choose_version(db, ana, tea, "starts_at", MergeSide.THEIRS)
    assert (await kept_decisions(db, ana, tea))["starts_at"].choice is None


async def test_attendees_are_notified_of_a_reversal(db: Database):
    ana, tea = await edit_on_both_sides(db)
    ben = await create_person(db, "Ben")
    async with db.transaction() as tx:
        after = await by_slug(tx, tea.slug)
        assert after is not None
        if after.status is not EventStatus.CANCELLED:
            await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING)
        else:
            await events.reinstate(tx, ana, tea.slug)
            await attendance.answer(tx, ben, tea.slug, RsvpReply.GOING)
    await choose_version(db, ana, tea, "name", MergeSide.THEIRS)
    async with db.reader() as reader:
        told = await reader.fetch("select kind from notifications where user_id = :ben", ben=ben.user_id)
    assert [row["kind"] for row in told] == ["event_changed"]


async def test_irreversible_decisions_are_not_open(db: Database):
    """Decisions about an event stay open until the host decides. Decisions about an RSVP are never open, because its
    author cannot reverse them.
    """
    ana, tea = await edit_on_both_sides(db)
    found = await kept_decisions(db, ana, tea)
    async with db.transaction() as tx:
        assert await merge_decisions.count_open(tx) == len(found)
        word = FieldDecision("status", "", "attending", "declined", MergeReason.LATEST_ANSWER, MergeSide.THEIRS)
        await merge_decisions.store(tx, uri=f"{TEA_URI}-answer", theirs_rev="r", ours_revision=1, decisions=(word,))
        assert await merge_decisions.count_open(tx) == len(found)
    for field in found:
        await choose_version(db, ana, tea, field, found[field].decision.result)
    async with db.reader() as reader:
        assert await merge_decisions.count_open(reader) == 0
        assert await merge_decisions.count(reader, f"{TEA_URI}-answer") == 1


async def test_only_the_host_sees_and_decides(db: Database):
    ana, tea = await edit_on_both_sides(db)
    conflict = (await kept_decisions(db, ana, tea))["name"]
    ben = await create_person(db, "Ben")
    with pytest.raises(Forbidden):
        async with db.transaction() as tx:
            await merge_review.choose(
                tx, ben, tea.slug, field="name", theirs_rev=conflict.theirs_rev, choice=MergeSide.THEIRS
            )
    with pytest.raises(NotFound):
        async with db.transaction() as tx:
            await merge_review.choose(tx, ana, tea.slug, field="name", theirs_rev="x", choice=MergeSide.THEIRS)


async def test_page_and_buttons(db: Database, clock: HandClock):
    """The event page links to the decisions. One tap chooses the other side's value, and the page says whose value is
    used.
    """
    ana, tea = await edit_on_both_sides(db)
    async with db.transaction() as tx:
        session = await sign_in.open_session(tx, ana.user_id, SessionTransport.BROWSER)
    rev = (await kept_decisions(db, ana, tea))["name"].theirs_rev
    async with site_on(db, clock).browser() as browser:
        browser.cookies.set("openmeet_session", session.token)
        shown = await browser.get(f"/events/{tea.slug}")
        assert f'href="/events/{tea.slug}/merged"' in shown.text
        before = await browser.get(f"/events/{tea.slug}/merged")
        assert h1_of(before.text) == "Sync"
        assert re.search(
            rf'way-back of-subject"><a href="/events/{tea.slug}">.*<strong>{tea.title}</strong>', before.text
        )
        assert "We kept the version from this site." in before.text
        chosen = {"field": "name", "theirs_rev": rev, "keep": "theirs"}
        said = await browser.post(f"/events/{tea.slug}/merged", data=chosen)
        assert said.status_code == 303
        after = await browser.get(f"/events/{tea.slug}/merged")
        wrong = await browser.post(f"/events/{tea.slug}/merged", data={**chosen, "keep": "nobody's"})
    assert "You kept the version from the other app." in after.text
    assert wrong.status_code == 400
    async with db.reader() as reader:
        assert (await publication_status.statuses(reader, PublicationKind.EVENT, [tea.id]))[
            tea.id
        ].state is PublicationState.DUE


async def test_the_page_names_the_other_app_and_tells_of_edits(db: Database, clock: HandClock):
    """The app is the one that the stored version names; which one wrote an earlier version is not known. Only the newest
    edit of each side is known.
    """
    ana, slug = await ingest_anas_event(db)
    async with signed_in(site_on(db, clock), ana.user_id) as browser:

        async def sections() -> tuple[str, str]:
            choices, _, story = (await browser.get(f"/events/{slug}/merged")).text.partition('id="happened"')
            return choices, story

        assert "Came from another app" in (await sections())[1]
        clock.turn(SECOND)
        elsewhere = {**TEA_TIMES, "createdWith": "https://smokesignal.events"}
        await apply_messages(db, event(1, "tea", 2, "Cocoa", **elsewhere))
        choices, story = await sections()
        assert "Everything matches." in choices
        assert "Changed in Smoke Signal" in story
        clock.turn(SECOND)
        async with db.transaction() as tx:
            await events.revise(tx, ana, slug, details(title="Ours", starts="2026-07-04T19:00"))
        choices, story = await sections()
        assert "The last edit here isn’t synced." in choices
        assert story.index("Edited on this site") < story.index("Changed in Smoke Signal")
        await apply_messages(db, event(1, "tea", 3, "Theirs", **elsewhere))
        choices, story = await sections()
        await apply_messages(db, event(1, "tea", 4, "Theirs", description="New", **TEA_TIMES, createdWith="a.example"))
        later = "".join(await sections())
    assert (later.count("From a.example"), later.count("Other version")) == (2, 1)
    assert re.search(r'<span class="option-name">Theirs</span><span class="hint">From Smoke Signal, ', choices)
    assert "From Smoke Signal" in story


async def test_an_event_that_was_never_synced_is_only_on_this_site(db: Database, clock: HandClock):
    ana = await create_person(db, "Ana")
    async with db.transaction() as tx:
        tea = await events.create(tx, ana, details(title="Tea"))
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        page = (await browser.get(f"/events/{tea.slug}/merged")).text
    assert "Only on this site." in page
    assert "Everything matches." not in page


@pytest.mark.parametrize(
    ("field", "code", "words"),
    [
        ("mode", "in_person", "In person"),
        ("mode", "hybrid", "In person and online"),
        ("status", "scheduled", "Takes place"),
        ("is_discoverable", "False", "no"),
        ("join_policy", "invite", "By invitation only"),
        ("level", "members", "Only name, time and a link"),
        ("role", "moderator", "Moderator"),
    ],
)
def test_a_code_is_shown_in_words(field: str, code: str, words: str) -> None:
    decision = FieldDecision(field, "", code, code, MergeReason.MOST_RECENT, MergeSide.OURS)
    kept = KeptDecision(TEA_URI, "rev", 1, decision, Instant(0), None, None)
    shown = merge_view(kept, "Europe/Berlin", Instant(0), is_newest=True)
    assert (shown.yours, shown.theirs) == (words, words)


async def test_a_later_change_replaces_the_choice(db: Database, clock: HandClock):
    """A host chooses between the newest versions of a field. Earlier versions can only be read."""
    ana, tea = await edit_on_both_sides(db)
    async with db.transaction() as tx:
        await events.revise(tx, ana, tea.slug, details(title="Ours again", starts="2026-07-04T19:00"))
    await apply_messages(db, event(1, "tea", 3, "Theirs again", **TEA_TIMES))
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        page = (await browser.get(f"/events/{tea.slug}/merged")).text
    choices, _, story = page.partition('id="happened"')
    titles = re.findall(r'<span class="option-name">([^<]*)</span>', choices)
    assert ("Ours again" in titles, "Theirs again" in titles, "Ours" in titles, "Theirs" in titles) == (
        True,
        True,
        False,
        False,
    )
    assert "It was changed again later." in story
    async with db.reader() as reader:
        open_fields = [one.decision.field for one in await open_decisions(reader)]
        assert len(open_fields) == len(set(open_fields)) == await merge_decisions.count_open(reader)


async def test_an_edit_of_the_host_settles_what_it_changes(db: Database, clock: HandClock):
    """“Edit and combine” leads to the form. After that, nobody is asked about the title again, but still about the
    start.
    """
    ana, tea = await edit_on_both_sides(db)
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        path = f"/events/{tea.slug}"
        form = inputs_of((await browser.get(f"{path}/edit")).text)
        form |= {"title": "Ours and theirs", "time_zone": "Europe/Berlin", "visibility": "public"}
        assert (await browser.post(f"{path}/edit", data=form)).status_code == 303
        page = (await browser.get(f"{path}/merged")).text
    choices, _, story = page.partition('id="happened"')
    assert "It was changed again later." in story
    assert '<span class="option-name">Ours</span>' not in choices
    async with db.reader() as reader:
        fields = {one.decision.field for one in await open_decisions(reader)}
    assert "name" not in fields
    assert "starts_at" in fields


async def test_a_form_that_is_older_than_a_change_in_another_app_is_not_saved(db: Database, clock: HandClock):
    """The form was opened, then another app changed the title. Saving it would undo that without anybody’s decision."""
    ana, slug = await ingest_anas_event(db)
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        path = f"/events/{slug}/edit"
        form = inputs_of((await browser.get(path)).text) | {"time_zone": "Europe/Berlin", "visibility": "public"}
        clock.turn(SECOND)
        await apply_messages(db, event(1, "tea", 2, "Cocoa", **TEA_TIMES))
        stale = await browser.post(path, data=form | {"door_note": "Ring twice"})
        assert stale.status_code == 409
        assert "Cocoa" in stale.text
        form = inputs_of(stale.text) | {"time_zone": "Europe/Berlin", "visibility": "public"}
        assert (await browser.post(path, data=form)).status_code == 303


async def test_decisions_are_reviewed_by_api(db: Database, clock: HandClock):
    ana, tea = await edit_on_both_sides(db)
    async with db.transaction() as tx:
        session = await sign_in.open_session(tx, ana.user_id, SessionTransport.API)
    headers = {"authorization": f"Bearer {session.token}"}
    async with site_on(db, clock).browser() as browser:
        listed = await browser.get(f"/api/events/{tea.slug}/decisions", headers=headers)
        (name,) = [one for one in listed.json()["decisions"] if one["field"] == "name"]
        wanted = {"field": "name", "theirsRev": name["theirsRev"], "keep": "theirs"}
        chosen = await browser.post(f"/api/events/{tea.slug}/decisions", json=wanted, headers=headers)
        nobody = await browser.get(f"/api/events/{tea.slug}/decisions")
    assert (name["yours"], name["theirs"], name["result"], name["choice"]) == ("Ours", "Theirs", "yours", None)
    assert chosen.json()["title"] == "Theirs"
    assert nobody.status_code == 401


async def test_a_first_edit_that_was_not_written_is_kept(db: Database):
    """The publisher left another app's record as it was. So the edit is in no record, and the app's next version must not
    replace it silently.
    """
    ana, slug = await ingest_anas_event(db)
    async with db.transaction() as tx:
        tea = await events.revise(tx, ana, slug, details(title="Ours"))
    async with db.transaction() as tx:
        (leased,) = await leased_publications.lease_due(tx, limit=10, seconds=60)
        assert await leased_publications.complete_without_write(tx, leased)
    await apply_messages(db, event(1, "tea", 2, "Theirs", description="New.", **TEA_TIMES))
    async with db.reader() as reader:
        after = await event_queries.by_id(reader, tea.id)
    assert after is not None
    assert (after.title, after.content.description) == ("Ours", "New.")
    decision = (await kept_decisions(db, ana, tea))["name"].decision
    assert (decision.ours, decision.theirs, decision.result) == ("Ours", "Theirs", MergeSide.OURS)
    await apply_messages(db, event(1, "tea", 3, "Theirs again", description="New.", **TEA_TIMES))
    async with db.reader() as reader:
        later = await event_queries.by_id(reader, tea.id)
    assert later is not None
    assert later.title == "Ours"
