"""A record of a group or series that no row refers to, after a restore from a backup or because another app restored
it, belongs to its group or series. No second record is written.
"""

from dataclasses import replace

import pytest

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import group_hosting
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.series import actions as series_actions
from openmeet.outbox.publications import PublicationKind, PublicationState
from openmeet.outbox.reasons import PublicationReason
from tests.openmeet.deployment import Deployment, records_of
from tests.openmeet.publishing.deliveries import publish_and_listen_for_minutes
from tests.openmeet.publishing.groups_and_series import (
    Subject,
    change_visibility,
    collection_of,
    deployment,
    description_of,
    hand_over_subject,
    kind_of,
    on_groups_and_series,
    only_record,
    publish_subject,
    subject_rows,
    write_in_app,
)
from tests.openmeet.publishing.published_groups import current_group, let_into_group

__all__ = ["deployment"]


async def restore(deployment: Deployment, subject: Subject, uri: str) -> None:
    """Forget that the record was written, as a backup from before that time does."""
    column, table = ("external_id", "groups") if isinstance(subject, Group) else ("record_uri", "event_series")
    async with deployment.db.transaction() as tx:
        await tx.execute(f"update {table} set {column} = null where id = :id", id=subject.id)
        await tx.execute("delete from records where uri = :uri", uri=uri)
        await tx.execute(
            "update publications set state = 'due', due_at = :now, did = null, uri = null, base_cid = null,"
            " base_body = null, base_rev = null, chosen_cid = null, chosen_body = null, chosen_revision = null,"
            " completed_revision = 0, edited_at = :edited_at where kind = :kind and subject_id = :id",
            now=tx.now,
            edited_at=subject.updated_at,
            kind=kind_of(subject).value,
            id=subject.id,
        )


@on_groups_and_series
@pytest.mark.parametrize("first", ["the firehose", "the publisher"])
async def test_a_restored_database_finds_its_record_and_what_was_edited_since(
    deployment: Deployment, kind: PublicationKind, first: str
):
    """The record was edited in another app after the backup, so it is newer than the row."""
    ana, subject = await publish_subject(deployment, kind)
    before, record = await only_record(deployment, ana, subject)
    deployment.clock.turn(HOUR)
    await write_in_app(deployment, ana, before, record | {"description": "We meet on Mondays."}, is_new=False)
    await restore(deployment, subject, before)
    if first == "the firehose":
        await deployment.listen(ana.user_id)
    await publish_and_listen_for_minutes(deployment, ana)
    uri, record = await only_record(deployment, ana, subject)
    assert (uri, record["description"]) == (before, "We meet on Mondays.")
    assert await description_of(deployment, subject) == "We meet on Mondays."


async def test_an_edit_after_the_restore_is_written_to_the_record(deployment: Deployment):
    """The row was edited after the last commit of the record, so it is newer."""
    ana, group = await publish_subject(deployment, PublicationKind.GROUP)
    before, _ = await only_record(deployment, ana, group)
    await restore(deployment, group, before)
    deployment.clock.turn(DAY)
    assert isinstance(group, Group)
    details = replace((await current_group(deployment, group)).details, description="New.")
    async with deployment.db.transaction() as tx:
        await group_hosting.revise(tx, ana, group.slug, details)
    await deployment.listen(ana.user_id)
    await publish_and_listen_for_minutes(deployment, ana)
    uri, record = await only_record(deployment, ana, group)
    assert (uri, record["description"]) == (before, "New.")
    assert await description_of(deployment, group) == "New."


@on_groups_and_series
async def test_a_record_of_another_app_under_the_key_is_left_to_a_person(deployment: Deployment, kind: PublicationKind):
    """It does not link to this site. It is shown as one from the network, and nothing is written next to it."""
    ana, subject = await publish_subject(deployment, kind)
    uri, record = await only_record(deployment, ana, subject)
    await publish_and_listen_for_minutes(deployment, ana)
    other = {name: value for name, value in record.items() if name not in {"website", "template"}}
    await write_in_app(deployment, ana, uri, other, is_new=False)
    await restore(deployment, subject, uri)
    await deployment.listen(ana.user_id)
    await publish_and_listen_for_minutes(deployment, ana)
    status = await deployment.status_of(kind_of(subject), subject.id)
    assert (status.state, status.reason) == (
        PublicationState.CONFLICTED,
        PublicationReason.KEY_OCCUPIED(),
    )
    ((known, kept),) = (await records_of(deployment, ana, collection_of(subject))).items()
    assert (known, kept["name"], "website" in kept) == (uri, record["name"], False)
    assert (subject.id, None) in await subject_rows(deployment, subject)


