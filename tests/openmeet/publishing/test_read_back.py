"""Another app edits or deletes records of groups and series that were made on this site, on a real PDS. The changes are
read back and merged, and nothing is written in response.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from groundwork.errors import decode_explanation
from openmeet.domain.attendance import group_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.groups import administration, audit_log
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupLogAction, GroupRole, Membership, PromotionLevel
from openmeet.domain.merge_decisions import queries as merge_decisions
from openmeet.domain.merge_decisions.model import KeptDecision, MergeReason, MergeSide
from openmeet.domain.paging import ALL_ROWS
from openmeet.domain.series import actions, apply_edits, date_queries, queries
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.model import Caller, UserId
from openmeet.feature_flags.flags import Flag
from openmeet.i18n.reasons.messages import explain
from openmeet.network.records.collections import ACCEPTANCE, EVENT, GROUP, MEMBERSHIP, SERIES
from openmeet.network.records.group import ROLE_TOKENS
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import format_rule, parse_rule
from tests.openmeet.deployment import Deployment, deliver_all_publications, details, records_of, switch_flag
from tests.openmeet.publishing.other_app import custodial_app_of, delete_record_in_app, edit_record_in_app
from tests.openmeet.publishing.pictures import draw_jpeg
from tests.openmeet.publishing.published_groups import (
    create_group,
    current_group,
    let_into_group,
    revise_group,
    set_group_picture,
    show_membership,
)


async def decided(deployment: Deployment, uri: str) -> dict[str, KeptDecision]:
    async with deployment.db.reader() as reader:
        return {one.decision.field: one for one in await merge_decisions.of_records(reader, [uri], ALL_ROWS)}


async def person(deployment: Deployment, name: str) -> Caller:
    """A person whom ``published_group`` or ``published_series`` has signed up."""
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select id from users where display_name = :name", name=name)
    assert row is not None
    return Caller(UserId(row["id"]), name)


async def published_group(deployment: Deployment, **typed: str) -> tuple[Caller, Group, str]:
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, _ = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana, **typed)
    await deployment.listen(ana.user_id)
    assert group.network.record_uri is not None
    return ana, group, group.network.record_uri


async def published_series(deployment: Deployment, rule: str = "FREQ=WEEKLY;COUNT=10") -> tuple[Caller, Series, str]:
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, _ = await deployment.person("Ana"), await deployment.person("Ben")
    timing = Timing(
        pattern(parse_date("2026-03-07T18:00", "Europe/Vienna"), "Europe/Vienna", parse_rule(rule)), timedelta(hours=2)
    )
    async with deployment.db.transaction() as tx:
        series = await actions.create(tx, ana, details(description="Bring a cup.").content, timing)
    await deliver_all_publications(deployment)
    await deployment.listen(ana.user_id)
    (uri,) = await records_of(deployment, ana, SERIES)
    return ana, series, uri


async def series_now(deployment: Deployment, series: Series) -> Series:
    async with deployment.db.reader() as reader:
        kept = await queries.by_id(reader, series.id)
    assert kept is not None
    return kept


async def edit_series(deployment: Deployment, ana: Caller, series: Series, **template: Any) -> None:
    async with deployment.db.transaction() as tx:
        locked = await actions.lock_managed(tx, ana, series.slug)
        stored = await date_queries.stored(tx, locked.id)
        plan = plan_all(locked, replace(locked.content, **template), locked.timing, stored, tx.now)
        await apply_edits.apply_plan(tx, locked, plan)


async def test_an_edit_of_a_groups_record_changes_the_group(deployment: Deployment):
    """Nothing is written back, fields that the other app added stay, and the log says in which app the edit was made."""
    ana, group, uri = await published_group(deployment)
    place = {"$type": "community.lexicon.location.address", "country": "AT", "locality": "Graz", "x.y": "z"}
    await edit_record_in_app(
        deployment, ana, uri, name="Chess and Go", description="Both.", location=place, **{"com.example.color": "red"}
    )
    theirs = await deployment.record(uri)
    await deployment.listen(ana.user_id)
    after = await current_group(deployment, group)
    said = after.details
    assert (said.name, said.description, said.locality, said.country) == ("Chess and Go", "Both.", "Graz", "AT")
    assert (said.time_zone, said.join_policy) == (group.details.time_zone, group.details.join_policy)
    assert after.revision > group.revision
    publication = await deployment.status_of(PublicationKind.GROUP, group.id)
    assert (publication.state, publication.was_merged) == (PublicationState.PUBLISHED, True)
    await deliver_all_publications(deployment)
    assert await deployment.record(uri) == theirs
    assert await decided(deployment, uri) == {}
    async with deployment.db.reader() as reader:
        (line, *_) = await audit_log.entries(reader, group.id, limit=1)
    assert (line.act, line.note) == (GroupLogAction.EDITED, audit_log.IN_ANOTHER_APP)
    await revise_group(deployment, ana, group, join_question="Why?")
    kept = await deployment.record(uri)
    assert (kept["location"], kept["com.example.color"], kept["criteria"]) == (place, "red", "Why?")


async def test_concurrent_changes_of_a_group_are_merged_and_logged(deployment: Deployment):
    """A name typed on this site is kept. Each other field has the value of the side that changed it."""
    ana, group, uri = await published_group(deployment)
    async with deployment.db.transaction() as tx:
        await group_hosting.revise(tx, ana, group.slug, replace(group.details, name="Ours", join_question="Why?"))
    await edit_record_in_app(deployment, ana, uri, name="Theirs", description="Theirs too.")
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    after, record = (await current_group(deployment, group)).details, await deployment.record(uri)
    assert (after.name, after.description, after.join_question) == ("Ours", "Theirs too.", "Why?")
    assert (record["name"], record["description"], record["criteria"]) == ("Ours", "Theirs too.", "Why?")
    name = (await decided(deployment, uri))["name"].decision
    assert (name.base, name.ours, name.theirs, name.result) == ("Chess club", "Ours", "Theirs", MergeSide.OURS)


async def test_a_wider_level_needs_consent_here(deployment: Deployment):
    """A change in another app to a narrower level applies at once, and records that exceed it are deleted. A wider
    level needs consent given on this site.
    """
    ana, group, uri = await published_group(deployment)
    await edit_record_in_app(deployment, ana, uri, promotion="members")
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert (await current_group(deployment, group)).details.promotion_level is PromotionLevel.MEMBERS
    assert set(await deployment.record(uri)) == {"$type", "name", "website", "promotion", "createdAt", "cid"}
    await edit_record_in_app(deployment, ana, uri, promotion="public", description="Secret?")
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    after = await current_group(deployment, group)
    assert (after.details.promotion_level, after.details.description) == (PromotionLevel.MEMBERS, "We meet.")
    assert (await deployment.record(uri))["promotion"] == "members"
    assert (await decided(deployment, uri))["level"].decision.policy is MergeReason.MORE_RESTRICTIVE


async def test_another_apps_picture_is_used_until_one_is_chosen_here(deployment: Deployment):
    ana, group, uri = await published_group(deployment)
    await set_group_picture(deployment, ana, group, "red")
    await deliver_all_publications(deployment)
    await deployment.listen(ana.user_id)
    app = await custodial_app_of(deployment, ana)
    sent = (await app.upload("com.atproto.repo.uploadBlob", draw_jpeg("navy"), "image/jpeg"))["blob"]
    await edit_record_in_app(deployment, ana, uri, avatar=sent)
    await deployment.listen(ana.user_id)
    after = await revise_group(deployment, ana, group, description="We still meet.")
    assert (after.picture, after.network.avatar_cid) == (None, sent["ref"]["$link"])
    record = await deployment.record(uri)
    assert (record["avatar"], record["description"]) == (sent, "We still meet.")
    await set_group_picture(deployment, ana, group, "green")
    await deliver_all_publications(deployment)
    assert (await deployment.record(uri))["avatar"] not in (sent, None)
    assert (await current_group(deployment, group)).network.avatar_cid is None


async def test_deleting_a_groups_record_elsewhere_unpublishes_the_group(deployment: Deployment):
    """Nothing is lost on this site, and the record is created again when the owner requests it."""
    ana, group, uri = await published_group(deployment)
    ben = await person(deployment, "Ben")
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    await delete_record_in_app(deployment, ana, uri)
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    after = await current_group(deployment, group)
    assert (after.details.sync_enabled, after.deleted_at, after.network.record_uri) == (False, None, None)
    assert (await deployment.status_of(PublicationKind.GROUP, group.id)).state is PublicationState.RETRACTED
    assert await records_of(deployment, ana, ACCEPTANCE) == await records_of(deployment, ben, MEMBERSHIP) == {}
    await revise_group(deployment, ana, group, description="Still here.")
    assert await records_of(deployment, ana, GROUP) == {}
    async with deployment.db.reader() as reader:
        assert (await group_queries.find_member(reader, group.id, ben.user_id)).role is GroupRole.MEMBER
    await revise_group(deployment, ana, group, sync_enabled=True)
    assert [one["description"] for one in (await records_of(deployment, ana, GROUP)).values()] == ["Still here."]


async def member(deployment: Deployment, group: Group, who: Caller) -> Membership:
    async with deployment.db.reader() as reader:
        publication = await group_queries.find_member(reader, group.id, who.user_id)
    assert publication is not None
    return publication


async def test_the_groups_repository_assigns_roles_and_removes_members(deployment: Deployment):
    ana, group, _ = await published_group(deployment)
    ben = await person(deployment, "Ben")
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    await deployment.listen(ana.user_id)
    (uri,) = await records_of(deployment, ana, ACCEPTANCE)
    await edit_record_in_app(deployment, ana, uri, role=ROLE_TOKENS[GroupRole.ADMIN])
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert (await member(deployment, group, ben)).role is GroupRole.ADMIN
    await edit_record_in_app(deployment, ana, uri, role=ROLE_TOKENS[GroupRole.OWNER])
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert (await member(deployment, group, ben)).role is GroupRole.ADMIN
    assert (await deployment.record(uri))["role"] == ROLE_TOKENS[GroupRole.ADMIN]
    await deployment.listen(ana.user_id)
    await delete_record_in_app(deployment, ana, uri)
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert (await member(deployment, group, ben)).role is GroupRole.LEFT
    assert await records_of(deployment, ana, ACCEPTANCE) == await records_of(deployment, ben, MEMBERSHIP) == {}
    async with deployment.db.reader() as reader:
        lines = [(one.act, one.after, one.note) for one in await audit_log.entries(reader, group.id, limit=2)]
    assert lines == [
        (GroupLogAction.REMOVED, GroupRole.LEFT, audit_log.IN_ANOTHER_APP),
        (GroupLogAction.ROLE_CHANGED, GroupRole.ADMIN, audit_log.IN_ANOTHER_APP),
    ]


@pytest.mark.parametrize("what", ["role", "deletion"])
async def test_no_record_in_the_repository_removes_an_owner(deployment: Deployment, what: str):
    ana, group, _ = await published_group(deployment)
    await show_membership(deployment, ana, group)
    await deployment.listen(ana.user_id)
    (uri,) = await records_of(deployment, ana, ACCEPTANCE)
    await (
        edit_record_in_app(deployment, ana, uri, role=ROLE_TOKENS[GroupRole.MEMBER])
        if what == "role"
        else delete_record_in_app(deployment, ana, uri)
    )
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert (await member(deployment, group, ana)).role is GroupRole.OWNER
    if what == "role":
        assert (await deployment.record(uri))["role"] == ROLE_TOKENS[GroupRole.OWNER]


async def test_after_repeated_overwriting_by_another_app_we_stop(deployment: Deployment):
    """After five writes in an hour without an edit on this site, the owner has to decide."""
    ana, group, uri = await published_group(deployment, promotion_level="members")
    before = (await deployment.record(uri))["cid"]
    for number in range(7):
        await edit_record_in_app(deployment, ana, uri, promotion="public", **{"com.example.try": number})
        await deployment.listen(ana.user_id)
        await deliver_all_publications(deployment)
    publication = await deployment.status_of(PublicationKind.GROUP, group.id)
    assert publication.state is PublicationState.CONFLICTED
    record = await deployment.record(uri)
    assert (record["promotion"], record["com.example.try"], record["cid"] != before) == ("public", 6, True)
    assert (await current_group(deployment, group)).details.promotion_level is PromotionLevel.MEMBERS


async def test_another_app_admits_a_member(deployment: Deployment):
    """Afterwards the other app's acceptance record is the one that is updated, and there is never a second one."""
    ana, group, group_uri = await published_group(deployment, join_policy="request")
    ben = await person(deployment, "Ben")
    said = {"$type": MEMBERSHIP, "group": group_uri, "createdAt": "2026-01-01T00:00:00Z"}
    did = (await deployment.identity(ben.user_id)).did
    wish = {"repo": did, "collection": MEMBERSHIP, "record": said}
    made = await (await custodial_app_of(deployment, ben)).procedure("com.atproto.repo.createRecord", wish)
    await deployment.listen(ben.user_id)
    assert (await member(deployment, group, ben)).role is GroupRole.PENDING
    answer = {
        "$type": ACCEPTANCE,
        "group": group_uri,
        "member": did,
        "membership": {"uri": made["uri"], "cid": made["cid"]},
        "role": ROLE_TOKENS[GroupRole.MODERATOR],
        "createdAt": "2026-01-01T00:00:00Z",
    }
    home = (await deployment.identity(ana.user_id)).did
    accepted = await (await custodial_app_of(deployment, ana)).procedure(
        "com.atproto.repo.createRecord", {"repo": home, "collection": ACCEPTANCE, "record": answer}
    )
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    assert (await member(deployment, group, ben)).role is GroupRole.MODERATOR
    async with deployment.db.transaction() as tx:
        await administration.change_role(tx, ana, group.slug, ben.user_id, GroupRole.MEMBER)
    await deliver_all_publications(deployment)
    found_there = await records_of(deployment, ana, ACCEPTANCE)
    assert {uri: one["role"] for uri, one in found_there.items()} == {accepted["uri"]: ROLE_TOKENS[GroupRole.MEMBER]}


