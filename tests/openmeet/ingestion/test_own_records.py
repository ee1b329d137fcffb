"""Messages about records of local groups and series, on both engines. They are adopted or merged, hosts can reverse the
decisions, and they are accepted only from the right repository.
"""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from at_protocol.data.cid import Cid
from groundwork.clock import HandClock
from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import administration, audit_log, publication_settings, queries
from openmeet.domain.groups.model import Group, GroupLogAction, GroupRole, GroupSlug, JoinPolicy, Membership
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities import actions as identities
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import MergeSide
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.series import actions, apply_edits, date_queries
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import Series
from openmeet.domain.series.plan import plan_all
from openmeet.domain.sign_in import actions as sign_in
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import merge_review
from openmeet.network.ingestion.parsed_messages import IngestResult
from openmeet.network.records.collections import ACCEPTANCE, GROUP, MEMBERSHIP
from openmeet.network.records.group import ROLE_TOKENS
from openmeet.outbox import publication_queries, publication_status
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.recurrence.rule import format_rule, parse_rule
from tests.openmeet.ingestion.network import deletion_of, did, rev
from tests.openmeet.ingestion.own_groups_and_series import (
    OWN_GROUP_URI,
    OWN_SERIES_URI,
    create_published_group,
    create_published_series,
    current_group,
    set_published_and_location,
    update_message,
)
from tests.openmeet.ingestion.view import apply_messages
from tests.openmeet.interleaving import run_interleaved
from tests.openmeet.site_under_test import h1_of, inputs_of, person, signed_in, site_on

SAID = f"at://{did(2)}/{MEMBERSHIP}/m"
ACCEPTED = f"at://{did(1)}/{ACCEPTANCE}/a"


async def series_now(db: Database, series: Series) -> Series:
    async with db.reader() as reader:
        kept = await series_queries.by_id(reader, series.id)
    assert kept is not None
    return kept


async def state(db: Database, kind: PublicationKind, subject: str) -> PublicationState:
    async with db.reader() as reader:
        return (await publication_status.statuses(reader, kind, [subject]))[subject].state


async def test_a_remote_edit_of_a_group_is_adopted(db: Database):
    _, group, record = await create_published_group(db)
    edited = update_message(OWN_GROUP_URI, 1, record | {"description": "New.", "joining": f"{GROUP}#invite"})
    assert await apply_messages(db, edited) == [IngestResult.APPLIED]
    after = await current_group(db, group)
    assert (after.details.description, after.details.join_policy) == ("New.", JoinPolicy.INVITE)
    assert await state(db, PublicationKind.GROUP, group.id) is PublicationState.PUBLISHED
    assert await apply_messages(db, edited) == [IngestResult.KNOWN]
    assert (await current_group(db, group)).revision == after.revision


async def test_a_host_can_reverse_a_merge_decision(db: Database):
    """Hosts of a group and of a series can reverse the decision. Nobody else can see or reverse it."""
    ana, group, record = await create_published_group(db)
    async with db.transaction() as tx:
        eve = await person(tx, "Eve")
        await group_hosting.revise(tx, ana, group.slug, replace(group.details, name="Ours"))
    await apply_messages(db, update_message(OWN_GROUP_URI, 1, record | {"name": "Theirs"}))
    group = await current_group(db, group)
    assert group.details.name == "Ours"
    assert await state(db, PublicationKind.GROUP, group.id) is PublicationState.DUE
    wish = {"field": "name", "theirs_rev": str(rev(1)), "choice": MergeSide.THEIRS}
    async with db.transaction() as tx:
        with pytest.raises(Forbidden):
            await merge_review.choose_for_group(tx, eve, group.slug, **wish)
        with pytest.raises(NotFound):
            await merge_review.choose_for_group(tx, ana, group.slug, **{**wish, "field": "level"})
    async with db.transaction() as tx:
        assert (await merge_review.choose_for_group(tx, ana, group.slug, **wish)).details.name == "Theirs"
    async with db.reader() as reader:
        _, (one,) = await merge_review.merged_into_group(reader, ana, (await current_group(db, group)).slug)
    assert one.choice is MergeSide.THEIRS


