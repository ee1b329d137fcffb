"""What reports, moderators, deletion, merging and exports do with photos, and where they are shown."""

import pytest

from groundwork.clock import DAY, HOUR
from groundwork.errors import InvalidForm, Refused, Unavailable
from openmeet.domain.account_merge import merge
from openmeet.domain.data_export.person import export_document
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.erasure.retention import RetentionTimes, purge_expired
from openmeet.domain.events import actions as events
from openmeet.domain.media.pictures import FILES
from openmeet.domain.moderation import moderators
from openmeet.domain.moderation.model import ModeratedKind, ReportReason, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions as moderation
from openmeet.domain.photos import actions
from openmeet.domain.safety import actions as safety
from openmeet.network.ingestion.person_erasure import take_due
from tests.openmeet.erasure.erasure_context import erasing_in
from tests.openmeet.photos.album import album_in, photo, photo_fields


async def test_people_report_photos_and_moderators_hide_them(album):
    """The person who added it reads why. Everybody else gets the same page as if it did not exist."""
    key = await album.add("Ben", caption="Pizza")
    page, cleo = f"{album.path}/{key}", album.browsers["Cleo"]
    assert f"{page}/report" in (await cleo.get(page)).text
    assert "Report this photo" in (await cleo.get(f"{page}/report")).text
    assert (await album.browsers["Dan"].get(f"{page}/report")).status_code == 404
    sent = await cleo.post(f"{page}/report", data={"reason": "other", "words": "That’s me, asleep."})
    assert sent.status_code == 303
    assert "A photo" in (await cleo.get("/settings/safety")).text
    async with album.db.transaction() as tx:
        with pytest.raises(Refused):
            await safety.report(tx, album.people["Ben"], ModeratedKind.PHOTO, key, ReportReason.SPAM, "")
        await moderators.appoint(tx, album.people["Dan"].user_id, by=None)
    dan = album.browsers["Dan"]
    assert "Photo from “Board games”" in (await dan.get("/moderation")).text
    about = f"/moderation/things/photo/{key}"
    shown = (await dan.get(about)).text
    assert f"/moderation/photos/{key}/small" in shown
    assert "Pizza" in shown
    assert "sees this text on the photo’s page" in shown
    assert (await dan.get(f"/moderation/photos/{key}/small")).status_code == 200
    assert (await cleo.get(f"/moderation/photos/{key}/small")).status_code == 403
    assert (await dan.post(about, data={"act": "hide", "reason": ""})).status_code == 400
    assert (await dan.post(about, data={"act": "hide", "reason": "She’s asleep."})).status_code == 303
    assert await album.those_who_see(key) == {"Ben"}
    assert "She’s asleep." in (await album.browsers["Ben"].get(page)).text
    assert (await dan.get(f"/moderation/photos/{key}/small")).status_code == 200
    assert (await dan.post(about, data={"act": "show", "reason": ""})).status_code == 303
    assert await album.those_who_see(key) == {"Ana", "Ben", "Cleo"}
    # Moderators see only what is reported or hidden.
    assert (await dan.get(f"/moderation/photos/{key}/small")).status_code == 404


async def test_a_hidden_photo_cannot_be_added_again(album):
    """Its author can still remove it, but that does not undo the decision."""
    key = await album.add("Ben", 1)
    subject = Subject(ModeratedKind.PHOTO, key)
    async with album.db.transaction() as tx:
        await moderation.decide(tx, album.people["Dan"], subject, SubjectVisibility.HIDDEN, "Asleep")
    assert (await album.browsers["Ben"].post(f"{album.path}/{key}/remove")).status_code == 303
    assert await album.those_who_see(key) == set()
    refused = await album.browsers["Ben"].post(album.path, files=photo_fields(photo(1)))
    assert "This photo was removed from the event." in refused.text
    assert await actions.forget_unused(album.db, album.store) == 1
    assert await album.number_of_files(key) == 0
    assert await actions.forget_unused(album.db, album.store) == 0
    with pytest.raises(Refused):
        await album.add("Ben", 1)
    # The row goes with the event.
    async with album.db.transaction() as tx:
        await events.delete(tx, album.people["Ana"], album.event.slug)
    album.clock.turn(31 * DAY)
    await purge_expired(album.db, RetentionTimes(30, 90))
    assert await actions.forget_unused(album.db, album.store) == 1
    async with album.db.reader() as reader:
        assert await reader.fetch("select key from event_photos") == []


