"""A group's picture on the network: with the record at the widest level, gone at every narrower one; those of others made anew."""

from dataclasses import replace

import pytest

from groundwork.blobstore.open_ import open_folder
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.domain.groups import pictures, record_queries
from openmeet.domain.groups.model import Group, GroupVisibility, PromotionLevel
from openmeet.domain.media import pictures as media
from openmeet.domain.media.pictures import Picture
from openmeet.domain.users.model import Caller
from openmeet.feature_flags.flags import Flag
from openmeet.network.ingestion.record_pictures import RecordPictures
from openmeet.network.records.collections import GROUP
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.openmeet.publication.test_groups import found, pay, records, revise, turn
from tests.openmeet.publication.test_pictures import SECRET, blob, drawn
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site
from tests.openmeet.town import Town
from tests.worker_pool import POOL, WORKERS


async def put_up(town: Town, owner: Caller, group: Group, color: str) -> None:
    assert town.publisher.pictures is not None
    key, made = await media.keep(town.db, town.publisher.pictures, WORKERS, owner.user_id, drawn(color))
    async with town.db.transaction() as tx:
        await pictures.put(tx, owner, group.slug, Picture(key, "A flag.", made.width, made.height))


async def is_kept(town: Town, did: str, cid: str) -> bool:
    answer = await town.network.http.get(f"{town.pds_url}/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}")
    return answer.is_ok


@pytest.mark.parametrize("is_first", [True, False], ids=["with its first record", "later"])
async def test_it_goes_with_the_record_and_away_with_what_is_narrower(town: Town, is_first: bool):
    await turn(town, Flag.GROUPS)
    ana = await town.person("Ana")
    did = (await town.identity(ana.user_id)).did
    group = await found(town, ana, **({"sync_enabled": ""} if is_first else {}))
    await put_up(town, ana, group, "red")
    group = await revise(town, ana, group, sync_enabled=True)
    (record,) = (await records(town, ana, GROUP)).values()
    first = record["avatar"]["ref"]["$link"]
    body = await blob(town, did, first)
    assert SECRET not in body
    assert (record["avatar"]["mimeType"], record["avatar"]["size"]) == ("image/jpeg", len(body))

    await put_up(town, ana, group, "green")
    await pay(town)
    (record,) = (await records(town, ana, GROUP)).values()
    second = record["avatar"]["ref"]["$link"]
    assert second != first
    assert not await is_kept(town, did, first)

    await revise(town, ana, group, promotion_level=PromotionLevel.MEMBERS)
    (record,) = (await records(town, ana, GROUP)).values()
    assert "avatar" not in record
    assert not await is_kept(town, did, second)

    await revise(town, ana, group, promotion_level=PromotionLevel.PUBLIC)
    (record,) = (await records(town, ana, GROUP)).values()
    assert record["avatar"]["ref"]["$link"] == second
    assert await is_kept(town, did, second)

    await revise(town, ana, group, visibility=GroupVisibility.PRIVATE)
    assert await records(town, ana, GROUP) == {}
    assert not await is_kept(town, did, second)


async def test_taken_away_here_it_is_taken_away_there(town: Town):
    await turn(town, Flag.GROUPS)
    ana = await town.person("Ana")
    group = await found(town, ana)
    await put_up(town, ana, group, "red")
    await pay(town)
    (record,) = (await records(town, ana, GROUP)).values()
    async with town.db.transaction() as tx:
        await pictures.remove(tx, ana, group.slug)
    await pay(town)
    (after,) = (await records(town, ana, GROUP)).values()
    assert "avatar" not in after
    assert not await is_kept(town, (await town.identity(ana.user_id)).did, record["avatar"]["ref"]["$link"])


async def test_the_picture_of_a_group_from_elsewhere_is_shown_to_who_may_see_the_group(town: Town, tmp_path):
    await turn(town, Flag.GROUPS)
    cleo = await town.connected("cleo")
    app = await town.stranger("cleo")
    did = (await town.identity(cleo.user_id)).did
    sent = (await app.upload("com.atproto.repo.uploadBlob", drawn("navy"), "image/jpeg"))["blob"]
    record = {"$type": GROUP, "name": "Sailors", "createdAt": "2026-01-01T00:00:00Z", "avatar": sent}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": GROUP, "record": record})
    await town.listen(cleo.user_id)
    async with town.db.reader() as reader:
        group = await record_queries.by_record(reader, str(made["uri"]))
    assert group is not None
    store = open_folder(tmp_path / "shown")
    site = create_app(
        Services(
            replace(Settings(), public_url=ORIGIN),
            Tenant("default", town.db),
            CODE_KEY,
            clock=town.clock,
            network=town.network,
            pictures=store,
            workers=POOL,
            record_pictures=RecordPictures(town.network, store, POOL),
        ),
        Metrics("openmeet"),
    )
    async with Site(site, town.db, town.clock).browser() as browser:
        path = f"/groups/{group.slug}/record-picture"
        assert f'src="{path}/large"' in (await browser.get(f"/groups/{group.slug}")).text
        shown = await browser.get(f"{path}/small")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        assert SECRET not in shown.content
        async with town.db.transaction() as tx:
            await tx.execute("update groups set visibility = 'private'")
        for address in (f"{path}/small", f"{path}/huge"):
            assert (await browser.get(address)).status_code == 404
