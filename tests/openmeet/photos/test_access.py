"""Who sees the photos of an event, and who may add, describe and remove them."""

import pytest

from groundwork.clock import DAY, HOUR, Instant
from groundwork.errors import Forbidden, NotFound, Refused
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, host_decisions, invitations, rsvp_records
from openmeet.domain.attendance.model import Attendance, RecordedRsvp, ReplyDetails, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.queries import find
from openmeet.domain.events import actions as events
from openmeet.domain.groups import administration
from openmeet.domain.media.pictures import FILES
from openmeet.domain.moderation.model import ModeratedKind, Subject, SubjectVisibility
from openmeet.domain.moderation_effects import actions as moderation
from openmeet.domain.photos import actions
from openmeet.domain.photos.access import access_to
from openmeet.domain.photos.model import PhotoAccess, PhotoReason
from openmeet.domain.safety import actions as safety
from openmeet.domain.users import erasure_requests
from tests.openmeet.groups.people import group_by
from tests.openmeet.photos.album import album_in
from tests.openmeet.site_under_test import details, person
from tests.openmeet.statement_counter import StatementCounter

EVERYBODY = {"Ana", "Ben", "Cleo"}


async def test_hosts_and_people_who_were_going_see_photos(album):
    """The others get the same page as for an event or a photo that does not exist."""
    key = await album.add("Ben")
    assert await album.those_who_see(key) == EVERYBODY
    async with album.site.browser() as nobody:
        assert (await nobody.get(f"/photos/{key}/large")).status_code == 404
        assert (await nobody.get(album.path)).headers["location"].startswith("/sign-in")
    dan = album.browsers["Dan"]
    for hidden, absent in (
        (album.path, "/events/nothing/photos"),
        (f"{album.path}/{key}", f"{album.path}/{'0' * 32}"),
        (f"/photos/{key}/large", f"/photos/{'0' * 32}/large"),
    ):
        first, second = await dan.get(hidden), await dan.get(absent)
        assert (first.status_code, second.status_code) == (404, 404)
    # The photo is also absent below other events, and at the addresses of public and chat pictures.
    assert (await album.browsers["Ben"].get(f"/events/other/photos/{key}")).status_code == 404
    for below in ("/media", "/chat/pictures"):
        assert (await album.browsers["Ben"].get(f"{below}/{key}/large")).status_code == 404


async def test_files_are_neither_cached_by_others_nor_indexed(album):
    key = await album.add("Ben")
    file = await album.browsers["Cleo"].get(f"/photos/{key}/large")
    assert file.headers["cache-control"] == "private, no-cache"
    assert file.headers["x-robots-tag"] == "noindex"
    tag = {"if-none-match": file.headers["etag"]}
    assert (await album.browsers["Cleo"].get(f"/photos/{key}/large", headers=tag)).status_code == 304
    assert (await album.browsers["Dan"].get(f"/photos/{key}/large", headers=tag)).status_code == 404
    assert 'content="noindex"' in (await album.browsers["Cleo"].get(album.path)).text


async def test_photos_are_added_once_the_event_has_begun(album):
    album.clock.turn(-2 * HOUR)
    assert (await album.browsers["Ana"].get(album.path)).status_code == 404
    with pytest.raises(NotFound):
        await album.add("Ana")
    album.clock.turn(2 * HOUR)
    assert await album.add("Ana")


async def test_own_photos_are_not_looked_up_before_the_event(album):
    """Every view of its page by somebody who is signed in would look for them."""
    album.clock.turn(-2 * HOUR)
    async with album.db.transaction() as tx:
        counter = StatementCounter(tx)
        assert await access_to(counter, album.event, album.people["Ben"].user_id, None) is PhotoAccess.NONE
    assert counter.statements == 0


