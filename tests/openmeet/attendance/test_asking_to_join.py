"""Events with host approval on their page, in lists and in the API: what other people see and what hosts decide."""

import httpx
import pytest

from groundwork.clock import MINUTE, HandClock
from openmeet.domain.attendance import actions, event_hosting, host_list, queries
from openmeet.domain.attendance.model import AttendanceStatus, PendingFor, ReplyDetails, RsvpRecordStatus, RsvpReply
from openmeet.domain.attendance.registration import RegistrationQuestion, RegistrationSettings
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import event_kinds, notify
from openmeet.domain.notifications.queries import newest
from openmeet.domain.search import my_event_lists
from openmeet.domain.users.model import Caller
from openmeet.outbox import publication_queries
from openmeet.outbox.publications import PublicationKind
from tests.databases import MakeDatabase
from tests.openmeet.attendance.network_answers import apply_network_answer, insert_strangers
from tests.openmeet.site_under_test import Site, api_session, event_by, person, sign_up, signed_in, site_on
from tests.visible_text import visible_text

MEAL = RegistrationQuestion("q1", "What do you eat?", is_required=True)
ASKED = RegistrationSettings(needs_approval=True, questions=(MEAL, RegistrationQuestion("q2", "Anything else?")))


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


async def host_asking(
    site: Site, browser: httpx.AsyncClient, settings: RegistrationSettings = ASKED, **typed: str
) -> Event:
    """An event hosted by Ana, who is signed in in this browser."""
    await sign_up(browser, "ana@example.org", "Ana")
    async with site.db.transaction() as tx:
        row = await tx.fetch_one("select id from users where display_name = 'Ana'")
        assert row is not None
        ana = Caller(row["id"], "Ana")
        event = await event_by(tx, ana, **typed)
        await event_hosting.change_registration_settings(tx, ana, event.slug, settings)
    return event


async def ask(site: Site, event: Event, *names: str) -> None:
    """Let these people ask to join."""
    for name in names:
        async with site.browser() as browser:
            headers = await api_session(browser, f"{name.lower()}@example.org", name)
            body = {"reply": "going", "answers": [{"questionId": "q1", "answer": "Soup"}]}
            answered = await browser.put(f"/api/events/{event.slug}/answer", json=body, headers=headers)
            assert answered.json()["status"] == "pending", answered.text


async def test_a_host_is_mailed_about_requests_after_two_minutes(site: Site, clock: HandClock) -> None:
    """An e-mail about other answers that is already open leaves earlier, and requests meanwhile join it."""
    async with site.browser() as browser:
        event = await host_asking(site, browser, RegistrationSettings(needs_approval=True))
        async with site.db.transaction() as tx:
            await actions.answer(tx, await person(tx, "Ida"), event.slug, RsvpReply.INTERESTED)
        async with site.db.transaction() as tx:
            await actions.answer(tx, await person(tx, "Ben"), event.slug, RsvpReply.GOING)
        async with site.db.transaction() as tx:
            await actions.answer(tx, await person(tx, "Cleo"), event.slug, RsvpReply.GOING)
            (mail,) = await tx.fetch("select id, due_at from notification_emails where subject = :id", id=event.id)
            (news,) = await tx.fetch("select count(*) as n from notifications where mail_id = :id", id=mail["id"])
    assert (mail["due_at"] - clock.now(), news["n"]) == (2 * MINUTE, 3)


async def test_strangers_see_approval_and_questions_before_signing_in(site: Site) -> None:
    async with site.browser() as ana, site.browser() as stranger:
        event = await host_asking(site, ana)
        seen = (await stranger.get(f"/events/{event.slug}")).text
        assert ">Ask to join</button>" in seen
        assert ">I’m going</button>" not in seen
        assert "Ana approves every guest and asks 2 questions." in seen
        assert "<li>What do you eat?</li>" in seen
        assert "<li>Anything else? (optional)</li>" in seen
        listed = (await stranger.get(f"/api/events/{event.slug}")).json()
        assert (listed["needsApproval"], [one["question"] for one in listed["questions"]]) == (
            True,
            ["What do you eat?", "Anything else?"],
        )
        # The host sees neither the button for joining nor any request yet.
        own = (await ana.get(f"/events/{event.slug}")).text
        assert "Ask to join" not in own
        assert "want to join" not in own


async def test_invited_and_approved_people_need_not_ask(site: Site) -> None:
    async with site.browser() as ana, site.browser() as ben:
        event = await host_asking(site, ana, RegistrationSettings(needs_approval=True))
        await sign_up(ben, "ben@example.org", "Ben")
        path = f"/events/{event.slug}"
        assert ">Ask to join</button>" in (await ben.get(path)).text
        await ben.post(f"{path}/answer", data={"reply": "going"})
        asked = (await ben.get(path)).text
        assert "Request sent" in asked
        assert "approves every guest" not in asked
        await ana.post(f"{path}/attendees", data={"act": "approve_all", "tab": "asking"})
        await ben.post(f"{path}/answer", data={"reply": "declined"})
        assert ">I’m going</button>" in (await ben.get(path)).text


