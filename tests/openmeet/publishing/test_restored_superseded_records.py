"""The record of a former owner is gone, and an older copy of their repository restores it: it is again the superseded
record of its event, series or group. If the subject was deleted here, it belongs to the author.
"""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from groundwork.clock import DAY
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.attendance.queries import find as find_attendance
from openmeet.domain.events import event_records
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.identities import actions as identity_actions
from openmeet.domain.series import actions as series_actions
from openmeet.domain.series import queries as series_queries
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.network.records.collections import EVENT, RSVP, SUCCESSION_KEY
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, records_of
from tests.openmeet.publishing.accounts import connect_second_account
from tests.openmeet.publishing.consent import withdraw_consent
from tests.openmeet.publishing.deliveries import publish_and_listen_for_minutes
from tests.openmeet.publishing.event_hosts import hand_over_event, publish_event_with_co_host
from tests.openmeet.publishing.groups_and_series import (
    change_visibility,
    collection_of,
    deployment,
    hand_over_subject,
    publish_subject,
    subject_rows,
    write_in_app,
)
from tests.openmeet.publishing.other_app import delete_record_in_app
from tests.openmeet.publishing.published_groups import let_into_group

__all__ = ["deployment"]

FORMER = {
    PublicationKind.EVENT: PublicationKind.SUPERSEDED_EVENT,
    PublicationKind.SERIES: PublicationKind.SUPERSEDED_SERIES,
    PublicationKind.GROUP: PublicationKind.SUPERSEDED_GROUP,
}
on_each_kind = pytest.mark.parametrize("kind", list(FORMER))


@dataclass(frozen=True)
class Published:
    """What Ana has published and can hand over to Ben, and her record of it."""

    ana: Caller
    ben: Caller
    subject: Event | Series | Group
    uri: str
    record: dict[str, Any]

    @property
    def collection(self) -> str:
        return EVENT if isinstance(self.subject, Event) else collection_of(self.subject)


async def publish(deployment: Deployment, kind: PublicationKind) -> Published:
    if kind is PublicationKind.EVENT:
        ana, ben = await deployment.person("Ana"), await deployment.person("Ben")
        event, uri = await publish_event_with_co_host(deployment, ana, ben)
        return Published(ana, ben, event, uri, await deployment.record(uri))
    ana, subject = await publish_subject(deployment, kind)
    ben = await deployment.person("Ben")
    if isinstance(subject, Group):
        await let_into_group(deployment, ana, subject, ben, GroupRole.ADMIN)
    else:
        async with deployment.db.transaction() as tx:
            await series_actions.follow(tx, ben, subject.slug)
    ((uri, record),) = (await records_of(deployment, ana, collection_of(subject))).items()
    return Published(ana, ben, subject, uri, record)


async def hand_over(deployment: Deployment, published: Published, *, is_back: bool = False) -> None:
    owner, heir = (published.ben, published.ana) if is_back else (published.ana, published.ben)
    if isinstance(published.subject, Event):
        await hand_over_event(deployment, published.subject, owner, heir)
    else:
        await hand_over_subject(deployment, published.subject, owner, heir)
    await settle(deployment, published)


async def settle(deployment: Deployment, published: Published) -> None:
    await publish_and_listen_for_minutes(deployment, published.ana)


async def change(deployment: Deployment, published: Published, owner: Caller, visibility: Visibility) -> None:
    subject = published.subject
    match subject:
        case Event():
            await deployment.revise(owner, subject.slug, visibility=visibility.value)
        case Group():
            await change_visibility(deployment, owner, subject, is_public=visibility is Visibility.PUBLIC)
        case Series():
            async with deployment.db.transaction() as tx:
                series = await series_queries.lock(tx, subject.id)
                assert series is not None
                changed = replace(series.content, visibility=visibility)
                await series_queries.save(tx, replace(series, content=changed))
    await settle(deployment, published)


async def delete(deployment: Deployment, published: Published) -> None:
    subject = published.subject
    async with deployment.db.transaction() as tx:
        match subject:
            case Event():
                await event_hosting.delete(tx, published.ben, subject.slug)
            case Group():
                await group_actions.delete(tx, published.ben, subject.slug)
            case Series():
                series = await series_queries.lock(tx, subject.id)
                assert series is not None
                await series_actions.delete(tx, series, keeps_events=True)
    await settle(deployment, published)


