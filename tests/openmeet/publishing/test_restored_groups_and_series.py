"""A record of a group or series that no row refers to, after a restore from a backup or because another app restored
it, belongs to its group or series. No second record is written.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, HandClock
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import ownership as group_ownership
from openmeet.domain.groups.model import Group, GroupRole, PromotionLevel
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import ownership as series_ownership
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import record_settings
from openmeet.domain.series.model import PublishPolicy, Series
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import GROUP, SERIES
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, open_deployment
from tests.openmeet.publishing.test_groups import found, let_in, now, records, switch_flag
from tests.openmeet.publishing.test_series_records import make

Subject = Group | Series


@pytest.fixture
async def deployment(
    make_database: MakeDatabase, make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> AsyncIterator[Deployment]:
    """The deployment, on either engine, with records of groups and series."""
    async with open_deployment(await make_database("openmeet", clock=clock), make_sqlite, clock, tmp_path) as opened:
        await switch_flag(opened, Flag.GROUPS, Flag.SERIES_LEXICON)
        yield opened


def kind_of(subject: Subject) -> PublicationKind:
    return PublicationKind.GROUP if isinstance(subject, Group) else PublicationKind.SERIES


def collection_of(subject: Subject) -> str:
    return GROUP if isinstance(subject, Group) else SERIES


async def published(deployment: Deployment, kind: PublicationKind) -> tuple[Caller, Subject]:
    """A published group or series of Ana's."""
    if kind is PublicationKind.SERIES:
        return await make(deployment)
    ana = await deployment.person("Ana")
    return ana, await found(deployment, ana)


async def restore(deployment: Deployment, subject: Subject, uri: str) -> None:
    """Forget that the record was written, as a backup from before that time does."""
    column, table = ("external_id", "groups") if isinstance(subject, Group) else ("record_uri", "event_series")
    async with deployment.db.transaction() as tx:
        await tx.execute(f"update {table} set {column} = null where id = :id", id=subject.id)
        await tx.execute("delete from records where uri = :uri", uri=uri)
        await tx.execute(
            "update publications set state = 'due', due_at = :now, did = null, uri = null, base_cid = null,"
            " base_body = null, base_rev = null, chosen_cid = null, chosen_body = null, chosen_revision = null,"
            " sent_revision = 0, edited_at = :edited_at where kind = :kind and subject_id = :id",
            now=tx.now,
            edited_at=subject.updated_at,
            kind=kind_of(subject).value,
            id=subject.id,
        )


async def settle(deployment: Deployment, who: Caller) -> None:
    for _ in range(5):
        while await deployment.deliver_publications():
            pass
        await deployment.listen(who.user_id)
        deployment.clock.turn(MINUTE)


async def rows(deployment: Deployment, subject: Subject) -> list[tuple[str, str | None]]:
    """The id and the record of every group or series on this site."""
    column, table = ("external_id", "groups") if isinstance(subject, Group) else ("record_uri", "event_series")
    async with deployment.db.reader() as reader:
        found_rows = await reader.fetch(f"select id, {column} as uri from {table} order by id")
    return [(row["id"], row["uri"]) for row in found_rows]


async def description(deployment: Deployment, subject: Subject) -> str:
    if isinstance(subject, Group):
        return (await now(deployment, subject)).details.description
    async with deployment.db.reader() as reader:
        series = await series_queries.by_id(reader, subject.id)
    assert series is not None
    return series.content.description


async def write(deployment: Deployment, who: Caller, uri: str, value: dict[str, Any], *, is_new: bool = True) -> None:
    """Write the record in another app."""
    _, _, did, collection, rkey = uri.split("/")
    client = await deployment.own_client(await deployment.identity(who.user_id))
    call = "com.atproto.repo.createRecord" if is_new else "com.atproto.repo.putRecord"
    record = {name: part for name, part in value.items() if name != "cid"}
    await client.procedure(call, {"repo": did, "collection": collection, "rkey": rkey, "record": record})


