"""Groups, their members and their events as records: only with the consent of everyone involved."""

import pytest

from groundwork.clock import HOUR
from openmeet.domain.attendance import group_hosting
from openmeet.domain.events import actions as events
from openmeet.domain.groups import actions, administration, audit_log, ownership, queries
from openmeet.domain.groups.model import INSIDE, GroupRole, GroupVisibility, PromotionLevel
from openmeet.domain.identities import actions as identities
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion import account_deletion
from openmeet.network.records.collections import ACCEPTANCE, EVENT, GROUP, GROUP_EVENT, GROUP_LINK_KEY, MEMBERSHIP
from openmeet.network.records.group import ROLE_TOKENS
from openmeet.outbox import publication_withdrawals, publications
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import (
    INSTANCE,
    Deployment,
    deliver_all_publications,
    records_in_repository,
    records_of,
    switch_flag,
)
from tests.openmeet.publishing.published_groups import (
    create_group,
    create_group_event,
    current_group,
    let_into_group,
    revise_group,
    show_membership,
)


async def test_a_group_record_needs_its_flag_and_is_written_when_it_is_switched_on(deployment: Deployment):
    ana = await deployment.person("Ana")
    group = await create_group(deployment, ana)
    assert await records_of(deployment, ana, GROUP) == {}
    await switch_flag(deployment, Flag.GROUPS)
    await deliver_all_publications(deployment)
    ((uri, record),) = (await records_of(deployment, ana, GROUP)).items()
    assert (await current_group(deployment, group)).network.record_uri == uri
    assert {name: record[name] for name in ("name", "description", "website", "promotion", "location", "joining")} == {
        "name": "Chess club",
        "description": "We meet.",
        "website": f"{INSTANCE}/groups/{group.slug}",
        "promotion": "public",
        "location": {"$type": "community.lexicon.location.address", "country": "DE", "locality": "Berlin"},
        "joining": f"{GROUP}#open",
    }
    assert [role["name"] for role in record["roles"]] == [ROLE_TOKENS[role] for role in INSIDE]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"promotion_level": PromotionLevel.MEMBERS}, {"$type", "name", "website", "promotion", "createdAt"}),
        ({"promotion_level": PromotionLevel.PRIVATE}, None),
        ({"visibility": GroupVisibility.UNLISTED}, None),
        ({"visibility": GroupVisibility.PRIVATE}, None),
        ({"sync_enabled": False}, None),
    ],
)
async def test_narrower_level_retracts_records_that_exceed_it(deployment: Deployment, changes, left):
    """The memberships and the records that assign events to the group are deleted too, before or together with the
    group's record.
    """
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    event = await create_group_event(deployment, ana, group)
    assert (
        len(await records_of(deployment, ana, ACCEPTANCE)) == len(await records_of(deployment, ana, GROUP_EVENT)) == 1
    )
    await revise_group(deployment, ana, group, **changes)
    after = await records_of(deployment, ana, GROUP)
    assert [set(record) for record in after.values()] == ([] if left is None else [left])
    assert await records_of(deployment, ana, ACCEPTANCE) == await records_of(deployment, ana, GROUP_EVENT) == {}
    assert await records_of(deployment, ben, MEMBERSHIP) == {}
    kept = await records_of(deployment, ana, EVENT)
    assert all(GROUP_LINK_KEY not in record for record in kept.values())
    publication = await deployment.status_of(PublicationKind.EVENT, event.id)
    assert publication.state in {PublicationState.PUBLISHED, PublicationState.RETRACTED, PublicationState.WITHHELD}
    assert (publication.state is PublicationState.PUBLISHED) is (publication.uri is not None)