async def test_a_host_can_reverse_a_decision_about_a_rule(db: Database):
    ana, series, record = await create_published_series(db)
    async with db.transaction() as tx:
        locked = await actions.lock_managed(tx, ana, series.slug)
        shape = replace(locked.timing.pattern, rule=parse_rule("FREQ=WEEKLY;COUNT=8"))
        stored = await date_queries.stored(tx, locked.id)
        plan = plan_all(locked, locked.content, replace(locked.timing, pattern=shape), stored, tx.now)
        await apply_edits.apply_plan(tx, locked, plan)
    await apply_messages(
        db, update_message(OWN_SERIES_URI, 1, record | {"rrule": ["FREQ=WEEKLY;COUNT=4"], "durationMinutes": 30})
    )
    after = await series_now(db, series)
    assert after.timing.pattern.rule is not None
    assert (format_rule(after.timing.pattern.rule), after.timing.length) == (
        "FREQ=WEEKLY;COUNT=8",
        timedelta(minutes=30),
    )
    wish = {"field": "rule", "theirs_rev": str(rev(1)), "choice": MergeSide.THEIRS}
    async with db.transaction() as tx:
        eve = await person(tx, "Eve")
        with pytest.raises(Forbidden):
            await merge_review.choose_for_series(tx, eve, series.slug, **wish)
    async with db.transaction() as tx:
        await merge_review.choose_for_series(tx, ana, series.slug, **wish)
    rule = (await series_now(db, series)).timing.pattern.rule
    assert rule is not None
    assert format_rule(rule) == "FREQ=WEEKLY;COUNT=4"


async def test_a_merge_beyond_the_limits_is_not_applied(db: Database):
    """A thousand exceptions of the other app and one of this site exceed the limit of a series."""
    ana, series, record = await create_published_series(db)
    async with db.transaction() as tx:
        locked = await actions.lock_managed(tx, ana, series.slug)
        ours = replace(locked.timing.pattern, left_out=(locked.timing.pattern.start + timedelta(days=7),))
        stored = await date_queries.stored(tx, locked.id)
        plan = plan_all(locked, locked.content, replace(locked.timing, pattern=ours), stored, tx.now)
        await apply_edits.apply_plan(tx, locked, plan)
    before = await series_now(db, series)
    many = [f"{2100 + number // 28}-02-{number % 28 + 1:02}T18:00:00" for number in range(1000)]
    await apply_messages(db, update_message(OWN_SERIES_URI, 1, record | {"exdate": many}))
    assert (await series_now(db, series)).timing == before.timing
    async with db.reader() as reader:
        _, (one,) = await merge_review.merged_into_series(reader, ana, series.slug)
    assert (one.decision.field, one.decision.ours_values) == ("record", None)


async def test_a_series_that_passed_to_somebody_else_is_not_changed_by_its_first_owners_repository(db: Database):
    _, series, record = await create_published_series(db)
    async with db.transaction() as tx:
        ben = await person(tx, "Ben")
        await tx.execute("update event_series set user_id = :id", id=ben.user_id)
    await apply_messages(db, update_message(OWN_SERIES_URI, 1, record | {"name": "Stolen"}))
    assert (await series_now(db, series)).content.title == "Tea"


async def test_a_groups_former_record_has_no_effect(db: Database):
    """The group has its own account, so an edit of the record in the owner's repository is ignored."""
    ana, group, record = await create_published_group(db)
    async with db.transaction() as tx:
        await publication_settings.open_account(tx, ana, group.slug, "chess.example")
    await apply_messages(db, update_message(OWN_GROUP_URI, 1, record | {"name": "Stolen"}))
    assert (await current_group(db, group)).details.name == group.details.name
    async with db.reader() as reader:
        found = await publication_queries.find_by_uri(reader, OWN_GROUP_URI)
    assert found is not None
    assert found.kind is PublicationKind.SUPERSEDED_GROUP


