"""How fast people can write on a chat page."""

import pytest

from groundwork.clock import SECOND
from openmeet.domain.chat.queries import MessageFilter, page_of_messages
from tests.openmeet.chat.rooms import room_of, subject_of_event
from tests.openmeet.site_under_test import event_by, inputs_of, person, signed_in, site_on


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet", clock=clock), clock)


async def test_the_21st_message_of_a_minute_is_refused_and_stays_in_the_form(site, clock):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana)
        room = await room_of(tx, ana, subject_of_event(event))
    path = f"/events/{event.slug}/chat"
    async with signed_in(site, ana.user_id) as browser:

        async def say(text):
            return await browser.post(path, data={"text": text, "submission": f"key-{text}"})

        # Slower than the limit of a room: five messages by one person in ten seconds.
        for number in range(1, 21):
            sent = await say(str(number))
            assert sent.status_code == 303, number
            clock.turn(2 * SECOND + SECOND // 2)
        refused = await say("Twenty-one")
        assert refused.status_code == 429
        assert "You’re writing very fast. Wait a moment, then send it again." in refused.text
        assert ">Twenty-one</textarea>" in refused.text
        assert inputs_of(refused.text)["submission"] == "key-Twenty-one"
        clock.turn(60 * SECOND)
        assert (await say("Twenty-one")).status_code == 303
    async with site.db.reader() as reader:
        stored = await page_of_messages(reader, room, ana.user_id, MessageFilter())
    assert [one.message.body for one in stored.messages] == [*map(str, range(1, 21)), "Twenty-one"]