async def test_a_reported_photo_stays_for_moderators_when_its_author_removes_it(album):
    key = await album.add("Ben", 1, "Pizza")
    dan, about = album.browsers["Dan"], f"/moderation/things/photo/{key}"
    sent = await album.browsers["Cleo"].post(f"{album.path}/{key}/report", data={"reason": "other", "words": "Me"})
    assert sent.status_code == 303
    async with album.db.transaction() as tx:
        await moderators.appoint(tx, album.people["Dan"].user_id, by=None)
    assert (await album.browsers["Ben"].post(f"{album.path}/{key}/remove")).status_code == 303
    assert await album.those_who_see(key) == set()
    assert key not in (await album.browsers["Ana"].get(album.path)).text
    assert await actions.forget_unused(album.db, album.store) == 0
    assert "Pizza" in (await dan.get(about)).text
    assert (await dan.get(f"/moderation/photos/{key}/small")).status_code == 200
    assert (await dan.post(about, data={"act": "hide", "reason": "She’s asleep."})).status_code == 303
    assert await actions.forget_unused(album.db, album.store) == 1
    assert await album.number_of_files(key) == 0
    assert "Something that no longer exists" in (await dan.get(about)).text


async def test_somebody_who_blocks_the_author_can_still_report_the_photo(album):
    """The button to block is on the page for the report, which is shown again afterwards."""
    key = await album.add("Ben")
    page, cleo = f"{album.path}/{key}/report", album.browsers["Cleo"]
    ben = album.people["Ben"].user_id
    assert (await cleo.get(f"/events/other/photos/{key}/report")).status_code == 404
    blocked = await cleo.post("/settings/safety", data={"act": "block", "subject": ben, "next": page})
    assert blocked.headers["location"] == page
    shown = (await cleo.get(page)).text
    assert "You have blocked Ben." in shown
    assert f'href="{album.path}"' in shown
    assert (await cleo.post(page, data={"reason": "other", "words": "Me"})).status_code == 303
    assert (await cleo.get(f"{album.path}/{key}")).status_code == 404


async def test_files_of_an_upload_that_never_finished_are_deleted(album, tmp_path):
    """The row is stored before the files, so that the task finds them. Its failure for one photo does not stop others."""
    removed = await album.add("Ben", 1)
    assert (await album.browsers["Ben"].post(f"{album.path}/{removed}/remove")).status_code == 303
    files, aside = tmp_path / "media" / "event-photos", tmp_path / "aside"
    files.rename(aside)
    files.touch()
    with pytest.raises(Unavailable):
        await album.add("Ben", 2)
    async with album.db.reader() as reader:
        rows = await reader.fetch("select key, waits_until from event_photos where event_id is null order by key")
    waiting = [row["key"] for row in rows if row["waits_until"] is not None]
    assert len(rows) == 2
    assert len(waiting) == 1
    files.unlink()
    aside.rename(files)
    assert await actions.forget_unused(album.db, album.store) == 1
    album.clock.turn(HOUR)
    assert await actions.forget_unused(album.db, album.store) == 1
    async with album.db.reader() as reader:
        assert await reader.fetch("select key from event_photos") == []


async def test_moderators_need_a_reason_to_hide_a_photo(album):
    subject = Subject(ModeratedKind.PHOTO, await album.add("Ben"))
    async with album.db.transaction() as tx:
        with pytest.raises(InvalidForm):
            await moderation.decide(tx, album.people["Dan"], subject, SubjectVisibility.HIDDEN, "")


