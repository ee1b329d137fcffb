"""Records of groups and series made here that another app edits or deletes, through a real PDS: read back, merged, never pushed back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from at_network.xrpc_client import XrpcClient
from openmeet.domain.attendance import group_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.groups import administration, invitation_queries
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupLogAction, GroupRole, Membership, PromotionLevel
from openmeet.domain.series import actions, date_queries, queries
from openmeet.domain.series.dates import template_in
from openmeet.domain.series.model import Series, Timing
from openmeet.domain.series.plan import plan_all
from openmeet.domain.users.model import Caller, UserId
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion import merge_decisions
from openmeet.network.ingestion.three_way_merge import MergeReason, MergeSide
from openmeet.network.records.collections import ACCEPTANCE, EVENT, GROUP, MEMBERSHIP, SERIES
from openmeet.network.records.group import VALUE_OF
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.recurrence.pattern import parse_date, pattern
from openmeet.recurrence.rule import format_rule, parse_rule
from tests.openmeet.publication.test_group_pictures import drawn, put_up
from tests.openmeet.publication.test_groups import found, let_in, now, pay, records, revise, show, turn
from tests.openmeet.town import Town, details


async def app_of(town: Town, who: Caller) -> XrpcClient:
    """Another app of theirs, in the repository that we keep for them."""
    return await town.own_client(await town.identity(who.user_id))


async def put(town: Town, who: Caller, uri: str, **fields: Any) -> None:
    """A careful app: it changes what it read, and nothing else; None takes a field away."""
    _, _, did, collection, rkey = uri.split("/")
    record = await town.record(uri)
    swap = record.pop("cid")
    after = {key: value for key, value in {**record, **fields}.items() if value is not None}
    wish = {"repo": did, "collection": collection, "rkey": rkey, "record": after, "swapRecord": swap}
    await (await app_of(town, who)).procedure("com.atproto.repo.putRecord", wish)


async def delete(town: Town, who: Caller, uri: str) -> None:
    _, _, did, collection, rkey = uri.split("/")
    wish = {"repo": did, "collection": collection, "rkey": rkey}
    await (await app_of(town, who)).procedure("com.atproto.repo.deleteRecord", wish)


async def decided(town: Town, uri: str) -> dict[str, merge_decisions.KeptDecision]:
    async with town.db.reader() as reader:
        return {one.decision.field: one for one in await merge_decisions.of_record(reader, uri)}


async def person(town: Town, name: str) -> Caller:
    """Somebody whom ``published_group`` or ``published_series`` has signed up."""
    async with town.db.reader() as reader:
        row = await reader.fetch_one("select id from users where display_name = :name", name=name)
    assert row is not None
    return Caller(UserId(row["id"]), name)


async def published_group(town: Town, **typed: str) -> tuple[Caller, Group, str]:
    await turn(town, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, _ = await town.person("Ana"), await town.person("Ben")
    group = await found(town, ana, **typed)
    await town.listen(ana.user_id)
    assert group.network.record_uri is not None
    return ana, group, group.network.record_uri


async def published_series(town: Town, rule: str = "FREQ=WEEKLY;COUNT=10") -> tuple[Caller, Series, str]:
    await turn(town, Flag.SERIES_LEXICON)
    ana, _ = await town.person("Ana"), await town.person("Ben")
    timing = Timing(
        pattern(parse_date("2026-03-07T18:00", "Europe/Vienna"), "Europe/Vienna", parse_rule(rule)), timedelta(hours=2)
    )
    async with town.db.transaction() as tx:
        series = await actions.create(tx, ana, template_in(details(description="Bring a cup.")), timing)
    await pay(town)
    await town.listen(ana.user_id)
    (uri,) = await records(town, ana, SERIES)
    return ana, series, uri


async def series_now(town: Town, series: Series) -> Series:
    async with town.db.reader() as reader:
        kept = await queries.by_id(reader, series.id)
    assert kept is not None
    return kept


async def edit_series(town: Town, ana: Caller, series: Series, **template: Any) -> None:
    async with town.db.transaction() as tx:
        locked = await actions.lock_own(tx, ana, series.slug)
        stored = await date_queries.stored(tx, locked.id)
        plan = plan_all(locked, replace(locked.template, **template), locked.timing, stored, tx.now)
        await actions.apply(tx, locked, plan)


async def test_an_edit_of_a_groups_record_is_the_groups(town: Town):
    """Nothing is written back, what they added stays, and the log says where it was done."""
    ana, group, uri = await published_group(town)
    place = {"$type": "community.lexicon.location.address", "country": "AT", "locality": "Graz", "x.y": "z"}
    await put(town, ana, uri, name="Chess and Go", description="Both.", location=place, **{"com.example.color": "red"})
    theirs = await town.record(uri)
    await town.listen(ana.user_id)
    after = await now(town, group)
    said = after.details
    assert (said.name, said.description, said.locality, said.country) == ("Chess and Go", "Both.", "Graz", "AT")
    assert (said.time_zone, said.join_policy) == (group.details.time_zone, group.details.join_policy)
    assert after.revision > group.revision
    standing = await town.standing(PublicationKind.GROUP, group.id)
    assert (standing.state, standing.was_merged) == (PublicationState.PUBLISHED, True)
    await pay(town)
    assert await town.record(uri) == theirs
    assert await decided(town, uri) == {}
    async with town.db.reader() as reader:
        (line, *_) = await invitation_queries.logged(reader, group.id, limit=1)
    assert (line.act, line.note) == (GroupLogAction.EDITED, invitation_queries.IN_ANOTHER_APP)
    await revise(town, ana, group, join_question="Why?")
    kept = await town.record(uri)
    assert (kept["location"], kept["com.example.color"], kept["criteria"]) == (place, "red", "Why?")


async def test_what_both_sides_changed_of_a_group_is_merged_and_on_record(town: Town):
    """A name typed here is kept; other fields follow whoever changed them."""
    ana, group, uri = await published_group(town)
    async with town.db.transaction() as tx:
        await group_hosting.revise(tx, ana, group.slug, replace(group.details, name="Ours", join_question="Why?"))
    await put(town, ana, uri, name="Theirs", description="Theirs too.")
    await town.listen(ana.user_id)
    await pay(town)
    after, record = (await now(town, group)).details, await town.record(uri)
    assert (after.name, after.description, after.join_question) == ("Ours", "Theirs too.", "Why?")
    assert (record["name"], record["description"], record["criteria"]) == ("Ours", "Theirs too.", "Why?")
    name = (await decided(town, uri))["name"].decision
    assert (name.base, name.ours, name.theirs, name.result) == ("Chess club", "Ours", "Theirs", MergeSide.OURS)


async def test_more_is_let_out_by_a_yes_here_alone(town: Town):
    """Less at once: what is more than the level says is taken back."""
    ana, group, uri = await published_group(town)
    await put(town, ana, uri, promotion="members")
    await town.listen(ana.user_id)
    await pay(town)
    assert (await now(town, group)).details.promotion_level is PromotionLevel.MEMBERS
    assert set(await town.record(uri)) == {"$type", "name", "website", "promotion", "createdAt", "cid"}
    await put(town, ana, uri, promotion="public", description="Secret?")
    await town.listen(ana.user_id)
    await pay(town)
    after = await now(town, group)
    assert (after.details.promotion_level, after.details.description) == (PromotionLevel.MEMBERS, "We meet.")
    assert (await town.record(uri))["promotion"] == "members"
    assert (await decided(town, uri))["level"].decision.policy is MergeReason.MORE_RESTRICTIVE


async def test_a_picture_of_another_app_stands_until_one_is_chosen_here(town: Town):
    ana, group, uri = await published_group(town)
    await put_up(town, ana, group, "red")
    await pay(town)
    await town.listen(ana.user_id)
    app = await app_of(town, ana)
    sent = (await app.upload("com.atproto.repo.uploadBlob", drawn("navy"), "image/jpeg"))["blob"]
    await put(town, ana, uri, avatar=sent)
    await town.listen(ana.user_id)
    after = await revise(town, ana, group, description="We still meet.")
    assert (after.picture, after.network.avatar_cid) == (None, sent["ref"]["$link"])
    record = await town.record(uri)
    assert (record["avatar"], record["description"]) == (sent, "We still meet.")
    await put_up(town, ana, group, "green")
    await pay(town)
    assert (await town.record(uri))["avatar"] not in (sent, None)
    assert (await now(town, group)).network.avatar_cid is None


async def test_a_groups_record_that_was_deleted_elsewhere_takes_it_off_the_network(town: Town):
    """Nothing of it is lost here, and it comes back when its owner says so."""
    ana, group, uri = await published_group(town)
    ben = await person(town, "Ben")
    await let_in(town, ana, group, ben)
    await show(town, ben, group)
    await delete(town, ana, uri)
    await town.listen(ana.user_id)
    await pay(town)
    after = await now(town, group)
    assert (after.details.sync_enabled, after.deleted_at, after.network.record_uri) == (False, None, None)
    assert (await town.standing(PublicationKind.GROUP, group.id)).state is PublicationState.RETRACTED
    assert await records(town, ana, ACCEPTANCE) == await records(town, ben, MEMBERSHIP) == {}
    await revise(town, ana, group, description="Still here.")
    assert await records(town, ana, GROUP) == {}
    async with town.db.reader() as reader:
        assert (await group_queries.find_member(reader, group.id, ben.user_id)).role is GroupRole.MEMBER
    await revise(town, ana, group, sync_enabled=True)
    assert [one["description"] for one in (await records(town, ana, GROUP)).values()] == ["Still here."]


async def member(town: Town, group: Group, who: Caller) -> Membership:
    async with town.db.reader() as reader:
        standing = await group_queries.find_member(reader, group.id, who.user_id)
    assert standing is not None
    return standing


async def test_the_groups_repository_gives_roles_and_removes(town: Town):
    ana, group, _ = await published_group(town)
    ben = await person(town, "Ben")
    await let_in(town, ana, group, ben)
    await show(town, ben, group)
    await town.listen(ana.user_id)
    (uri,) = await records(town, ana, ACCEPTANCE)
    await put(town, ana, uri, role=VALUE_OF[GroupRole.ADMIN])
    await town.listen(ana.user_id)
    await pay(town)
    assert (await member(town, group, ben)).role is GroupRole.ADMIN
    await put(town, ana, uri, role=VALUE_OF[GroupRole.OWNER])
    await town.listen(ana.user_id)
    await pay(town)
    assert (await member(town, group, ben)).role is GroupRole.ADMIN
    assert (await town.record(uri))["role"] == VALUE_OF[GroupRole.ADMIN]
    await town.listen(ana.user_id)
    await delete(town, ana, uri)
    await town.listen(ana.user_id)
    await pay(town)
    assert (await member(town, group, ben)).role is GroupRole.LEFT
    assert await records(town, ana, ACCEPTANCE) == await records(town, ben, MEMBERSHIP) == {}
    async with town.db.reader() as reader:
        lines = [(one.act, one.after, one.note) for one in await invitation_queries.logged(reader, group.id, limit=2)]
    assert lines == [
        (GroupLogAction.REMOVED, GroupRole.LEFT, invitation_queries.IN_ANOTHER_APP),
        (GroupLogAction.ROLE_CHANGED, GroupRole.ADMIN, invitation_queries.IN_ANOTHER_APP),
    ]


@pytest.mark.parametrize("what", ["role", "deletion"])
async def test_no_word_of_the_repository_ends_an_owner(town: Town, what: str):
    ana, group, _ = await published_group(town)
    await show(town, ana, group)
    await town.listen(ana.user_id)
    (uri,) = await records(town, ana, ACCEPTANCE)
    await (put(town, ana, uri, role=VALUE_OF[GroupRole.MEMBER]) if what == "role" else delete(town, ana, uri))
    await town.listen(ana.user_id)
    await pay(town)
    assert (await member(town, group, ana)).role is GroupRole.OWNER
    if what == "role":
        assert (await town.record(uri))["role"] == VALUE_OF[GroupRole.OWNER]


async def test_an_app_that_insists_is_not_fought(town: Town):
    """After five writes of ours in an hour that nobody here asked for, a person must look."""
    ana, group, uri = await published_group(town, promotion_level="members")
    before = (await town.record(uri))["cid"]
    for number in range(7):
        await put(town, ana, uri, promotion="public", **{"com.example.try": number})
        await town.listen(ana.user_id)
        await pay(town)
    standing = await town.standing(PublicationKind.GROUP, group.id)
    assert standing.state is PublicationState.CONFLICTED
    record = await town.record(uri)
    assert (record["promotion"], record["com.example.try"], record["cid"] != before) == ("public", 6, True)
    assert (await now(town, group)).details.promotion_level is PromotionLevel.MEMBERS


async def test_another_app_lets_somebody_in(town: Town):
    """Its acceptance is the one that we change from then on: never a second one."""
    ana, group, group_uri = await published_group(town, join_policy="request")
    ben = await person(town, "Ben")
    said = {"$type": MEMBERSHIP, "group": group_uri, "createdAt": "2026-01-01T00:00:00Z"}
    did = (await town.identity(ben.user_id)).did
    wish = {"repo": did, "collection": MEMBERSHIP, "record": said}
    made = await (await app_of(town, ben)).procedure("com.atproto.repo.createRecord", wish)
    await town.listen(ben.user_id)
    assert (await member(town, group, ben)).role is GroupRole.PENDING
    answer = {
        "$type": ACCEPTANCE,
        "group": group_uri,
        "member": did,
        "membership": {"uri": made["uri"], "cid": made["cid"]},
        "role": VALUE_OF[GroupRole.MODERATOR],
        "createdAt": "2026-01-01T00:00:00Z",
    }
    home = (await town.identity(ana.user_id)).did
    accepted = await (await app_of(town, ana)).procedure(
        "com.atproto.repo.createRecord", {"repo": home, "collection": ACCEPTANCE, "record": answer}
    )
    await town.listen(ana.user_id)
    await pay(town)
    assert (await member(town, group, ben)).role is GroupRole.MODERATOR
    async with town.db.transaction() as tx:
        await administration.change_role(tx, ana, group.slug, ben.user_id, GroupRole.MEMBER)
    await pay(town)
    found_there = await records(town, ana, ACCEPTANCE)
    assert {uri: one["role"] for uri, one in found_there.items()} == {accepted["uri"]: VALUE_OF[GroupRole.MEMBER]}


async def test_an_edit_of_a_series_record_is_an_edit_of_the_series(town: Town):
    """Its dates move, who goes there hears of it, what they added stays, and nothing is written back."""
    ana, series, uri = await published_series(town)
    ben = await person(town, "Ben")
    async with town.db.reader() as reader:
        first = (await date_queries.stored(reader, series.id))[0].event
    await town.answer(ben, first.slug, RsvpReply.GOING)
    await pay(town)
    template = {**(await town.record(uri))["template"], "com.example.seats": "blue"}
    await put(
        town,
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
    theirs = await town.record(uri)
    await town.listen(ana.user_id)
    after = await series_now(town, series)
    shape = after.timing.pattern
    assert (after.template.title, after.timing.length) == ("Tea and talk", timedelta(minutes=90))
    assert shape.rule is not None
    assert (format_rule(shape.rule), shape.start.hour, len(shape.left_out)) == ("FREQ=WEEKLY;COUNT=6", 19, 1)
    async with town.db.reader() as reader:
        dates = [held.event for held in await date_queries.stored(reader, series.id) if not held.event.is_gone]
        heard = await reader.fetch("select kind from notifications where user_id = :id", id=ben.user_id)
    assert [one.title for one in dates] == ["Tea and talk"] * 5
    assert dates[0].id == first.id
    assert "event_changed" in {row["kind"] for row in heard}
    assert (await town.standing(PublicationKind.SERIES, series.id)).state is PublicationState.PUBLISHED
    await pay(town)
    assert await town.record(uri) == theirs
    assert await decided(town, uri) == {}
    published = await records(town, ana, EVENT)
    assert [one["name"] for one in published.values()] == ["Tea and talk"]
    await edit_series(town, ana, series, description="Bring two cups.")
    await pay(town)
    kept = await town.record(uri)
    assert (kept["com.example.color"], kept["template"]["com.example.seats"]) == ("red", "blue")
    assert (kept["description"], kept["rrule"]) == ("Bring two cups.", ["FREQ=WEEKLY;COUNT=6"])


async def test_what_both_sides_changed_of_a_series_is_merged_and_on_record(town: Town):
    """When it meets follows the place where it was made; exceptions of both stand."""
    ana, series, uri = await published_series(town)
    async with town.db.transaction() as tx:
        locked = await actions.lock_own(tx, ana, series.slug)
        shape = replace(
            locked.timing.pattern,
            rule=parse_rule("FREQ=WEEKLY;COUNT=8"),
            left_out=(parse_date("2026-03-14T18:00", "Europe/Vienna"),),
        )
        plan = plan_all(
            locked,
            replace(locked.template, title="Ours"),
            replace(locked.timing, pattern=shape),
            await date_queries.stored(tx, locked.id),
            tx.now,
        )
        await actions.apply(tx, locked, plan)
    await put(
        town,
        ana,
        uri,
        name="Theirs",
        description="Theirs too.",
        rrule=["FREQ=WEEKLY;COUNT=4"],
        exdate=["2026-03-21T18:00:00"],
    )
    await town.listen(ana.user_id)
    await pay(town)
    after, record = await series_now(town, series), await town.record(uri)
    assert (after.template.title, after.template.description) == ("Ours", "Theirs too.")
    assert (record["name"], record["description"], record["rrule"]) == ("Ours", "Theirs too.", ["FREQ=WEEKLY;COUNT=8"])
    assert record["exdate"] == ["2026-03-14T18:00:00", "2026-03-21T18:00:00"]
    sides = {field: one.decision.result for field, one in (await decided(town, uri)).items()}
    assert sides == {"name": MergeSide.OURS, "rule": MergeSide.OURS, "left_out": MergeSide.BOTH}


@pytest.mark.parametrize(
    "wrong", [{"rrule": ["FREQ=SOMETIMES"]}, {"rrule": ["FREQ=WEEKLY", "FREQ=DAILY"]}, {"timezone": "Nowhere/Town"}]
)
async def test_a_series_record_that_is_not_understood_changes_nothing_and_is_on_record(
    town: Town, wrong: Mapping[str, object]
):
    """An edit here of something else leaves what they wrote as it is."""
    ana, series, uri = await published_series(town)
    await put(town, ana, uri, **wrong)
    await town.listen(ana.user_id)
    assert (await series_now(town, series)).timing == series.timing
    kept = (await decided(town, uri))["record"].decision.theirs
    assert all(str(one) in kept for value in wrong.values() for one in (value if isinstance(value, list) else [value]))
    await edit_series(town, ana, series, description="Bring two cups.")
    await pay(town)
    record = await town.record(uri)
    assert record["description"] == "Bring two cups."
    assert {key: record[key] for key in wrong} == dict(wrong)


async def test_a_series_record_that_was_deleted_elsewhere_leaves_the_series(town: Town):
    """It comes again when its owner says so, and not with the next edit."""
    ana, series, uri = await published_series(town)
    await delete(town, ana, uri)
    await town.listen(ana.user_id)
    await pay(town)
    after = await series_now(town, series)
    assert (after.deleted_at, after.record_uri, after.timing) == (None, None, series.timing)
    standing = await town.standing(PublicationKind.SERIES, series.id)
    assert (standing.state, standing.is_recalled) == (PublicationState.RETRACTED, True)
    assert len(await records(town, ana, EVENT)) == 1
    await edit_series(town, ana, series, description="Bring two cups.")
    await pay(town)
    assert await records(town, ana, SERIES) == {}
