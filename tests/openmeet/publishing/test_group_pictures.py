"""Group pictures on the network: sent with the record at the widest level, removed at every narrower one; pictures of
other groups are re-encoded.
"""

from dataclasses import replace

import pytest

from groundwork.blobstore.open_ import open_folder
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.domain.groups import actions, record_queries
from openmeet.domain.groups.model import GroupVisibility, PromotionLevel
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.record_pictures import RecordPictures
from openmeet.network.records.collections import GROUP
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.openmeet.deployment import Deployment, deliver_all_publications, records_of, switch_flag
from tests.openmeet.publishing.pictures import EXIF_SECRET, blob_at_pds, draw_jpeg
from tests.openmeet.publishing.published_groups import create_group, revise_group, set_group_picture
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site
from tests.worker_pool import POOL


async def is_kept(deployment: Deployment, did: str, cid: str) -> bool:
    answer = await deployment.network.http.get(
        f"{deployment.pds_url}/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}"
    )
    return answer.is_ok


@pytest.mark.parametrize("is_first", [True, False], ids=["with its first record", "later"])
async def test_picture_is_published_with_the_record_and_removed_at_narrower_levels(
    deployment: Deployment, is_first: bool
):
    await switch_flag(deployment, Flag.GROUPS)
    ana = await deployment.person("Ana")
    did = (await deployment.identity(ana.user_id)).did
    group = await create_group(deployment, ana, **({"sync_enabled": ""} if is_first else {}))
    await set_group_picture(deployment, ana, group, "red")
    group = await revise_group(deployment, ana, group, sync_enabled=True)
    (record,) = (await records_of(deployment, ana, GROUP)).values()
    first = record["avatar"]["ref"]["$link"]
    body = await blob_at_pds(deployment, did, first)
    assert EXIF_SECRET not in body
    assert (record["avatar"]["mimeType"], record["avatar"]["size"]) == ("image/jpeg", len(body))

    await set_group_picture(deployment, ana, group, "green")
    await deliver_all_publications(deployment)
    (record,) = (await records_of(deployment, ana, GROUP)).values()
    second = record["avatar"]["ref"]["$link"]
    assert second != first
    assert not await is_kept(deployment, did, first)

    await revise_group(deployment, ana, group, promotion_level=PromotionLevel.MEMBERS)
    (record,) = (await records_of(deployment, ana, GROUP)).values()
    assert "avatar" not in record
    assert not await is_kept(deployment, did, second)

    await revise_group(deployment, ana, group, promotion_level=PromotionLevel.PUBLIC)
    (record,) = (await records_of(deployment, ana, GROUP)).values()
    assert record["avatar"]["ref"]["$link"] == second
    assert await is_kept(deployment, did, second)

    await revise_group(deployment, ana, group, visibility=GroupVisibility.PRIVATE)
    assert await records_of(deployment, ana, GROUP) == {}
    assert not await is_kept(deployment, did, second)


async def test_a_picture_removed_here_is_removed_there(deployment: Deployment):
    await switch_flag(deployment, Flag.GROUPS)
    ana = await deployment.person("Ana")
    group = await create_group(deployment, ana)
    await set_group_picture(deployment, ana, group, "red")
    await deliver_all_publications(deployment)
    (record,) = (await records_of(deployment, ana, GROUP)).values()
    async with deployment.db.transaction() as tx:
        await actions.remove_picture(tx, ana, group.slug)
    await deliver_all_publications(deployment)
    (after,) = (await records_of(deployment, ana, GROUP)).values()
    assert "avatar" not in after
    assert not await is_kept(deployment, (await deployment.identity(ana.user_id)).did, record["avatar"]["ref"]["$link"])


async def test_a_remote_groups_picture_is_shown_to_people_who_see_the_group(deployment: Deployment, tmp_path):
    await switch_flag(deployment, Flag.GROUPS)
    cleo = await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    sent = (await app.upload("com.atproto.repo.uploadBlob", draw_jpeg("navy"), "image/jpeg"))["blob"]
    record = {"$type": GROUP, "name": "Sailors", "createdAt": "2026-01-01T00:00:00Z", "avatar": sent}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": GROUP, "record": record})
    await deployment.listen(cleo.user_id)
    async with deployment.db.reader() as reader:
        group = await record_queries.by_record(reader, str(made["uri"]))
    assert group is not None
    store = open_folder(tmp_path / "shown")
    site = create_app(
        Services(
            replace(Settings(), public_url=ORIGIN),
            Tenant("default", deployment.db),
            CODE_KEY,
            clock=deployment.clock,
            network=deployment.network,
            pictures=store,
            workers=POOL,
            record_pictures=RecordPictures(deployment.network, store, POOL),
        ),
        Metrics("openmeet"),
    )
    async with Site(site, deployment.db, deployment.clock).browser() as browser:
        path = f"/groups/{group.slug}/record-picture"
        assert f'src="{path}/large"' in (await browser.get(f"/groups/{group.slug}")).text
        shown = await browser.get(f"{path}/small")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        assert EXIF_SECRET not in shown.content
        async with deployment.db.transaction() as tx:
            await tx.execute("update groups set visibility = 'private'")
        for address in (f"{path}/small", f"{path}/huge"):
            assert (await browser.get(address)).status_code == 404
