"""After a restore from a backup in which a group or series was waiting to be published, no second record is written."""

from groundwork.clock import MINUTE
from openmeet.feature_flags.flags import Flag
from openmeet.network.records.collections import GROUP, SERIES
from openmeet.outbox.publications import PublicationKind, PublicationState
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.test_groups import found, records, revise, switch_flag
from tests.openmeet.publishing.test_series_records import make


async def restore(deployment: Deployment, kind: PublicationKind, subject_id: str, uri: str) -> None:
    """Forget that the record was written, as a backup from before that time does."""
    column, table = ("external_id", "groups") if kind is PublicationKind.GROUP else ("record_uri", "event_series")
    async with deployment.db.transaction() as tx:
        await tx.execute(f"update {table} set {column} = null where id = :id", id=subject_id)
        await tx.execute("delete from records where uri = :uri", uri=uri)
        await tx.execute(
            "update publications set state = 'due', due_at = :now, did = null, uri = null, base_cid = null,"
            " base_body = null, base_rev = null, chosen_cid = null, chosen_body = null, chosen_revision = null,"
            " sent_revision = 0 where kind = :kind and subject_id = :id",
            now=tx.now,
            kind=kind.value,
            id=subject_id,
        )


async def settle(deployment: Deployment, who: str) -> None:
    for _ in range(3):
        while await deployment.deliver_publications():
            pass
        await deployment.listen(who)
        deployment.clock.turn(MINUTE)


async def test_a_group_keeps_its_record_and_what_was_edited_since(deployment: Deployment):
    await switch_flag(deployment, Flag.GROUPS)
    ana = await deployment.person("Ana")
    group = await found(deployment, ana)
    edited = await revise(deployment, ana, group, description="We meet on Mondays.")
    uri = edited.network.record_uri
    assert uri is not None
    async with deployment.db.transaction() as tx:
        await tx.execute("update groups set description = 'We meet.' where id = :id", id=group.id)
    await restore(deployment, PublicationKind.GROUP, group.id, uri)
    await settle(deployment, ana.user_id)
    ((known, record),) = (await records(deployment, ana, GROUP)).items()
    assert (known, record["description"]) == (uri, "We meet on Mondays.")
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id, description, external_id from groups order by id")
    assert [(row["id"], row["description"], row["external_id"]) for row in rows] == [
        (group.id, "We meet on Mondays.", uri)
    ]
    assert (await deployment.status_of(PublicationKind.GROUP, group.id)).state is PublicationState.PUBLISHED


async def test_a_series_keeps_its_record(deployment: Deployment):
    await switch_flag(deployment, Flag.SERIES_LEXICON)
    ana, series = await make(deployment)
    (uri,) = await records(deployment, ana, SERIES)
    await restore(deployment, PublicationKind.SERIES, series.id, uri)
    await settle(deployment, ana.user_id)
    assert list(await records(deployment, ana, SERIES)) == [uri]
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select id, record_uri from event_series order by id")
    assert [(row["id"], row["record_uri"]) for row in rows] == [(series.id, uri)]
    assert (await deployment.status_of(PublicationKind.SERIES, series.id)).state is PublicationState.PUBLISHED


async def test_a_group_whose_record_was_read_first_is_written_under_another_key(deployment: Deployment):
    """The record has no mark of origin, so the group that is derived from it keeps it."""
    await switch_flag(deployment, Flag.GROUPS)
    ana = await deployment.person("Ana")
    group = await found(deployment, ana)
    (uri,) = await records(deployment, ana, GROUP)
    await restore(deployment, PublicationKind.GROUP, group.id, uri)
    await deployment.listen(ana.user_id)
    await settle(deployment, ana.user_id)
    status = await deployment.status_of(PublicationKind.GROUP, group.id)
    assert status.state is PublicationState.PUBLISHED
    assert set(await records(deployment, ana, GROUP)) == {uri, status.uri}
