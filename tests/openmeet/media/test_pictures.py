"""Pictures: re-encoded from any input, bounded, served only as images, deleted when unused."""

import base64
import io
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from groundwork.blobstore.open_ import open_folder
from groundwork.clock import DAY, HandClock
from groundwork.errors import InvalidForm, NotFound, TooLarge, TooMany
from groundwork.workers.limits import MEBIBYTE, JobLimits, JobStopped, StopReason
from groundwork.workers.pool import PoolLimits, WorkerPool
from openmeet.domain.events import actions as events
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.submissions import values_of_event
from openmeet.domain.media import pictures as media_pictures
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import FILES, MAX_UPLOAD_BYTES, Picture, PictureFormat, Size, blob_key, prepare
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.media.drawn_pictures import claim_huge_size, draw_picture, open_picture
from tests.openmeet.site_under_test import api_session, event_by, person, sign_up, site_on
from tests.worker_pool import WORKERS


@pytest.fixture
def store(tmp_path):
    return open_folder(tmp_path / "media")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_any_input_format_becomes_two_jpegs(kind):
    made = prepare(draw_picture(kind, (2400, 1200)))
    large, small = (open_picture(made.bodies[size, PictureFormat.JPEG]) for size in (Size.LARGE, Size.SMALL))
    assert {large.format, small.format} == {"JPEG"}
    assert (large.size, small.size) == ((1600, 800), (640, 320))
    assert (made.width, made.height) == large.size


def test_small_pictures_are_not_enlarged():
    assert open_picture(prepare(draw_picture(size=(80, 60))).bodies[Size.LARGE, PictureFormat.JPEG]).size == (80, 60)


def test_the_location_is_removed_and_the_orientation_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated
    exif[0x010F] = "Secret Camera"
    exif.get_ifd(0x8825)[1] = "N"
    body = draw_picture("JPEG", (80, 60), exif=exif, comment=b"by Ana")
    assert b"Secret Camera" in body
    made = prepare(body).bodies[Size.LARGE, PictureFormat.JPEG]
    assert open_picture(made).size == (60, 80)
    assert not open_picture(made).getexif()
    assert b"Secret" not in made
    assert b"by Ana" not in made


def test_a_rotated_picture_with_broken_metadata_is_accepted():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated
    exif[0x010E] = "Tea"
    # The description has the number of the height, which cannot be a text.
    broken = exif.tobytes().replace(b"\x01\x0e", b"\x01\x01")
    assert broken != exif.tobytes()
    made = prepare(draw_picture("JPEG", (80, 60), exif=broken)).bodies[Size.LARGE, PictureFormat.JPEG]
    assert open_picture(made).size == (60, 80)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_with_cut_metadata_is_accepted_as_it_is(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated
    whole = exif.tobytes()
    for length in range(len(whole)):
        body = draw_picture(kind, (80, 60), exif=whole[:length])
        assert open_picture(prepare(body).bodies[Size.LARGE, PictureFormat.JPEG]).size in {(80, 60), (60, 80)}, length


def test_transparent_pictures_get_a_white_background():
    made = open_picture(prepare(draw_picture("PNG", mode="RGBA")).bodies[Size.LARGE, PictureFormat.JPEG])
    assert made.mode == "RGB"
    assert min(made.getpixel((10, 10))) > 250


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a picture",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        draw_picture()[:40],
        draw_picture("JPEG")[:200],
        draw_picture("BMP"),
        draw_picture("TIFF"),
        claim_huge_size(100_000, 100_000),
        claim_huge_size(8_000, 8_000),
        claim_huge_size(5_000, 10),
        b"GIF89a" + b"\xff" * 200,
    ],
)
def test_invalid_pictures_and_decompression_bombs_are_refused_with_a_reason(body):
    with pytest.raises(InvalidForm) as wrong:
        prepare(body)
    assert list(wrong.value.problems) == ["picture"]


def test_a_picture_with_too_many_pixels_is_refused_for_that_reason(subtests):
    """The library opens the smaller ones, and refuses the others itself."""
    for side in (7_100, 13_000, 14_000, 100_000):
        with subtests.test(side=side), pytest.raises(InvalidForm) as refused:
            prepare(claim_huge_size(side, side))
        assert refused.value.problems == {"picture": media_pictures.MediaReason.TOO_MANY_PIXELS(most=50)}


def test_data_hidden_in_a_picture_is_removed():
    made = prepare(draw_picture("GIF") + b"<script>alert(1)</script>")
    assert b"<script>" not in b"".join(made.bodies.values())


async def test_uploads_are_limited_in_size_and_number(make_sqlite, store, clock):
    db = await make_sqlite("openmeet")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
    with pytest.raises(TooLarge):
        await uploads.store_picture(db, store, WORKERS, ana.user_id, b"x" * (MAX_UPLOAD_BYTES + 1))
    async with db.transaction() as tx:
        for number in range(uploads.MAX_A_DAY):
            await tx.execute(
                "insert into pictures (key, user_id, width, height, size, created_at) values (:key, :id, 1, 1, 1, :now)",
                key=f"{number:032x}",
                id=ana.user_id,
                now=tx.now,
            )
    with pytest.raises(TooMany):
        await uploads.store_picture(db, store, WORKERS, ana.user_id, draw_picture())


