"""Groups, series and membership statements, compared with their repository and repaired, on a real PDS."""

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import SECOND
from openmeet.domain.groups import queries as group_queries
from openmeet.domain.groups.model import Group, GroupRole
from openmeet.domain.series import queries
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.discrepancies import Discrepancy
from openmeet.network.ingestion.reconcile import ReconcileResult, reconcile
from openmeet.network.records.group import ROLE_TOKENS
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment, deliver_all_publications, switch_flag
from tests.openmeet.publishing.other_app import delete_record_in_app, edit_record_in_app
from tests.openmeet.publishing.published_groups import (
    create_group,
    create_group_event,
    current_group,
    let_into_group,
    show_membership,
)
from tests.openmeet.publishing.weekly_series import publish_series

KINDS = (
    PublicationKind.GROUP,
    PublicationKind.SERIES,
    PublicationKind.MEMBERSHIP,
    PublicationKind.ACCEPTANCE,
    PublicationKind.GROUP_EVENT,
)


class Scene:
    """Ana's repository with one record of each kind, read once. Ben is in her group."""

    def __init__(
        self, deployment: Deployment, ana: Caller, ben: Caller, group: Group, series: Series, did: Did
    ) -> None:
        self.deployment, self.ana, self.ben, self.group, self.series, self.did = (
            deployment,
            ana,
            ben,
            group,
            series,
            did,
        )
        self.uris: dict[PublicationKind, str] = {}

    async def reconcile(self, *, is_dry_run: bool = False) -> ReconcileResult:
        self.deployment.clock.turn(SECOND)
        return await reconcile(
            self.deployment.db,
            self.deployment.network,
            self.deployment.processor.ingestion_context,
            self.did,
            is_dry_run=is_dry_run,
        )

    async def do(self, sql: str, **values: object) -> None:
        async with self.deployment.db.transaction() as tx:
            assert await tx.execute(sql, **values) == 1

    async def mended(self, wanted: dict[PublicationKind, set[Discrepancy]]) -> None:
        """A dry run finds exactly these discrepancies, the next run repairs them, and the third run finds nothing."""
        expected = {(self.uris[kind], one) for kind, some in wanted.items() for one in some}
        looked = await self.reconcile(is_dry_run=True)
        assert {(one.uri, one.kind) for one in looked.unrepaired} == expected
        mended = await self.reconcile()
        assert ({(one.uri, one.kind) for one in mended.repaired}, list(mended.unrepaired)) == (expected, [])
        await deliver_all_publications(self.deployment)
        clean = await self.reconcile()
        assert (list(clean.repaired), list(clean.unrepaired)) == ([], [])


@pytest.fixture
async def scene(deployment: Deployment) -> Scene:
    await switch_flag(deployment, Flag.GROUPS, Flag.MEMBERSHIPS, Flag.SERIES_LEXICON)
    ana, series = await publish_series(deployment)
    ben = await deployment.person("Ben")
    group = await create_group(deployment, ana)
    await let_into_group(deployment, ana, group, ben)
    await show_membership(deployment, ben, group)
    await show_membership(deployment, ana, group)
    await create_group_event(deployment, ana, group)
    made = Scene(deployment, ana, ben, group, series, parse_did((await deployment.identity(ana.user_id)).did))
    await deployment.listen(ben.user_id)
    await made.reconcile()
    await deliver_all_publications(deployment)
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select kind, uri, subject_id from publications where did = :did", did=made.did)
        bens = await group_queries.find_member(reader, group.id, ben.user_id)
    assert bens is not None
    # There are two acceptances. Take Ben's.
    made.uris = {
        PublicationKind(row["kind"]): row["uri"]
        for row in rows
        if row["kind"] != "acceptance" or row["subject_id"] == bens.id
    }
    assert set(made.uris) >= set(KINDS)
    clean = await made.reconcile()
    assert (list(clean.repaired), list(clean.unrepaired)) == ([], [])
    return made


async def test_a_lost_agreed_version_is_restored(scene: Scene):
    for kind in KINDS:
        await scene.do("update publications set base_cid = 'bafyelse' where uri = :uri", uri=scene.uris[kind])
    await scene.mended({kind: {Discrepancy.PUBLICATION_DIFFERS} for kind in KINDS})


async def test_rows_without_their_record_are_repaired(scene: Scene):
    await scene.do("update groups set external_id = null where id = :id", id=scene.group.id)
    await scene.do("update event_series set record_uri = null where id = :id", id=scene.series.id)
    statements = (PublicationKind.MEMBERSHIP, PublicationKind.ACCEPTANCE, PublicationKind.GROUP_EVENT)
    for kind in statements:
        await scene.do("delete from group_statements where uri = :uri", uri=scene.uris[kind])
    await scene.mended({kind: {Discrepancy.ROW_MISSING} for kind in KINDS})
    assert (await current_group(scene.deployment, scene.group)).network.record_uri == scene.uris[PublicationKind.GROUP]


async def test_missing_records_are_stored_again(scene: Scene):
    for kind in KINDS:
        await scene.do("delete from records where uri = :uri", uri=scene.uris[kind])
    # Reset the floor: otherwise the reconciler ignores the record because of earlier reads.
    await scene.do("update repositories set floor_rev = '' where did = :did", did=scene.did)
    await scene.mended({kind: {Discrepancy.RECORD_MISSING, Discrepancy.ROW_WITHOUT_RECORD} for kind in KINDS})


async def test_missed_changes_by_another_app_are_repaired(scene: Scene):
    await edit_record_in_app(scene.deployment, scene.ana, scene.uris[PublicationKind.GROUP], name="Chess and Go")
    await edit_record_in_app(scene.deployment, scene.ana, scene.uris[PublicationKind.SERIES], name="Tea and talk")
    await edit_record_in_app(
        scene.deployment, scene.ana, scene.uris[PublicationKind.ACCEPTANCE], role=ROLE_TOKENS[GroupRole.ADMIN]
    )
    differs = {Discrepancy.RECORD_DIFFERS, Discrepancy.PUBLICATION_DIFFERS}
    await scene.mended(
        dict.fromkeys((PublicationKind.GROUP, PublicationKind.SERIES, PublicationKind.ACCEPTANCE), differs)
    )
    async with scene.deployment.db.reader() as reader:
        series = await queries.by_id(reader, scene.series.id)
        membership = await group_queries.find_member(reader, scene.group.id, scene.ben.user_id)
    assert (await current_group(scene.deployment, scene.group)).details.name == "Chess and Go"
    assert series is not None
    assert membership is not None
    assert (series.content.title, membership.role) == ("Tea and talk", GroupRole.ADMIN)


async def test_missed_deletions_by_another_app_are_repaired(scene: Scene):
    gone = {Discrepancy.RECORD_GONE, Discrepancy.PUBLICATION_LOST}
    for kind in (PublicationKind.SERIES, PublicationKind.ACCEPTANCE):
        await delete_record_in_app(scene.deployment, scene.ana, scene.uris[kind])
    await scene.mended(dict.fromkeys((PublicationKind.SERIES, PublicationKind.ACCEPTANCE), gone))
    assert (
        await scene.deployment.status_of(PublicationKind.SERIES, scene.series.id)
    ).state is PublicationState.RETRACTED
    async with scene.deployment.db.reader() as reader:
        membership = await group_queries.find_member(reader, scene.group.id, scene.ben.user_id)
    assert membership is not None
    assert membership.role is GroupRole.LEFT
