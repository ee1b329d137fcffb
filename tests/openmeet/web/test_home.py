"""The home page of a signed-in person: the next event, the requests that need an action, and news of their groups."""

import re

import pytest

from groundwork.clock import DAY, HandClock
from groundwork.database.recorded_reads import recording
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting, invitations, registration
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events import actions as events
from openmeet.domain.events import co_hosts
from openmeet.domain.events.group_of_event import as_group_of_event
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups.model import GroupDetails
from openmeet.domain.search import my_event_lists
from openmeet.domain.search.my_event_lists import MyEvents
from openmeet.domain.users.model import Caller
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, details, event_by, person, signed_in, site_on


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def home_of(site: Site, who: Caller) -> str:
    async with signed_in(site, who.user_id) as browser:
        shown = await browser.get("/home")
    assert shown.status_code == 200
    return shown.text


def waiting_in(page: str) -> list[tuple[str, list[str]]]:
    """Title and buttons of each row that needs an action, without the people to decide about."""
    box = (
        page.split('<section class="needs"')[1].split("</section>", maxsplit=1)[0]
        if '<section class="needs"' in page
        else ""
    )
    box = re.sub(r'<form class="asking-list".*?</form>', "", box, flags=re.DOTALL)
    return [
        (re.findall(r"<strong>([^<]*)</strong>", row)[0], re.findall(r'class="button[^>]*>([^<]*)<', row))
        for row in box.split("<li>")[1:]
    ]


async def test_strangers_sign_in_first(site: Site) -> None:
    async with site.browser() as anybody:
        shown = await anybody.get("/home")
    assert (shown.status_code, shown.headers["location"]) == (303, "/sign-in?next=%2Fhome")


async def test_the_heading_of_pending_requests_says_who_waits(site: Site) -> None:
    """Invitations wait for an answer. Requests of others wait for a decision of the host."""
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=ben.user_id)
        dinner = await event_by(tx, ana, title="Dinner")
        await invitations.invite(tx, ana, dinner.slug, "ben@example.org")
        own = await event_by(tx, ana, title="Own")
        await event_hosting.change_registration_settings(tx, ana, own.slug, RegistrationSettings(needs_approval=True))
        await attendance.answer(tx, ben, own.slug, RsvpReply.GOING)
    invited, asked = await home_of(site, ben), await home_of(site, ana)
    assert "Waiting for your answer" in invited
    assert "Needs you" not in invited
    assert "Needs you" in asked
    assert "Waiting for your answer" not in asked


async def test_pending_requests_have_buttons_and_disappear_once_answered(site: Site) -> None:
    """An invitation, an offered place, and people who ask to join. Cancelled events and waitlist entries are not
    listed.
    """
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=ben.user_id)
        dinner, off = [await event_by(tx, ana, title=title) for title in ("Dinner", "Cancelled one")]
        for one in (dinner, off):
            await invitations.invite(tx, ana, one.slug, "ben@example.org")
        await event_hosting.cancel(tx, ana, off.slug, "")
        film, talk = [await event_by(tx, ana, title=title, capacity="1") for title in ("Film", "Talk")]
        for one in (film, talk):
            await attendance.answer(tx, cleo, one.slug, RsvpReply.GOING)
            await attendance.answer(tx, ben, one.slug, RsvpReply.GOING)
        await attendance.answer(tx, cleo, film.slug, RsvpReply.DECLINED)
        own = await event_by(tx, ben, title="Own")
        await event_hosting.change_registration_settings(tx, ben, own.slug, RegistrationSettings(needs_approval=True))
        await attendance.answer(tx, cleo, own.slug, RsvpReply.GOING)
    page = await home_of(site, ben)
    assert sorted(waiting_in(page)) == [
        ("Dinner", ["I’m going", "Can’t go"]),
        ("Film", ["Take the place", "Give up the place"]),
        ("Own", []),
    ]
    async with signed_in(site, ben.user_id) as browser:
        await browser.post(f"/events/{dinner.slug}/answer", data={"reply": "going"})
    assert "Dinner" not in [title for title, _ in waiting_in(await home_of(site, ben))]


