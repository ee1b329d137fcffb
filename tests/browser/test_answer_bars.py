"""The event page in each state of its answer bar is usable, on a phone and a desktop, light and dark."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page

from groundwork.clock import HandClock
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions, event_hosting, host_decisions, invitations, registration, waitlist
from openmeet.domain.attendance.answer_bar import AnswerState
from openmeet.domain.attendance.model import RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events.content import Content
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.events.model import Event
from openmeet.domain.safety.actions import block
from openmeet.domain.series import actions as series
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import Timing
from openmeet.domain.sign_in.actions import open_session
from openmeet.domain.sign_in.model import SessionTransport
from openmeet.domain.users.model import Caller
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.recurrence.wall_time import parse_local
from tests.browser.browsers import DESK, PHONE, Deployment, context
from tests.browser.page_problems import problems_of_pages
from tests.external_dependencies import needs
from tests.openmeet.attendance.network_answers import apply_network_answer
from tests.openmeet.groups.people import group_by
from tests.openmeet.identities.offline_clients import offline_publishing
from tests.openmeet.site_under_test import change_services, details, event_by, person

pytestmark = needs("chromium")

GOING, MAYBE, DECLINED = RsvpReply.GOING, RsvpReply.INTERESTED, RsvpReply.DECLINED
ASKS = RegistrationSettings(needs_approval=True, questions=(RegistrationQuestion("q", "What do you eat?"),))
# It is one in the afternoon of 1 March in Berlin.
LATER, TONIGHT, YESTERDAY = (
    {"starts": f"2026-{day}T18:00", "ends": f"2026-{day}T20:00"} for day in ("03-04", "03-01", "02-28")
)
NOW = {"starts": "2026-03-01T12:56", "ends": "2026-03-01T15:00"}


ZONE = "Europe/Berlin"
BUTTONS = ".answer-buttons > *"
# The vertical position of each button.
MIDDLES = """all => all.map((one) => one.getBoundingClientRect()).filter((box) => box.width)
  .map((box) => Math.round(box.top + box.height / 2))"""


@dataclass(frozen=True)
class People:
    """Ana hosts the event, Ben looks at the page, Cleo is a third person, and Dora has blocked Ben."""

    ana: Caller
    ben: Caller
    cleo: Caller
    dora: Caller


Story = Callable[[Transaction, People, Event], Awaitable[object]]


def says(reply: RsvpReply) -> Story:
    return lambda tx, who, event: actions.answer(tx, who.ben, event.slug, reply)


async def nothing(tx: Transaction, who: People, event: Event) -> None:
    """Ben has not answered."""


async def cancelled(tx: Transaction, who: People, event: Event) -> None:
    await says(GOING)(tx, who, event)
    await event_hosting.cancel(tx, who.ana, event.slug, "Rain")


async def needs_decisions(tx: Transaction, who: People, event: Event) -> None:
    await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
    await actions.answer(tx, who.cleo, event.slug, GOING)


async def rejected(tx: Transaction, who: People, event: Event) -> None:
    mine = await actions.answer(tx, who.ben, event.slug, GOING)
    await host_decisions.reject(tx, who.ana, event.slug, [mine.id])


async def checked_in(tx: Transaction, who: People, event: Event) -> None:
    mine = await actions.answer(tx, who.ben, event.slug, GOING)
    await host_decisions.check_in(tx, who.ana, event.slug, mine.id)


async def moved(tx: Transaction, who: People, event: Event) -> None:
    await says(GOING)(tx, who, event)
    later = details(title=event.title, starts="2026-03-05T19:30", ends="2026-03-05T21:30")
    await event_hosting.revise(tx, who.ana, event.slug, later)


async def full(tx: Transaction, who: People, event: Event) -> None:
    await actions.answer(tx, who.cleo, event.slug, GOING)


async def waitlisted(tx: Transaction, who: People, event: Event) -> None:
    await full(tx, who, event)
    await says(GOING)(tx, who, event)


async def place_held(tx: Transaction, who: People, event: Event) -> None:
    await waitlisted(tx, who, event)
    await actions.answer(tx, who.cleo, event.slug, DECLINED)


async def offer_expired(tx: Transaction, who: People, event: Event) -> None:
    await place_held(tx, who, event)
    await tx.execute(
        "update attendances set offered_until = :now where event_id = :id and status = 'waitlisted'",
        now=tx.now,
        id=event.id,
    )
    await waitlist.end_expired_offers(tx, event)


async def requested(tx: Transaction, who: People, event: Event) -> None:
    await registration.put(tx, event.id, RegistrationSettings(needs_approval=True))
    await says(GOING)(tx, who, event)


async def closed(tx: Transaction, who: People, event: Event) -> None:
    await registration.put(tx, event.id, RegistrationSettings(closes_hours_before=24 * 5))


async def unconfirmed(tx: Transaction, who: People, event: Event) -> None:
    await closed(tx, who, event)
    await apply_network_answer(tx, event, who.ben.user_id, RsvpRecordStatus.GOING)


async def members_only(tx: Transaction, who: People, event: Event) -> None:
    await registration.put(tx, event.id, RegistrationSettings(is_members_only=True))


async def invited(tx: Transaction, who: People, event: Event) -> None:
    await invitations.invite(tx, who.ana, event.slug, "ben@example.org")


async def approval(tx: Transaction, who: People, event: Event) -> None:
    await registration.put(tx, event.id, ASKS)


S = AnswerState
# For each state: the event's time and properties, and what happened.
STORIES: dict[AnswerState, tuple[dict[str, str], Story]] = {
    S.NOT_PUBLISHED: (LATER, nothing),
    S.CANCELLED: (LATER, cancelled),
    S.OVER: (YESTERDAY, nothing),
    S.NEEDS_DECISIONS: (LATER, needs_decisions),
    S.HOSTING: (LATER, nothing),
    S.REJECTED: (LATER, rejected),
    S.NOT_WELCOME: (LATER, nothing),
    S.CHECKED_IN: (TONIGHT, checked_in),
    S.JOIN_NOW: (NOW | {"mode": "online", "online_url": "https://meet.example/x"}, says(GOING)),
    S.TODAY: (TONIGHT, says(GOING)),
    S.MOVED: (LATER, moved),
    S.GOING: (LATER, says(GOING)),
    S.PLACE_HELD: (LATER | {"capacity": "1"}, place_held),
    S.WAITLISTED: (LATER | {"capacity": "1"}, waitlisted),
    S.REQUESTED: (LATER, requested),
    S.UNCONFIRMED: (LATER, unconfirmed),
    S.MEMBERS_ONLY: (LATER, members_only),
    S.CLOSED: (LATER, closed),
    S.MAYBE: (LATER, says(MAYBE)),
    S.DECLINED: (LATER, says(DECLINED)),
    S.OFFER_EXPIRED: (LATER | {"capacity": "1"}, offer_expired),
    S.INVITED: (LATER, invited),
    S.APPROVAL: (LATER, approval),
    S.FULL: (LATER | {"capacity": "1"}, full),
    S.OPEN: (LATER, nothing),
}
OF_HOSTS = (S.NOT_PUBLISHED, S.NEEDS_DECISIONS, S.HOSTING)
OF_ATTENDEES = tuple(state for state in S if state not in OF_HOSTS)


async def paths_of(tx: Transaction, who: People) -> dict[AnswerState, str]:
    """Paths of an event in each state. Ana sees those in host states, Ben all others."""
    club = as_group_of_event(await group_by(tx, who.ana))
    paths = {}
    for state, (typed, story) in STORIES.items():
        like = details(**typed, title=f"Supper club: {state.value.replace('_', ' ')}")
        event = await events.create(
            tx,
            who.dora if state is S.NOT_WELCOME else who.ana,
            like,
            group=club if state is S.MEMBERS_ONLY else None,
            is_held=state is S.NOT_PUBLISHED,
        )
        await story(tx, who, event)
        paths[state] = f"/events/{event.slug}"
    return paths


async def test_every_state_of_the_table_is_tested() -> None:
    assert list(STORIES) == list(AnswerState)


@pytest.mark.parametrize(
    "states",
    [OF_HOSTS, OF_ATTENDEES[:7], OF_ATTENDEES[7:14], OF_ATTENDEES[14:]],
    ids=["of hosts", "coming", "waiting", "before an answer"],
)
async def test_event_page_is_usable_in_each_state(
    browser: Browser, openmeet: Deployment, states: tuple[AnswerState, ...]
) -> None:
    async with openmeet.db.transaction() as tx:
        who = People(*[await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dora")])
        await block(tx, who.dora, who.ben.user_id)
        paths = await paths_of(tx, who)
        viewer = who.ana if states is OF_HOSTS else who.ben
        session = await open_session(tx, viewer.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=PHONE) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        for state in states:
            shown = await (await opened.request.get(paths[state])).text()
            assert f'data-live-list="{state.value} ' in shown, state
    assert (
        await problems_of_pages(browser, openmeet, {state.value: paths[state] for state in states}, session.token) == []
    )


async def test_german_buttons_of_every_state_fit_into_one_line(browser: Browser, openmeet: Deployment) -> None:
    """Labels may wrap, but all buttons are next to each other."""
    async with openmeet.db.transaction() as tx:
        who = People(*[await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dora")])
        await block(tx, who.dora, who.ben.user_id)
        paths = await paths_of(tx, who)
        session = await open_session(tx, who.ben.user_id, SessionTransport.BROWSER)
    wrapped = []
    async with context(browser, openmeet, viewport=PHONE, locale="de-DE") as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        for state in OF_ATTENDEES:
            await page.goto(paths[state])
            middles = await page.eval_on_selector_all(BUTTONS, MIDDLES)
            wrapped += [state] if middles and max(middles) - min(middles) > 2 else []
    assert wrapped == []


async def test_series_page_is_usable_and_its_german_buttons_fit_into_one_line(
    browser: Browser, openmeet: Deployment
) -> None:
    """The answer to the next date, “Alle Termine”, the other replies, and the bell."""
    states = (S.OPEN, S.APPROVAL, S.FULL, S.MAYBE, S.GOING, S.PLACE_HELD, S.WAITLISTED, S.REQUESTED, S.CLOSED, S.MOVED)
    paths = {}
    async with openmeet.db.transaction() as tx:
        who = People(*[await person(tx, name) for name in ("Ana", "Ben", "Cleo", "Dora")])
        for state in states:
            typed, story = STORIES[state]
            timing = Timing(pattern(parse_local(LATER["starts"], "starts"), ZONE, parse_rule("FREQ=WEEKLY")), None)
            content = Content("Chor", capacity=int(typed["capacity"]) if "capacity" in typed else None)
            choir = await series.create(tx, who.ana, content, timing)
            first, *_ = await date_queries.stored(tx, choir.id)
            await story(tx, who, first.event)
            paths[state] = f"/series/{choir.slug}"
        session = await open_session(tx, who.ben.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=PHONE, locale="de-DE") as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        for state, path in paths.items():
            await page.goto(path)
            middles = await page.eval_on_selector_all(BUTTONS, MIDDLES)
            assert (state, len(middles)) == (state, 4)
            assert max(middles) - min(middles) <= 2, state
    usable = {state.value: paths[state] for state in (S.WAITLISTED, S.CLOSED)}
    assert await problems_of_pages(browser, openmeet, usable, session.token) == []


async def test_german_buttons_fit_into_one_line_of_a_small_phone(browser: Browser, openmeet: Deployment) -> None:
    async with openmeet.db.transaction() as tx:
        ana = await person(tx, "Ana")
        event = await event_by(tx, ana, title="Lauftreff")
    small = {"width": 360, "height": 740}
    async with context(browser, openmeet, viewport=small, locale="de-DE") as opened:
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}")
        tops = await page.eval_on_selector_all(
            ".answer-buttons > *", "all => all.map(one => Math.round(one.getBoundingClientRect().top))"
        )
        words = await page.locator(".answer-buttons").inner_text()
    assert "Ich komme" in words
    assert len(tops) == 4
    assert len(set(tops)) == 1


async def test_only_here_shares_the_line_of_the_buttons_on_a_desktop(
    browser: Browser, openmeet: Deployment, clock: HandClock
) -> None:
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, visibility="unlisted")
        await actions.answer(tx, ben, event.slug, GOING)
        session = await open_session(tx, ben.user_id, SessionTransport.BROWSER)
    async with offline_publishing(clock) as publishing, context(browser, openmeet, viewport=DESK) as opened:
        change_services(openmeet.app, publishing=publishing)
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        await page.goto(f"/events/{event.slug}")
        middles = await page.eval_on_selector_all(
            ".answer-buttons > *, .answer .chip",
            "all => all.map((one) => one.getBoundingClientRect()).filter((box) => box.width).map((box) => box.top "
            "+ box.height / 2)",
        )
        assert await page.locator(".answer .chip").inner_text() == "Only here"
    assert len(middles) == 3
    assert max(middles) - min(middles) <= 1


async def test_the_bar_stays_in_view_on_a_desktop(browser: Browser, openmeet: Deployment) -> None:
    """It covers neither the bar of the site, nor what a link leads to, nor what has the focus."""
    async with openmeet.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, ana, description="Bring shoes.\n\n" * 60, capacity="9")
        await registration.put(tx, event.id, RegistrationSettings(max_party=3))
        timing = Timing(pattern(parse_local(LATER["starts"], "starts"), ZONE, parse_rule("FREQ=WEEKLY")), None)
        choir = await series.create(tx, ana, Content("Choir", "Everybody sings.\n\n" * 60), timing)
        session = await open_session(tx, ben.user_id, SessionTransport.BROWSER)
    async with context(browser, openmeet, viewport=DESK) as opened:
        await opened.add_cookies([{"name": "openmeet_session", "value": session.token, "url": openmeet.url}])
        page = await opened.new_page()
        for path, anchor in ((f"/events/{event.slug}", "#chat"), (f"/series/{choir.slug}", "#dates")):
            await page.goto(path)
            await page.evaluate("scrollTo({ top: 1200, behavior: 'instant' })")
            bar, top = await edges_of(page, ".answer-bar"), await edges_of(page, ".top")
            assert top[1] <= bar[0] < bar[1] <= DESK["height"] / 2
            assert await page.locator(".answer-buttons .button").first.evaluate(_IS_UNCOVERED)
            await page.goto(f"{path}{anchor}")
            assert (await edges_of(page, ".answer"))[1] <= (await edges_of(page, anchor))[0]
            # Backwards from the end of the page.
            await page.locator(".bottom a").last.focus()
            for _ in range(12):
                await page.keyboard.press("Shift+Tab")
                if not await page.evaluate("Boolean(document.activeElement.closest('.answer, .top, .side'))"):
                    assert (await edges_of(page, ":focus"))[0] >= (await edges_of(page, ".answer"))[1]
        await page.set_viewport_size({"width": DESK["width"], "height": 400})
        assert await page.locator(".answer").evaluate("(one) => getComputedStyle(one).position") == "static"


# Whether the corner of an element is on top of everything else.
_IS_UNCOVERED = """(one) => {
  const { x, y } = one.getBoundingClientRect();
  return document.elementFromPoint(x + 9, y + 9) === one;
}"""


async def edges_of(page: Page, selector: str) -> tuple[float, float]:
    """The top and the bottom of the first such element, in the window."""
    top, bottom = await page.locator(selector).first.evaluate(
        "(one) => { const { top, bottom } = one.getBoundingClientRect(); return [top, bottom]; }"
    )
    return top, bottom
