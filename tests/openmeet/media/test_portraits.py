"""Portraits: squares in three sizes, shown next to names only to people who can see the person."""

import base64
import io
import re
from pathlib import Path

import httpx
import pytest
from PIL import Image

from groundwork.blobstore.contract import BlobStore
from groundwork.blobstore.open_ import open_folder
from groundwork.clock import DAY, HandClock, Instant
from groundwork.errors import NotFound
from openmeet.domain.account_merge.merge import merge
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.covers.social_card import CARD_HEIGHT
from openmeet.domain.data_export import person as person_export
from openmeet.domain.erasure.account_rows import forget, purge
from openmeet.domain.events.model import Event
from openmeet.domain.media import pictures as media_pictures
from openmeet.domain.media import uploads
from openmeet.domain.media.pictures import PORTRAIT_SIDES, portrait_key
from openmeet.domain.moderation import blocks
from openmeet.domain.profiles import portraits
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import Caller, UserId
from tests.databases import MakeDatabase, SqliteFiles
from tests.openmeet.media.drawn_pictures import draw_bands, draw_picture, open_picture, portrait_keys_in, set_portrait
from tests.openmeet.site_under_test import Site, api_session, event_by, person, sign_up, site_on


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return open_folder(tmp_path / "media")


def green_at_the_face(card: bytes) -> bool:
    """Whether the picture for links to an event has the middle of ``bands`` where the face of the host is."""
    red, green, blue = (
        Image.open(io.BytesIO(card)).convert("RGB").getpixel((CARD_HEIGHT + 48 + 28, CARD_HEIGHT - 48 - 28))
    )
    return green > 100 > max(red, blue)


async def caller_called(site: Site, name: str) -> Caller:
    async with site.db.reader() as reader:
        row = await reader.fetch_one("select id from users where display_name = :name", name=name)
    assert row is not None
    return Caller(UserId(row["id"]), name)


def test_the_square_in_the_middle_is_shown_in_three_sizes() -> None:
    made = media_pictures.prepare_portrait(draw_bands())
    assert tuple(made) == PORTRAIT_SIDES
    for side, body in made.items():
        one = open_picture(body)
        assert (one.format, one.size) == ("WEBP", (side, side))
        corners = [one.convert("RGB").getpixel(at) for at in ((1, 1), (side - 2, 1), (1, side - 2))]
        assert all(red < 60 and green > 90 and blue < 60 for red, green, blue in corners)


def test_small_pictures_are_enlarged_and_transparent_ones_get_white() -> None:
    made = open_picture(media_pictures.prepare_portrait(draw_picture(size=(20, 12), mode="RGBA"))[256])
    assert made.size == (256, 256)
    assert min(made.convert("RGB").getpixel((128, 128))) > 250


def test_a_list_of_forty_portraits_is_small() -> None:
    """The list uses the smallest size. The test picture is as detailed as a photograph."""
    noisy = Image.effect_noise((400, 400), 60).convert("RGB")
    noisy.paste("tan", (100, 60, 300, 360))
    out = io.BytesIO()
    noisy.save(out, "PNG")
    assert len(media_pictures.prepare_portrait(out.getvalue())[48]) < 1_800


async def test_a_portrait_is_uploaded_shown_replaced_and_removed(
    make_sqlite: SqliteFiles, store: BlobStore, clock: HandClock
) -> None:
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        who = await caller_called(site, "Ana")
        async with site.db.transaction() as tx:
            event = await event_by(tx, who)
        page = f"/events/{event.slug}"
        assert portrait_keys_in((await ben.get(page)).text) == set()
        first = await _upload(ana, draw_picture(size=(300, 200)))
        assert portrait_keys_in((await ben.get(page)).text) == {first}
        shown = await ben.get(f"/portraits/{first}/96")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/webp")
        assert shown.headers["cache-control"] == "private, max-age=604800, immutable"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in shown.headers["content-security-policy"]
        assert open_picture(shown.content).size == (96, 96)
        second = await _upload(ana, draw_bands())
        assert portrait_keys_in((await ben.get(page)).text) == {second}
        assert (await ben.get(f"/portraits/{first}/96")).status_code == 404
        assert green_at_the_face((await ben.get(f"{page}/card.png")).content), "the picture for links shows it, too"
        for path in ("/home", "/settings", "/settings/profile", "/welcome/start", f"/people/{who.user_id}"):
            assert second in portrait_keys_in((await ana.get(path)).text), path
        assert (await ana.post("/settings/picture/remove")).status_code == 303
        assert portrait_keys_in((await ben.get(page)).text) == set()
        assert not green_at_the_face((await ben.get(f"{page}/card.png")).content)
        assert (await ben.get(f"/portraits/{second}/96")).status_code == 404
    assert await uploads.forget_unused(site.db, store) == 2
    for key in (first, second):
        for side in PORTRAIT_SIDES:
            with pytest.raises(NotFound):
                await store.size(portrait_key(key, side))