async def test_members_are_named_only_with_their_own_consent(deployment: Deployment):
    """Neither the group's record nor the members' own records name them, and withdrawing consent deletes both."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben, cleo = (
        await deployment.person("Ana"),
        await deployment.person("Ben"),
        await deployment.person("Cleo", agrees=False),
    )
    group = await create_group(deployment, ana)
    for who in (ben, cleo):
        await let_into_group(deployment, ana, group, who)
    assert await records_of(deployment, ana, ACCEPTANCE) == await records_of(deployment, ben, MEMBERSHIP) == {}
    await show_membership(deployment, cleo, group)
    assert await records_of(deployment, ana, ACCEPTANCE) == {}
    await show_membership(deployment, ben, group)
    ((said, statement),) = (await records_of(deployment, ben, MEMBERSHIP)).items()
    uri = (await current_group(deployment, group)).network.record_uri
    assert (statement["group"], "role" in statement) == (uri, False)
    ((_, accepted),) = (await records_of(deployment, ana, ACCEPTANCE)).items()
    assert (accepted["group"], accepted["member"], accepted["membership"]["uri"], accepted["role"]) == (
        uri,
        (await deployment.identity(ben.user_id)).did,
        said,
        f"{GROUP}#member",
    )
    await show_membership(deployment, ben, group, is_public=False)
    assert await records_of(deployment, ana, ACCEPTANCE) == await records_of(deployment, ben, MEMBERSHIP) == {}
    await show_membership(deployment, ben, group)
    assert len(await records_of(deployment, ana, ACCEPTANCE)) == len(await records_of(deployment, ben, MEMBERSHIP)) == 1


@pytest.mark.parametrize("way", ["leave", "remove", "ban", "consent"])
async def test_former_members_are_no_longer_named(deployment: Deployment, way: str):
    """People who left or were removed are no longer named, whatever role they had."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, *others = [await deployment.person(name) for name in ("Ana", "Ben", "Cleo", "Dora")]
    roles = [GroupRole.ADMIN, GroupRole.MODERATOR, GroupRole.MEMBER]
    group = await create_group(deployment, ana)
    for who, role in zip(others, roles, strict=True):
        await let_into_group(deployment, ana, group, who, role)
        await show_membership(deployment, who, group)
    named = [one["role"] for one in (await records_of(deployment, ana, ACCEPTANCE)).values()]
    assert sorted(named) == sorted(str(ROLE_TOKENS[role]) for role in roles)
    for who in (ana, *others):
        await deployment.listen(who.user_id)
    assert len(await said_of_members(deployment)) == 6
    for who in others:
        async with deployment.db.transaction() as tx:
            match way:
                case "leave":
                    await actions.leave(tx, who, group.slug)
                case "remove":
                    await administration.remove(tx, ana, group.slug, who.user_id)
                case "ban":
                    await administration.ban(tx, ana, group.slug, who.user_id)
                case "consent":
                    await identities.withdraw(tx, who.user_id)
    await deliver_all_publications(deployment)
    assert await records_of(deployment, ana, ACCEPTANCE) == {}
    assert [await records_of(deployment, who, MEMBERSHIP) for who in others] == [{}, {}, {}]
    for who in (ana, *others):
        await deployment.listen(who.user_id)
    # The ingested copies are deleted as well. Otherwise each comparison would find them without a record.
    assert await said_of_members(deployment) == []


async def said_of_members(deployment: Deployment) -> list[str]:
    """The group's effective records about members, and the members' own records."""
    async with deployment.db.reader() as reader:
        rows = await reader.fetch(
            "select uri from group_statements union all"
            " select external_did from group_members where external_did is not null and external_id is null"
        )
    return [row["uri"] for row in rows]