async def show(deployment: Deployment, owner: Caller, subject: Subject, *, is_public: bool) -> None:
    """Take a group or series off the network, or publish it again. Nothing is sent yet."""
    if isinstance(subject, Group):
        level = PromotionLevel.PUBLIC if is_public else PromotionLevel.PRIVATE
        before = await now(deployment, subject)
        async with deployment.db.transaction() as tx:
            await group_hosting.revise(tx, owner, before.slug, replace(before.details, promotion_level=level))
        return
    async with deployment.db.transaction() as tx:
        policy = PublishPolicy.NEXT if is_public else PublishPolicy.NONE
        await record_settings.change_series(tx, owner, subject.slug, None, policy)


async def hand_over(deployment: Deployment, subject: Subject, owner: Caller, heir: Caller) -> None:
    async with deployment.db.transaction() as tx:
        if isinstance(subject, Group):
            await group_ownership.offer(tx, owner, subject.slug, heir.user_id)
            await group_ownership.accept_offer(tx, heir, subject.slug)
            return
        series = await series_queries.lock(tx, subject.id)
        assert series is not None
        await series_ownership.offer(tx, owner, series, heir.user_id)
        await series_ownership.accept(tx, heir, series)


async def only_record(deployment: Deployment, who: Caller, subject: Subject) -> tuple[str, dict[str, Any]]:
    """The only record of the group or series, and check that its row names it and that it is published."""
    ((uri, record),) = (await records(deployment, who, collection_of(subject))).items()
    assert await rows(deployment, subject) == [(subject.id, uri)]
    status = await deployment.status_of(kind_of(subject), subject.id)
    assert (status.state, status.uri) == (PublicationState.PUBLISHED, uri)
    return uri, record


KINDS = pytest.mark.parametrize("kind", [PublicationKind.GROUP, PublicationKind.SERIES])


@KINDS
@pytest.mark.parametrize("first", ["the firehose", "the publisher"])
async def test_a_restored_database_finds_its_record_and_what_was_edited_since(
    deployment: Deployment, kind: PublicationKind, first: str
):
    """The record was edited in another app after the backup, so it is newer than the row."""
    ana, subject = await published(deployment, kind)
    before, record = await only_record(deployment, ana, subject)
    deployment.clock.turn(HOUR)
    await write(deployment, ana, before, record | {"description": "We meet on Mondays."}, is_new=False)
    await restore(deployment, subject, before)
    if first == "the firehose":
        await deployment.listen(ana.user_id)
    await settle(deployment, ana)
    uri, record = await only_record(deployment, ana, subject)
    assert (uri, record["description"]) == (before, "We meet on Mondays.")
    assert await description(deployment, subject) == "We meet on Mondays."


async def test_an_edit_after_the_restore_is_written_to_the_record(deployment: Deployment):
    """The row was edited after the last commit of the record, so it is newer."""
    ana, group = await published(deployment, PublicationKind.GROUP)
    before, _ = await only_record(deployment, ana, group)
    await restore(deployment, group, before)
    deployment.clock.turn(DAY)
    assert isinstance(group, Group)
    details = replace((await now(deployment, group)).details, description="New.")
    async with deployment.db.transaction() as tx:
        await group_hosting.revise(tx, ana, group.slug, details)
    await deployment.listen(ana.user_id)
    await settle(deployment, ana)
    uri, record = await only_record(deployment, ana, group)
    assert (uri, record["description"]) == (before, "New.")
    assert await description(deployment, group) == "New."


