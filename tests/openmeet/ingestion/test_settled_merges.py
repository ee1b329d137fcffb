"""An edit settles the merge decisions about what it changes, however it is made: nobody is asked about them again."""

from dataclasses import replace

import pytest

from groundwork.clock import HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import event_hosting, group_hosting
from openmeet.domain.events import record_changes
from openmeet.domain.events.edits import details_in
from openmeet.domain.events.model import EventStatus
from openmeet.domain.events.queries import by_id, by_slug
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import FieldDecision, KeptDecision, MergeReason, MergeSide
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.series import actions, agenda, date_queries, undo
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.network.ingestion import merge_review
from openmeet.network.ingestion.three_way_merge import encode_edits
from tests.openmeet.ingestion.merge_conflicts import TEA_URI, choose_version, edit_on_both_sides, kept_decisions
from tests.openmeet.ingestion.network import did
from tests.openmeet.ingestion.own_groups_and_series import (
    OWN_GROUP_URI,
    OWN_SERIES_URI,
    create_published_group,
    create_published_series,
    current_group,
    update_message,
)
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.site_under_test import edited_details, inputs_of, signed_in, site_on
from tests.simulation.oracle import EVENT

EVENT_FORM = {"time_zone": "Europe/Berlin", "visibility": "public"}
DATE = f"at://{did(1)}/{EVENT}/date"


async def about(db: Database, uri: str, field: str) -> KeptDecision:
    async with db.reader() as reader:
        (found,) = [
            one for one in await merge_decisions.of_records(reader, [uri], ALL_ROWS) if one.decision.field == field
        ]
    return found


def outcome(kept: KeptDecision) -> tuple[bool, MergeSide | None]:
    """Whether the decision is settled, and the chosen side."""
    return kept.reviewed_at is not None, kept.choice


async def ask(db: Database, uri: str, field: str, ours: object, theirs: object) -> None:
    """Store an open decision, in which the value from here is in use."""
    values = encode_edits({field: ours}), encode_edits({field: theirs})
    decision = FieldDecision(
        field, "", str(ours), str(theirs), MergeReason.MANUAL_EDIT_IS_KEPT, MergeSide.OURS, *values
    )
    async with db.transaction() as tx:
        await merge_decisions.store(tx, uri=uri, theirs_rev="r", ours_revision=1, decisions=(decision,))


@pytest.mark.parametrize(
    ("title", "choice"), [("Theirs", MergeSide.THEIRS), ("Both", None)], ids=["the other side", "a third value"]
)
async def test_the_form_of_an_event(db: Database, clock: HandClock, title: str, choice: MergeSide | None):
    """Typing the other side's value is the same as choosing it."""
    ana, tea = await edit_on_both_sides(db)
    site = site_on(db, clock)
    async with signed_in(site, ana.user_id) as browser:
        path = f"/events/{tea.slug}/edit"
        form = inputs_of((await browser.get(path)).text) | EVENT_FORM
        assert (await browser.post(path, data=form | {"door_note": "Ring twice"})).status_code == 303
        assert outcome((await kept_decisions(db, ana, tea))["name"]) == (False, None), "it was not edited"
        form = inputs_of((await browser.get(path)).text) | EVENT_FORM
        assert (await browser.post(path, data=form | {"title": title})).status_code == 303
    found = await kept_decisions(db, ana, tea)
    assert outcome(found["name"]) == (True, choice)
    assert outcome(found["starts_at"]) == (False, None)


async def test_the_api_of_an_event(db: Database, clock: HandClock):
    ana, tea = await edit_on_both_sides(db)
    async with db.transaction() as tx:
        session = await open_session(tx, ana.user_id, SessionTransport.API)
    headers = {"authorization": f"Bearer {session.token}"}
    body = {"title": "Theirs", "startsLocal": "2026-07-04T18:30", "timeZone": "Europe/Berlin"}
    async with site_on(db, clock).browser() as program:
        saved = await program.put(f"/api/events/{tea.slug}", json=body, headers=headers)
        assert saved.status_code == 200, saved.text
    found = await kept_decisions(db, ana, tea)
    assert outcome(found["name"]) == (True, MergeSide.THEIRS)
    assert outcome(found["starts_at"]) == (True, None)


async def test_a_choice_ends_with_the_next_edit(db: Database):
    """The page must not say that a side is in use whose value was replaced since."""
    ana, tea = await edit_on_both_sides(db)
    await choose_version(db, ana, tea, "name", MergeSide.THEIRS)
    async with db.transaction() as tx:
        now = await by_slug(tx, tea.slug)
        await event_hosting.revise(tx, ana, tea.slug, edited_details(now, title="Third"))
    assert outcome((await kept_decisions(db, ana, tea))["name"]) == (True, None)