async def test_an_edit_of_a_series_record_changes_the_series(deployment: Deployment):
    """The dates move, attendees are notified, fields that the other app added stay, and nothing is written back."""
    ana, series, uri = await published_series(deployment)
    ben = await person(deployment, "Ben")
    async with deployment.db.reader() as reader:
        first = (await date_queries.stored(reader, series.id))[0].event
    await deployment.answer(ben, first.slug, RsvpReply.GOING)
    await deliver_all_publications(deployment)
    template = {**(await deployment.record(uri))["template"], "com.example.seats": "blue"}
    await edit_record_in_app(
        deployment,
        ana,
        uri,
        name="Tea and talk",
        rrule=["FREQ=WEEKLY;COUNT=6"],
        dtstart="2026-03-07T19:00:00",
        durationMinutes=90,
        exdate=["2026-03-14T19:00:00"],
        template=template,
        **{"com.example.color": "red"},
    )
    theirs = await deployment.record(uri)
    await deployment.listen(ana.user_id)
    after = await series_now(deployment, series)
    shape = after.timing.pattern
    assert (after.content.title, after.timing.length) == ("Tea and talk", timedelta(minutes=90))
    assert shape.rule is not None
    assert (format_rule(shape.rule), shape.start.hour, len(shape.left_out)) == ("FREQ=WEEKLY;COUNT=6", 19, 1)
    async with deployment.db.reader() as reader:
        dates = [held.event for held in await date_queries.stored(reader, series.id) if not held.event.is_gone]
        heard = await reader.fetch("select kind from notifications where user_id = :id", id=ben.user_id)
    assert [one.title for one in dates] == ["Tea and talk"] * 5
    assert dates[0].id == first.id
    assert "event_changed" in {row["kind"] for row in heard}
    assert (await deployment.status_of(PublicationKind.SERIES, series.id)).state is PublicationState.PUBLISHED
    await deliver_all_publications(deployment)
    assert await deployment.record(uri) == theirs
    assert await decided(deployment, uri) == {}
    published = await records_of(deployment, ana, EVENT)
    assert [one["name"] for one in published.values()] == ["Tea and talk"]
    await edit_series(deployment, ana, series, description="Bring two cups.")
    await deliver_all_publications(deployment)
    kept = await deployment.record(uri)
    assert (kept["com.example.color"], kept["template"]["com.example.seats"]) == ("red", "blue")
    assert (kept["description"], kept["rrule"]) == ("Bring two cups.", ["FREQ=WEEKLY;COUNT=6"])


