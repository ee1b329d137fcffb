"""Something is taken off the network, a backup is made, it is published again, and the backup is restored. The record
that this site wrote last shows that its owner decided to publish it after that.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import group_hosting
from openmeet.domain.events.model import Event, RecordSettings
from openmeet.domain.groups.model import Group
from openmeet.domain.identities import actions as identities
from openmeet.domain.series import record_settings
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.reconcile import reconcile
from openmeet.network.records.collections import EVENT, PROOF_KEY
from openmeet.outbox import publication_withdrawals, publications
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.backups import Restore, back_up_deployment
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.test_groups import now, records
from tests.openmeet.publishing.test_groups_and_series_restored_elsewhere import delete_elsewhere, describe
from tests.openmeet.publishing.test_restored_groups_and_series import (
    Subject,
    collection_of,
    deployment,
    description,
    kind_of,
    published,
    settle,
    show,
    write,
)

__all__ = ["deployment"]

# Who may see something on this site is decided only on this site, so listing an event again is not among them.
WAYS = (
    "event: switch publishing off",
    "event: retract",
    "group: lower the level",
    "group: switch publishing off",
    "group: retract",
    "series: publish no date",
    "series: retract",
)


@dataclass
class Scene:
    """An event, group or series of Ana's, and a way to take it off the network (False) and to publish it again (True)."""

    deployment: Deployment
    ana: Caller
    subject: Event | Subject
    publish: Callable[[bool], Awaitable[None]]

    @property
    def kind(self) -> PublicationKind:
        return PublicationKind.EVENT if isinstance(self.subject, Event) else kind_of(self.subject)

    async def records(self) -> dict[str, dict[str, Any]]:
        collection = EVENT if isinstance(self.subject, Event) else collection_of(self.subject)
        found = await records(self.deployment, self.ana, collection)
        return {uri: {name: value for name, value in record.items() if name != "cid"} for uri, record in found.items()}

    async def text(self) -> str:
        if not isinstance(self.subject, Event):
            return await description(self.deployment, self.subject)
        async with self.deployment.db.reader() as reader:
            row = await reader.fetch_one("select description from events where id = :id", id=self.subject.id)
        assert row is not None
        return str(row["description"])

    async def hear(self, first: str) -> None:
        """Let one side act first after a restore, then all."""
        if first == "the firehose":
            await self.deployment.listen(self.ana.user_id)
        elif first == "the publisher":
            await self.deployment.deliver_publications()
        else:
            did = (await self.deployment.identity(self.ana.user_id)).did
            context = self.deployment.processor.ingestion_context
            await reconcile(self.deployment.db, self.deployment.network, context, did)
        await settle(self.deployment, self.ana)


async def scene(deployment: Deployment, way: str) -> Scene:
    what, how = way.split(": ")
    subject: Event | Subject
    if what == "event":
        ana = await deployment.person("Ana")
        subject = await deployment.event(ana, title="Tea")
    else:
        ana, subject = await published(deployment, PublicationKind(what))
    result = Scene(deployment, ana, subject, lambda is_public: _publish(result, how, is_public=is_public))
    await settle(deployment, ana)
    assert len(await result.records()) == 1
    return result


async def _publish(scene: Scene, how: str, *, is_public: bool) -> None:
    deployment, ana, subject = scene.deployment, scene.ana, scene.subject
    if how == "unlist":
        assert isinstance(subject, Event)
        await deployment.revise(ana, subject.slug, title="Tea", visibility="public" if is_public else "unlisted")
        return
    if how in {"lower the level", "publish no date"}:
        assert not isinstance(subject, Event)
        await show(deployment, ana, subject, is_public=is_public)
        return
    if how == "switch publishing off" and isinstance(subject, Group):
        details = replace((await now(deployment, subject)).details, sync_enabled=is_public)
        async with deployment.db.transaction() as tx:
            await group_hosting.revise(tx, ana, subject.slug, details)
        return
    async with deployment.db.transaction() as tx:
        if how == "retract" and is_public:
            await publications.retry_now(tx, kind=scene.kind, subject_id=subject.id)
        elif how == "retract":
            await publication_withdrawals.withdraw(tx, kind=scene.kind, subject_id=subject.id)
        else:
            assert isinstance(subject, Event)
            await record_settings.change_event(tx, ana, subject.slug, RecordSettings(is_wanted=is_public))