async def test_only_unused_pictures_are_deleted_after_a_while(make_database, store, clock):
    """Pictures that an event, a copy of an event or a series shows are kept."""
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
    shown, made = await uploads.store_picture(db, store, WORKERS, ana.user_id, draw_picture())
    unused, _ = await uploads.store_picture(db, store, WORKERS, ana.user_id, draw_picture())
    async with db.transaction() as tx:
        saved = await events.set_picture(tx, ana, event.slug, Picture(shown, "Red", made.width, made.height))
        typed = Submission(**values_of_event(saved) | {"title": "Chess"})
        again = await events.revise(tx, ana, event.slug, check(typed, saved))
    assert again.content.picture == saved.content.picture
    assert await uploads.forget_unused(db, store) == 0
    clock.turn(uploads.UNUSED_FOR + DAY)
    assert await uploads.forget_unused(db, store) == 1
    for file in FILES:
        assert await store.size(blob_key(shown, *file)) > 0
        with pytest.raises(NotFound):
            await store.size(blob_key(unused, *file))


async def test_a_host_sets_the_picture_of_an_event_on_a_page(make_sqlite, store, clock):
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana, site.browser() as eve:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(eve, "eve@example.org", "Eve")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users where display_name = 'Ana'")
            event = await event_by(tx, Caller(row["id"], "Ana"))
        path = f"/events/{event.slug}/picture"
        file = {"picture": ("a.png", draw_picture(size=(700, 500)), "image/png")}
        assert (await eve.post(path, files=file, data={"alt": "Red"})).status_code == 403
        unsaid = await ana.post(path, files=file, data={"alt": " "})
        assert (unsaid.status_code, 'id="alt-problem"' in unsaid.text) == (400, True)
        wrong = await ana.post(path, files={"picture": ("a.png", b"nonsense", "image/png")}, data={"alt": "Red <b>"})
        assert wrong.status_code == 400
        assert 'id="picture-problem"' in wrong.text
        assert "Red &lt;b&gt;" in wrong.text
        assert (await ana.post(path, files=file, data={"alt": "A red square"})).status_code == 303
        page = (await eve.get(f"/events/{event.slug}")).text
        assert 'alt="A red square"' in page
        assert 'property="og:image"' in page
        async with site.db.reader() as reader:
            (kept,) = await reader.fetch("select key from pictures")
        for size in Size:
            shown = await eve.get(f"/media/{kept['key']}/{size.value}")
            assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
            assert shown.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in shown.headers["content-security-policy"]
            assert "immutable" in shown.headers["cache-control"]
            assert open_picture(shown.content).format == "JPEG"
            same = await eve.get(f"/media/{kept['key']}/{size.value}", headers={"if-none-match": shown.headers["etag"]})
            assert same.status_code == 304
            as_browser = {"accept": "image/avif,image/webp,image/apng,*/*;q=0.8"}
            smaller = await eve.get(f"/media/{kept['key']}/{size.value}", headers=as_browser)
            assert (smaller.headers["content-type"], smaller.headers["vary"]) == ("image/webp", "Accept")
            assert open_picture(smaller.content).format == "WEBP"
            assert smaller.headers["etag"] != shown.headers["etag"]
        for strange in ("x/large", f"{kept['key']}/huge", "..%2f..%2fsealing.key/large", f"{'0' * 32}/large"):
            assert (await eve.get(f"/media/{strange}")).status_code == 404
        other = await ana.post(path, files={"picture": ("", b"", "")}, data={"alt": "Other words"})
        assert other.status_code == 303
        assert 'alt="Other words"' in (await eve.get(f"/events/{event.slug}")).text
        assert (await ana.post(f"{path}/remove")).status_code == 303
        assert "event-picture" not in (await eve.get(f"/events/{event.slug}")).text