async def test_buttons_of_events_with_the_same_title_have_different_names(site: Site) -> None:
    """Such as the dates of a series, for people who hear the buttons without their rows."""
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=ben.user_id)
        for day in ("04", "05"):
            one = await event_by(tx, ana, title="Choir", starts=f"2026-07-{day}T18:00", ends=f"2026-07-{day}T20:00")
            await invitations.invite(tx, ana, one.slug, "ben@example.org")
    names = re.findall(r'name="reply"[^>]*aria-label="([^"]*)"', await home_of(site, ben))
    assert sorted(names) == [
        f"{answer}: Choir, {day}, 18:00" for answer in ("Can’t go", "I’m going") for day in ("Sat 4 Jul", "Sun 5 Jul")
    ]


async def test_only_four_requests_and_tasks_are_open(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=ben.user_id)
        for number in range(4):
            one = await event_by(tx, ana, title=f"Dinner {number}")
            await invitations.invite(tx, ana, one.slug, "ben@example.org")
        hosted = await event_by(tx, ana, title="Choir")
        await co_hosts.invite(tx, ana, hosted.slug, "ben@example.org")
    first, rest = (await home_of(site, ben)).split("Show 1 more")
    assert len(waiting_in(first)) == 4
    assert "co-host" in rest.split("</section>")[0]