async def test_a_new_role_changes_only_the_groups_record(deployment: Deployment):
    """The member's own record does not change, and fields that another app added to the group's record stay."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    before = await records_of(deployment, ben, MEMBERSHIP)
    async with deployment.db.transaction() as tx:
        await administration.change_role(tx, ana, group.slug, ben.user_id, GroupRole.ADMIN)
    await deliver_all_publications(deployment)
    assert [one["role"] for one in (await records_of(deployment, ana, ACCEPTANCE)).values()] == [f"{GROUP}#admin"]
    assert await records_of(deployment, ben, MEMBERSHIP) == before


async def test_an_event_and_its_group_name_each_other(deployment: Deployment):
    await switch_flag(deployment, Flag.GROUPS)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben, GroupRole.MODERATOR)
    event = await create_group_event(deployment, ben, group)
    ((uri, record),) = (await records_of(deployment, ben, EVENT)).items()
    group_uri = (await current_group(deployment, group)).network.record_uri
    assert record[GROUP_LINK_KEY]["group"] == group_uri
    ((_, listed),) = (await records_of(deployment, ana, GROUP_EVENT)).items()
    assert (listed["group"], listed["event"]["uri"]) == (group_uri, uri)
    await deployment.revise(ben, event.slug, title="Tea for all")
    await deliver_all_publications(deployment)
    assert list((await records_of(deployment, ana, GROUP_EVENT)).values()) == [listed]
    async with deployment.db.transaction() as tx:
        await events.delete(tx, ben, event.slug)
    await deliver_all_publications(deployment)
    assert await records_of(deployment, ana, GROUP_EVENT) == {}


async def test_a_groups_own_repository_holds_its_record_and_its_events(deployment: Deployment):
    """Records in the owner's repository link to the new ones, including the records of published events."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    early = await create_group_event(deployment, ana, group, title="Early")
    (before,) = await records_of(deployment, ana, GROUP)
    async with deployment.db.transaction() as tx:
        await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
    await deliver_all_publications(deployment)
    late = await create_group_event(deployment, ana, group, title="Late")
    await deployment.deliver_jobs()
    await deliver_all_publications(deployment)
    holder = (await current_group(deployment, group)).network.account_id
    home = (await deployment.identity(holder)).did
    ((uri, record),) = (await records_in_repository(deployment, home, GROUP)).items()
    assert record["predecessor"]["uri"] == before
    assert (await records_of(deployment, ana, GROUP))[before]["successor"] == uri
    assert await records_of(deployment, ana, ACCEPTANCE) == await records_of(deployment, ana, GROUP_EVENT) == {}
    assert len(await records_in_repository(deployment, home, ACCEPTANCE)) == 1
    assert [one["group"] for one in (await records_of(deployment, ben, MEMBERSHIP)).values()] == [uri]
    assert len(await records_in_repository(deployment, home, GROUP_EVENT)) == 2
    assert [one["name"] for one in (await records_of(deployment, ana, EVENT)).values()] == ["Early"]
    assert {one["name"] for one in (await records_in_repository(deployment, home, EVENT)).values()} == {"Early", "Late"}
    assert early.author_id == late.author_id == ana.user_id


async def test_our_own_writes_change_nothing_and_unknown_fields_stay(deployment: Deployment):
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    ((uri, record),) = (await records_of(deployment, ana, GROUP)).items()
    app = await deployment.own_client(await deployment.identity(ana.user_id))
    _, _, did, collection, rkey = uri.split("/")
    await app.procedure(
        "com.atproto.repo.putRecord",
        {"repo": did, "collection": collection, "rkey": rkey, "record": record | {"com.example.color": "red"}},
    )
    await deployment.listen(ana.user_id)
    await deployment.listen(ben.user_id)
    await revise_group(deployment, ana, group, description="We meet on Mondays.")
    ((same, after),) = (await records_of(deployment, ana, GROUP)).items()
    assert (same, after["com.example.color"], after["description"]) == (uri, "red", "We meet on Mondays.")
    assert len(await records_of(deployment, ana, ACCEPTANCE)) == len(await records_of(deployment, ben, MEMBERSHIP)) == 1
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id from groups")
        members = await queries.members(reader, group.id, list(INSIDE), after=None, limit=9)
    assert (len(rows), [one.role for one in members]) == (1, [GroupRole.OWNER, GroupRole.MEMBER])