@pytest.mark.parametrize("what", ["group", "series"])
async def test_a_remote_deletion_loses_nothing_here(db: Database, what: str):
    if what == "group":
        _, group, record = await create_published_group(db)
        await apply_messages(db, deletion_of(update_message(OWN_GROUP_URI, 1, record), 2))
        after = await current_group(db, group)
        assert (after.deleted_at, after.details.name, after.details.sync_enabled) == (None, group.details.name, False)
        assert await state(db, PublicationKind.GROUP, group.id) is PublicationState.RETRACTED
    else:
        _, series, record = await create_published_series(db)
        await apply_messages(db, deletion_of(update_message(OWN_SERIES_URI, 1, record), 2))
        kept = await series_now(db, series)
        assert (kept.deleted_at, kept.timing, kept.record_uri) == (None, series.timing, None)
        assert await state(db, PublicationKind.SERIES, series.id) is PublicationState.RETRACTED


async def with_member(db: Database) -> tuple[Caller, Caller, Group, dict[str, Any]]:
    ana, group, _ = await create_published_group(db)
    record = {
        "$type": ACCEPTANCE,
        "group": OWN_GROUP_URI,
        "member": did(2),
        "membership": {"uri": SAID, "cid": str(Cid.for_cbor(b"\xa0"))},
        "role": ROLE_TOKENS[GroupRole.MEMBER],
        "createdAt": "2026-01-01T00:00:00Z",
    }
    async with db.transaction() as tx:
        ben = Caller(await identities.connect(tx, did(2), handle="b.example", pds_url="https://p.example"), "Ben")
        mine = await group_actions.join(tx, ben, group.slug)
        await queries.put_member(tx, replace(mine, statement_uri=SAID, sync_enabled=True, revision=2))
        await set_published_and_location(tx, PublicationKind.ACCEPTANCE, mine.id, ana, record, ACCEPTED)
    return ana, ben, group, record


async def member(db: Database, group: Group, who: Caller) -> Membership:
    async with db.reader() as reader:
        membership = await queries.find_member(reader, group.id, who.user_id)
    assert membership is not None
    return membership


async def test_roles_and_removal_of_the_groups_repository(db: Database):
    _, ben, group, record = await with_member(db)
    await apply_messages(db, update_message(ACCEPTED, 1, record | {"role": ROLE_TOKENS[GroupRole.MODERATOR]}))
    assert (await member(db, group, ben)).role is GroupRole.MODERATOR
    await apply_messages(db, update_message(ACCEPTED, 2, record | {"role": ROLE_TOKENS[GroupRole.OWNER]}))
    assert (await member(db, group, ben)).role is GroupRole.MODERATOR
    await apply_messages(db, deletion_of(update_message(ACCEPTED, 1, record), 3))
    assert (await member(db, group, ben)).role is GroupRole.LEFT
    async with db.reader() as reader:
        lines = [(one.act, one.note) for one in await audit_log.entries(reader, group.id, limit=2)]
        decided = await merge_decisions.of_records(reader, [ACCEPTED], ALL_ROWS)
    assert lines == [
        (GroupLogAction.REMOVED, audit_log.IN_ANOTHER_APP),
        (GroupLogAction.ROLE_CHANGED, audit_log.IN_ANOTHER_APP),
    ]
    assert [(one.decision.field, one.decision.result) for one in decided] == [("role", MergeSide.OURS)]


async def test_the_later_of_two_roles_stands_and_both_are_on_record(db: Database):
    ana, ben, group, record = await with_member(db)
    async with db.transaction() as tx:
        await administration.change_role(tx, ana, group.slug, ben.user_id, GroupRole.ADMIN)
    await apply_messages(db, update_message(ACCEPTED, 1, record | {"role": ROLE_TOKENS[GroupRole.MODERATOR]}))
    async with db.reader() as reader:
        (one,) = await merge_decisions.of_records(reader, [ACCEPTED], ALL_ROWS)
    assert (one.decision.base, one.decision.ours, one.decision.theirs) == ("member", "admin", "moderator")
    assert (await member(db, group, ben)).role.value == getattr(one.decision, one.decision.result.value)