async def test_the_week_names_what_one_hosts_and_the_list_of_hosted_events_counts_guests(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        soon = {"starts": "2026-03-03T18:00", "ends": "2026-03-03T20:00"}
        full = await event_by(tx, ana, title="Full", **soon)
        await event_by(tx, ana, title="Empty", **soon)
        await attendance.answer(tx, ben, full.slug, RsvpReply.GOING)
    page = await home_of(site, ana)
    week, hosted = page.split('id="week"')[1].split('id="hosted"')

    def lines(part: str) -> list[str]:
        return sorted(re.findall(r'<span class="hint">[^<]* · ([^<]*)</span>', part))

    assert lines(week) == ["You host", "You host"]
    assert lines(hosted) == ["1 going", "Nobody yet"]


async def in_group(tx: Transaction, owner: Caller, *titles: str) -> list[str]:
    group = await groups.create(tx, owner, GroupDetails("Games", "Europe/Berlin"))
    made = [await events.create(tx, owner, details(title=title), group=as_group_of_event(group)) for title in titles]
    return [group.slug, *(event.slug for event in made)]


async def test_events_of_ones_groups_are_shown_until_they_are_answered(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        group, chess, _ = await in_group(tx, ana, "Chess", "Go")
        await groups.join(tx, ben, group)
        await attendance.answer(tx, ben, chess, RsvpReply.GOING)
    page = await home_of(site, ben)
    shown = page.split('id="groups"')[1].split("</section>")[0]
    assert "Go<" in page.split('id="groups"')[1]
    assert "Chess" not in shown
    assert re.findall(r'<h2 id="next-up"><a[^>]*>([^<]*)<', page) == ["Chess"]
    assert "From your groups" not in await home_of(site, ana)


async def test_newcomers_see_what_is_coming_up(site: Site) -> None:
    """Only events that take place."""
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        await event_by(tx, ana, title="Walk")
        swim = await event_by(tx, ana, title="Swim")
        await event_hosting.cancel(tx, ana, swim.slug, "")
        newcomer = await person(tx, "Nina")
    page = await home_of(site, newcomer)
    assert "Nothing planned yet." in page
    assert "Walk" in page
    assert "Swim" not in page


async def test_requests_that_can_no_longer_be_answered_are_not_listed(site: Site, clock: HandClock) -> None:
    """Invitations to events that no longer accept answers are left out, however many there are."""
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=ben.user_id)
        for number in range(9):
            closed = await event_by(tx, ana, title=f"Closed {number}")
            wanted = RegistrationSettings(closes_hours_before=48)
            await event_hosting.change_registration_settings(tx, ana, closed.slug, wanted)
            await invitations.invite(tx, ana, closed.slug, "ben@example.org")
        late = await event_by(tx, ana, title="Open", starts="2026-07-04T19:00")
        await invitations.invite(tx, ana, late.slug, "ben@example.org")
    clock.turn((late.starts_at or 0) - clock.now() - DAY)
    assert [title for title, _ in waiting_in(await home_of(site, ben))] == ["Open"]


async def test_a_cancelled_event_is_mentioned_once(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        walk = await event_by(tx, ana, title="Walk")
        await attendance.answer(tx, ben, walk.slug, RsvpReply.GOING)
        await event_hosting.cancel(tx, ana, walk.slug, "")
    async with signed_in(site, ben.user_id) as browser:
        shown = (await browser.get(f"/events/{walk.slug}")).text
    assert shown.count("This event is cancelled.") == 1
    assert ">You were going.</h2>" in shown


async def test_requests_that_one_may_not_see_are_not_listed(site: Site) -> None:
    """An invitation by somebody whom the person has blocked is not listed, as in the list of their own events."""
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=ben.user_id)
        dinner = await event_by(tx, ana, title="Dinner")
        await invitations.invite(tx, ana, dinner.slug, "ben@example.org")
        assert len(await my_event_lists.waiting_for(tx, ben.user_id, 4)) == 1
        await tx.execute(
            "insert into user_blocks (user_id, blocked_id, created_at) values (:ben, :ana, :now)",
            ben=ben.user_id,
            ana=ana.user_id,
            now=tx.now,
        )
        assert await my_event_lists.waiting_for(tx, ben.user_id, 4) == []


async def test_events_behind_many_that_may_not_be_seen_are_listed(site: Site) -> None:
    """The lists of a person are complete, even if the first events of each are invitations by a blocked host or are
    hidden.
    """
    async with site.db.transaction() as tx:
        ana, ben, cleo = [await person(tx, name) for name in ("Ana", "Ben", "Cleo")]
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=ben.user_id)
        for number in range(9):
            invited = await event_by(tx, ana, title=f"Blocked {number}")
            await invitations.invite(tx, ana, invited.slug, "ben@example.org")
            hidden = await event_by(tx, cleo, title=f"Hidden {number}")
            await attendance.answer(tx, ben, hidden.slug, RsvpReply.GOING)
        await tx.execute(
            "insert into user_blocks (user_id, blocked_id, created_at) values (:ben, :ana, :now)",
            ben=ben.user_id,
            ana=ana.user_id,
            now=tx.now,
        )
        late = {"starts": "2026-07-04T19:00"}
        dora = await person(tx, "Dora")
        dinner, film = [await event_by(tx, dora, title=title, **late) for title in ("Dinner", "Film")]
        await invitations.invite(tx, dora, dinner.slug, "ben@example.org")
        await attendance.answer(tx, ben, film.slug, RsvpReply.GOING)
        own = await event_by(tx, ben, title="Own", starts="2026-07-04T19:30")
        await tx.execute(
            "insert into moderation_states (subject, kind, state, reason, decided_by, since)"
            " values (:cleo, 'person', 'hidden', '', 'tenant', :now)",
            cleo=cleo.user_id,
            now=tx.now,
        )
        assert [one.id for one in await my_event_lists.waiting_for(tx, ben.user_id, 1)] == [dinner.id]
        for which, shown in ((MyEvents.WAITING, [dinner]), (MyEvents.GOING, [film]), (MyEvents.UPCOMING, [film, own])):
            found = await my_event_lists.my_events(tx, ben.user_id, which, None, len(shown))
            assert [one.id for one in found] == [one.id for one in shown]
        mine = await my_event_lists.coming_up(tx, ben.user_id, upcoming=2, hosted=1, waiting=1, asked=1)
    listed = [[one.title for one in several] for several in (mine.upcoming, mine.hosted, mine.waiting, mine.asked)]
    assert listed == [["Film", "Own"], ["Own"], ["Dinner"], ["Dinner"]]


