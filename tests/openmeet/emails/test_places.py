"""Places in notifications, on the page and in the e-mail: each recipient reads the country in their own language; on both
engines.
"""

from groundwork.clock import HOUR
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.queries import newest
from openmeet.i18n.catalogue import speaking
from tests.openmeet.emails.conftest import text_of
from tests.openmeet.site_under_test import details, event_by, person, signed_in


async def test_the_earlier_place_is_in_the_language_of_the_recipient(post) -> None:
    """Ana moves her event on a German page. Ben, who lives elsewhere, reads the countries in English."""
    async with post.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        await tx.execute("update users set time_zone = 'Asia/Tokyo', language = 'en' where id = :id", id=ben.user_id)
        event = await event_by(tx, ana, country="DE")
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        with speaking("de"):
            await event_hosting.revise(tx, ana, event.slug, details(country="AT", locality="Wien"))
        (news, *_) = await newest(tx, ben.user_id, 9)
    assert isinstance(news.payload, event_kinds.DatesChanged)
    assert (news.payload.was_in, news.payload.is_in) == ("DE", "AT")
    post.site.clock.turn(HOUR)
    (mail,) = [one for one in await post.deliver() if one["Subject"].startswith("New place")]
    text = text_of(mail)
    assert "Town library, Berlin, Germany" in text
    assert "Town library, Wien, Austria" in text
    assert "Deutschland" not in text
    async with signed_in(post.site, ben.user_id) as browser:
        assert "has a new place: Town library, Wien, Austria." in (await browser.get("/notifications")).text