async def withdrawn_and_republished(scene: Scene) -> tuple[Restore, str, dict[str, Any]]:
    """Take it off the network, back up, and publish it again. Return how to restore, and the record."""
    await scene.publish(False)
    await settle(scene.deployment, scene.ana)
    assert await scene.records() == {}
    scene.deployment.clock.turn(HOUR)
    restore = await back_up_deployment(scene.deployment)
    await scene.publish(True)
    await settle(scene.deployment, scene.ana)
    ((uri, record),) = (await scene.records()).items()
    scene.deployment.clock.turn(HOUR)
    return restore, uri, record


@pytest.mark.parametrize("first", ["the firehose", "the publisher", "a complete read"])
@pytest.mark.parametrize("way", WAYS)
async def test_what_was_published_after_the_backup_stays_published(deployment: Deployment, way: str, first: str):
    """Another app's later edit of the record counts too."""
    ours = await scene(deployment, way)
    restore, uri, record = await withdrawn_and_republished(ours)
    edited = {"description": "Edited elsewhere.", "org.example.note": "kept"}
    await write(deployment, ours.ana, uri, record | edited, is_new=False)
    await settle(deployment, ours.ana)
    deployment.clock.turn(HOUR)
    await restore()
    await ours.hear(first)
    ((known, after),) = (await ours.records()).items()
    assert (known, after["description"], after["org.example.note"]) == (uri, "Edited elsewhere.", "kept")
    assert await ours.text() == "Edited elsewhere."
    status = await deployment.status_of(ours.kind, ours.subject.id)
    assert (status.state, status.uri, status.is_withdrawn) == (PublicationState.PUBLISHED, uri, False)
    await ours.publish(False)
    await settle(deployment, ours.ana)
    assert await ours.records() == {}


PUBLISHED_WAYS = ("event: switch publishing off", "group: lower the level", "series: publish no date")
CASES = ("no proof", "proof of another time", "old copy", "no consent", "edited since")


@pytest.mark.parametrize(
    ("way", "case"),
    [
        *((way, case) for way in PUBLISHED_WAYS for case in CASES),
        ("event: unlist", "unlisted"),
        ("group: lower the level", "unlisted"),
    ],
)
async def test_a_record_publishes_nothing_that_is_not_proven_or_not_newer(deployment: Deployment, way: str, case: str):
    """The record is deleted again as after a copy of the repository was restored (invariants 3, 11)."""
    ours = await scene(deployment, way)
    ((_, old),) = (await ours.records()).items()
    restore, uri, record = await withdrawn_and_republished(ours)
    changed = None
    if case == "no proof":
        changed = {name: value for name, value in record.items() if name != PROOF_KEY}
    elif case == "proof of another time":
        changed = record | {PROOF_KEY: record[PROOF_KEY] | {"writtenAt": "2026-03-02T00:00:00.000Z"}}
    elif case == "old copy":
        changed = old
    if changed is not None:
        await delete_elsewhere(deployment, ours.ana, uri)
        await write(deployment, ours.ana, uri, changed)
    await restore()
    deployment.clock.turn(DAY)
    async with deployment.db.transaction() as tx:
        if case == "no consent":
            await identities.withdraw(tx, ours.ana.user_id)
        elif case == "unlisted":
            await tx.execute("update groups set visibility = 'unlisted'")
    if case == "edited since":
        if isinstance(ours.subject, Event):
            await deployment.revise(ours.ana, ours.subject.slug, title="Green tea")
        else:
            await describe(deployment, ours.ana, ours.subject, "Edited here.")
    await ours.hear("a complete read")  # and only then the stream, which has the deleted versions
    assert await ours.records() == {}
    assert (await deployment.status_of(ours.kind, ours.subject.id)).state is PublicationState.RETRACTED