async def test_a_removed_portrait_leaves_the_caches_of_link_previews(
    make_sqlite: SqliteFiles, store: BlobStore, clock: HandClock
) -> None:
    """Services keep the picture of a URL, so its URL changes. Shared caches ask whether their copy is current."""
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana, site.browser() as service:
        await sign_up(ana, "ana@example.org", "Ana")
        who = await caller_called(site, "Ana")
        async with site.db.transaction() as tx:
            event = await event_by(tx, who)
        page = f"/events/{event.slug}"
        await _upload(ana, draw_bands())
        with_portrait = _preview_in((await service.get(page)).text)
        card = await service.get(with_portrait)
        assert green_at_the_face(card.content)
        assert card.headers["cache-control"] == "public, no-cache"
        known = {"if-none-match": card.headers["etag"]}
        unchanged = await service.get(with_portrait, headers=known)
        assert (unchanged.status_code, unchanged.headers["vary"]) == (304, "Accept-Language")
        await ana.post("/settings/picture/remove")
        assert _preview_in((await service.get(page)).text) != with_portrait
        asked_again = await service.get(with_portrait, headers=known)
        assert asked_again.status_code == 200
        assert not green_at_the_face(asked_again.content)


def _preview_in(page: str) -> str:
    """The path of the picture that a page gives to services that show link previews."""
    (url,) = re.findall(r'<meta property="og:image" content="([^"]+)">', page)
    return url[url.index("/events/") :]


async def _upload(browser: httpx.AsyncClient, body: bytes, then: str = "") -> str:
    """Upload a picture on the page, and return the key that the page shows."""
    path = f"/settings/picture?next={then}" if then else "/settings/picture"
    sent = await browser.post(path, files={"picture": ("me.png", body, "image/png")})
    assert sent.status_code == 303, sent.text
    assert sent.headers["location"] == (then or "/settings/picture")
    (key,) = portrait_keys_in((await browser.get("/settings/picture")).text)
    return key


async def test_an_invalid_picture_is_refused_next_to_its_field(
    make_sqlite: SqliteFiles, store: BlobStore, clock: HandClock
) -> None:
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        for body in (b"nonsense", b""):
            refused = await ana.post("/settings/picture", files={"picture": ("me.png", body, "image/png")})
            assert refused.status_code == 400
            assert 'id="picture-problem"' in refused.text
        assert portrait_keys_in((await ana.get("/settings/picture")).text) == set()
        assert (await _upload(ana, draw_picture(), "/welcome/start")) != ""
        away = await ana.post("/settings/picture/remove?next=//evil.example/")
        assert away.headers["location"] == "/"


async def test_picture_is_hidden_wherever_the_person_is_hidden(make_database: MakeDatabase, store: BlobStore) -> None:
    """If one person has blocked the other, a moderator has hidden the person or the person is leaving, pages do not
    show the picture's URL and the file is not served. People still see their own picture.
    """
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana, ben, eve = [await person(tx, name) for name in ("Ana", "Ben", "Eve")]
    keys = {one.user_id: await set_portrait(db, store, one) for one in (ana, ben, eve)}

    async def seen(viewer: Caller | None) -> set[UserId]:
        async with db.reader() as reader:
            who = viewer.user_id if viewer else None
            shown = await portraits.shown(reader, who, list(keys))
            assert {one for one, key in keys.items() if await portraits.is_shown(reader, who, key)} == set(shown)
            assert all(shown[one] == keys[one] for one in shown)
            return set(shown)

    everybody = set(keys)
    assert await seen(None) == await seen(ana) == everybody
    async with db.transaction() as tx:
        await blocks.block(tx, ana.user_id, eve.user_id)
    assert await seen(ana) == everybody - {eve.user_id}
    assert await seen(eve) == everybody - {ana.user_id}
    assert await seen(ben) == everybody
    async with db.transaction() as tx:
        await tx.execute(
            "insert into moderation_states (subject, kind, state, reason, decided_by, since)"
            " values (:id, 'person', 'hidden', 'spam', :by, :now)",
            id=ben.user_id,
            by=ana.user_id,
            now=tx.now,
        )
    assert await seen(None) == {ana.user_id, eve.user_id}
    assert await seen(ben) == everybody
    async with db.transaction() as tx:
        await erasure_requests.put(tx, ana.user_id, Instant(tx.now + DAY))
    assert await seen(None) == {eve.user_id}
    assert await seen(ben) == {ben.user_id, eve.user_id}