async def test_deleting_ones_record_in_another_app_is_leaving(deployment: Deployment):
    """The group's record about the person is deleted. An owner stays a member, but is no longer named."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    for who in (ana, ben):
        await show_membership(deployment, who, group)
        await deployment.listen(who.user_id)
        (uri,) = await records_of(deployment, who, MEMBERSHIP)
        _, _, did, collection, rkey = uri.split("/")
        app = await deployment.own_client(await deployment.identity(who.user_id))
        await app.procedure("com.atproto.repo.deleteRecord", {"repo": did, "collection": collection, "rkey": rkey})
        await deployment.listen(who.user_id)
        await deliver_all_publications(deployment)
        assert await records_of(deployment, who, MEMBERSHIP) == await records_of(deployment, ana, ACCEPTANCE) == {}
    async with deployment.db.reader() as reader:
        roles = [(await queries.find_member(reader, group.id, who.user_id)).role for who in (ana, ben)]
    assert roles == [GroupRole.OWNER, GroupRole.LEFT]


@pytest.mark.parametrize("role", [GroupRole.ADMIN, GroupRole.MODERATOR, GroupRole.MEMBER])
@pytest.mark.parametrize("owner_is", ["ours", "elsewhere"])
async def test_after_a_change_of_owner_the_record_links_to_the_new_one(
    deployment: Deployment, role: GroupRole, owner_is: str
):
    """The record links to the new one for every former role of the new owner and every repository of the record.
    Members' records are updated in place.
    """
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana = await (deployment.person("Ana") if owner_is == "ours" else deployment.connected("ana"))
    ben, cleo = await deployment.person("Ben"), await deployment.person("Cleo")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben, role)
    await let_into_group(deployment, ana, group, cleo)
    await show_membership(deployment, cleo, group)
    event = await create_group_event(deployment, ana, group)
    ((old, _),) = (await records_of(deployment, ana, GROUP)).items()
    (said,) = await records_of(deployment, cleo, MEMBERSHIP)
    async with deployment.db.transaction() as tx:
        await ownership.offer(tx, ana, group.slug, ben.user_id)
        await ownership.accept_offer(tx, ben, group.slug)
    await deliver_all_publications(deployment)
    ((new, record),) = (await records_of(deployment, ben, GROUP)).items()
    assert record["predecessor"]["uri"] == old
    assert (await records_of(deployment, ana, GROUP))[old]["successor"] == new
    ((same, statement),) = (await records_of(deployment, cleo, MEMBERSHIP)).items()
    assert (same, statement["group"]) == (said, new)
    assert await records_of(deployment, ana, ACCEPTANCE) == await records_of(deployment, ana, GROUP_EVENT) == {}
    assert [one["group"] for one in (await records_of(deployment, ben, ACCEPTANCE)).values()] == [new]
    assert [one["group"] for one in (await records_of(deployment, ben, GROUP_EVENT)).values()] == [new]
    ((_, theirs),) = (await records_of(deployment, ana, EVENT)).items()
    assert theirs[GROUP_LINK_KEY]["group"] == new
    async with deployment.db.reader() as reader:
        log = await audit_log.entries(reader, group.id, limit=2)
    assert {(one.before, one.after) for one in log} == {(role, GroupRole.OWNER), (GroupRole.OWNER, GroupRole.ADMIN)}
    assert event.author_id == ana.user_id


@pytest.mark.parametrize("has_account", [True, False])
async def test_the_group_continues_after_its_owners_account_is_deleted(deployment: Deployment, has_account: bool):
    """If the group has its own repository, its records stay there. Otherwise they move to the repository of the new
    owner, the backup admin chosen beforehand.
    """
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    if has_account:
        async with deployment.db.transaction() as tx:
            await group_hosting.open_account(tx, ana, group.slug, "chess.town.test")
        await deployment.deliver_jobs()
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    async with deployment.db.transaction() as tx:
        await ownership.arrange(tx, ana, group.slug, ben.user_id, absence_days=90, wait_days=14)
    await deliver_all_publications(deployment)
    before = (await current_group(deployment, group)).network.record_uri
    ben_did, ana_did = (await deployment.identity(ben.user_id)).did, (await deployment.identity(ana.user_id)).did
    assert (await deployment.record(before))["backupAdmins"] == [ben_did]
    async with deployment.db.transaction() as tx:
        await account_deletion.erase_here(tx, [bytes(32)], ana_did)
    await deliver_all_publications(deployment)
    after = await current_group(deployment, group)
    assert after.owner_id == ben.user_id
    assert (after.network.record_uri == before) is has_account
    record = await deployment.record(after.network.record_uri)
    assert ana_did not in str(record)  # no record names the erased person
    home = after.network.record_uri.split("/")[2]
    assert [one["member"] for one in (await records_in_repository(deployment, home, ACCEPTANCE)).values()] == [ben_did]


@pytest.mark.parametrize("is_delivered_between", [True, False])
async def test_after_the_former_owner_withdrew_consent_the_new_owner_publishes(
    deployment: Deployment, *, is_delivered_between: bool
):
    """The withdrawal concerns only the former owner's repository. The new owner has consented all along."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben, cleo = [await deployment.person(name) for name in ("Ana", "Ben", "Cleo")]
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await let_into_group(deployment, ana, group, cleo, GroupRole.MODERATOR)
    await show_membership(deployment, cleo, group)
    await create_group_event(deployment, cleo, group)
    async with deployment.db.transaction() as tx:
        await identities.withdraw(tx, ana.user_id)
    if is_delivered_between:
        await deliver_all_publications(deployment)
    async with deployment.db.transaction() as tx:
        await ownership.offer(tx, ana, group.slug, ben.user_id)
        await ownership.accept_offer(tx, ben, group.slug)
    for _ in range(3):
        await deliver_all_publications(deployment)
        deployment.clock.turn(HOUR)
    for collection in (GROUP, ACCEPTANCE, GROUP_EVENT):
        assert await records_of(deployment, ana, collection) == {}
        assert len(await records_of(deployment, ben, collection)) == 1, collection


