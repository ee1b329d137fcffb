"""Every kind of discrepancy between a repository and the database, created on a real PDS, found and repaired."""

from collections.abc import Awaitable, Callable

import pytest

from at_protocol.syntax.did import Did, parse_did
from groundwork.clock import MINUTE, SECOND
from groundwork.rate_limit.contract import Limit
from groundwork.rate_limit.in_process import InProcessCounters
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.model import Event
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion import discrepancies
from openmeet.network.ingestion.discrepancies import (
    Discrepancy,
    PublishedVersion,
    RecordDiscrepancy,
    RepositoryContents,
    RepositoryFacts,
    SeenVersion,
    compare,
)
from openmeet.network.ingestion.reconcile import ReconcileOptions, ReconcileResult, reconcile, written_to
from openmeet.network.ingestion.repository_reads import list_repository
from openmeet.network.ingestion.server_budgets import spending
from openmeet.network.records.collections import CONCERNING, EVENT
from openmeet.network.records.seen import RecordState
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment

OTHER = {"$type": EVENT, "name": "Written elsewhere", "createdAt": "2026-03-01T00:00:00Z"}


class Scene:
    """A person with a published event and RSVP whose repository was read once. ``app`` is another app of this person."""

    def __init__(self, deployment: Deployment, ana: Caller, tea: Event, did: Did) -> None:
        self.deployment, self.ana, self.tea, self.did = deployment, ana, tea, did
        self.uri = ""
        self.answer_uri = ""

    async def reconcile(self, *, is_dry_run: bool = False) -> ReconcileResult:
        deployment = self.deployment
        deployment.clock.turn(SECOND)
        return await reconcile(
            deployment.db, deployment.network, deployment.processor.ingestion_context, self.did, is_dry_run=is_dry_run
        )

    async def do(self, sql: str, **values: object) -> None:
        async with self.deployment.db.transaction() as tx:
            assert await tx.execute(sql, **values) == 1


@pytest.fixture
async def scene(deployment: Deployment) -> Scene:
    cleo = await deployment.connected("cleo")
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    found = Scene(deployment, cleo, tea, parse_did((await deployment.identity(cleo.user_id)).did))
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select kind, uri, state from publications order by kind")
        assert await written_to(reader) == [found.did]
    assert [row["state"] for row in rows] == ["published", "published"]
    found.uri, found.answer_uri = rows[0]["uri"], rows[1]["uri"]
    first = await found.reconcile()
    assert (first.records, first.repaired, first.unrepaired) == (2, [], []), "the first read counts no differences"
    return found


async def _write(scene: Scene) -> str:
    app = await scene.deployment.stranger("cleo")
    made = await app.procedure(
        "com.atproto.repo.createRecord", {"repo": scene.did, "collection": EVENT, "record": OTHER}
    )
    return str(made["uri"])


async def _rewrite(scene: Scene) -> str:
    app = await scene.deployment.stranger("cleo")
    record = {key: value for key, value in (await scene.deployment.record(scene.uri)).items() if key != "cid"}
    wish = {"repo": scene.did, "collection": EVENT, "rkey": scene.uri.rpartition("/")[2]}
    await app.procedure("com.atproto.repo.putRecord", {**wish, "record": {**record, "name": "Renamed elsewhere"}})
    return scene.uri


async def _delete(scene: Scene) -> str:
    app = await scene.deployment.stranger("cleo")
    wish = {"repo": scene.did, "collection": EVENT, "rkey": scene.uri.rpartition("/")[2]}
    await app.procedure("com.atproto.repo.deleteRecord", wish)
    return scene.uri


async def _forget_record(scene: Scene) -> str:
    await scene.do("delete from records where uri = :uri", uri=scene.uri)
    # Reset the floor: otherwise the reconciler ignores the record because of earlier reads.
    await scene.do("update repositories set floor_rev = '' where did = :did", did=scene.did)
    return scene.uri


async def _lose_attendance(scene: Scene) -> str:
    await scene.do("delete from attendances where record_uri = :uri", uri=scene.answer_uri)
    return scene.answer_uri