async def test_the_lists_of_the_home_page_are_the_beginnings_of_the_complete_lists(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        await tx.execute("update users set email = 'ben@example.org' where id = :id", id=ben.user_id)
        for number in range(6):
            start = f"2026-07-{10 - number:02}T18:00"
            going, invited = [await event_by(tx, ana, title=f"{kind} {number}", starts=start, ends="") for kind in "AB"]
            await attendance.answer(tx, ben, going.slug, RsvpReply.GOING)
            await invitations.invite(tx, ana, invited.slug, "ben@example.org")
            await event_by(tx, ben, title=f"Own {number}", starts=start, ends="")
        await event_hosting.revise(tx, ana, going.slug, details(title="Moved", starts="2026-07-12T18:00", ends=""))
        mine = await my_event_lists.coming_up(tx, ben.user_id, upcoming=7, hosted=4, waiting=5, asked=3)
        assert mine.upcoming == await my_event_lists.my_events(tx, ben.user_id, MyEvents.UPCOMING, None, 7)
        assert mine.hosted == await my_event_lists.my_events(tx, ben.user_id, MyEvents.HOSTING, None, 4)
        assert mine.waiting == await my_event_lists.waiting_for(tx, ben.user_id, 5)
        assert mine.asked == await my_event_lists.my_events(tx, ben.user_id, MyEvents.WAITING, None, 3)
        assert len(mine.asked) == 3
        assert len(await my_event_lists.waiting_for(tx, ben.user_id, 9)) == 7


async def test_next_up_is_certain_and_requests_have_their_own_list(site: Site) -> None:
    """Next up is an event that the person goes to, even if one that they only asked to join is sooner. Cancelled events
    are in neither.
    """
    async with site.db.transaction() as tx:
        ana, ben = await person(tx, "Ana"), await person(tx, "Ben")
        asked = await event_by(tx, ana, title="Supper", starts="2026-07-04T18:00", ends="")
        await registration.set_approval(tx, asked.id, needs_approval=True)
        await attendance.answer(tx, ben, asked.slug, RsvpReply.GOING)
    waiting = await home_of(site, ben)
    async with site.db.transaction() as tx:
        sure = await event_by(tx, ana, title="Chess", starts="2026-07-09T18:00", ends="")
        await attendance.answer(tx, ben, sure.slug, RsvpReply.GOING)
    decided = await home_of(site, ben)
    async with site.db.transaction() as tx:
        await event_hosting.cancel(tx, ana, asked.slug, "")
    cancelled = await home_of(site, ben)
    assert 'id="next-up"' not in waiting
    assert waits_for(waiting) == waits_for(decided) == [("Supper", "18:00 · Request sent")]
    assert next_up(decided)[0] == next_up(cancelled)[0] == "Chess"
    assert waits_for(cancelled) == []


def waits_for(page: str) -> list[tuple[str, str]]:
    """The titles and lines of the events for which the person waits for a place."""
    _, _, rest = page.partition('aria-labelledby="asked"')
    section = rest.partition("</section>")[0]
    return re.findall(r'<a href="/events/[^"]*">([^<]*)<.*?<span class="hint">([^<]*)</span>', section)


def next_up(page: str) -> tuple[str, str]:
    """The title of the next event, and the words of its last chip."""
    article = page.split('aria-labelledby="next-up"')[1].split("</article>", maxsplit=1)[0]
    title = re.findall(r'href="/events/[^"]*">([^<]*)<', article)[0]
    chips = re.findall(r'class="chip[^"]*">(?:<svg.*?</svg>)?([^<]*)<', article)
    return title, chips[-1].strip()


async def test_the_page_takes_few_statements(site: Site) -> None:
    """Each is a round trip to PostgreSQL. The person goes to an event, hosts another one, and has a suggestion."""
    async with site.db.transaction() as tx:
        ana, ben = [await person(tx, name) for name in ("Ana", "Ben")]
        soon = {"starts": "2026-03-20T18:00", "ends": ""}
        going, _ = [await event_by(tx, ana, title=title, **soon) for title in ("Chess", "Go")]
        await attendance.answer(tx, ben, going.slug, RsvpReply.GOING)
        await event_by(tx, ben, title="Own")
    async with signed_in(site, ben.user_id) as browser:
        await browser.get("/home")
        with recording(site.db) as log:
            page = (await browser.get("/home")).text
    assert all(part in page for part in ('id="next-up"', 'id="hosted"', 'id="for-you"'))
    recorded = log.finished()
    assert recorded is not None
    assert len(recorded.reads) <= 25
