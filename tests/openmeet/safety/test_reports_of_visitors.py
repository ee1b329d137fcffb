"""Reports by people without an account: the form, the moderators' queue, the e-mails and the limits."""

import re
from collections.abc import Awaitable, Callable

import httpx
import pytest

from groundwork.clock import DAY, HOUR, MINUTE, HandClock
from openmeet.domain.events.model import Event
from openmeet.domain.moderation import actions, moderators, reports
from openmeet.domain.moderation.model import ModeratedKind, ReportReason, Subject, SubjectVisibility
from openmeet.domain.safety import actions as safety
from openmeet.domain.users.model import Caller
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import DueEmail, OutgoingEmail
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site, api_session, event_by, person, signed_in, site_on


@pytest.fixture
async def site(make_database: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_database("openmeet"), clock)


@pytest.fixture
async def event(site: Site) -> Event:
    async with site.db.transaction() as tx:
        return await event_by(tx, await person(tx, "Ana"), title="Cheap watches")


@pytest.fixture
async def moderator(site: Site) -> Caller:
    async with site.db.transaction() as tx:
        mo = await person(tx, "Mo")
        await moderators.appoint(tx, mo.user_id, by=None)
    return mo


async def report(browser: httpx.AsyncClient, event: Event, **typed: str) -> httpx.Response:
    return await browser.post(f"/events/{event.slug}/report", data={"reason": "spam", "words": "An ad.", **typed})


async def sent(site: Site) -> list[OutgoingEmail]:
    """The e-mails to visitors that are due now."""
    compose = composers(EmailContext(CODE_KEY, "OpenMeet", ORIGIN))
    async with site.db.reader() as reader:
        rows = await reader.fetch(
            "select subject, revision from outbox_jobs where kind = 'mail' and due_at <= :now order by due_at, subject",
            now=reader.now,
        )
    found = []
    for row in rows:
        kind, to, subject_id = row["subject"].split("\x1f")
        if kind in {reports.REPORT_RECEIVED_MAIL, reports.REPORT_DECIDED_MAIL}:
            found.append(await compose[kind](site.db, DueEmail(kind, to, subject_id, row["revision"])))
    return [one for one in found if one is not None]


async def test_a_visitor_reports_and_moderators_see_it(site: Site, event: Event, moderator: Caller) -> None:
    async with site.browser() as browser:
        assert f'href="/events/{event.slug}/report"' in (await browser.get(f"/events/{event.slug}")).text
        form = (await browser.get(f"/events/{event.slug}/report")).text
        assert re.findall(r'name="(reason|words|email)"', form)[-2:] == ["words", "email"]
        assert "Block Ana" not in form
        done = await report(browser, event)
        assert done.headers["location"] == f"/events/{event.slug}/report?sent=yes"
        assert "You left no e-mail address" in (await browser.get(done.headers["location"])).text
    async with signed_in(site, moderator.user_id) as browser:
        shown = (await browser.get("/moderation")).text
    async with site.browser() as browser:
        headers = await api_session(browser, "mo@example.org", "Mo")
        (entry,) = (await browser.get("/api/moderation/queue", headers=headers)).json()["entries"]
    assert "A visitor" in shown
    assert "An ad." in shown
    assert [(one["reporterId"], one["words"]) for one in entry["reports"]] == [(None, "An ad.")]
    assert await sent(site) == []


async def test_a_visitor_cannot_report_what_only_others_see(site: Site) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        hidden = await event_by(tx, ana, visibility="private")
        group = await group_by(tx, ana, name="Secret", visibility="private")
    async with site.browser() as browser:
        unknown = await browser.post("/events/nothing-here/report", data={"reason": "spam"})
        there = await report(browser, hidden)
        assert (there.status_code, unknown.status_code) == (404, 404)
        assert (await browser.get(f"/groups/{group.slug}/report")).status_code == 404


async def test_a_report_without_an_account_is_checked(site: Site, event: Event) -> None:
    async with site.browser() as browser:
        wrong = await report(browser, event, email="nonsense", words="Kept text")
        assert wrong.status_code == 400
        assert "Kept text" in wrong.text
        assert (await report(browser, event, words="x" * 2001)).status_code == 400
    async with site.db.reader() as reader:
        assert await reports.count_open(reader) == 0


async def _dismissed(site: Site, event: Event, mo: Caller) -> None:
    async with site.db.transaction() as tx:
        await actions.dismiss(tx, mo.user_id, Subject(ModeratedKind.EVENT, event.id), "")


async def _hidden(site: Site, event: Event, mo: Caller) -> None:
    subject = Subject(ModeratedKind.EVENT, event.id)
    async with site.db.transaction() as tx:
        await actions.decide(tx, mo.user_id, subject, SubjectVisibility.HIDDEN, "Against the rules")


@pytest.mark.parametrize(
    ("decide", "words"), [(_dismissed, "nothing against the rules"), (_hidden, "agreed and acted on it")]
)
async def test_an_address_gets_a_receipt_and_the_decision(
    site: Site,
    event: Event,
    moderator: Caller,
    clock: HandClock,
    decide: Callable[[Site, Event, Caller], Awaitable[None]],
    words: str,
) -> None:
    async with site.browser() as browser:
        done = await report(browser, event, email=" Eve@Example.org ")
        assert "We’ll send you a receipt by e-mail" in (await browser.get(done.headers["location"])).text
    (receipt,) = await sent(site)
    assert (receipt.to, receipt.subject) == ("eve@example.org", "We got your report")
    await decide(site, event, moderator)
    assert await sent(site) == []
    clock.turn(11 * MINUTE)
    (decision,) = await sent(site)
    assert words in decision.text
    for one in (receipt, decision):
        # The link that stops them is below the card, not its button.
        assert "/mail/never/" in one.text.partition("\n--\n")[2]
        assert 'class="button' not in one.html
        # Strangers may get these e-mails, so nobody can put words into them.
        assert "An ad." not in one.text + one.html
        assert "watches" not in (one.text + one.html).lower()
        assert one.unsubscribe_url


