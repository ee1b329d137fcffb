"""Pictures on the network: this site's pictures are uploaded with the record and stay in the repository. Foreign ones
are fetched, checked and re-encoded.
"""

import asyncio
import io
from dataclasses import replace
from pathlib import Path
from types import NoneType

import pytest
from PIL import Image

from at_protocol.syntax.did import parse_did
from groundwork.blobstore.open_ import open_folder
from groundwork.errors import NotFound
from groundwork.telemetry.metrics import Metrics
from openmeet.app import create_app
from openmeet.domain.covers.model import cover_for
from openmeet.domain.events import actions
from openmeet.domain.events.event_records import by_record_uri
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Visibility
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import Picture, PictureFormat, Size
from openmeet.domain.users.model import Caller
from openmeet.network.ingestion.record_pictures import ABSENT_FOR, RecordPictures, blob_key, picture_of
from openmeet.network.records.collections import EVENT
from openmeet.outbox.publications import PublicationKind
from openmeet.settings import Settings
from openmeet.tenants.configured import Tenant
from openmeet.web.site.services import Services
from tests.openmeet.deployment import Deployment
from tests.openmeet.publishing.pictures import EXIF_SECRET, blob_at_pds, draw_jpeg
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site
from tests.worker_pool import POOL, WORKERS


async def put_up(deployment: Deployment, host: Caller, event: Event, color: str, alt: str) -> Event:
    assert deployment.publisher.pictures is not None
    key, made = await uploads.store_picture(
        deployment.db, deployment.publisher.pictures, WORKERS, host.user_id, draw_jpeg(color)
    )
    async with deployment.db.transaction() as tx:
        return await actions.set_picture(tx, host, event.slug, Picture(key, alt, made.width, made.height))


async def test_the_picture_is_published_without_hidden_data(deployment: Deployment):
    """The alternative text is published too. The repository keeps the blob as long as the record names it."""
    ana = await deployment.person()
    event = await deployment.event(ana)
    await put_up(deployment, ana, event, "red", "A red flag.")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    (entry,) = (await deployment.record(uri))["media"]
    assert (entry["alt"], entry["aspect_ratio"], entry["role"]) == (
        "A red flag.",
        {"width": 120, "height": 60},
        "header",
    )
    did = (await deployment.identity(ana.user_id)).did
    body = await blob_at_pds(deployment, did, entry["content"]["ref"]["$link"])
    assert EXIF_SECRET not in body
    assert len(body) == entry["content"]["size"] <= 1_000_000
    assert Image.open(io.BytesIO(body)).size == (120, 60)