async def test_people_and_requests_are_counted_separately(site: Site) -> None:
    """One request can be for several people."""
    settings = RegistrationSettings(needs_approval=True, max_party=2)
    async with site.browser() as ana, site.browser() as ben, site.browser() as cleo:
        event = await host_asking(site, ana, settings, capacity="2")
        for browser, name, party in ((ben, "Ben", "2"), (cleo, "Cleo", "1")):
            await sign_up(browser, f"{name.lower()}@example.org", name)
            await browser.post(f"/events/{event.slug}/answer", data={"reply": "going", "party": party})
        home, own = [visible_text((await ana.get(path)).text) for path in ("/home", f"/events/{event.slug}")]
        listed = visible_text((await ana.get(f"/events/{event.slug}/attendees")).text)
    for page in (home, own):
        assert "3 people are waiting for you." in page
    assert "Approve all 2" in home
    assert "Review 2 requests" in own
    assert "3 people want to join. 2 places are left." in listed
    assert "places left" not in listed, "said twice"
    assert "Approve all 2" in listed


async def test_a_held_place_counts_as_taken_everywhere_on_the_page(site: Site) -> None:
    async with site.browser() as ana:
        event = await host_asking(site, ana, RegistrationSettings(), capacity="1")
        async with site.db.transaction() as tx:
            ben, cleo = [await person(tx, name) for name in ("Ben", "Cleo")]
            for one in (ben, cleo):
                await actions.answer(tx, one, event.slug, RsvpReply.GOING)
            await actions.answer(tx, ben, event.slug, RsvpReply.DECLINED)
        own = visible_text((await ana.get(f"/events/{event.slug}")).text)
    assert own.count("1 of 1 place taken") == 2
    assert "0 of 1 place" not in own


async def test_hosts_see_the_number_of_requests(site: Site) -> None:
    async with site.browser() as ana:
        event = await host_asking(site, ana)
        await ask(site, event, "Ben")
        assert "1 person wants to join" in (await ana.get(f"/events/{event.slug}")).text
        await ask(site, event, "Cleo", "Dan")
        own = (await ana.get(f"/events/{event.slug}")).text
        assert "3 people want to join" in own
        assert ">Approve all 3</button>" not in own, "all requests are decided at once where all of them are shown"
        assert "3 to decide" in (await ana.get("/my/events?which=hosting")).text
        assert ">Approve all 3</button>" in (await ana.get(f"/events/{event.slug}/attendees")).text
        headers = await api_session(ana, "ana@example.org", "Ana")
        (listed,) = (await ana.get("/api/my/events?which=hosting", headers=headers)).json()["events"]
        assert listed["counts"]["unconfirmed"] == 3
        answers = (await ana.get(f"/api/events/{event.slug}/attendances", headers=headers)).json()["byStatus"]
        assert (answers["pending"], answers["attending"]) == (3, 0)
    async with site.browser() as stranger:
        seen = (await stranger.get(f"/events/{event.slug}")).text + (await stranger.get("/")).text
    assert "want to join" not in seen
    assert "Approve" not in seen


async def test_requests_can_be_decided_wherever_they_are_listed(site: Site) -> None:
    """Hosts decide on requests on the event page and in the list of events they host, and return to the page where they
    clicked.
    """
    async with site.browser() as ana:
        event = await host_asking(site, ana)
        await ask(site, event, "Ben", "Cleo", "Dan")
        async with site.db.reader() as reader:
            ids = {
                one.display_name: one.attendance_id for _, one in await host_list.join_requests(reader, [event.id], 4)
            }
        path = f"/events/{event.slug}"
        shown = (await ana.get(path)).text
        assert f'value="approve:{ids["Ben"]}"' in shown
        done = await ana.post(f"{path}/attendees", data={"only": f"approve:{ids['Ben']}", "next": "event"})
        assert (done.status_code, done.headers["location"].partition("?")[0]) == (303, path)
        assert f'value="approve:{ids["Ben"]}"' not in (await ana.get(path)).text
        hosted = (await ana.get("/my/events?which=hosting")).text
        assert "Needs you" in hosted
        assert f'value="remove:{ids["Cleo"]}"' in hosted
        done = await ana.post(f"{path}/attendees", data={"only": f"remove:{ids['Cleo']}", "next": "hosting"})
        assert done.headers["location"] == "/my/events?which=hosting"
        # A button in a row of the guest list acts on that person, whichever people are selected.
        data = {"only": f"approve:{ids['Dan']}", "who": ids["Ben"], "tab": "asking"}
        await ana.post(f"{path}/attendees", data=data)
        assert "Needs you" not in (await ana.get("/my/events?which=hosting")).text
        async with site.db.reader() as reader:
            counts = (await queries.counts(reader, [event.id]))[event.id]
        assert counts.going == 2
    async with site.browser() as ben:
        await sign_up(ben, "ben@example.org", "Ben")
        assert "Needs you" not in (await ben.get("/my/events?which=hosting")).text