async def _change_row(scene: Scene) -> str:
    await scene.do(
        "update events set title = 'Not what it says', locality = 'Elsewhere' where record_uri = :uri", uri=scene.uri
    )
    return scene.uri


async def _change_answer(scene: Scene) -> str:
    await scene.do("update attendances set status = 'declined' where record_uri = :uri", uri=scene.answer_uri)
    return scene.answer_uri


async def _change_imported(scene: Scene) -> str:
    uri = await _write(scene)
    await scene.reconcile()
    await scene.do("update events set title = 'Not what it says' where record_uri = :uri", uri=uri)
    return uri


async def _lose_base(scene: Scene) -> str:
    await scene.do("update publications set base_cid = 'bafyelse' where uri = :uri", uri=scene.uri)
    return scene.uri


MADE: dict[str, tuple[Callable[[Scene], Awaitable[str]], set[Discrepancy]]] = {
    "written elsewhere, and never heard of": (_write, {Discrepancy.RECORD_MISSING}),
    "changed elsewhere, and never heard of": (
        _rewrite,
        {Discrepancy.RECORD_DIFFERS, Discrepancy.PUBLICATION_DIFFERS},
    ),
    "deleted elsewhere, and never heard of": (_delete, {Discrepancy.RECORD_GONE, Discrepancy.PUBLICATION_LOST}),
    "the record as last seen is lost": (_forget_record, {Discrepancy.RECORD_MISSING, Discrepancy.ROW_WITHOUT_RECORD}),
    "an answer is lost": (_lose_attendance, {Discrepancy.ROW_MISSING}),
    "a row of ours says something else": (_change_row, {Discrepancy.ROW_DIFFERS}),
    "an answer says something else": (_change_answer, {Discrepancy.ROW_DIFFERS}),
    "an imported row says something else": (_change_imported, {Discrepancy.ROW_DIFFERS}),
    "what was agreed is lost": (_lose_base, {Discrepancy.PUBLICATION_DIFFERS}),
}


@pytest.mark.parametrize("case", MADE)
async def test_discrepancies_are_found_repaired_and_counted(scene: Scene, case: str):
    """A dry run finds the discrepancy and changes nothing, the next run repairs it, and the third run finds nothing."""
    make, kinds = MADE[case]
    uri = await make(scene)
    looked = await scene.reconcile(is_dry_run=True)
    assert {one.kind for one in looked.unrepaired if one.uri == uri} == kinds
    assert looked.repaired == ()
    again = await scene.reconcile(is_dry_run=True)
    assert again.unrepaired == looked.unrepaired, "a dry run changes nothing"
    mended = await scene.reconcile()
    assert {one.kind for one in mended.repaired if one.uri == uri} == kinds
    assert mended.unrepaired == []
    clean = await scene.reconcile()
    assert (clean.repaired, clean.unrepaired) == ([], [])
    async with scene.deployment.db.reader() as reader:
        counted = await discrepancies.count_by_kind(reader)
        newest = await discrepancies.newest(reader)
    assert {kind for (kind, is_repaired), _ in counted.items() if is_repaired} >= kinds
    assert all(one.repaired_at is not None and one.times == 1 for one in newest)


async def test_discrepancies_name_their_fields_and_records_are_proven(scene: Scene):
    """As with the operator's command, every record is read again at the host's rate limit, with progress."""
    await _change_row(scene)
    waited: list[float] = []
    shown: list[tuple[int, int]] = []
    deployment = scene.deployment
    spend = spending(InProcessCounters(), deployment.clock, Limit("records_asked_of_server", 3, 60))

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        deployment.clock.turn(2 * MINUTE)

    asking = ReconcileOptions(spend, verifies_each=True, pause=wait, progress=lambda done, of: shown.append((done, of)))
    found = await reconcile(
        deployment.db, deployment.network, deployment.processor.ingestion_context, scene.did, options=asking
    )
    assert [(one.uri, one.kind, one.fields) for one in found.repaired] == [
        (scene.uri, Discrepancy.ROW_DIFFERS, ("locality", "title"))
    ]
    assert waited
    assert shown[-1] == (2, 2)
    await deployment.deliver_publications()
    assert (await deployment.record(scene.uri))["name"] == "Not what it says", (
        "the edit of this site is published again"
    )