async def test_a_new_picture_replaces_ours_and_keeps_those_of_others(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    await put_up(deployment, ana, event, "red", "A red flag.")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    identity = await deployment.identity(ana.user_id)
    app = await deployment.own_client(identity)
    theirs = (await app.upload("com.atproto.repo.uploadBlob", draw_jpeg("blue", 20), "image/jpeg"))["blob"]
    record = await deployment.record(uri)
    swap = record.pop("cid")
    foreign = {"$type": "com.example.banner", "role": "thumbnail", "content": theirs}
    _, _, did, collection, rkey = uri.split("/")
    await app.procedure(
        "com.atproto.repo.putRecord",
        {
            "repo": did,
            "collection": collection,
            "rkey": rkey,
            "record": {**record, "media": [foreign, *record["media"]]},
            "swapRecord": swap,
        },
    )
    await deployment.listen(ana.user_id)
    await put_up(deployment, ana, event, "green", "A green flag.")
    await deployment.deliver_publications()
    shown = (await deployment.record(uri))["media"]
    assert shown[0] == foreign
    assert (len(shown), shown[1]["alt"]) == (2, "A green flag.")
    assert EXIF_SECRET in await blob_at_pds(deployment, did, theirs["ref"]["$link"])
    async with deployment.db.transaction() as tx:
        await actions.remove_picture(tx, ana, event.slug)
    await deployment.deliver_publications()
    assert (await deployment.record(uri))["media"] == [foreign]


async def test_an_upload_whose_response_was_lost_is_repaired(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana)
    await put_up(deployment, ana, event, "red", "A red flag.")
    deployment.proxy.loses = lambda request: request.path.endswith("uploadBlob")
    await deployment.deliver_publications()
    deployment.proxy.loses = lambda _request: False
    deployment.clock.turn(3_600_000_000)
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    assert len((await deployment.record(uri))["media"]) == 1


async def test_a_minimal_record_has_no_picture(deployment: Deployment):
    ana = await deployment.person()
    event = await deployment.event(ana, visibility=Visibility.PRIVATE.value)
    await put_up(deployment, ana, event, "red", "A red flag.")
    async with deployment.db.transaction() as tx:
        await tx.execute("update events set record_announced = 1")
    await deployment.deliver_publications()
    uri = (await deployment.status_of(PublicationKind.EVENT, event.id)).uri or ""
    assert "media" not in await deployment.record(uri)


async def foreign_event(deployment: Deployment, body: bytes) -> tuple[Event, str, str]:
    """An event with a picture, written by another app: the event on this site, its author, and the CID of the picture."""
    cleo = await deployment.connected("cleo")
    app = await deployment.stranger("cleo")
    did = (await deployment.identity(cleo.user_id)).did
    sent = (await app.upload("com.atproto.repo.uploadBlob", body, "image/jpeg"))["blob"]
    entry = {"role": "header", "alt": "A boat.", "content": sent, "aspect_ratio": {"width": 2, "height": 1}}
    record = {"$type": EVENT, "name": "Sailing", "createdAt": "2026-01-01T00:00:00Z", "media": [entry]}
    made = await app.procedure("com.atproto.repo.createRecord", {"repo": did, "collection": EVENT, "record": record})
    await deployment.listen(cleo.user_id)
    async with deployment.db.reader() as reader:
        event = await by_record_uri(reader, str(made["uri"]))
    assert event is not None
    return event, did, sent["ref"]["$link"]


async def test_a_foreign_picture_is_fetched_once_and_re_encoded(deployment: Deployment, tmp_path):
    event, did, cid = await foreign_event(deployment, draw_jpeg("navy"))
    async with deployment.db.reader() as reader:
        found = await picture_of(reader, event)
    assert found is not None
    assert (found.cid, found.alt, found.width) == (cid, "A boat.", 2)
    store = open_folder(tmp_path / "shown")
    pictures = RecordPictures(deployment.network, store, POOL)
    await pictures.ensure_stored(parse_did(did), cid, Size.SMALL, PictureFormat.WEBP)
    for format_ in PictureFormat:
        body = b"".join([piece async for piece in store.read(blob_key(cid, Size.SMALL, format_))])
        assert EXIF_SECRET not in body
        assert Image.open(io.BytesIO(body)).get_format_mimetype() == format_.content_type
    # From here on nothing is fetched, because the account could be gone.
    await RecordPictures(deployment.network, store, POOL).ensure_stored(
        parse_did("did:plc:" + "a" * 24), cid, Size.LARGE, PictureFormat.JPEG
    )


@pytest.mark.parametrize("body", [b"<svg onload='alert(1)'/>", b"\xff\xd8\xff" + b"no picture"])
async def test_an_invalid_picture_is_left_out_and_fetched_once(deployment: Deployment, tmp_path, body: bytes):
    _, did, cid = await foreign_event(deployment, body)
    pictures = RecordPictures(deployment.network, open_folder(tmp_path / "shown"), POOL)
    for _ in range(2):
        with pytest.raises(NotFound):
            await pictures.ensure_stored(parse_did(did), cid, Size.LARGE, PictureFormat.JPEG)
    deployment.clock.turn(ABSENT_FOR + 1)
    with pytest.raises(NotFound):
        await pictures.ensure_stored(parse_did(did), cid, Size.LARGE, PictureFormat.JPEG)


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_record_that_names_the_picture_of_somebody_else_does_not_hide_it(
    deployment: Deployment, tmp_path: Path, at_once: bool
):
    """The PDS of the other author does not have the picture, before or while it is fetched from its own author's."""
    _, did, cid = await foreign_event(deployment, draw_jpeg("navy"))
    other = (await deployment.identity((await deployment.connected("ben")).user_id)).did
    pictures = RecordPictures(deployment.network, open_folder(tmp_path / "shown"), POOL)
    asked = [
        pictures.ensure_stored(one, cid, Size.SMALL, PictureFormat.WEBP) for one in (parse_did(other), parse_did(did))
    ]
    if at_once:
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    else:
        outcomes = [(await asyncio.gather(one, return_exceptions=True))[0] for one in asked]
    assert [type(one) for one in outcomes] == [NotFound, NoneType]


def showing_pictures(deployment: Deployment, tmp_path: Path) -> Site:
    """A site that shows pictures of records."""
    pictures = open_folder(tmp_path / "shown")
    app = create_app(
        Services(
            replace(Settings(), public_url=ORIGIN),
            Tenant("default", deployment.db),
            CODE_KEY,
            clock=deployment.clock,
            network=deployment.network,
            pictures=pictures,
            workers=POOL,
            record_pictures=RecordPictures(deployment.network, pictures, POOL),
        ),
        Metrics("openmeet"),
    )
    return Site(app, deployment.db, deployment.clock)


async def test_a_page_shows_a_picture_only_to_people_who_see_the_event(deployment: Deployment, tmp_path):
    event, _, _ = await foreign_event(deployment, draw_jpeg("navy"))
    async with showing_pictures(deployment, tmp_path).browser() as browser:
        page = await browser.get(f"/events/{event.slug}")
        path = f"/events/{event.slug}/record-picture"
        assert f'src="{path}/large"' in page.text
        assert 'alt="A boat."' in page.text
        shown = await browser.get(f"{path}/small")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        assert EXIF_SECRET not in shown.content
        known = await browser.get(f"{path}/small", headers={"if-none-match": shown.headers["etag"]})
        assert known.status_code == 304
        async with deployment.db.transaction() as tx:
            await tx.execute("update events set visibility = 'private'")
        for address in (path + "/small", path + "/huge"):
            assert (await browser.get(address)).status_code == 404


async def test_a_broken_picture_is_replaced_by_the_generated_cover(deployment: Deployment, tmp_path):
    """Link previews get a PNG."""
    event, _, _ = await foreign_event(deployment, b"<svg onload='alert(1)'/>")
    cover = cover_for(event.content)
    async with showing_pictures(deployment, tmp_path).browser() as browser:
        path = f"/events/{event.slug}/record-picture"
        for accepted, instead in (("image/webp,image/svg+xml,*/*", cover.path), ("*/*", cover.png_path)):
            answer = await browser.get(f"{path}/large", headers={"accept": accepted})
            assert (answer.status_code, answer.headers["location"]) == (302, instead)
        assert (await browser.get(f"{path}/huge")).status_code == 404
