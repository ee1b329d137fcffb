"""The answer bar of the series page, which is for the next date: it says the same as the page and the row of that date."""

import html
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from groundwork.clock import HOUR, HandClock
from groundwork.database.transaction import Database
from openmeet.domain.attendance import host_decisions, queries, registration
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events.model import Event
from openmeet.domain.page_paths import event_path, series_path
from openmeet.domain.series.model import Series
from openmeet.domain.users.model import Caller
from openmeet.recurrence.wall_time import instant_of
from tests.databases import MakeDatabase
from tests.openmeet.series.practice import FIRST, NOW, ZONE, create_weekly_series, dates, give_rsvp, status_of
from tests.openmeet.site_under_test import person, signed_in, site_on

GOING, DECLINED = RsvpReply.GOING, RsvpReply.DECLINED
BAR = '<div class="answer-bar">'


@pytest.fixture
async def db(make_sqlite: MakeDatabase, clock: HandClock) -> Database:
    clock.turn(NOW - clock.now())
    return await make_sqlite("openmeet")


@dataclass
class Practice:
    """A series, the next date of which has one place. Ben looks at the page."""

    db: Database
    clock: HandClock
    series: Series
    date: Event
    ana: Caller
    ben: Caller
    cleo: Caller

    async def answers(self, *people: Caller, reply: RsvpReply = GOING) -> None:
        async with self.db.transaction() as tx:
            for who in people:
                await give_rsvp(tx, who, self.date, reply)

    async def registers(self, settings: RegistrationSettings) -> None:
        async with self.db.transaction() as tx:
            await registration.put(tx, self.series.id, settings)

    async def rsvp_of_ben(self) -> AttendanceId:
        async with self.db.reader() as reader:
            rsvp = await queries.find(reader, self.date.id, self.ben.user_id)
        assert rsvp is not None
        return rsvp.id


async def nothing(_: Practice) -> None:
    """Nobody has answered."""


async def full(one: Practice) -> None:
    await one.answers(one.cleo)


async def waitlisted(one: Practice) -> None:
    await one.answers(one.cleo, one.ben)


async def offered(one: Practice) -> None:
    await one.answers(one.cleo, one.ben)
    await one.answers(one.cleo, reply=DECLINED)


async def by_approval(one: Practice) -> None:
    await one.registers(RegistrationSettings(needs_approval=True))


async def requested(one: Practice) -> None:
    await by_approval(one)
    await one.answers(one.ben)


async def closed(one: Practice) -> None:
    await one.registers(RegistrationSettings(closes_hours_before=24 * 7))


async def maybe(one: Practice) -> None:
    await one.answers(one.ben, reply=RsvpReply.INTERESTED)


async def going(one: Practice) -> None:
    await one.answers(one.ben)


async def checked_in(one: Practice) -> None:
    await one.answers(one.ben)
    rsvp_id = await one.rsvp_of_ben()
    one.clock.turn(instant_of(FIRST, ZONE) - HOUR - one.clock.now())
    async with one.db.transaction() as tx:
        await host_decisions.check_in(tx, one.ana, one.date.slug, rsvp_id)


async def rejected(one: Practice) -> None:
    await requested(one)
    rsvp_id = await one.rsvp_of_ben()
    async with one.db.transaction() as tx:
        await host_decisions.reject(tx, one.ana, one.date.slug, [rsvp_id])


# What the first button of the bar says, what the row says, and a part of the heading of the bar.
CASES: list[tuple[Callable[[Practice], Awaitable[None]], str, str, str]] = [
    (nothing, "I’m going", "I’m going", "1 place left"),
    (full, "Join waitlist", "Join waitlist", "Full"),
    (waitlisted, "On the waitlist", "On the waitlist", "You’re next on the waitlist."),
    (offered, "Take the place", "Take the place", "A place is held for you until"),
    (by_approval, "Ask to join", "Ask to join", "Ana approves every guest."),
    (requested, "Request sent", "Request sent", "You asked to join. Ana hasn’t decided yet."),
    (closed, "Message the host", "Answers closed", "Answers closed on"),
    (maybe, "I’m going", "I’m going", "You said maybe."),
    (going, "Going", "You’re going", "Full"),
    (checked_in, "Show ticket", "You’re checked in", "You’re checked in."),
    (rejected, "Message the host", "", "The host has declined your answer."),
]


@dataclass
class Shown:
    """The words of a page. ``labels`` are those of the buttons of the answer bar, in order."""

    heading: str
    labels: list[str]
    row: str