async def test_photos_are_deleted_with_the_account(album, tmp_path):
    of_ben, of_cleo = await album.add("Ben", 1, "Me and Ana"), await album.add("Cleo", 2)
    async with album.db.transaction() as tx:
        await erasure.request(tx, album.people["Ben"].user_id, 14 * DAY)
    assert await album.those_who_see(of_ben) == set()
    album.clock.turn(15 * DAY)
    erasing = erasing_in(tmp_path)
    assert await take_due(album.db, erasing) == 1
    async with album.db.reader() as reader:
        rows = await reader.fetch("select key from event_photos order by key")
    assert [row["key"] for row in rows] == [of_cleo]
    assert await album.those_who_see(of_cleo) == {"Ana", "Cleo"}


async def test_photos_are_deleted_with_the_event(album):
    key = await album.add("Ben", caption="Pizza")
    async with album.db.transaction() as tx:
        await events.delete(tx, album.people["Ana"], album.event.slug)
    album.clock.turn(31 * DAY)
    await purge_expired(album.db, RetentionTimes(30, 90))
    assert await album.those_who_see(key) == set()
    assert await actions.forget_unused(album.db, album.store) == 1
    assert await album.number_of_files(key) == 0
    async with album.db.reader() as reader:
        assert await reader.fetch("select key from event_photos") == []


async def test_photos_that_are_shown_keep_their_files(album):
    key = await album.add("Ben")
    album.clock.turn(60 * DAY)
    assert await actions.forget_unused(album.db, album.store) == 0
    assert await album.number_of_files(key) == len(FILES)


async def test_photos_move_to_the_remaining_account(album):
    """If both accounts added the same file, it is there once."""
    same, other, third = await album.add("Ben", 1), await album.add("Cleo", 1), await album.add("Cleo", 2)
    async with album.db.transaction() as tx:
        await merge.merge(tx, album.people["Cleo"].user_id, album.people["Ben"].user_id)
    assert set(await album.keys()) == {same, third}
    assert (await album.browsers["Ben"].post(f"{album.path}/{third}/remove")).status_code == 303
    assert await actions.forget_unused(album.db, album.store) == 2
    assert await album.number_of_files(other) == 0


async def test_an_export_has_the_photos_of_the_person(album):
    key = await album.add("Ben", caption="Pizza")
    await album.add("Cleo", 1)
    document = await export_document(album.db, album.people["Ben"].user_id, "https://meet.example")
    (row,) = document["tables"]["eventPhotos"]
    assert (row["key"], row["caption"]) == (key, "Pizza")
    assert row["url"] == f"https://meet.example/photos/{key}/large"
    assert "digest" not in row


async def test_photos_are_no_part_of_the_public_page_feeds_and_records(make_database, clock, tmp_path):
    db = await make_database("openmeet", clock=clock)
    async with album_in(db, clock, tmp_path) as album:
        key = await album.add("Ana")
        async with album.site.browser() as nobody:
            for path in (f"/events/{album.event.slug}", f"/events/{album.event.slug}.ics", "/sitemap.xml"):
                text = (await nobody.get(path)).text
                assert key not in text
                assert album.path not in text
        async with db.reader() as reader:
            assert await reader.fetch("select 1 as one from pictures") == []


async def test_the_page_of_the_event_leads_to_the_photos(album):
    """In the answer bar once the event is over, and in a section of the page for those who may see them."""
    page = f"/events/{album.event.slug}"
    for name, is_shown in (("Ana", True), ("Ben", True), ("Dan", False)):
        assert (album.path in (await album.browsers[name].get(page)).text) is is_shown
    album.clock.turn(DAY)
    await album.add("Ben")
    text = (await album.browsers["Ben"].get(page)).text
    assert "1 photo. Only hosts and guests see it." in text
    assert text.count(f'href="{album.path}"') == 2
    assert album.path not in (await album.browsers["Dan"].get(page)).text
