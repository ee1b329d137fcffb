"""A published group or series, restored and changed in other apps: steps that do the same for both."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from groundwork.clock import HandClock
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups import ownership as group_ownership
from openmeet.domain.groups.model import Group, PromotionLevel
from openmeet.domain.series import ownership as series_ownership
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series import record_settings
from openmeet.domain.series.model import PublishPolicy, Series
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import GROUP, SERIES
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.databases import MakeDatabase
from tests.openmeet.deployment import Deployment, open_deployment, records_of, switch_flag
from tests.openmeet.publishing.published_groups import create_group, current_group
from tests.openmeet.publishing.weekly_series import publish_series

Subject = Group | Series


on_groups_and_series = pytest.mark.parametrize("kind", [PublicationKind.GROUP, PublicationKind.SERIES])


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


async def publish_subject(deployment: Deployment, kind: PublicationKind) -> tuple[Caller, Subject]:
    """A published group or series of Ana's."""
    if kind is PublicationKind.SERIES:
        return await publish_series(deployment)
    ana = await deployment.person("Ana")
    return ana, await create_group(deployment, ana)


async def subject_rows(deployment: Deployment, subject: Subject) -> list[tuple[str, str | None]]:
    """The id and the record of every group or series on this site."""
    column, table = ("external_id", "groups") if isinstance(subject, Group) else ("record_uri", "event_series")
    async with deployment.db.reader() as reader:
        found_rows = await reader.fetch(f"select id, {column} as uri from {table} order by id")
    return [(row["id"], row["uri"]) for row in found_rows]


async def description_of(deployment: Deployment, subject: Subject) -> str:
    if isinstance(subject, Group):
        return (await current_group(deployment, subject)).details.description
    async with deployment.db.reader() as reader:
        series = await series_queries.by_id(reader, subject.id)
    assert series is not None
    return series.content.description


async def write_in_app(
    deployment: Deployment, who: Caller, uri: str, value: dict[str, Any], *, is_new: bool = True
) -> None:
    """Write the record in another app."""
    _, _, did, collection, rkey = uri.split("/")
    client = await deployment.own_client(await deployment.identity(who.user_id))
    call = "com.atproto.repo.createRecord" if is_new else "com.atproto.repo.putRecord"
    record = {name: part for name, part in value.items() if name != "cid"}
    await client.procedure(call, {"repo": did, "collection": collection, "rkey": rkey, "record": record})


async def change_visibility(deployment: Deployment, owner: Caller, subject: Subject, *, is_public: bool) -> None:
    """Take a group or series off the network, or publish it again. Nothing is sent yet."""
    if isinstance(subject, Group):
        level = PromotionLevel.PUBLIC if is_public else PromotionLevel.PRIVATE
        before = await current_group(deployment, subject)
        async with deployment.db.transaction() as tx:
            await group_hosting.revise(tx, owner, before.slug, replace(before.details, promotion_level=level))
        return
    async with deployment.db.transaction() as tx:
        policy = PublishPolicy.NEXT if is_public else PublishPolicy.NONE
        await record_settings.change_series(tx, owner, subject.slug, None, policy)


async def hand_over_subject(deployment: Deployment, subject: Subject, owner: Caller, heir: Caller) -> None:
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
    ((uri, record),) = (await records_of(deployment, who, collection_of(subject))).items()
    assert await subject_rows(deployment, subject) == [(subject.id, uri)]
    status = await deployment.status_of(kind_of(subject), subject.id)
    assert (status.state, status.uri) == (PublicationState.PUBLISHED, uri)
    return uri, record
