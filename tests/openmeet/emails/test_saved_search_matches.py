"""E-mails about matches of saved searches are sent in the digest, or immediately by choice, and are stopped with one
click; on both engines.
"""

import re

from groundwork.clock import DAY, HOUR, MINUTE
from openmeet.domain.notifications import notify as notifications
from openmeet.domain.notifications.model import Channel, NotificationTopic
from openmeet.domain.saved_searches import actions, queries, tasks
from openmeet.domain.users.model import Caller
from tests.openmeet.emails.conftest import Post, text_of
from tests.openmeet.site_under_test import event_by, person


async def _found(post: Post, *, at_once: bool = False) -> Caller:
    """Ana has two saved searches. An event matches one of them, and she was notified."""
    async with post.db.transaction() as tx:
        ana, host = await person(tx, "Ana"), await person(tx, "Hanna")
        if at_once:
            await notifications.set_channels(tx, ana.user_id, {NotificationTopic.SEARCHES: frozenset({Channel.EMAIL})})
        for words in ("jazz", "chess"):
            await actions.save(tx, ana, {"q": words})
    post.site.clock.turn(MINUTE)
    async with post.db.transaction() as tx:
        await event_by(tx, host, title="Jazz night", venue_name="The hall")
    post.site.clock.turn(6 * MINUTE)
    await tasks.announce_public_events(post.db)
    return ana


async def test_a_match_waits_for_the_digest_and_names_its_search(post: Post) -> None:
    await _found(post)
    post.site.clock.turn(HOUR)
    assert await post.deliver() == []
    post.site.clock.turn(DAY)
    (mail,) = await post.deliver()
    text = text_of(mail)
    assert "Jazz night" in text
    assert "You saved it as “jazz”." in text
    assert "The hall" in text
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert await post.deliver() == []


async def test_one_click_stops_one_search(post: Post) -> None:
    """Opening the link changes nothing. After the click, queued matches of that search are not mailed."""
    ana = await _found(post, at_once=True)
    post.site.clock.turn(HOUR)
    (mail,) = await post.deliver()
    assert mail["Subject"] == "Matches your search: Jazz night, Sat 4 Jul"
    (path,) = re.findall(r"Stop e-mails about “jazz”: http://[^/]+(/\S+)", text_of(mail))
    async with post.site.browser() as nobody:
        assert "one of your saved searches" in (await nobody.get(path)).text
        async with post.db.reader() as reader:
            assert [one.is_on for one in await queries.of_person(reader, ana.user_id)] == [True, True]
        for _ in range(2):
            assert (await nobody.post(path, content=b"List-Unsubscribe=One-Click")).status_code == 200
    async with post.db.reader() as reader:
        assert {one.name: one.is_on for one in await queries.of_person(reader, ana.user_id)} == {
            "jazz": False,
            "chess": True,
        }


async def test_matches_of_a_deleted_search_are_not_mailed(post: Post) -> None:
    ana = await _found(post)
    async with post.db.transaction() as tx:
        for one in await queries.of_person(tx, ana.user_id):
            await actions.remove(tx, ana, one.id)
    post.site.clock.turn(2 * DAY)
    assert await post.deliver() == []