async def test_cancelling_and_reinstating(db: Database):
    ana, tea = await edit_on_both_sides(db)
    async with db.transaction() as tx:
        now = await by_slug(tx, tea.slug)
        if now.is_cancelled:
            await event_hosting.reinstate(tx, ana, tea.slug)
    await ask(db, TEA_URI, "status", EventStatus.SCHEDULED, EventStatus.CANCELLED)
    async with db.transaction() as tx:
        await event_hosting.cancel(tx, ana, tea.slug, "Ill")
    assert outcome(await about(db, TEA_URI, "status")) == (True, MergeSide.THEIRS)
    async with db.transaction() as tx:
        await event_hosting.reinstate(tx, ana, tea.slug)
    assert outcome(await about(db, TEA_URI, "status")) == (True, MergeSide.OURS)


async def test_a_group(db: Database, clock: HandClock):
    ana, group, record = await create_published_group(db)
    async with db.transaction() as tx:
        await group_hosting.revise(tx, ana, group.slug, replace(group.details, name="Ours"))
    await apply_messages(db, update_message(OWN_GROUP_URI, 1, record | {"name": "Theirs"}))
    assert outcome(await about(db, OWN_GROUP_URI, "name")) == (False, None)
    before = await current_group(db, group)
    async with db.transaction() as tx:
        await group_hosting.revise(tx, ana, before.slug, replace(before.details, description="New."))
    assert outcome(await about(db, OWN_GROUP_URI, "name")) == (False, None)
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        path = f"/groups/{before.slug}/settings"
        form = inputs_of((await browser.get(path)).text) | {"time_zone": "Europe/Berlin", "name": "Theirs"}
        assert (await browser.post(path, data=form)).status_code == 303
    assert outcome(await about(db, OWN_GROUP_URI, "name")) == (True, MergeSide.THEIRS)


async def test_a_series_and_its_dates(db: Database, clock: HandClock):
    """An edit of all dates settles the decisions about the series and about each date. Undoing it does so, too."""
    ana, series, _ = await create_published_series(db)
    async with db.transaction() as tx:
        (first,) = await agenda.coming(tx, series, ana.user_id, limit=1)
        date = await date_queries.date_of(tx, series.id, first.original_date)
        await record_changes.store_record_uri(tx, date.id, uri=DATE, cid="bafy", did=did(1))
    for uri in (OWN_SERIES_URI, DATE):
        await ask(db, uri, "name", "Tea", "Cocoa")
    await ask(db, OWN_SERIES_URI, "minutes", 120, 90)
    site = site_on(db, clock)
    async with signed_in(site, ana.user_id) as browser:
        path = f"/series/{series.slug}/edit"
        form = inputs_of((await browser.get(path)).text)
        form |= {"time_zone": "Europe/Vienna", "visibility": "public", "description": "Bring a cup."}
        assert (await browser.post(path, data=form | {"title": "Cocoa", "scope": "all"})).status_code == 303
    assert outcome(await about(db, OWN_SERIES_URI, "name")) == (True, MergeSide.THEIRS)
    assert outcome(await about(db, DATE, "name")) == (True, MergeSide.THEIRS)
    assert outcome(await about(db, OWN_SERIES_URI, "minutes")) == (False, None)
    async with db.transaction() as tx:
        await undo.undo(tx, await actions.lock_for_undo(tx, ana, series.slug))
        restored = await by_id(tx, date.id)
    assert details_in(restored).content.title == "Tea"
    assert outcome(await about(db, OWN_SERIES_URI, "name")) == (True, MergeSide.OURS)
    assert outcome(await about(db, DATE, "name")) == (True, MergeSide.OURS)


async def test_a_choice_about_one_field_settles_what_it_changes_besides(db: Database):
    """Choosing the start also moves the end if both contradicted each other, so nobody is asked about the end again."""
    ana, tea = await edit_on_both_sides(db)
    async with db.transaction() as tx:
        now = await by_slug(tx, tea.slug)
        values = encode_edits({"starts_at": now.starts_at, "ends_at": None}), encode_edits({"ends_at": now.ends_at})
        both = FieldDecision("starts_at", "", "", "", MergeReason.ORIGIN_WINS, MergeSide.THEIRS, values[0], values[1])
        end = FieldDecision("ends_at", "", "", "", MergeReason.ORIGIN_WINS, MergeSide.THEIRS, values[0], values[1])
        for decision in (both, end):
            await merge_decisions.store(tx, uri=TEA_URI, theirs_rev="z", ours_revision=1, decisions=(decision,))
        await merge_review.choose(tx, ana, tea.slug, field="starts_at", theirs_rev="z", choice=MergeSide.OURS)
        found = await merge_decisions.of_records(tx, [TEA_URI], ALL_ROWS)
    newest = {one.decision.field: one for one in found if one.theirs_rev == "z"}
    assert newest["starts_at"].choice is MergeSide.OURS
    assert newest["ends_at"].reviewed_at is not None