async def test_statements_do_not_stay_with_a_former_owner_who_withdrew_consent(deployment: Deployment):
    """The new owner was never asked for consent, so the group gets no record in another repository."""
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, cleo = await deployment.person("Ana"), await deployment.person("Cleo")
    ben = await deployment.person("Ben", agrees=False)
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await let_into_group(deployment, ana, group, cleo, GroupRole.MODERATOR)
    await show_membership(deployment, cleo, group)
    await create_group_event(deployment, cleo, group)
    assert (
        len(await records_of(deployment, ana, ACCEPTANCE)) == len(await records_of(deployment, ana, GROUP_EVENT)) == 1
    )
    async with deployment.db.transaction() as tx:
        await identities.withdraw(tx, ana.user_id)
        await ownership.offer(tx, ana, group.slug, ben.user_id)
        await ownership.accept_offer(tx, ben, group.slug)
    await deliver_all_publications(deployment)
    for collection in (GROUP, ACCEPTANCE, GROUP_EVENT):
        assert await records_of(deployment, ana, collection) == {}, collection


@pytest.mark.parametrize("kind", [PublicationKind.ACCEPTANCE, PublicationKind.GROUP_EVENT])
async def test_a_withdrawn_statement_of_a_group_is_retracted_and_not_tried_again(
    deployment: Deployment, kind: PublicationKind
):
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS)
    ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    event = await create_group_event(deployment, ana, group)
    async with deployment.db.transaction() as tx:
        membership = await queries.find_member(tx, group.id, ben.user_id)
        subject = event.id if kind is PublicationKind.GROUP_EVENT else membership.id
        await publication_withdrawals.withdraw(tx, kind=kind, subject_id=subject)
    for _ in range(3):
        await deployment.deliver_publications()
        deployment.clock.turn(HOUR)
    assert await records_of(deployment, ana, GROUP_EVENT if kind is PublicationKind.GROUP_EVENT else ACCEPTANCE) == {}
    async with deployment.db.transaction() as tx:
        await publications.make_due(tx, kind=kind, subject_ids=[subject])
    await deployment.deliver_publications()
    publication = await deployment.status_of(kind, subject)
    assert (publication.state, publication.reason) == (PublicationState.WITHHELD, PublicationReason.WITHDRAWN())