async def test_with_save_data_covers_are_shown_and_no_font_is_loaded(make_sqlite, store, clock):
    """A client with the Save-Data header gets the cover instead of the photograph, on the event page and in lists. The
    same URL gives the photograph to other clients, also from a cache.
    """
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana, site.browser() as eve:
        await sign_up(ana, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            (row,) = await tx.fetch("select id from users where display_name = 'Ana'")
            event = await event_by(tx, Caller(row["id"], "Ana"), title="Board games", categories="games")
        file = {"picture": ("a.png", draw_picture(size=(700, 500)), "image/png")}
        sent = await ana.post(f"/events/{event.slug}/picture", files=file, data={"alt": "A red square"})
        assert sent.status_code == 303
        for path in ("/", f"/events/{event.slug}"):
            for _ in range(2):
                whole, saving = await eve.get(path), await eve.get(path, headers={"save-data": "on"})
                assert "Save-Data" in whole.headers["vary"]
                assert ('src="/media/' in whole.text, "woff2" in whole.text) == (True, True)
                assert ('src="/media/' in saving.text, "woff2" in saving.text) == (False, False)
                assert 'src="/covers/games-' in saving.text or 'src="data:image/svg+xml' in saving.text


@pytest.mark.parametrize(
    ("collection", "wanted", "change"),
    [
        (
            "/api/events",
            {"title": "Chess", "startsLocal": "2026-07-04T18:00", "timeZone": "Europe/Berlin"},
            {"title": "Go"},
        ),
        (
            "/api/series",
            {
                "title": "Chess",
                "startsLocal": "2026-07-04T18:00",
                "timeZone": "Europe/Berlin",
                "recurrence": "FREQ=WEEKLY",
            },
            None,
        ),
        ("/api/groups", {"name": "Chess club", "timeZone": "Europe/Berlin"}, {"description": "We meet."}),
    ],
    ids=["event", "series", "group"],
)
async def test_by_the_api(
    make_sqlite, store, clock, collection: str, wanted: dict[str, str], change: dict[str, str] | None
):
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        eve = await api_session(client, "eve@example.org", "Eve")
        path = (await client.post(collection, json=wanted, headers=ana)).headers["location"]
        body = {"image": base64.b64encode(draw_picture(size=(900, 700))).decode(), "alt": "A red square"}
        assert (await client.put(f"{path}/picture", json=body, headers=eve)).status_code == 403
        shown = (await client.put(f"{path}/picture", json=body, headers=ana)).json()["picture"]
        assert (shown["alt"], shown["width"], shown["height"]) == ("A red square", 900, 700)
        assert (await client.get(shown["smallUrl"])).status_code == 200
        stale = await client.put(f"{path}/picture", json=body, headers=ana | {"if-match": '"1"'})
        assert stale.status_code == 412
        wrong = await client.put(f"{path}/picture", json=body | {"image": "AAAA"}, headers=ana)
        assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["picture"])
        if change is None:
            edit = {"scope": "all", "originalDate": "2026-07-04T18:00:00", "title": "Go"}
            kept = (await client.post(f"{path}/edit", json=edit, headers=ana)).json()["series"]
        else:
            kept = (await client.put(path, json=wanted | change, headers=ana)).json()
        assert kept["picture"] == shown
        gone = await client.delete(f"{path}/picture", headers=ana)
        assert gone.json()["picture"] is None


async def test_a_large_picture_fits_into_the_memory_of_its_process() -> None:
    """All pixels are in memory twice at most. An earlier version held them five times, more than a worker's memory for
    the largest accepted picture.
    """
    sent = io.BytesIO()
    Image.new("RGBA", (5_000, 4_000), (200, 30, 30, 128)).save(sent, "PNG", compress_level=1)
    # In a separate process: the shared worker processes have loaded modules for jobs of other tests, which would count
    # too.
    fresh = WorkerPool(PoolLimits(processes=1, job=JobLimits(memory_bytes=320 * MEBIBYTE)))
    try:
        made = await fresh.run(partial(prepare, sent.getvalue()))
    finally:
        await fresh.close()
    assert (made.width, made.height) == (1600, 1280)


async def test_a_picture_over_a_limit_is_refused_next_to_its_field(
    make_sqlite: MakeDatabase, clock: HandClock, tmp_path: Path
) -> None:
    """The form shows an error next to the field, and nothing is stored."""
    strict = WorkerPool(PoolLimits(job=JobLimits(memory_bytes=96 * MEBIBYTE)))
    sent = io.BytesIO()
    Image.new("RGB", (6_000, 5_000), "red").save(sent, "PNG", compress_level=1)
    db = await make_sqlite("openmeet", clock=clock)
    try:
        async with db.transaction() as tx:
            ana = await person(tx, "Ana")
        with pytest.raises(JobStopped) as stopped:
            await uploads.store_picture(db, open_folder(tmp_path), strict.charged_to(), ana.user_id, sent.getvalue())
        assert stopped.value.reason is StopReason.MEMORY
    finally:
        await strict.close()
    async with db.reader() as reader:
        assert await reader.fetch("select 1 from pictures") == []


async def test_a_size_that_an_older_version_did_not_store_is_served_larger(make_sqlite, store, clock):
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
    key, _ = await uploads.store_picture(site.db, store, WORKERS, ana.user_id, draw_picture(size=(2000, 1000)))
    for file in FILES:
        if file not in {(Size.LARGE, PictureFormat.JPEG), (Size.SMALL, PictureFormat.JPEG)}:
            await store.delete(blob_key(key, *file))
    async with site.browser() as eve:
        for size, width in ((Size.MEDIUM, 1600), (Size.THUMBNAIL, 640)):
            shown = await eve.get(f"/media/{key}/{size.value}", headers={"accept": "image/webp"})
            assert (shown.headers["content-type"], open_picture(shown.content).width) == ("image/jpeg", width)
        assert (await eve.get(f"/media/{key}/enormous")).status_code == 404