async def test_reversing_a_decision_keeps_concurrent_edits(db: Database):
    """Another edit of the group that is saved at any moment meanwhile is not overwritten."""
    ana, group, record = await create_published_group(db)
    async with db.transaction() as tx:
        await group_hosting.revise(tx, ana, group.slug, replace(group.details, name="Ours"))
    await apply_messages(db, update_message(OWN_GROUP_URI, 1, record | {"name": "Theirs"}))
    for at in count(1):
        before = await current_group(db, group)
        side = MergeSide.THEIRS if before.details.name == "Ours" else MergeSide.OURS
        name, text = side.value.capitalize(), f"Edit {at}"

        async def choosing(tx: Transaction, slug: GroupSlug = before.slug, side: MergeSide = side) -> None:
            await merge_review.choose_for_group(tx, ana, slug, field="name", theirs_rev=str(rev(1)), choice=side)

        async def editing(tx: Transaction, slug: GroupSlug = before.slug, text: str = text) -> None:
            locked, _ = await group_actions.lock_for(tx, ana, slug, GroupPermission.EDIT_GROUP)
            await group_hosting.revise(tx, ana, slug, replace(locked.details, description=text))

        is_stopped = await run_interleaved(db, choosing, editing, at)
        after = await current_group(db, group)
        assert (after.details.name, after.details.description) == (name, text), at
        if not is_stopped:
            break
    assert at > 3


@pytest.mark.parametrize("author", [2, 3])
async def test_only_the_groups_repository_assigns_roles(db: Database, author: int):
    """Neither the member's own repository nor that of a third person can assign a role."""
    _, ben, group, record = await with_member(db)
    forged = f"at://{did(author)}/{ACCEPTANCE}/a"
    await apply_messages(db, update_message(forged, 1, record | {"role": ROLE_TOKENS[GroupRole.ADMIN]}))
    assert (await member(db, group, ben)).role is GroupRole.MEMBER


async def test_a_ban_takes_precedence_over_the_repository(db: Database):
    ana, ben, group, record = await with_member(db)
    async with db.transaction() as tx:
        await administration.ban(tx, ana, group.slug, ben.user_id)
    other = f"at://{did(1)}/{ACCEPTANCE}/other"
    await apply_messages(
        db, update_message(SAID, 1, {"$type": MEMBERSHIP, "group": OWN_GROUP_URI}), update_message(other, 1, record)
    )
    await apply_messages(db, update_message(ACCEPTED, 2, record | {"role": ROLE_TOKENS[GroupRole.ADMIN]}))
    assert (await member(db, group, ben)).role is GroupRole.BANNED


async def test_decisions_about_members_cannot_be_reversed(db: Database):
    ana, _, group, record = await with_member(db)
    await apply_messages(db, update_message(ACCEPTED, 1, record | {"role": ROLE_TOKENS[GroupRole.OWNER]}))
    async with db.transaction() as tx:
        _, (one,) = await merge_review.merged_into_group(tx, ana, group.slug)
        with pytest.raises(Refused):
            await merge_review.choose_for_group(
                tx, ana, group.slug, field="role", theirs_rev=one.theirs_rev, choice=MergeSide.THEIRS
            )


async def token_of(db: Database, who: Caller) -> dict[str, str]:
    async with db.transaction() as tx:
        session = await sign_in.open_session(tx, who.user_id, SessionTransport.API)
    return {"authorization": f"Bearer {session.token}"}