async def test_concurrent_changes_of_a_series_are_merged_and_logged(deployment: Deployment):
    """The schedule is the one set on this site. Exceptions from both sides are kept."""
    ana, series, uri = await published_series(deployment)
    async with deployment.db.transaction() as tx:
        locked = await actions.lock_managed(tx, ana, series.slug)
        shape = replace(
            locked.timing.pattern,
            rule=parse_rule("FREQ=WEEKLY;COUNT=8"),
            left_out=(parse_date("2026-03-14T18:00", "Europe/Vienna"),),
        )
        plan = plan_all(
            locked,
            replace(locked.content, title="Ours"),
            replace(locked.timing, pattern=shape),
            await date_queries.stored(tx, locked.id),
            tx.now,
        )
        await apply_edits.apply_plan(tx, locked, plan)
    await edit_record_in_app(
        deployment,
        ana,
        uri,
        name="Theirs",
        description="Theirs too.",
        rrule=["FREQ=WEEKLY;COUNT=4"],
        exdate=["2026-03-21T18:00:00"],
    )
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    after, record = await series_now(deployment, series), await deployment.record(uri)
    assert (after.content.title, after.content.description) == ("Ours", "Theirs too.")
    assert (record["name"], record["description"], record["rrule"]) == ("Ours", "Theirs too.", ["FREQ=WEEKLY;COUNT=8"])
    assert record["exdate"] == ["2026-03-14T18:00:00", "2026-03-21T18:00:00"]
    sides = {field: one.decision.result for field, one in (await decided(deployment, uri)).items()}
    assert sides == {"name": MergeSide.OURS, "rule": MergeSide.OURS, "left_out": MergeSide.BOTH}