@on_groups_and_series
async def test_a_copied_link_attaches_nothing(deployment: Deployment, kind: PublicationKind):
    """A record with the key and the links, in somebody else's repository, becomes a group or series of its author."""
    ana, subject = await publish_subject(deployment, kind)
    uri, record = await only_record(deployment, ana, subject)
    ben = await deployment.person("Ben")
    await publish_and_listen_for_minutes(deployment, ana)
    await restore(deployment, subject, uri)
    copy = uri.replace(uri.split("/")[2], (await deployment.identity(ben.user_id)).did)
    await write_in_app(deployment, ben, copy, record)
    await deployment.listen(ben.user_id)
    known = dict(await subject_rows(deployment, subject))
    assert known.pop(subject.id) is None
    assert list(known.values()) == [copy]
    await publish_and_listen_for_minutes(deployment, ana)
    assert dict(await subject_rows(deployment, subject))[subject.id] == uri


@on_groups_and_series
@pytest.mark.parametrize("is_public", [True, False])
async def test_a_retracted_record_that_a_copy_restores_is_decided_again(
    deployment: Deployment, kind: PublicationKind, is_public: bool
):
    """It is deleted again, or updated in place if the group or series is public by then."""
    ana, subject = await publish_subject(deployment, kind)
    uri, record = await only_record(deployment, ana, subject)
    await change_visibility(deployment, ana, subject, is_public=False)
    await publish_and_listen_for_minutes(deployment, ana)
    assert await records_of(deployment, ana, collection_of(subject)) == {}
    deployment.clock.turn(2 * DAY)
    await write_in_app(deployment, ana, uri, record | {"org.example.note": "kept"})
    if is_public:
        async with deployment.db.transaction() as tx:
            await tx.execute("update groups set promotion_level = 'public', description = 'New.'")
            await tx.execute("update event_series set publication_policy = 'next', description = 'New.'")
    await publish_and_listen_for_minutes(deployment, ana)
    if not is_public:
        assert await records_of(deployment, ana, collection_of(subject)) == {}
        return
    known, written = await only_record(deployment, ana, subject)
    assert (known, written["description"], written["org.example.note"]) == (uri, "New.", "kept")


@on_groups_and_series
async def test_a_record_restored_while_somebody_else_was_the_owner_is_the_subjects_again(
    deployment: Deployment, kind: PublicationKind
):
    """Ana takes it off the network and hands it over to Ben. A copy restores her record, Ben publishes, and hands it
    back before that is sent.
    """
    ana, subject = await publish_subject(deployment, kind)
    ben = await deployment.person("Ben")
    uri, record = await only_record(deployment, ana, subject)
    if isinstance(subject, Group):
        await let_into_group(deployment, ana, subject, ben, GroupRole.ADMIN)
    else:
        async with deployment.db.transaction() as tx:
            await series_actions.follow(tx, ben, subject.slug)
    await change_visibility(deployment, ana, subject, is_public=False)
    await publish_and_listen_for_minutes(deployment, ana)
    await hand_over_subject(deployment, subject, ana, ben)
    deployment.clock.turn(2 * DAY)
    await write_in_app(deployment, ana, uri, record | {"org.example.note": "kept"})
    await deployment.listen(ana.user_id)
    await hand_over_subject(deployment, subject, ben, ana)
    await change_visibility(deployment, ana, subject, is_public=True)
    await publish_and_listen_for_minutes(deployment, ana)
    known, written = await only_record(deployment, ana, subject)
    assert (known, written["org.example.note"]) == (uri, "kept")
    assert await records_of(deployment, ben, collection_of(subject)) == {}
