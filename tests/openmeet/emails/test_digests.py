"""Digests when a person changes the digest's hour or their time zone; through a real SMTP server, on both engines."""

import pytest

from groundwork.clock import DAY, HOUR
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.tasks import remind
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import Channel, DeliveryHours, NotificationTopic
from tests.openmeet.emails.conftest import Post, text_of
from tests.openmeet.site_under_test import event_by, person


@pytest.mark.parametrize(
    "later", [DeliveryHours("UTC", digest_hour=20), DeliveryHours("America/Los_Angeles", digest_hour=9)]
)
async def test_a_changed_hour_or_zone_repeats_nothing(post: Post, later: DeliveryHours) -> None:
    """A person who already has today's digest and chooses a later hour, or moves to a zone further west, gets only what
    is new since then.
    """
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        games, chess = await event_by(tx, ana), await event_by(tx, ana, title="Chess")
        for event in (games, chess):
            await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await notifications.set_channels(
            tx,
            ben.user_id,
            {NotificationTopic.CHANGES: frozenset({Channel.DIGEST}), NotificationTopic.OWN_ANSWERS: frozenset()},
        )
        # When it is noon in UTC, it is four in the morning in California.
        await notifications.set_hours(tx, ben.user_id, DeliveryHours("UTC", digest_hour=13))
        await event_hosting.cancel(tx, ana, games.slug, "")
    post.site.clock.turn(HOUR)
    (first,) = [one for one in await post.deliver() if one["To"] == "ben@example.org"]
    async with post.db.transaction() as tx:
        await notifications.set_hours(tx, ben.user_id, later)
        await event_hosting.cancel(tx, ana, chess.slug, "")
    post.site.clock.turn(DAY)
    (second,) = [one for one in await post.deliver() if one["To"] == "ben@example.org"]
    said = [("Board games" in text_of(one), "Chess" in text_of(one)) for one in (first, second)]
    assert said == [(True, False), (False, True)]
    assert first["Message-ID"] != second["Message-ID"]


async def test_a_digest_reminds_before_the_event(post: Post) -> None:
    """A person whose digest is sent at six is reminded of an event at six on the day before."""
    async with post.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        chosen = {NotificationTopic.REMINDERS: frozenset({Channel.DIGEST}), NotificationTopic.OWN_ANSWERS: frozenset()}
        await notifications.set_channels(tx, ben.user_id, chosen)
        await notifications.set_hours(tx, ben.user_id, DeliveryHours("Europe/Berlin", digest_hour=18))
    post.site.clock.turn(event.starts_at - DAY - post.site.clock.now())
    assert await remind(post.db) == 1
    post.site.clock.turn(HOUR)
    (mail,) = [one for one in await post.deliver() if one["To"] == "ben@example.org"]
    assert mail["Subject"] == "Tomorrow 18:00: Board games"
    post.site.clock.turn(DAY)
    assert [one for one in await post.deliver() if one["To"] == "ben@example.org"] == []