@pytest.mark.parametrize("what", ["group", "series"])
async def test_page_and_buttons(db: Database, clock: HandClock, what: str):
    """The page shows both versions, and one tap chooses the other app's. The API shows the same, and other people get
    no access.
    """
    if what == "group":
        ana, group, record = await create_published_group(db)
        async with db.transaction() as tx:
            await group_hosting.revise(tx, ana, group.slug, replace(group.details, name="Ours"))
        await apply_messages(db, update_message(OWN_GROUP_URI, 1, record | {"name": "Theirs"}))
        group = await current_group(db, group)
        page, linked, api = f"/groups/{group.slug}", f"/groups/{group.slug}/network", f"/api/groups/{group.slug}"
    else:
        ana, series, record = await create_published_series(db)
        async with db.transaction() as tx:
            locked = await actions.lock_managed(tx, ana, series.slug)
            stored = await date_queries.stored(tx, locked.id)
            ours = replace(locked.content, title="Ours")
            await apply_edits.apply_plan(tx, locked, plan_all(locked, ours, locked.timing, stored, tx.now))
        await apply_messages(db, update_message(OWN_SERIES_URI, 1, record | {"name": "Theirs"}))
        page = linked = f"/series/{series.slug}"
        api = f"/api/series/{series.slug}"
    async with db.transaction() as tx:
        eve = await person(tx, "Eve")
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        assert f'href="{page}/merged"' in (await browser.get(linked)).text
        shown = await browser.get(f"{page}/merged")
        assert "Theirs" in shown.text
        assert "Keep this version" in shown.text
        mine = await token_of(db, ana)
        listed = (await browser.get(f"{api}/merged", headers=mine)).json()["decisions"]
        assert [(one["field"], one["yours"], one["result"]) for one in listed] == [("name", "Ours", "yours")]
        form = {"field": "name", "theirs_rev": str(rev(1)), "keep": "theirs"}
        assert (await browser.post(f"{page}/merged", data={**form, "keep": "?"})).status_code == 400
        answer = await browser.post(f"{page}/merged", data=form)
        assert answer.status_code == 303
        chosen = await browser.get(answer.headers["location"])
        assert h1_of(chosen.text) == "Sync"
        assert re.search("Ours|Theirs", chosen.text)
        kept = {"field": "name", "theirsRev": str(rev(1)), "keep": "yours"}
        api = "/api" + answer.headers["location"].partition("/merged")[0]
        back = await browser.post(f"{api}/merged", json=kept, headers=mine)
        assert [one["choice"] for one in back.json()["decisions"]] == ["yours"]
    async with signed_in(site_on(db, clock), eve.user_id) as browser:
        assert (await browser.get(f"{page}/merged")).status_code in {301, 403, 404}
        assert (await browser.get(f"{api}/merged", headers=await token_of(db, eve))).status_code in {403, 404}


async def test_a_deleted_series_record_can_be_published_again(db: Database, clock: HandClock):
    """The page about publishing and the API show its status."""
    ana, series, record = await create_published_series(db)
    await apply_messages(db, deletion_of(update_message(OWN_SERIES_URI, 1, record), 2))
    async with db.reader() as reader:
        first = (await date_queries.stored(reader, series.id))[0].event
    path = f"/events/{first.slug}/publishing"
    async with signed_in(site_on(db, clock), ana.user_id) as browser:
        shown = (await browser.get(path)).text
        assert "The rule of the series" in shown
        settings = f"/api/events/{series.slug}/bluesky-settings"
        listed = (await browser.get(settings, headers=await token_of(db, ana))).json()["publications"]
        assert [(one["slug"], one["state"]) for one in listed if one["kind"] == "series"] == [
            (series.slug, "retracted")
        ]
        form = inputs_of(shown) | {"publishes": "full", "policy": "next", "scope": "event"}
        assert "rule_again" in form
        assert (await browser.post(path, data={**form, "rule_again": ""})).status_code == 303
        assert await state(db, PublicationKind.SERIES, series.id) is PublicationState.RETRACTED
        form = inputs_of((await browser.get(path)).text) | {"publishes": "full", "policy": "next", "scope": "event"}
        assert (await browser.post(path, data={**form, "rule_again": "yes"})).status_code == 303
    assert await state(db, PublicationKind.SERIES, series.id) is PublicationState.DUE