async def test_own_photos_are_found_after_the_event_was_moved(album):
    own = await album.add("Ben")
    async with album.db.transaction() as tx:
        moved = details(starts="2026-04-05T18:00", ends="2026-04-05T20:00")
        await event_hosting.revise(tx, album.people["Ana"], album.event.slug, moved)
    page = (await album.browsers["Ben"].get(f"/events/{album.event.slug}")).text
    assert "You added 1 photo." in page
    assert (await album.browsers["Ben"].post(f"{album.path}/{own}/remove")).status_code == 303


async def test_hosts_are_not_told_to_ask_the_hosts(album):
    page = f"{album.path}/{await album.add('Ben')}"
    for name, is_asked in (("Cleo", True), ("Ana", False), ("Ben", False)):
        text = (await album.browsers[name].get(page)).text
        assert ("Ask the hosts" in text) is is_asked, name
        assert (f"{page}/report" in text) is (name != "Ben"), name


async def test_people_who_withdraw_keep_only_their_own_photos(album):
    """Otherwise they could no longer remove them."""
    own, other, third = await album.add("Ben", 1), await album.add("Cleo", 2), await album.add("Ben", 3)
    async with album.db.transaction() as tx:
        await attendance.answer(tx, album.people["Ben"], album.event.slug, RsvpReply.DECLINED)
    assert [await album.those_who_see(key) for key in (own, other)] == [EVERYBODY, {"Ana", "Cleo"}]
    page = (await album.browsers["Ben"].get(f"/events/{album.event.slug}")).text
    assert "You added 2 photos." in page
    assert f'href="{album.path}"' in page
    page = (await album.browsers["Ben"].get(album.path)).text
    assert own in page
    assert other not in page
    assert 'type="file"' not in page
    with pytest.raises(Forbidden):
        await album.add("Ben", 4)
    assert (await album.browsers["Ben"].post(f"{album.path}/{third}/remove")).headers["location"] == album.path
    assert (await album.browsers["Ben"].post(f"{album.path}/{own}/remove")).headers["location"] == "/"
    assert (await album.browsers["Ben"].get(album.path)).status_code == 404


async def test_blocked_guests_see_and_add_nothing(album):
    """The host still sees their photos, to decide about them. Two guests who blocked each other see none of each other."""
    of_ben, of_cleo, of_ana = await album.add("Ben", 1), await album.add("Cleo", 2), await album.add("Ana", 3)
    async with album.db.transaction() as tx:
        await safety.block(tx, album.people["Ben"], album.people["Cleo"].user_id)
    assert await album.those_who_see(of_ben) == {"Ana", "Ben"}
    assert await album.those_who_see(of_cleo) == {"Ana", "Cleo"}
    async with album.db.transaction() as tx:
        await safety.block(tx, album.people["Ana"], album.people["Ben"].user_id)
    assert await album.those_who_see(of_ana) == {"Ana", "Cleo"}
    assert await album.those_who_see(of_ben) == {"Ana", "Ben"}
    with pytest.raises(Forbidden):
        await album.add("Ben", 4)


async def test_people_banned_from_the_group_see_nothing(make_database, clock, tmp_path):
    db = await make_database("openmeet", clock=clock)
    async with album_in(db, clock, tmp_path) as album:
        async with db.transaction() as tx:
            group = await group_by(tx, album.people["Ana"])
            link = await administration.invite_by_link(tx, album.people["Ana"], group.slug, uses=1)
            await administration.accept(tx, album.people["Cleo"], link.id)
            await administration.ban(tx, album.people["Ana"], group.slug, album.people["Cleo"].user_id)
        await album.change("update events set group_id = :group where id = :id", group=group.id, id=album.event.id)
        assert await album.those_who_see(await album.add("Ana")) == {"Ana", "Ben"}


async def test_photos_of_people_who_leave_or_are_suspended_disappear(album):
    of_ben, of_cleo = await album.add("Ben", 1), await album.add("Cleo", 2)
    async with album.db.transaction() as tx:
        mo = await person(tx, "Mo")
        await erasure_requests.put(tx, album.people["Ben"].user_id, due_at=Instant(tx.now + DAY))
        subject = Subject(ModeratedKind.PERSON, album.people["Cleo"].user_id)
        await moderation.decide(tx, mo, subject, SubjectVisibility.HIDDEN, "Spam")
    for key, owner in ((of_ben, "Ben"), (of_cleo, "Cleo")):
        assert await album.those_who_see(key) <= {owner}


