"""Adding photos with the form and the API: several at once, and everything that can be wrong with them."""

import asyncio
import base64
import io

import pytest
from PIL import Image

from groundwork.clock import HOUR
from groundwork.errors import Refused
from openmeet.domain.media.pictures import FILES, MAX_UPLOAD_BYTES
from openmeet.domain.photos.model import MAX_AT_ONCE, MAX_OF_EVENT, MAX_OF_PERSON
from tests.openmeet.photos.album import photo, photo_fields
from tests.openmeet.site_under_test import api_session


async def test_several_photos_are_added_at_once_without_metadata(album):
    exif = Image.Exif()
    exif[0x010E] = "Taken at home"
    exif.get_ifd(0x8825)[1] = "N"
    files = photo_fields(photo(1, "JPEG", exif=exif, comment=b"by Ben"), photo(2), photo(3, "WEBP"))
    sent = await album.browsers["Ben"].post(album.path, data={"caption": " The winners "}, files=files)
    assert (sent.status_code, sent.headers["location"]) == (303, album.path)
    page = (await album.browsers["Cleo"].get(album.path)).text
    assert page.count('alt="The winners"') == 3
    for key in await album.keys():
        for size in ("large", "medium", "small", "thumbnail"):
            got = await album.browsers["Cleo"].get(f"/photos/{key}/{size}")
            assert b"by Ben" not in got.content
            assert dict(Image.open(io.BytesIO(got.content)).getexif()) == {}
        webp = await album.browsers["Cleo"].get(f"/photos/{key}/small", headers={"accept": "image/webp"})
        assert webp.headers["content-type"] == "image/webp"


async def test_good_photos_are_added_although_others_are_not(album):
    """The page says which file has a problem. The caption is kept."""
    bomb = io.BytesIO()
    Image.new("1", (9_000, 9_000)).save(bomb, "PNG")
    files = photo_fields(photo(1), b"<svg onload=alert(1)/>", photo(2)[:100], bomb.getvalue())
    files.append(("photos", ("huge <b>.jpg", b"\xff" * (MAX_UPLOAD_BYTES + 1), "image/jpeg")))
    refused = await album.browsers["Ben"].post(album.path, data={"caption": "Pizza"}, files=files)
    assert refused.status_code == 413
    assert "1 photo is added." in refused.text
    for name in ("2.jpg", "3.jpg", "4.jpg", "huge &lt;b&gt;.jpg"):
        assert f"<li>{name}: " in refused.text
    assert "1.jpg: " not in refused.text
    assert "We couldn’t add 4 photos." in refused.text
    assert 'value="Pizza"' in refused.text
    assert len(await album.keys()) == 1


async def test_as_many_photos_as_the_form_promises_fit_into_it(album):
    """Even if each is as large as one may be. What follows a picture in its file is dropped."""
    files = photo_fields(*[photo(shade).ljust(MAX_UPLOAD_BYTES, b"\0") for shade in range(MAX_AT_ONCE)])
    sent = await album.browsers["Ben"].post(album.path, data={"caption": "x" * 300}, files=files)
    assert sent.status_code == 303
    assert len(await album.keys()) == MAX_AT_ONCE


async def test_a_form_without_photos_or_with_too_many_is_shown_again(album):
    ben = album.browsers["Ben"]
    empty = await ben.post(album.path, data={"caption": ""}, files=[("photos", ("", b"", "application/octet-stream"))])
    assert empty.status_code == 400
    assert "Choose a photo." in empty.text
    for number in (MAX_AT_ONCE + 1, 1_000):
        refused = await ben.post(album.path, data={"caption": "Our team"}, files=photo_fields(*[b"x"] * number))
        assert refused.status_code == 400
        assert f"up to {MAX_AT_ONCE} photos at once" in refused.text
        assert 'value="Our team"' in refused.text
    long = await ben.post(album.path, data={"caption": "x" * 301}, files=photo_fields(photo()))
    assert long.status_code == 400
    assert await album.keys() == []


async def test_the_same_file_is_added_once(album):
    """A form that is sent twice, also at the same time, adds each photo once."""
    ben = album.browsers["Ben"]
    twice = [ben.post(album.path, files=photo_fields(photo(1), photo(2))) for _ in range(2)]
    assert [sent.status_code for sent in await asyncio.gather(*twice)] == [303, 303]
    assert len(await album.keys()) == 2
    own, _ = await album.keys()
    assert (await album.browsers["Cleo"].post(album.path, files=photo_fields(photo(1)))).status_code == 303
    assert len(await album.keys()) == 3
    # No files are left of the copies, and a removed photo can be added again.
    assert len([blob async for blob in album.store.list("event-photos")]) == 3 * len(FILES)
    assert (await ben.post(f"{album.path}/{own}/remove")).status_code == 303
    assert (await ben.post(album.path, files=photo_fields(photo(1), photo(2)))).status_code == 303
    assert len(await album.keys()) == 3