async def test_approving_all_reports_each_result(site: Site) -> None:
    async with site.browser() as ana:
        event = await host_asking(site, ana, capacity="2")
        await ask(site, event, "Ben", "Cleo", "Dan")
        page = f"/events/{event.slug}/attendees"
        await ana.post(page, data={"act": "approve_all", "tab": "asking"})
        assert "2 approved, 1 on the waitlist. We’re letting them know." in (await ana.get(page)).text
        assert "approved" not in (await ana.get(page)).text, "said once"
        # When the button is clicked a second time, nobody is left to approve.
        await ana.post(page, data={"act": "approve_all", "tab": "asking"})
        assert "Nobody was waiting for your answer any more." in (await ana.get(page)).text


async def test_a_party_is_counted_as_people_where_people_are_counted(site: Site) -> None:
    async with site.browser() as ana:
        event = await host_asking(site, ana, RegistrationSettings(needs_approval=True, max_party=4))
        async with site.browser() as ben:
            await sign_up(ben, "ben@example.org", "Ben")
        async with site.db.transaction() as tx:
            row = await tx.fetch_one("select id from users where display_name = 'Ben'")
            assert row is not None
            await actions.answer(tx, Caller(row["id"], "Ben"), event.slug, RsvpReply.GOING, ReplyDetails(party=3))
        assert "3 people want to join" in (await ana.get(f"/events/{event.slug}")).text


async def test_an_unclear_answer_is_no_request(site: Site) -> None:
    """An RSVP record with an unknown status does not say that its author wants to come. Hosts see it in their list."""
    async with site.browser() as browser:
        event = await host_asking(site, browser)
        async with site.db.transaction() as tx:
            (eva,) = await insert_strangers(tx, 1)
            unclear = await apply_network_answer(tx, event, eva, RsvpRecordStatus.UNCLEAR)
            assert unclear is not None
            assert (unclear.status, unclear.pending_for) == (AttendanceStatus.PENDING, PendingFor.UNCLEAR)
        page = visible_text((await browser.get(f"/events/{event.slug}")).text)
        assert "wants to join" not in page
        mine = visible_text((await browser.get("/my/events?tab=hosting")).text)
        assert "1 to decide" not in mine
        async with site.db.reader() as reader:
            counts = (await queries.counts(reader, [event.id]))[event.id]
            assert (counts.pending_people, counts.pending_rsvps) == (0, 0)
            assert await host_list.join_requests(reader, [event.id], 10) == []
            host = event.author_id
            assert await my_event_lists.with_requests(reader, host, 10) == []
            assert await my_event_lists.waiting_for(reader, host, 10) == []
        path = f"/events/{event.slug}/attendees"
        for shown in (path + "?tab=asking", f"{path}/{unclear.id}"):
            page = (await browser.get(shown)).text
            assert "unclear answer" in page.lower()
            assert "Approve" not in page
            assert "Decline" in page
        await ask(site, event, "Ben")
        attendees = visible_text((await browser.get(path + "?tab=asking")).text)
        assert "unclear answer" in attendees
        assert "Approve all" not in attendees
        assert "Approve selected" in attendees


async def test_a_person_whose_record_is_unclear_can_ask_to_join(site: Site, clock: HandClock) -> None:
    """Their RSVP was pending and still is, but the reply is new: the host is notified, the page says that they asked, and
    the record is enqueued.
    """
    async with site.browser() as browser:
        event = await host_asking(site, browser, RegistrationSettings(needs_approval=True))
    async with site.db.transaction() as tx:
        ben = await person(tx, "Ben")
        unclear = await apply_network_answer(tx, event, ben.user_id, RsvpRecordStatus.UNCLEAR)
        assert unclear is not None
        await notify.mark_all_read(tx, event.author_id)
    clock.turn(MINUTE)
    async with signed_in(site, ben.user_id) as browser:
        asked = await browser.post(f"/events/{event.slug}/answer", data={"reply": "going"})
        assert "asked_host" in str(asked.headers.get_list("set-cookie"))
        assert asked.headers["location"] == f"/events/{event.slug}"
    async with site.db.reader() as reader:
        request = await queries.find(reader, event.id, ben.user_id)
        assert request is not None
        assert (request.status, request.pending_for) == (AttendanceStatus.PENDING, PendingFor.APPROVAL)
        assert request.answered_at == clock.now()
        news = [one for one in await newest(reader, event.author_id, 10) if one.read_at is None]
        assert [one.kind for one in news] == [event_kinds.NEW_ANSWER]
        publication = await publication_queries.find(reader, PublicationKind.RSVP, request.id)
        assert publication is not None
        assert publication.revision == request.revision