@KINDS
async def test_a_record_of_another_app_under_the_key_is_left_to_a_person(deployment: Deployment, kind: PublicationKind):
    """It does not link to this site. It is shown as one from the network, and nothing is written next to it."""
    ana, subject = await published(deployment, kind)
    uri, record = await only_record(deployment, ana, subject)
    await settle(deployment, ana)
    other = {name: value for name, value in record.items() if name not in {"website", "template"}}
    await write(deployment, ana, uri, other, is_new=False)
    await restore(deployment, subject, uri)
    await deployment.listen(ana.user_id)
    await settle(deployment, ana)
    status = await deployment.status_of(kind_of(subject), subject.id)
    assert (status.state, status.reason) == (
        PublicationState.CONFLICTED,
        PublicationReason.OTHER_RECORD_AT_ADDRESS(),
    )
    ((known, kept),) = (await records(deployment, ana, collection_of(subject))).items()
    assert (known, kept["name"], "website" in kept) == (uri, record["name"], False)
    assert (subject.id, None) in await rows(deployment, subject)


@KINDS
async def test_a_copied_link_attaches_nothing(deployment: Deployment, kind: PublicationKind):
    """A record with the key and the links, in somebody else's repository, becomes a group or series of its author."""
    ana, subject = await published(deployment, kind)
    uri, record = await only_record(deployment, ana, subject)
    ben = await deployment.person("Ben")
    await settle(deployment, ana)
    await restore(deployment, subject, uri)
    copy = uri.replace(uri.split("/")[2], (await deployment.identity(ben.user_id)).did)
    await write(deployment, ben, copy, record)
    await deployment.listen(ben.user_id)
    known = dict(await rows(deployment, subject))
    assert known.pop(subject.id) is None
    assert list(known.values()) == [copy]
    await settle(deployment, ana)
    assert dict(await rows(deployment, subject))[subject.id] == uri


@KINDS
@pytest.mark.parametrize("is_public", [True, False])
async def test_a_retracted_record_that_a_copy_restores_is_decided_again(
    deployment: Deployment, kind: PublicationKind, is_public: bool
):
    """It is deleted again, or updated in place if the group or series is public by then."""
    ana, subject = await published(deployment, kind)
    uri, record = await only_record(deployment, ana, subject)
    await show(deployment, ana, subject, is_public=False)
    await settle(deployment, ana)
    assert await records(deployment, ana, collection_of(subject)) == {}
    deployment.clock.turn(2 * DAY)
    await write(deployment, ana, uri, record | {"org.example.note": "kept"})
    if is_public:
        async with deployment.db.transaction() as tx:
            await tx.execute("update groups set promotion_level = 'public', description = 'New.'")
            await tx.execute("update event_series set publication_policy = 'next', description = 'New.'")
    await settle(deployment, ana)
    if not is_public:
        assert await records(deployment, ana, collection_of(subject)) == {}
        return
    known, written = await only_record(deployment, ana, subject)
    assert (known, written["description"], written["org.example.note"]) == (uri, "New.", "kept")


@KINDS
async def test_a_record_restored_while_somebody_else_was_the_owner_is_the_subjects_again(
    deployment: Deployment, kind: PublicationKind
):
    """Ana takes it off the network and hands it over to Ben. A copy restores her record, Ben publishes, and hands it
    back before that is sent.
    """
    ana, subject = await published(deployment, kind)
    ben = await deployment.person("Ben")
    uri, record = await only_record(deployment, ana, subject)
    if isinstance(subject, Group):
        await let_in(deployment, ana, subject, ben, GroupRole.ADMIN)
    else:
        async with deployment.db.transaction() as tx:
            await series_actions.follow(tx, ben, subject.slug)
    await show(deployment, ana, subject, is_public=False)
    await settle(deployment, ana)
    await hand_over(deployment, subject, ana, ben)
    deployment.clock.turn(2 * DAY)
    await write(deployment, ana, uri, record | {"org.example.note": "kept"})
    await deployment.listen(ana.user_id)
    await hand_over(deployment, subject, ben, ana)
    await show(deployment, ana, subject, is_public=True)
    await settle(deployment, ana)
    known, written = await only_record(deployment, ana, subject)
    assert (known, written["org.example.note"]) == (uri, "kept")
    assert await records(deployment, ben, collection_of(subject)) == {}
