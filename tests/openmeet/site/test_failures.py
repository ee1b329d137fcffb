"""The error pages: internal failures, and requests that lower layers refuse."""

from groundwork.clock import HandClock
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import event_by, person, sign_up, signed_in, site_on


async def test_an_internal_error_is_reported_once_with_its_id(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """The page also says what to do. The id is for people who report the problem."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        await tx.execute("alter table events rename to moved_away")
    async with site.browser() as browser:
        answer = await browser.get("/")
        assert answer.status_code == 500
        assert "Nothing you wrote is lost. Try again, or come back in a minute." in answer.text
        assert '<a class="button" href="/">Try again</a>' in answer.text
        assert answer.text.count("quote") == 1


async def test_a_database_that_is_not_available_is_explained_in_the_language_of_the_reader(
    make_sqlite: MakeDatabase, clock: HandClock
) -> None:
    """The sentences of the database (such as "the commit failed") are for operators."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.browser() as browser:
        await site.db.close()
        read = await browser.get("/groups", headers={"accept-language": "de"})
        assert (read.status_code, "Was du geschrieben hast, ist noch da." in read.text) == (503, True), read.text
        assert "database" not in read.text
        written = await browser.post("/sign-in", data={"identifier": "ana@example.org"})
        assert (written.status_code, "your browser still has what you typed" in written.text) == (503, True)


async def test_a_form_that_is_too_large_is_explained_and_its_text_kept(
    make_sqlite: MakeDatabase, clock: HandClock
) -> None:
    """The explanation is in the reader's language: for the whole form, for a single field, and for other messages of
    lower layers.
    """
    async with site_on(await make_sqlite("openmeet", clock=clock), clock).browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        german = {"accept-language": "de", "accept": "text/html"}
        whole = await browser.post("/groups/new", data={"name": "x", "description": "a" * 3_000_000}, headers=german)
        assert (whole.status_code, "Das ist mehr, als wir auf einmal lesen. Geh zurück" in whole.text) == (413, True)
        field = await browser.post("/events/new", files={"description": (None, "a" * 1_100_000)}, headers=german)
        assert (field.status_code, "Vielleicht ist etwas im Formular zu lang. Geh zurück" in field.text) == (400, True)
        other = await browser.post("/groups/new", content=b"{}", headers={**german, "content-type": "text/plain"})
        assert (other.status_code, "Wir haben ein Formular erwartet" in other.text) == (400, True), other.text


async def test_a_forbidden_page_leads_to_the_event_that_it_belongs_to(
    make_sqlite: MakeDatabase, clock: HandClock
) -> None:
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
    async with site.browser() as browser:
        await sign_up(browser, "ben@example.org", "Ben")
        refused = await browser.get(f"/events/{event.slug}/attendees")
        elsewhere = await browser.get("/events/nothing/attendees")
    assert (refused.status_code, elsewhere.status_code) == (403, 404)
    assert f'<a class="button" href="/events/{event.slug}">See the event</a>' in refused.text
    assert '<a class="button" href="/">See what’s on</a>' in elsewhere.text


async def test_head_request_of_a_page_for_members_leads_to_sign_in(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """As ``GET`` does (RFC 9110, section 9.3.2). Checkers of links send it."""
    async with site_on(await make_sqlite("openmeet", clock=clock), clock).browser() as browser:
        opened, checked = await browser.get("/my/events?which=past"), await browser.head("/my/events?which=past")
    assert (checked.status_code, checked.headers["location"]) == (303, opened.headers["location"])


async def test_a_refused_page_leads_to_another_account(make_sqlite: MakeDatabase, clock: HandClock) -> None:
    """It says why it was refused. Signing in as somebody else leads back to it."""
    site = site_on(await make_sqlite("openmeet", clock=clock), clock)
    async with site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Ana"))
        ben = await person(tx, "Ben")
    async with signed_in(site, ben.user_id) as browser:
        refused = await browser.get(f"/events/{event.slug}/edit")
        assert (refused.status_code, "Only the hosts of this event can change it." in refused.text) == (403, True)
        other = f"/sign-in?again=yes&amp;next=%2Fevents%2F{event.slug}%2Fedit"
        assert f'You’re signed in as Ben. <a href="{other}">Use another account</a>' in refused.text
        # What was sent is not sent again.
        written = await browser.post(f"/events/{event.slug}/cancel")
        assert (written.status_code, f'next=%2Fevents%2F{event.slug}"' in written.text) == (403, True), written.text