def words(markup: str) -> str:
    """The visible text."""
    visible = re.sub(r'<span class="hidden">.*?</span>|<svg.*?</svg>', "", markup, flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", visible).split()))


def shown_on(page: str) -> Shown:
    bar = re.split("<details|</section>", page.split(BAR)[1], maxsplit=1)[0]
    (heading,) = re.findall(r"<h2[^>]*>(.*?)</h2>", bar, re.DOTALL)
    (row, *_) = re.findall(r'<li class="date".*?</li>', page, re.DOTALL)
    # Beside a button, the badges are below the date instead of at the end of its row.
    at_end = re.findall(r"<button.*?</button>", row, re.DOTALL) or row.split('<span class="chips date-state">')[1:]
    return Shown(words(heading), labels_in(bar), words("".join(at_end)))


def labels_in(markup: str) -> list[str]:
    return [words(one) for one in re.findall(r"<(?:a|button) .*?</(?:a|button)>", markup, re.DOTALL)]


async def practised(
    db: Database, clock: HandClock, prepare: Callable[[Practice], Awaitable[None]], **more: object
) -> Practice:
    async with db.transaction() as tx:
        ana, series = await create_weekly_series(tx, **{"capacity": 1} | more)
        date, *_ = await dates(tx, series)
        ben, cleo = [await person(tx, name) for name in ("Ben", "Cleo")]
        made = Practice(db, clock, series, date, ana, ben, cleo)
    await prepare(made)
    return made


@pytest.mark.parametrize(("prepare", "label", "row", "heading"), CASES, ids=[one[0].__name__ for one in CASES])
async def test_the_bar_says_what_the_row_of_the_date_says(
    db: Database, clock: HandClock, prepare, label: str, row: str, heading: str
) -> None:
    """In each state, and the first button of the page of the date is the same."""
    one = await practised(db, clock, prepare)
    async with signed_in(site_on(db, clock), one.ben.user_id) as browser:
        shown = shown_on((await browser.get(series_path(one.series.slug))).text)
        of_date = (await browser.get(event_path(one.date.slug))).text
    assert (shown.labels[0], shown.row) == (label, row)
    assert shown.heading.startswith("Next: Tue 24 Nov, 18:00")
    assert heading in shown.heading
    assert labels_in(of_date.split(BAR)[1])[0] == label


async def test_the_bar_offers_no_answer_that_would_be_refused(db: Database, clock: HandClock) -> None:
    """After the deadline, the button led to an error."""
    one = await practised(db, clock, closed)
    async with signed_in(site_on(db, clock), one.ben.user_id) as browser:
        page = (await browser.get(series_path(one.series.slug))).text
        assert 'value="going" type="submit" aria-label="I’m going' not in page
        refused = await browser.post(f"{event_path(one.date.slug)}/answer", data={"reply": "going"})
    assert refused.status_code == 422


async def test_all_replies_are_in_the_bar_and_return_to_the_series(db: Database, clock: HandClock) -> None:
    """“All dates” is beside the first button, so “Maybe” is among the other replies."""
    one = await practised(db, clock, nothing)
    at = series_path(one.series.slug)
    async with signed_in(site_on(db, clock), one.ben.user_id) as browser:
        page = (await browser.get(at)).text
        assert shown_on(page).labels == ["I’m going", "All dates"]
        (menu,) = re.findall(r'<div class="answer-menu">(.*?)</div>', page, re.DOTALL)
        assert re.findall(r'value="(\w+)"', menu) == ["interested", "declined"]
        form = {"reply": "interested", "series": one.series.slug}
        assert (await browser.post(f"{event_path(one.date.slug)}/answer", data=form)).headers["location"] == at
        assert 'href="' + event_path(one.date.slug) + '/answer">Details and history</a>' in (await browser.get(at)).text
    async with db.reader() as reader:
        assert await status_of(reader, one.date, one.ben) is AttendanceStatus.INTERESTED


async def test_a_place_that_is_held_can_be_taken_from_the_series_page(db: Database, clock: HandClock) -> None:
    one = await practised(db, clock, offered)
    async with signed_in(site_on(db, clock), one.ben.user_id) as browser:
        page = (await browser.get(series_path(one.series.slug))).text
        assert ">Give up the place</button>" in page
        form = {"reply": "going", "series": one.series.slug}
        await browser.post(f"{event_path(one.date.slug)}/answer", data=form)
        assert shown_on((await browser.get(series_path(one.series.slug))).text).labels[0] == "Going"


async def test_questions_are_announced_before_the_answer(db: Database, clock: HandClock) -> None:
    async def with_question(one: Practice) -> None:
        await one.registers(RegistrationSettings(questions=(RegistrationQuestion("q", "Which instrument?"),)))

    one = await practised(db, clock, with_question, capacity=None)
    async with site_on(db, clock).browser() as browser:
        shown = shown_on((await browser.get(series_path(one.series.slug))).text)
    assert shown.heading == "Next: Tue 24 Nov, 18:00 Ana asks 1 question."
    assert shown.labels[0] == "I’m going"