async def restore(deployment: Deployment, published: Published) -> None:
    """Restore a copy of Ana's repository from before the handover, so late that no request can still arrive."""
    deployment.clock.turn(2 * DAY)
    await write_in_app(deployment, published.ana, published.uri, published.record)
    await deployment.listen(published.ana.user_id)


async def records_of_both(deployment: Deployment, published: Published) -> list[dict[str, dict[str, Any]]]:
    return [await records_of(deployment, who, published.collection) for who in (published.ana, published.ben)]


async def rows_of(deployment: Deployment, published: Published) -> dict[str, str | None]:
    if not isinstance(published.subject, Event):
        return dict(await subject_rows(deployment, published.subject))
    async with deployment.db.reader() as reader:
        return {row["id"]: row["record_uri"] for row in await reader.fetch("select id, record_uri from events")}


def link_in(published: Published, record: dict[str, Any]) -> object:
    return record.get("successor") if isinstance(published.subject, Group) else record[SUCCESSION_KEY]["successor"]


@on_each_kind
async def test_it_links_to_the_current_record_again(deployment: Deployment, kind: PublicationKind):
    """Ana deleted it in another app. Nobody's record is written a second time."""
    published = await publish(deployment, kind)
    await hand_over(deployment, published)
    await delete_record_in_app(deployment, published.ana, published.uri)
    await settle(deployment, published)
    of_ana, of_ben = await records_of_both(deployment, published)
    assert of_ana == {}
    (current,) = of_ben
    await restore(deployment, published)
    await settle(deployment, published)
    of_ana, of_ben = await records_of_both(deployment, published)
    assert (list(of_ana), list(of_ben)) == ([published.uri], [current])
    assert link_in(published, of_ana[published.uri]) == current
    assert (await rows_of(deployment, published))[published.subject.id] == current
    assert (await deployment.status_of(FORMER[kind], published.uri)).state is PublicationState.PUBLISHED


@on_each_kind
@pytest.mark.parametrize("first", ["handed over", "made private"])
async def test_it_is_deleted_again_if_it_may_not_be_public(deployment: Deployment, kind: PublicationKind, first: str):
    """The subject is private, and an older copy does not make it public (invariant 3), whoever made it private."""
    published = await publish(deployment, kind)
    if first == "handed over":
        await hand_over(deployment, published)
        await change(deployment, published, published.ben, Visibility.PRIVATE)
    else:
        await change(deployment, published, published.ana, Visibility.PRIVATE)
        await hand_over(deployment, published)
    assert await records_of_both(deployment, published) == [{}, {}]
    for _ in range(2):
        await restore(deployment, published)
        assert list((await records_of_both(deployment, published))[0]) == [published.uri]
        await settle(deployment, published)
        assert await records_of_both(deployment, published) == [{}, {}]
    assert await rows_of(deployment, published) == {published.subject.id: None}


@on_each_kind
async def test_it_is_deleted_again_without_consent(deployment: Deployment, kind: PublicationKind):
    """Ana has withdrawn her consent: this site keeps nothing of hers public (invariant 11)."""
    published = await publish(deployment, kind)
    await hand_over(deployment, published)
    await withdraw_consent(deployment, published.ana)
    await settle(deployment, published)
    _, of_ben = await records_of_both(deployment, published)
    await restore(deployment, published)
    await settle(deployment, published)
    assert await records_of_both(deployment, published) == [{}, of_ben]


@on_each_kind
async def test_it_is_deleted_with_its_subject(deployment: Deployment, kind: PublicationKind):
    published = await publish(deployment, kind)
    await hand_over(deployment, published)
    await delete_record_in_app(deployment, published.ana, published.uri)
    await settle(deployment, published)
    await restore(deployment, published)
    await settle(deployment, published)
    await delete(deployment, published)
    assert await records_of_both(deployment, published) == [{}, {}]


@on_each_kind
async def test_after_its_subject_was_deleted_it_is_the_authors(deployment: Deployment, kind: PublicationKind):
    """Ben has deleted his event, series or group. Ana's repository decides: the record in it exists, and it is hers."""
    published = await publish(deployment, kind)
    await hand_over(deployment, published)
    await delete(deployment, published)
    assert await records_of_both(deployment, published) == [{}, {}]
    await restore(deployment, published)
    await settle(deployment, published)
    of_ana, _ = await records_of_both(deployment, published)
    assert list(of_ana) == [published.uri]
    rows = await rows_of(deployment, published)
    rows.pop(published.subject.id)
    assert list(rows.values()) == [published.uri]
    async with deployment.db.reader() as reader:
        assert await reader.fetch("select uri from superseded_records where kind = :kind", kind=kind.value) == []
        assert await reader.fetch("select uri from superseded_group_records") == []
        assert await reader.fetch("select kind from publications where subject_id = :uri", uri=published.uri) == []