async def test_a_record_written_while_others_are_verified_is_not_a_discrepancy(scene: Scene):
    """The record is not listed, because it is newer than the listing, and its message arrives before the last proof."""
    deployment = scene.deployment
    asked = of_listing = 0

    async def count(_host: str) -> None:
        nonlocal of_listing
        of_listing += 1

    async def write_after_listing(_host: str) -> None:
        nonlocal asked
        asked += 1
        if asked == of_listing + 1:
            await _write(scene)
            await deployment.listen(scene.ana.user_id)

    await list_repository(deployment.network, scene.did, CONCERNING, count)

    found = await reconcile(
        deployment.db,
        deployment.network,
        deployment.processor.ingestion_context,
        scene.did,
        options=ReconcileOptions(write_after_listing, verifies_each=True),
    )
    assert asked > of_listing
    assert (found.records, found.repaired, found.unrepaired) == (2, [], [])


async def test_an_imported_row_is_repaired_from_its_record(scene: Scene):
    uri = await _change_imported(scene)
    (found,) = (await scene.reconcile()).repaired
    assert (found.uri, found.fields) == (uri, ("title",))
    async with scene.deployment.db.reader() as reader:
        (row,) = await reader.fetch("select title from events where record_uri = :uri", uri=uri)
    assert row["title"] == OTHER["name"]


async def test_a_pending_edit_is_not_a_discrepancy(scene: Scene):
    """The row differs from the record because somebody has just edited it on this site."""
    deployment = scene.deployment
    await deployment.revise(scene.ana, scene.tea.slug, title="Tea later")
    found = await scene.reconcile()
    assert (found.repaired, found.unrepaired) == ([], [])
    async with deployment.db.reader() as reader:
        (row,) = await reader.fetch("select title from events where record_uri = :uri", uri=scene.uri)
    assert row["title"] == "Tea later"


async def test_the_host_is_asked_once_about_a_deleted_record(scene: Scene):
    """The event was made on this site, so its host decides."""
    await _delete(scene)
    await scene.reconcile()
    again = await scene.reconcile()
    assert [*again.repaired, *again.unrepaired] == []
    async with scene.deployment.db.reader() as reader:
        (row,) = await reader.fetch("select removed_at, record_deleted_at from events where id = :id", id=scene.tea.id)
    assert (row["removed_at"], row["record_deleted_at"] is not None) == (None, True)
    assert (
        await scene.deployment.status_of(PublicationKind.EVENT, scene.tea.id)
    ).state is not PublicationState.PUBLISHED


async def test_a_repository_that_is_not_served_is_not_compared(scene: Scene):
    """The absence of records must be verified, so a deactivated account has no discrepancies."""
    app = await scene.deployment.stranger("cleo")
    await app.procedure("com.atproto.server.deactivateAccount", {})
    found = await scene.reconcile()
    assert (found.records, found.repaired, found.unrepaired) == (None, (), ())


def test_a_record_newer_than_the_read_is_not_a_discrepancy():
    """The message about the record has not arrived yet."""
    kept = {
        "at://a/e/1": SeenVersion("new", "5", RecordState.MAPPED),
        "at://a/e/2": SeenVersion(None, "5", RecordState.TOMBSTONE),
    }
    facts = RepositoryFacts(
        kept, {"at://a/e/1": PublishedVersion("new", "5"), "at://a/e/3": PublishedVersion("x", "5")}, (), ()
    )
    cids = {"at://a/e/1": "old", "at://a/e/2": "old"}
    assert compare(RepositoryContents(cids, "4"), facts) == []
    assert compare(RepositoryContents(cids, "5"), facts) == [
        RecordDiscrepancy("at://a/e/1", discrepancies.Discrepancy.PUBLICATION_DIFFERS),
        RecordDiscrepancy("at://a/e/1", discrepancies.Discrepancy.RECORD_DIFFERS),
        RecordDiscrepancy("at://a/e/2", discrepancies.Discrepancy.RECORD_MISSING),
        RecordDiscrepancy("at://a/e/3", discrepancies.Discrepancy.PUBLICATION_LOST),
    ]