async def test_a_decision_that_was_undone_is_not_sent(
    site: Site, event: Event, moderator: Caller, clock: HandClock
) -> None:
    async with site.browser() as browser:
        await report(browser, event, email="eve@example.org")
    async with site.db.transaction() as tx:
        act = await actions.dismiss(tx, moderator.user_id, Subject(ModeratedKind.EVENT, event.id), "")
        await actions.undo(tx, moderator.user_id, act, "")
    clock.turn(11 * MINUTE)
    assert [one.subject for one in await sent(site)] == ["We got your report"]


async def test_an_address_that_opted_out_gets_nothing(site: Site, event: Event) -> None:
    async with site.browser() as browser:
        await report(browser, event, email="eve@example.org")
        (receipt,) = await sent(site)
        assert email_suppressions.address_in(CODE_KEY, receipt.unsubscribe_url.rpartition("/")[2]) == "eve@example.org"
        await browser.post(receipt.unsubscribe_url.removeprefix(ORIGIN), data={"List-Unsubscribe": "One-Click"})
    assert await sent(site) == []


async def test_reports_of_one_network_are_limited(site: Site, event: Event) -> None:
    async with site.browser() as browser:
        statuses = [(await report(browser, event)).status_code for _ in range(6)]
    assert statuses == [303] * 5 + [429]


async def test_many_reports_of_visitors_hide_no_others(site: Site, event: Event, moderator: Caller) -> None:
    async with site.db.transaction() as tx:
        dora = await person(tx, "Dora")
        other = await event_by(tx, dora, title="Another one")
        for number in range(30):
            await safety.report_as_visitor(tx, ModeratedKind.EVENT, event.slug, ReportReason.SPAM, f"Ad {number}", "")
        await safety.report(tx, await person(tx, "Cleo"), ModeratedKind.EVENT, event.slug, ReportReason.SPAM, "Signed")
        await safety.report_as_visitor(tx, ModeratedKind.EVENT, other.slug, ReportReason.SPAM, "Other", "")
        shown = await reports.open_about(tx, [event.id, other.id])
    words = [one.comment for one in shown]
    assert words[-2:] == ["Signed", "Other"]
    assert len(words) == reports.MAX_SHOWN + 1


async def test_e_mails_per_address_are_limited_without_telling(site: Site, event: Event, clock: HandClock) -> None:
    """Nobody learns by trying an address whether somebody reported something with it. The reports are filed."""
    answers = []
    async with site.browser() as browser:
        for number in range(5):
            done = await report(browser, event, email="eve@example.org", words=f"Ad {number}")
            shown = await browser.get(done.headers["location"])
            answers.append((done.status_code, done.headers["location"], "send you a receipt" in shown.text))
            clock.turn(HOUR)
    assert answers == [(303, f"/events/{event.slug}/report?sent=mail", True)] * 5
    assert len(await sent(site)) == safety.REPORTS_PER_ADDRESS
    async with site.db.reader() as reader:
        assert len(await reports.open_about(reader, [event.id])) == 5


async def test_addresses_are_deleted_a_month_after_the_decision(
    site: Site, event: Event, moderator: Caller, clock: HandClock
) -> None:
    async with site.browser() as browser:
        await report(browser, event, email="eve@example.org")
        clock.turn(31 * DAY)
        assert await reports.forget_visitors(site.db) == 0
        await _dismissed(site, event, moderator)
        clock.turn(29 * DAY)
        assert await reports.forget_visitors(site.db) == 0
        clock.turn(2 * DAY)
        assert await reports.forget_visitors(site.db) == 1


async def test_addresses_are_deleted_after_a_year_without_a_decision(
    site: Site, event: Event, clock: HandClock
) -> None:
    async with site.browser() as browser:
        await report(browser, event, email="eve@example.org")
    clock.turn(364 * DAY)
    assert await reports.forget_visitors(site.db) == 0
    clock.turn(2 * DAY)
    assert await reports.forget_visitors(site.db) == 1


async def test_reports_of_visitors_are_deleted_a_year_after_the_decision(
    site: Site, event: Event, moderator: Caller, clock: HandClock
) -> None:
    """Those of people with an account are theirs, and stay. Reports without a decision stay, too."""
    async with site.browser() as browser:
        await report(browser, event)
    async with site.db.transaction() as tx:
        await safety.report(tx, await person(tx, "Cleo"), ModeratedKind.EVENT, event.slug, ReportReason.SPAM, "Signed")
    await _dismissed(site, event, moderator)
    clock.turn(364 * DAY)
    async with site.browser() as browser:
        await report(browser, event, words="Undecided")
    assert await reports.forget_visitors(site.db) == 0
    clock.turn(2 * DAY)
    assert await reports.forget_visitors(site.db) == 1
    async with site.db.reader() as reader:
        rows = await reader.fetch("select comment from reports order by comment")
    assert [row["comment"] for row in rows] == ["Signed", "Undecided"]
