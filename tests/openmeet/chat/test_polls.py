"""Polls on pages: created, answered with one tap, and closed; also about the dates of a series."""

import asyncio
import re

import pytest

from groundwork.errors import InvalidForm
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.chat import polls, reactions
from openmeet.domain.chat.model import MessageKind, RoomKind, RoomSubject, SubjectKind
from tests.openmeet.chat.rooms import room_of, send_text, subject_of_event
from tests.openmeet.series.practice import create_weekly_series, dates, original_dates
from tests.openmeet.site_under_test import event_by, inputs_of, person, signed_in, site_on


@pytest.fixture
async def site(make_database, clock):
    return site_on(await make_database("openmeet", clock=clock), clock)


def votes(html: str) -> list[tuple[str, str, str]]:
    """The action, the label and the number of votes of each choice."""
    row = (
        r'name="(add|remove)" value="\d+"[^>]*><span class="poll-words"><bdi>([^<]*)</bdi></span> <span '
        r'class="poll-votes">(\d+)'
    )
    return re.findall(row, html)


async def test_two_quick_taps_choose_both(site):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        room = await room_of(tx, ana, subject_of_event(await event_by(tx, ana)))
        details = await polls.checked_poll(tx, room.id, ["Mon", "Tue", "Wed"], several=True, ends_at=None)
        poll = await send_text(tx, ana, room, "When?", kind=MessageKind.POLL, details=details)

    async def tap(choice: int) -> None:
        async with site.db.transaction() as tx:
            await reactions.toggle_vote(tx, ana, poll.id, choice, is_on=True)

    await asyncio.gather(*(tap(choice) for choice in range(3)))
    async with site.db.reader() as reader:
        assert await polls.votes_of(reader, [poll.id]) == {poll.id: {0: 1, 1: 1, 2: 1}}


async def test_a_choice_shows_something(site):
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        room = await room_of(tx, ana, subject_of_event(await event_by(tx, ana)))
        with pytest.raises(InvalidForm) as refused:
            await polls.checked_poll(tx, room.id, ["Mon", "\u3164"], several=True, ends_at=None)
    assert set(refused.value.problems) == {"choices"}


async def test_one_tap_votes_and_the_next_one_chooses_again(site):
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana)
        await attendance.answer(tx, ben, event.slug, RsvpReply.GOING)
        await room_of(tx, ana, subject_of_event(event))
    path = f"/events/{event.slug}/chat"
    async with signed_in(site, ana.user_id) as as_ana, signed_in(site, ben.user_id) as as_ben:
        form = await as_ben.get(f"{path}/poll")
        asked = {**inputs_of(form.text), "text": "Which game?", "choices": "Chess\r\n\r\nGo <b>\r\n"}
        assert (await as_ben.post(f"{path}/poll", data=asked)).status_code == 303
        # Submitting the same form again creates one poll.
        assert (await as_ben.post(f"{path}/poll", data=asked)).status_code == 303
        page = (await as_ana.get(path)).text
        assert votes(page) == [("add", "Chess", "0"), ("add", "Go &lt;b&gt;", "0")]
        (message,) = set(re.findall(r'action="(/chat/messages/[^"/]+)/vote"', page))
        for tap in ({"add": "0"}, {"add": "1"}):
            assert (await as_ana.post(f"{message}/vote", data=tap)).status_code == 303
        assert votes((await as_ana.get(path)).text) == [("add", "Chess", "0"), ("remove", "Go &lt;b&gt;", "1")]
        assert votes((await as_ben.get(path)).text) == [("add", "Chess", "0"), ("add", "Go &lt;b&gt;", "1")]
        await as_ana.post(f"{message}/vote", data={"remove": "1"})
        assert [one[2] for one in votes((await as_ana.get(path)).text)] == ["0", "0"]
        for wrong in ({"add": "2"}, {"add": "-1"}, {"add": "x" * 50}, {}):
            assert (await as_ana.post(f"{message}/vote", data=wrong)).status_code == 400
        # A poll has no text to edit, and only its author can close it.
        own = (await as_ben.get(message)).text
        assert f"{message}/edit" not in own
        assert f"{message}/close-poll" not in (await as_ana.get(message)).text
        assert (await as_ana.post(f"{message}/close-poll", data={"now": "yes"})).status_code == 403
        assert (await as_ben.post(f"{message}/close-poll", data={"now": "yes"})).status_code == 303
        assert "This poll has ended." in (await as_ana.get(path)).text
        assert (await as_ana.post(f"{message}/vote", data={"add": "0"})).status_code == 422


async def test_a_poll_can_offer_dates_of_the_series(site):
    async with site.db.transaction() as tx:
        ana, series = await create_weekly_series(tx)
        await room_of(tx, ana, RoomSubject(SubjectKind.SERIES, series.id), RoomKind.SERIES)
    async with site.db.reader() as reader:
        first, second, *_ = original_dates(await dates(reader, series))
    path = f"/series/{series.slug}/chat"
    async with signed_in(site, ana.user_id) as as_ana:
        form = await as_ana.get(f"{path}/poll")
        assert f'name="date_{first}"' in form.text
        asked = {
            "submission": "one",
            "text": "Which date?",
            f"date_{first}": "on",
            f"date_{second}": "on",
            "choices": "Neither",
            "several": "yes",
        }
        assert (await as_ana.post(f"{path}/poll", data=asked)).status_code == 303
        found = votes((await as_ana.get(f"{path}?all=yes")).text)
        assert [words for _, words, _ in found][-1] == "Neither"
        assert len(found) == 3
        for wrong in (
            {"date_2001-01-01T00:00:00": "on"},
            {"date_<script>": "on"},
            {"choices": "One"},
            {"ends_at": "yesterday"},
        ):
            typed = {"submission": "two", "text": "Which?", "choices": "A\nB", **wrong}
            refused = await as_ana.post(f"{path}/poll", data=typed)
            assert (refused.status_code, "Which?" in refused.text) == (400, True)


async def test_a_stored_poll_reads_as_it_was_created(site):
    assert polls.poll_in({}) is None
    found = polls.poll_in(
        {"choices": ["2026-03-03T18:00:00", "Other"], "dates": ["2026-03-03T18:00:00"], "several": True}
    )
    assert found is not None
    assert [(one.text, one.date) for one in found.choices] == [
        ("2026-03-03T18:00:00", "2026-03-03T18:00:00"),
        ("Other", None),
    ]
    assert (found.several, found.ends_at) == (True, None)