@pytest.mark.parametrize(
    "wrong", [{"rrule": ["FREQ=SOMETIMES"]}, {"rrule": ["FREQ=WEEKLY", "FREQ=DAILY"]}, {"timezone": "Nowhere/Town"}]
)
async def test_an_unreadable_series_record_changes_nothing_and_is_logged(
    deployment: Deployment, wrong: Mapping[str, object]
):
    """An edit of other fields on this site leaves the unreadable fields unchanged."""
    ana, series, uri = await published_series(deployment)
    await edit_record_in_app(deployment, ana, uri, **wrong)
    await deployment.listen(ana.user_id)
    assert (await series_now(deployment, series)).timing == series.timing
    kept = explain(decode_explanation((await decided(deployment, uri))["record"].decision.theirs))
    assert all(str(one) in kept for value in wrong.values() for one in (value if isinstance(value, list) else [value]))
    await edit_series(deployment, ana, series, description="Bring two cups.")
    await deliver_all_publications(deployment)
    record = await deployment.record(uri)
    assert record["description"] == "Bring two cups."
    assert {key: record[key] for key in wrong} == dict(wrong)


async def test_a_series_record_deleted_elsewhere_leaves_the_series(deployment: Deployment):
    """The record is created again when its owner requests it, and not with the next edit."""
    ana, series, uri = await published_series(deployment)
    await delete_record_in_app(deployment, ana, uri)
    await deployment.listen(ana.user_id)
    await deliver_all_publications(deployment)
    after = await series_now(deployment, series)
    assert (after.deleted_at, after.record_uri, after.timing) == (None, None, series.timing)
    publication = await deployment.status_of(PublicationKind.SERIES, series.id)
    assert (publication.state, publication.is_withdrawn) == (PublicationState.RETRACTED, True)
    assert len(await records_of(deployment, ana, EVENT)) == 1
    await edit_series(deployment, ana, series, description="Bring two cups.")
    await deliver_all_publications(deployment)
    assert await records_of(deployment, ana, SERIES) == {}