@pytest.mark.parametrize("is_blocked", [True, False])
async def test_people_who_are_no_longer_guests_do_not_change_captions(album, is_blocked):
    """Otherwise somebody whom a host shut out could still write to everybody who was there."""
    key = await album.add("Ben", caption="Pizza")
    async with album.db.transaction() as tx:
        if is_blocked:
            await safety.block(tx, album.people["Ana"], album.people["Ben"].user_id)
        else:
            await attendance.answer(tx, album.people["Ben"], album.event.slug, RsvpReply.DECLINED)
    page = f"{album.path}/{key}"
    assert 'name="caption"' not in (await album.browsers["Ben"].get(page)).text
    assert (await album.browsers["Ben"].post(page, data={"caption": "I know where you live"})).status_code == 403
    assert 'alt="Pizza"' in (await album.browsers["Ana"].get(album.path)).text
    assert (await album.browsers["Ben"].post(f"{page}/remove")).status_code == 303


@pytest.mark.parametrize("earlier", [None, RsvpRecordStatus.NOT_GOING, RsvpRecordStatus.INTERESTED])
async def test_an_answer_from_another_app_after_the_start_proves_nothing(album, earlier):
    """Anybody can write such a record, or edit one that they wrote before. A host can still check in the person."""
    dan = album.people["Dan"]
    first_seen = Instant(album.event.starts_at - HOUR)

    async def write(answer: RsvpRecordStatus) -> Attendance:
        async with album.db.transaction() as tx:
            seen = first_seen if earlier else tx.now
            await rsvp_records.apply_from_network(
                tx, RecordedRsvp(album.event.id, dan.user_id, "at://dan/1", answer, first_seen_at=seen)
            )
            rsvp = await find(tx, album.event.id, dan.user_id)
        assert rsvp is not None
        return rsvp

    album.clock.turn(-2 * HOUR)
    if earlier is not None:
        await write(earlier)
    album.clock.turn(DAY)
    rsvp = await write(RsvpRecordStatus.GOING)
    assert rsvp.is_seated
    async with album.db.transaction() as tx:
        assert await access_to(tx, album.event, dan.user_id, rsvp) is PhotoAccess.NONE
        await host_decisions.check_in(tx, album.people["Ana"], album.event.slug, rsvp.id)
        rsvp = await find(tx, album.event.id, dan.user_id)
        assert await access_to(tx, album.event, dan.user_id, rsvp) is PhotoAccess.ATTENDEE


async def test_an_answer_from_another_app_before_the_start_counts(album):
    """Also if the record is edited afterwards, as long as it still says that the person is going."""
    dan = album.people["Dan"]
    album.clock.turn(-2 * HOUR)
    async with album.db.transaction() as tx:
        record = RecordedRsvp(album.event.id, dan.user_id, "at://dan/1", RsvpRecordStatus.GOING, first_seen_at=tx.now)
        await rsvp_records.apply_from_network(tx, record)
    album.clock.turn(2 * HOUR)
    key = await album.add("Ben")
    assert "Dan" in await album.those_who_see(key)


async def test_an_answer_after_the_start_needs_a_host(album):
    """Otherwise everybody could answer at the last minute, to see the photos. A change of an earlier answer is none."""
    key = await album.add("Ben")
    async with album.db.transaction() as tx:
        rsvp = await attendance.answer(tx, album.people["Dan"], album.event.slug, RsvpReply.GOING)
        await attendance.answer(
            tx, album.people["Cleo"], album.event.slug, RsvpReply.GOING, ReplyDetails(is_private=True)
        )
    assert await album.those_who_see(key) == EVERYBODY
    assert album.path not in (await album.browsers["Dan"].get(f"/events/{album.event.slug}")).text
    async with album.db.transaction() as tx:
        await host_decisions.check_in(tx, album.people["Ana"], album.event.slug, rsvp.id)
    assert await album.those_who_see(key) == {*EVERYBODY, "Dan"}


