"""Change the e-mail address on the pages: prove who you are, prove the new address, and tell the former one."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from groundwork.clock import HandClock
from openmeet.domain.notifications import email_links
from openmeet.domain.notifications.email_links import EmailLink, LinkPurpose
from openmeet.domain.sign_in.actions import EMAIL_CHANGED_MAIL, open_session
from openmeet.domain.sign_in.model import SessionStrength, SessionTransport, code_of
from openmeet.domain.users.queries import by_email
from openmeet.emails.account import email_changed_composer
from openmeet.outbox.emails import DueEmail
from openmeet.web.account.recent_proof import PROOF_LASTS
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import CODE_KEY, Site, h1_of, person, sign_up, site_on


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def asks(browser: httpx.AsyncClient, email: str) -> str:
    """Ask for a code at the new address. Returns the challenge."""
    asked = await browser.post("/settings/email", data={"email": email})
    assert asked.status_code == 303, asked.text
    (challenge,) = parse_qs(urlsplit(asked.headers["location"]).query)["challenge"]
    return challenge


async def enters(browser: httpx.AsyncClient, challenge: str) -> str:
    """Enter the right code. Returns the page that follows."""
    entered = await browser.post(
        "/settings/email/code", data={"challenge": challenge, "code": code_of(CODE_KEY, challenge)}
    )
    assert entered.status_code == 303, entered.text
    return entered.headers["location"]


async def addresses(site: Site) -> dict[str, str | None]:
    async with site.db.reader() as reader:
        return {row["display_name"]: row["email"] for row in await reader.fetch("select * from users order by id")}


async def told(site: Site) -> list[tuple[str, str]]:
    """Recipient and text of each e-mail about a changed address."""
    async with site.db.reader() as reader:
        rows = await reader.fetch(
            "select subject from outbox_jobs where subject like :kind order by subject", kind=f"{EMAIL_CHANGED_MAIL}%"
        )
    mails = []
    for row in rows:
        kind, recipient, subject_id = row["subject"].split("\x1f")
        due = DueEmail(kind, recipient, subject_id, 1)
        mails.append(await email_changed_composer("Town", "https://meet.example")(site.db, due))
    return [(mail.to, mail.text) for mail in mails if mail is not None]


async def test_a_person_signs_in_with_the_new_address_and_the_former_one_is_told(site: Site) -> None:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert 'href="/settings/email"' in (await browser.get("/settings/profile")).text
        assert "ana@example.org" in (await browser.get("/settings/email")).text
        challenge = await asks(browser, " Ana@New.Example ")
        wrong = await browser.post("/settings/email/code", data={"challenge": challenge, "code": "2222 2222"})
        assert wrong.status_code == 400
        assert await addresses(site) == {"Ana": "ana@example.org"}
        assert await enters(browser, challenge) == "/settings/profile"
        profile = (await browser.get("/settings/profile")).text
        assert "ana@new.example" in profile
        assert "you sign in with this address" in profile
    assert await addresses(site) == {"Ana": "ana@new.example"}
    ((recipient, text),) = await told(site)
    assert recipient == "ana@example.org"
    assert "ana@new.example" in text
    async with site.browser() as elsewhere:
        await sign_up(elsewhere, "ana@new.example", "nobody new")
        assert "Ana" in (await elsewhere.get("/settings/profile")).text
    assert list(await addresses(site)) == ["Ana"]


async def test_links_in_earlier_emails_end(site: Site) -> None:
    """They need no sign-in, and somebody else may read the former mailbox."""
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        async with site.db.transaction() as tx:
            ana = await by_email(tx, "ana@example.org")
            assert ana is not None
            link = EmailLink(ana.id, LinkPurpose.CHAT, "event")
            former = await email_links.token_for(tx, CODE_KEY, link)
        await enters(browser, await asks(browser, "ana@new.example"))
    async with site.db.transaction() as tx:
        assert await email_links.find(tx, former, LinkPurpose.CHAT) is None
        assert await email_links.find(tx, await email_links.token_for(tx, CODE_KEY, link), LinkPurpose.CHAT) == link


async def test_nobody_is_told_that_has_the_address_again(site: Site) -> None:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        for email in ("ana@new.example", "ana@example.org"):
            await enters(browser, await asks(browser, email))
    assert [recipient for recipient, _ in await told(site)] == ["ana@new.example"]


async def test_an_old_or_weak_session_is_not_enough(site: Site, clock: HandClock) -> None:
    async with site.db.transaction() as tx:
        ana = await person(tx, "Ana")
        weak = await open_session(tx, ana.user_id, SessionTransport.BROWSER, strength=SessionStrength.APP_PASSWORD)
        silent = await open_session(tx, ana.user_id, SessionTransport.BROWSER, strength=SessionStrength.SILENT)
        full = await open_session(tx, ana.user_id, SessionTransport.BROWSER)
    before = await addresses(site)
    async with site.browser() as browser:
        browser.cookies.set("openmeet_session", full.token)
        challenge = await asks(browser, "eve@example.org")
        for session in (weak, silent, full):
            if session is full:
                clock.turn(PROOF_LASTS + 1)
            browser.cookies.set("openmeet_session", session.token)
            assert 'name="email"' not in (shown := (await browser.get("/settings/email")).text)
            assert "/sign-in?again=yes&amp;next=/settings/email" in shown
            asked = await browser.post("/settings/email", data={"email": "eve@example.org"})
            assert asked.headers["location"] == "/settings/email"
            assert await enters(browser, challenge) == "/settings/email"
    assert await addresses(site) == before


@pytest.mark.parametrize("form", [{"email": ""}, {"email": "no address"}, {"email": "ANA@example.org"}])
async def test_the_form_says_what_is_wrong_and_keeps_it(site: Site, form: Mapping[str, str]) -> None:
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        refused = await browser.post("/settings/email", data=form)
        assert refused.status_code == 400
        assert f'value="{form["email"]}"' in refused.text
        assert h1_of(refused.text)


async def test_the_address_of_another_account_is_merged_and_never_taken(site: Site) -> None:
    async with site.db.transaction() as tx:
        await person(tx, "Ben")
    before = await addresses(site)
    async with site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        claim = await enters(browser, await asks(browser, "ben@example.org"))
        assert claim.startswith("/settings/join/")
        assert await addresses(site) == {**before, "Ana": "ana@example.org"}
        await browser.post(claim)
        assert await enters(browser, await asks(browser, "ben@example.org")) == "/settings/profile"
    assert (await addresses(site))["Ana"] == "ben@example.org"


async def test_the_page_for_the_code_names_the_new_address(site: Site) -> None:
    """Also after a wrong code, but in no other browser."""
    async with site.browser() as ana, site.browser() as ben:
        await sign_up(ana, "ana@example.org", "Ana")
        await sign_up(ben, "ben@example.org", "Ben")
        challenge = await asks(ana, "Ana.New@example.org")
        page = f"/settings/email/code?challenge={challenge}"
        assert "letters and digits to ana.new@example.org." in (await ana.get(page)).text
        wrong = await ana.post("/settings/email/code", data={"challenge": challenge, "code": "22222222"})
        assert "letters and digits to ana.new@example.org." in wrong.text
        shown = (await ben.get(page)).text
    assert "ana.new" not in shown
    assert "to the address you gave." in shown