@pytest.mark.parametrize(("who", "number"), [("Ben", MAX_OF_PERSON), ("Cleo", MAX_OF_EVENT)])
async def test_the_number_of_photos_is_limited(album, who, number):
    """Per person and per event. A photo that was removed no longer counts."""
    await album.add("Ben")
    owner = album.people["Ben"].user_id
    async with album.db.transaction() as tx:
        await tx.execute_many(
            "insert into event_photos (key, event_id, user_id, caption, digest, width, height, size, created_at)"
            " values (:key, :event_id, :user_id, '', :key, 1, 1, 1, :now)",
            [
                {"key": f"{one:032x}", "event_id": album.event.id, "user_id": owner, "now": tx.now}
                for one in range(number - 1)
            ],
        )
    with pytest.raises(Refused):
        await album.add(who, 1)
    refused = await album.browsers[who].post(album.path, files=photo_fields(photo(1)))
    assert refused.status_code == 422
    assert f"{number} photos, the most" in refused.text
    assert (await album.browsers["Ana"].post(f"{album.path}/{0:032x}/remove")).status_code == 303
    assert (await album.browsers[who].post(album.path, files=photo_fields(photo(1)))).status_code == 303


async def test_uploads_are_limited_per_hour(album):
    ben = album.browsers["Ben"]
    for _ in range(60 // MAX_AT_ONCE):
        assert (await ben.post(album.path, files=photo_fields(*[photo(1)] * MAX_AT_ONCE))).status_code == 303
    refused = await ben.post(album.path, files=photo_fields(photo(1)))
    assert refused.status_code == 429
    assert "Wait a while" in refused.text
    album.clock.turn(HOUR)
    assert (await ben.post(album.path, files=photo_fields(photo(1)))).status_code == 303


async def test_an_upload_is_not_read_before_the_access_check(album):
    async def unread_body():
        raise AssertionError
        yield b""

    typed = {"content-type": "multipart/form-data; boundary=x", "content-length": "50000000"}
    assert (await album.browsers["Dan"].post(album.path, headers=typed, content=unread_body())).status_code == 404
    async with album.site.browser() as nobody:
        for length in ("50000000", "9" * 30):
            sent = await nobody.post(album.path, headers=typed | {"content-length": length}, content=unread_body())
            assert sent.status_code in {303, 401, 413}


async def test_more_photos_than_a_page_has_are_on_the_next(album):
    keys = []
    for shade in range(32):
        album.clock.turn(1_000_000)
        keys.append(await album.add("Ben", shade))
    first = (await album.browsers["Cleo"].get(album.path)).text
    assert [key in first for key in keys] == [False] * 2 + [True] * 30
    more = first.split('class="more"><a class="button quiet" href="')[1].split('"')[0]
    second = (await album.browsers["Cleo"].get(more)).text
    assert [key in second for key in keys] == [True] * 2 + [False] * 30
    middle = (await album.browsers["Cleo"].get(f"{album.path}/{keys[5]}")).text
    assert f'href="{album.path}/{keys[6]}" rel="prev"' in middle
    assert f'href="{album.path}/{keys[4]}" rel="next"' in middle


async def test_programs_add_list_describe_and_remove_photos(album):
    async with album.site.browser() as program:
        ben = await api_session(program, "ben@example.org", "Ben")
        dan = await api_session(program, "dan@example.org", "Dan")
        below = f"/api{album.path}"
        body = {"image": base64.b64encode(photo()).decode(), "caption": "Pizza"}
        made = await program.post(below, headers=ben, json=body)
        assert made.status_code == 201
        one = made.json()
        assert (one["caption"], one["addedBy"], one["width"]) == ("Pizza", "Ben", 80)
        assert (await program.post(below, headers=ben, json=body)).json()["id"] == one["id"]
        assert (await program.get(below, headers=ben)).json() == {"photos": [one], "cursor": None}
        assert (await program.get(one["url"], headers=ben)).headers["content-type"] == "image/jpeg"
        assert (await program.put(f"/api/photos/{one['id']}", headers=ben, json={"caption": "Tea"})).json() == {
            **one,
            "caption": "Tea",
        }
        for refused in (
            await program.get(below, headers=dan),
            await program.post(below, headers=dan, json=body),
            await program.get(one["url"], headers=dan),
            await program.delete(f"/api/photos/{one['id']}", headers=dan),
            await program.post(f"/api/photos/{one['id']}/reports", headers=dan, json={"reason": "spam"}),
        ):
            assert refused.status_code == 404
        wrong = {"image": base64.b64encode(b"GIF89a").decode()}
        assert (await program.post(below, headers=ben, json=wrong)).status_code == 400
        assert (await program.delete(f"/api/photos/{one['id']}", headers=ben)).status_code == 204
        assert (await program.get(below, headers=ben)).json()["photos"] == []