async def test_events_from_the_network_have_no_photos(album):
    key = await album.add("Ana")
    await album.change("update events set origin = 'network' where id = :id", id=album.event.id)
    assert await album.those_who_see(key) == {"Ana"}
    assert (await album.browsers["Ben"].get(album.path)).status_code == 404
    with pytest.raises(Forbidden):
        await album.add("Ana", 1)


async def test_a_private_event_shows_photos_to_invited_people_who_were_going(make_database, clock, tmp_path):
    db = await make_database("openmeet", clock=clock)
    async with album_in(db, clock, tmp_path, visibility="private") as album:
        async with db.transaction() as tx:
            for name in ("Ben", "Cleo"):
                await invitations.invite(tx, album.people["Ana"], album.event.slug, f"{name.lower()}@example.org")
            await attendance.answer(tx, album.people["Ben"], album.event.slug, RsvpReply.GOING)
        assert await album.those_who_see(await album.add("Ana")) == {"Ana", "Ben"}
        assert (await album.browsers["Dan"].post(album.path)).status_code == 404


async def test_a_deleted_event_leaves_everybody_their_own_photos(album):
    key = await album.add("Ben")
    async with album.db.transaction() as tx:
        await events.delete(tx, album.people["Ana"], album.event.slug)
    assert await album.those_who_see(key) == {"Ben"}


async def test_a_cancelled_event_gets_no_more_photos(album):
    key = await album.add("Ben")
    album.clock.turn(-2 * HOUR)
    async with album.db.transaction() as tx:
        await event_hosting.cancel(tx, album.people["Ana"], album.event.slug, "Storm")
    album.clock.turn(2 * HOUR)
    assert await album.those_who_see(key) == EVERYBODY
    with pytest.raises(Forbidden) as refused:
        await album.add("Ben", 1)
    assert refused.value.why.code == PhotoReason.EVENT_CANCELLED
    assert 'type="file"' not in (await album.browsers["Ben"].get(album.path)).text


async def test_uploaders_remove_their_own_photos_and_hosts_any(album):
    of_ben, of_cleo = await album.add("Ben", 1), await album.add("Cleo", 2)
    assert (await album.browsers["Cleo"].post(f"{album.path}/{of_ben}/remove")).status_code == 403
    assert (await album.browsers["Dan"].post(f"{album.path}/{of_ben}/remove")).status_code == 404
    assert (await album.browsers["Ben"].post(f"{album.path}/{of_ben}/remove")).status_code == 303
    assert (await album.browsers["Ana"].post(f"{album.path}/{of_cleo}/remove")).status_code == 303
    assert await album.those_who_see(of_ben) == await album.those_who_see(of_cleo) == set()
    assert await album.number_of_files(of_ben) == len(FILES)
    assert await actions.forget_unused(album.db, album.store) == 2
    assert await album.number_of_files(of_ben) == await album.number_of_files(of_cleo) == 0
    # A photo that a host removed stays away. Others can add theirs again.
    with pytest.raises(Refused):
        await album.add("Cleo", 2)
    assert await album.add("Ben", 1)
    assert await actions.forget_unused(album.db, album.store) == 0


async def test_only_the_uploader_changes_a_caption(album):
    key = await album.add("Ben", caption="Pizza")
    page = f"{album.path}/{key}"
    assert 'alt="Pizza"' in (await album.browsers["Cleo"].get(album.path)).text
    assert (await album.browsers["Ana"].post(page, data={"caption": "Mine"})).status_code == 403
    too_long = await album.browsers["Ben"].post(page, data={"caption": "x" * 301})
    assert too_long.status_code == 400
    assert "x" * 301 in too_long.text
    assert (await album.browsers["Ben"].post(page, data={"caption": ""})).status_code == 303
    assert 'alt="Photo by Ben"' in (await album.browsers["Cleo"].get(album.path)).text