@on_each_kind
@pytest.mark.parametrize("is_restored", [True, False])
async def test_if_its_author_is_the_owner_again_it_is_the_current_record(
    deployment: Deployment, kind: PublicationKind, *, is_restored: bool
):
    """It was retracted. An event, series or group keeps its URI in a repository."""
    published = await publish(deployment, kind)
    await hand_over(deployment, published)
    await change(deployment, published, published.ben, Visibility.PRIVATE)
    if is_restored:
        await restore(deployment, published)
    await hand_over(deployment, published, is_back=True)
    await change(deployment, published, published.ana, Visibility.PUBLIC)
    of_ana, of_ben = await records_of_both(deployment, published)
    assert (list(of_ana), of_ben) == ([published.uri], {})
    assert await rows_of(deployment, published) == {published.subject.id: published.uri}
    async with deployment.db.reader() as reader:
        former = await reader.fetch("select kind from publications where subject_id = :uri", uri=published.uri)
    assert former == []


@pytest.mark.parametrize("first", ["handed over", "made private"])
async def test_it_is_left_alone_if_its_owner_disconnected_the_account(deployment: Deployment, first: str):
    """Nothing in that account is written or deleted, also if somebody else has connected it since."""
    ana, ben = await deployment.connected("ana"), await deployment.person("Ben")
    event, uri = await publish_event_with_co_host(deployment, ana, ben)
    published = Published(ana, ben, event, uri, await deployment.record(uri))
    for act in ("handed over", "made private") if first == "handed over" else ("made private", "handed over"):
        if act == "handed over":
            await hand_over(deployment, published)
        else:
            owner = ben if first == "handed over" else ana
            await change(deployment, published, owner, Visibility.PRIVATE)
    did = (await deployment.identity(ana.user_id)).did
    deployment.clock.turn(2 * DAY)
    await connect_second_account(deployment, ana)
    async with deployment.db.transaction() as tx:
        await identity_actions.unlink(tx, ana.user_id, did)
    other = await deployment.connected_as("ana")
    assert other.user_id != ana.user_id
    app = await deployment.stranger("ana")
    value = {name: part for name, part in published.record.items() if name != "cid"}
    _, _, _, collection, rkey = uri.split("/")
    await app.procedure(
        "com.atproto.repo.createRecord", {"repo": did, "collection": collection, "rkey": rkey, "record": value}
    )
    await publish_and_listen_for_minutes(deployment, other)
    assert list(await records_of(deployment, other, EVENT)) == [uri]


async def test_an_rsvp_to_it_counts_for_its_authors_event(deployment: Deployment):
    """The RSVP is in the same copy, and is not one to the event that Ben deleted."""
    published = await publish(deployment, PublicationKind.EVENT)
    await hand_over(deployment, published)
    await delete(deployment, published)
    did = published.uri.split("/")[2]
    rsvp = {
        "$type": RSVP,
        "subject": {"uri": published.uri, "cid": published.record["cid"]},
        "status": f"{RSVP}#interested",
        "createdAt": "2026-02-01T00:00:00.000Z",
    }
    await restore(deployment, published)
    await write_in_app(deployment, published.ana, f"at://{did}/{RSVP}/a1", rsvp)
    await settle(deployment, published)
    async with deployment.db.reader() as reader:
        event = await event_records.by_record_uri(reader, published.uri)
        assert event is not None
        attendance = await find_attendance(reader, event.id, published.ana.user_id)
        assert attendance is not None
        assert attendance.status is AttendanceStatus.INTERESTED
        assert isinstance(published.subject, Event)
        assert await find_attendance(reader, published.subject.id, published.ana.user_id) is None


async def test_the_record_of_a_group_no_longer_names_a_retracted_predecessor(deployment: Deployment):
    published = await publish(deployment, PublicationKind.GROUP)
    await hand_over(deployment, published)
    _, of_ben = await records_of_both(deployment, published)
    ((uri, record),) = of_ben.items()
    assert record["predecessor"]["uri"] == published.uri
    await withdraw_consent(deployment, published.ana)
    await settle(deployment, published)
    assert "predecessor" not in await deployment.record(uri)