async def test_a_blocked_person_gets_no_file(make_sqlite: SqliteFiles, store: BlobStore, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana, site.browser() as eve, site.browser() as nobody:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(eve, "eve@example.org", "Eve")
        key = await _upload(ana, draw_bands())
        blocker, blocked = await caller_called(site, "Ana"), await caller_called(site, "Eve")
        async with site.db.transaction() as tx:
            await blocks.block(tx, blocker.user_id, blocked.user_id)
        for browser, status in ((ana, 200), (eve, 404), (nobody, 200)):
            assert (await browser.get(f"/portraits/{key}/48")).status_code == status
        for strange in ("x/48", f"{key}/large", f"{key}/49", f"{'0' * 32}/48", f"..%2f{key}/48"):
            assert (await ana.get(f"/portraits/{strange}")).status_code == 404


async def test_with_save_data_initials_are_shown(make_sqlite: SqliteFiles, store: BlobStore, clock: HandClock) -> None:
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as ana:
        await sign_up(ana, "ana@example.org", "Ana")
        key = await _upload(ana, draw_bands())
        assert portrait_keys_in((await ana.get("/home")).text) == {key}
        assert portrait_keys_in((await ana.get("/home", headers={"save-data": "on"})).text) == set()


async def test_by_the_api(make_sqlite: SqliteFiles, store: BlobStore, clock: HandClock) -> None:
    """The API returns the URLs of one's own picture, the host's and those of attendees. The file itself needs no
    sign-in.
    """
    site = site_on(await make_sqlite("openmeet"), clock, pictures=store)
    async with site.browser() as client:
        ana = await api_session(client, "ana@example.org", "Ana")
        body = {"image": base64.b64encode(draw_bands()).decode()}
        assert (await client.get("/api/me", headers=ana)).json()["pictureUrl"] is None
        own = (await client.put("/api/me/picture", json=body, headers=ana)).json()
        assert (await client.get(own["pictureUrl"])).status_code == 200
        who = await caller_called(site, "Ana")
        event = await _event_with(site, who)
        listed = (await client.get(f"/api/events/{event.slug}/attendees")).json()["attendees"]
        host = (await client.get(f"/api/people/{who.user_id}")).json()
        assert {one["displayName"]: one["pictureUrl"] for one in listed} == {"Ben": None, "Ana": own["pictureUrl"]}
        assert host["pictureUrl"] == own["pictureUrl"]
        wrong = await client.put("/api/me/picture", json={"image": "AAAA"}, headers=ana)
        assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["picture"])
        gone = await client.delete("/api/me/picture", headers=ana)
        assert gone.json()["pictureUrl"] is None
        assert (await client.get(own["pictureUrl"])).status_code == 404


async def _event_with(site: Site, host: Caller) -> Event:
    async with site.db.transaction() as tx:
        event = await event_by(tx, host)
        for one in (await person(tx, "Ben"), host):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
    return event


async def test_a_portrait_is_exported_erased_and_merged_with_the_account(
    make_database: MakeDatabase, store: BlobStore
) -> None:
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        ana, twin = await person(tx, "Ana"), await person(tx, "Ana too")
    key = await set_portrait(db, store, twin)
    async with db.transaction() as tx:
        await merge(tx, twin.user_id, ana.user_id)
    async with db.reader() as reader:
        assert await portraits.shown(reader, None, [ana.user_id]) == {ana.user_id: key}
    export = await person_export.export_document(db, ana.user_id, "https://meet.example")
    assert export["tables"]["users"][0]["portraitKey"] == key
    assert [one["url"] for one in export["tables"]["pictures"]] == [f"https://meet.example/portraits/{key}/256"]
    await purge(db, ana.user_id)
    async with db.transaction() as tx:
        await forget(tx, ana.user_id)
    async with db.reader() as reader:
        assert not await portraits.is_shown(reader, ana.user_id, key)
    assert await uploads.forget_unused(db, store) == 1
