"""Who is notified of new photos, and how often."""

from groundwork.clock import DAY
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import host_decisions
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.erasure import actions as erasure
from openmeet.domain.moderation import blocks
from openmeet.domain.moderation.model import ModeratedKind, Subject
from openmeet.domain.notifications import fan_out
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.notifications.queries import newest
from openmeet.domain.photos import access
from openmeet.domain.photos.model import PhotoAccess
from openmeet.emails.notifications.facts import facts_of, points
from tests.openmeet.photos.album import Album, photo, photo_fields


async def told(album: Album) -> dict[str, int]:
    """How many notifications of new photos each person has."""
    async with album.db.reader() as reader:
        rows = await reader.fetch(
            "select user_id, count(*) as number from notifications where kind = 'photos_added' group by user_id"
        )
    number_by_id = {row["user_id"]: row["number"] for row in rows}
    return {name: number_by_id.get(who.user_id, 0) for name, who in album.people.items()}


async def test_hosts_and_guests_are_notified_once_a_day(album):
    await album.browsers["Ben"].post(album.path, files=photo_fields(photo(1), photo(2)))
    await album.add("Ben", 3)
    assert await told(album) == {"Ana": 1, "Ben": 0, "Cleo": 1, "Dan": 0}
    await album.add("Cleo", 4)
    assert await told(album) == {"Ana": 1, "Ben": 1, "Cleo": 1, "Dan": 0}
    album.clock.turn(DAY)
    await album.add("Ben", 5)
    assert await told(album) == {"Ana": 2, "Ben": 1, "Cleo": 2, "Dan": 0}
    shown = (await album.browsers["Cleo"].get("/notifications")).text
    assert "New photos: " in shown


async def test_the_same_file_and_a_removed_one_are_no_news(album):
    key = await album.add("Ben", 1)
    async with album.db.transaction() as tx:
        await tx.execute("delete from notifications")
    await album.add("Ben", 1)
    assert sum((await told(album)).values()) == 0
    await album.browsers["Ben"].post(f"{album.path}/{key}/remove")
    assert sum((await told(album)).values()) == 0


async def test_people_who_mute_the_author_hear_of_others(album):
    async with album.db.transaction() as tx:
        ben, cleo = album.people["Ben"], album.people["Cleo"]
        await blocks.mute(tx, cleo.user_id, Subject(ModeratedKind.PERSON, ben.user_id), is_known=True)
    await album.add("Ben", 1)
    assert (await told(album))["Cleo"] == 0
    await album.add("Ana", 2)
    assert (await told(album))["Cleo"] == 1


async def test_only_people_who_may_see_the_photos_are_notified(album):
    """Dan says yes only after the event has begun. A host who lets him in makes him a guest."""
    dan = album.people["Dan"]
    async with album.db.transaction() as tx:
        await attendance.answer(tx, dan, album.event.slug, RsvpReply.GOING)
        await attendance.answer(tx, album.people["Cleo"], album.event.slug, RsvpReply.DECLINED)
    await album.add("Ben", 1)
    assert await told(album) == {"Ana": 1, "Ben": 0, "Cleo": 0, "Dan": 0}
    async with album.db.transaction() as tx:
        rsvp = await attendance_queries.find(tx, album.event.id, dan.user_id)
        assert rsvp is not None
        await host_decisions.check_in(tx, album.people["Ana"], album.event.slug, rsvp.id)
    album.clock.turn(DAY)
    await album.add("Ben", 2)
    assert await told(album) == {"Ana": 2, "Ben": 0, "Cleo": 0, "Dan": 1}


async def test_all_guests_are_those_who_see_the_photos_one_by_one(album):
    """The notification reads its recipients with one statement, which decides as the page does for one person."""
    event, people = album.event, album.people
    async with album.db.transaction() as tx:
        await attendance.answer(tx, people["Dan"], event.slug, RsvpReply.GOING)
    for act in ("late", "left", "back", "checked in", "blocked"):
        async with album.db.transaction() as tx:
            match act:
                case "left":
                    await attendance.answer(tx, people["Cleo"], event.slug, RsvpReply.DECLINED)
                case "back":
                    await attendance.answer(tx, people["Cleo"], event.slug, RsvpReply.GOING)
                case "checked in":
                    dans = await attendance_queries.find(tx, event.id, people["Dan"].user_id)
                    await host_decisions.check_in(tx, people["Ana"], event.slug, dans.id)
                case "blocked":
                    await blocks.block(tx, people["Ana"].user_id, people["Ben"].user_id)
        async with album.db.reader() as reader:
            seen_by = []
            for name in ("Ben", "Cleo", "Dan"):
                rsvp = await attendance_queries.find(reader, event.id, people[name].user_id)
                if await access.access_to(reader, event, people[name].user_id, rsvp) is PhotoAccess.ATTENDEE:
                    seen_by.append(people[name].user_id)
            assert await access.attendees_after(reader, event, "", 10) == sorted(seen_by), act


async def test_photos_that_only_their_author_sees_are_no_news(album):
    async with album.db.transaction() as tx:
        await erasure.request(tx, album.people["Ben"].user_id, 14 * DAY)
    await album.add("Ben", 1)
    assert sum((await told(album)).values()) == 0


async def test_e_mails_follow_the_settings(album):
    """The digest is the default. People can choose an e-mail at once, or nothing."""
    async with album.db.transaction() as tx:
        for name, channels in (("Ana", {Channel.IN_APP, Channel.EMAIL}), ("Cleo", set())):
            await notifications.set_channels(
                tx, album.people[name].user_id, {NotificationTopic.PHOTOS: frozenset(channels)}
            )
    await album.add("Ben", 1)
    assert await told(album) == {"Ana": 1, "Ben": 0, "Cleo": 0, "Dan": 0}
    async with album.db.reader() as reader:
        rows = await reader.fetch(
            "select m.user_id from notification_emails m join notifications n on n.mail_id = m.id"
            " where n.kind = 'photos_added'"
        )
        assert [row["user_id"] for row in rows] == [album.people["Ana"].user_id]
    album.clock.turn(DAY)
    await album.add("Ana", 3)
    async with album.db.reader() as reader:
        rows = await reader.fetch("select user_id from notifications where kind = 'photos_added' and is_for_digest = 1")
    assert [row["user_id"] for row in rows] == [album.people["Ben"].user_id]


async def told_by_e_mail(album: Album, name: str) -> list[str]:
    """The headings of what an e-mail to this person would say now."""
    viewer = album.people[name].user_id
    async with album.db.reader() as reader:
        news = await newest(reader, viewer, 10, kinds=["photos_added"])
        facts = await facts_of(reader, news, viewer)
    return [one.heading for one in points(news, facts.of_event(facts.events[album.event.id]), facts.names)]


async def test_no_e_mail_tells_of_photos_that_are_gone(album):
    key = await album.add("Ben", 1)
    assert await told_by_e_mail(album, "Ana") == ["New photos"]
    assert await told_by_e_mail(album, "Cleo") == ["New photos"]
    await album.browsers["Ben"].post(f"{album.path}/{key}/remove")
    assert await told_by_e_mail(album, "Ana") == []
    assert await told_by_e_mail(album, "Cleo") == []


async def test_many_guests_are_notified_by_a_job(album, monkeypatch):
    monkeypatch.setattr(fan_out, "FIRST", 1)
    await album.add("Ana", 1)
    async with album.db.reader() as reader:
        assert len(await reader.fetch("select id from fan_outs where audience = 'photo_viewers'")) == 1
    assert sum((await told(album)).values()) == 1
