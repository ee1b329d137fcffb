"""Codes by e-mail and the sessions that follow; on both engines."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from groundwork.clock import DAY, HOUR, MINUTE, Instant
from groundwork.errors import InvalidForm
from groundwork.outbox import leased_jobs
from groundwork.token_hash import hash_token
from openmeet.domain.sign_in import actions, model, queries
from openmeet.domain.sign_in.model import (
    CODE_ALPHABET,
    CODE_MAIL,
    CODE_TRIES,
    CODE_TRIES_A_DAY,
    MAX_MAILED,
    SESSION_LIFE,
    Challenge,
    ChallengeId,
    SessionTransport,
)
from openmeet.domain.users import guests
from openmeet.domain.users.queries import by_email
from openmeet.emails.account import LINK_PATH, code_composer
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import DueEmail, due_email_of, enqueue_emails
from openmeet.outbox.kinds import JobKind
from openmeet.web.sign_in import pages
from tests.openmeet.site_under_test import CODE_KEY, site_on

EMAIL = "ana@example.org"
BROWSER = "what a browser is known by, in 32 characters"


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def ask(db, **more: str):
    async with db.transaction() as tx:
        return await actions.ask_for_code(tx, EMAIL, **more)


async def answer(db, challenge, typed, kind=SessionTransport.BROWSER):
    async with db.transaction() as tx:
        return await actions.answer_code(tx, CODE_KEY, challenge.id, typed, kind)


def right(challenge):
    return model.code_of(CODE_KEY, challenge.id)


def wrong(challenge):
    return right(challenge)[::-1] + "X"


async def test_the_right_code_creates_a_person_and_a_session(db):
    challenge = await ask(db, display_name="Ana", next_path="/events/new")
    answered = await answer(db, challenge, right(challenge))
    async with db.reader() as reader:
        user = await by_email(reader, EMAIL)
        found = await queries.holder(reader, hash_token(answered.session.token), SessionTransport.BROWSER)
    assert user.display_name == "Ana"
    assert found.caller.user_id == user.id
    assert (answered.next_path, answered.is_new) == ("/events/new", False)


async def test_a_known_address_signs_in_the_same_person(db):
    first = await ask(db, display_name="Ana")
    one = await answer(db, first, right(first))
    second = await ask(db, display_name="Somebody else")
    other = await answer(db, second, right(second))
    assert one.session.user_id == other.session.user_id


async def test_a_newcomer_without_a_name_is_asked_for_one(db):
    challenge = await ask(db)
    assert (await answer(db, challenge, right(challenge))).is_new


async def test_a_code_works_once(db):
    challenge = await ask(db)
    await answer(db, challenge, right(challenge))
    assert (await answer(db, challenge, right(challenge))).session is None


async def test_concurrent_right_answers_open_one_session(db):
    challenge = await ask(db)
    answers = await asyncio.gather(*(answer(db, challenge, right(challenge)) for _ in range(4)))
    assert len([one for one in answers if one.session]) == 1


async def test_a_code_works_for_half_an_hour(db, clock):
    challenge = await ask(db)
    clock.turn(30 * MINUTE)
    assert (await answer(db, challenge, right(challenge))).session is None


async def test_after_five_wrong_tries_the_right_code_is_refused(db):
    challenge = await ask(db)
    left = [(await answer(db, challenge, wrong(challenge))).tries_left for _ in range(CODE_TRIES)]
    assert left == [4, 3, 2, 1, 0]
    assert (await answer(db, challenge, right(challenge))).session is None


async def test_a_mailbox_gets_few_codes_and_one_of_them_always_works(db, clock):
    """A stranger who repeatedly requests codes causes no further e-mails and does not prevent the owner of the mailbox
    from signing in.
    """
    mailed = [await ask(db) for _ in range(MAX_MAILED)]
    owners = await ask(db, display_name="Ana", browser=BROWSER)
    assert [one.is_mailed for one in [*mailed, owners]] == [True] * MAX_MAILED + [False]
    # The code of this challenge was not sent to anybody. The codes that were sent also work for it.
    assert (await answer(db, owners, right(owners))).session is None
    assert (await answer(db, owners, right(mailed[0]))).session is not None
    assert (await ask(db)).is_mailed


async def test_a_mailbox_is_not_filled_and_has_a_working_code_at_any_time(db, clock):
    """A stranger requests a code every five minutes for two days. The owner, who requests one as well, can sign in at
    any of these times.
    """
    sent: list[Challenge] = []
    for moment in range(2 * 24 * 12):
        asked = await ask(db)
        sent += [asked] if asked.is_mailed else []
        async with db.reader() as reader:
            assert sent[-1] in await queries.live_mailed(reader, EMAIL), moment
        if moment % 60 == 0:
            await actions.forget_expired(db)
        clock.turn(5 * MINUTE)
    first_day = [one for one in sent if one.created_at < sent[0].created_at + DAY]
    first_hour = [one for one in sent if one.created_at < sent[0].created_at + HOUR]
    assert (len(first_hour), len(first_day), len(sent)) == (5, 17, 29)
    owners = await ask(db, display_name="Ana")
    assert not owners.is_mailed
    assert (await answer(db, owners, right(sent[-1]))).session is not None
    # The owner has used the code, so the next request is e-mailed again.
    clock.turn(DAY)
    assert (await ask(db)).is_mailed


async def test_concurrent_requests_send_no_more_codes(db):
    asked = await asyncio.gather(*(ask(db) for _ in range(4 * MAX_MAILED)))
    assert 1 <= len([one for one in asked if one.is_mailed]) <= MAX_MAILED


async def test_an_address_has_twenty_guesses_a_day(db, clock):
    """Guesses are counted from any number of IP addresses and challenges, sequential or concurrent. After twenty, even
    the right code is refused.
    """
    asked = [await ask(db) for _ in range(8)]
    answers = await asyncio.gather(*(answer(db, one, wrong(one)) for one in asked for _ in range(CODE_TRIES)))
    assert len([one for one in answers if one.is_used_up]) == len(answers) - CODE_TRIES_A_DAY
    last = await ask(db)
    refused = await answer(db, last, right(asked[0]))
    assert (refused.session, refused.is_used_up) == (None, True)
    clock.turn(DAY)
    fresh = await ask(db)
    assert (await answer(db, fresh, right(fresh))).session is not None


async def test_right_codes_do_not_count_as_guesses(db):
    for _ in range(CODE_TRIES_A_DAY + 1):
        challenge = await ask(db)
        assert (await answer(db, challenge, right(challenge))).session is not None


async def follow(db, challenge, browser=BROWSER, token=None):
    async with db.transaction() as tx:
        return await actions.follow_link(tx, CODE_KEY, token or model.link_token(CODE_KEY, challenge.id), browser)


async def test_the_link_works_only_in_the_browser_that_requested_it(db):
    challenge = await ask(db, display_name="Ana", next_path="/events/new", browser=BROWSER)
    for other in ("", "another browser", challenge.id):
        assert (await follow(db, challenge, other)).session is None
    strangers = await ask(db, browser="a browser that asked for the same address")
    assert (await follow(db, strangers, "a third one")).session is None
    answered = await follow(db, challenge)
    assert (answered.session is not None, answered.next_path, answered.is_new) == (True, "/events/new", False)
    assert (await follow(db, challenge)).session is None


async def test_the_link_works_after_all_guesses_are_used(db):
    """A stranger's request causes an e-mail with a link. The link signs in the owner's browser, which requested a code
    too, and not the stranger's browser.
    """
    strangers = [await ask(db, browser="a stranger's") for _ in range(MAX_MAILED)]
    owners = await ask(db, browser=BROWSER)
    for one in strangers:
        for _ in range(CODE_TRIES):
            await answer(db, one, wrong(one))
    assert (await answer(db, owners, right(strangers[0]))).is_used_up
    assert not owners.is_mailed
    assert (await follow(db, strangers[0])).session is not None


@pytest.mark.parametrize("forged", ["", ".", "x.y", "{id}", "{id}.", "{id}.AAAA", "{id}.é"])
async def test_a_link_cannot_be_forged(db, forged):
    challenge = await ask(db, browser=BROWSER)
    assert (await follow(db, challenge, token=forged.format(id=challenge.id) or "x")).session is None


async def test_a_link_expires_with_its_code(db, clock):
    challenge = await ask(db, browser=BROWSER)
    clock.turn(30 * MINUTE)
    assert (await follow(db, challenge)).session is None


async def test_concurrent_uses_of_a_link_and_its_code_open_one_session(db):
    challenge = await ask(db, browser=BROWSER)
    uses = [follow(db, challenge), follow(db, challenge), answer(db, challenge, right(challenge))]
    assert len([one for one in await asyncio.gather(*uses) if one.session]) == 1


async def test_a_session_token_works_only_for_its_transport(db):
    challenge = await ask(db)
    session = (await answer(db, challenge, right(challenge), SessionTransport.API)).session
    async with db.reader() as reader:
        assert await queries.holder(reader, hash_token(session.token), SessionTransport.BROWSER) is None
        assert await queries.holder(reader, hash_token(session.token), SessionTransport.API) is not None


async def test_a_session_can_be_ended(db, clock):
    challenge = await ask(db)
    session = (await answer(db, challenge, right(challenge))).session
    clock.turn(SESSION_LIFE)
    async with db.reader() as reader:
        assert await queries.holder(reader, hash_token(session.token), SessionTransport.BROWSER) is None
    assert await actions.forget_expired(db) == 3


async def test_neither_codes_nor_tokens_are_in_the_database(make_sqlite):
    """Invariant 8: no column of any table contains the values themselves."""
    db = await make_sqlite("openmeet")
    challenge = await ask(db)
    session = (await answer(db, challenge, right(challenge))).session
    async with db.reader() as reader:
        tables = await reader.fetch(
            "select name from sqlite_master where type = 'table' and name not in ('search_index', 'search_chat_index')"
        )
        rows = [tuple(row) for table in tables for row in await reader.fetch(f"select * from {table['name']}")]
    everything = repr(rows)
    assert challenge.id in everything
    assert right(challenge) not in everything.replace(challenge.id, "")
    assert session.token not in everything


async def test_the_mail_contains_the_code_until_it_is_used(db):
    challenge = await ask(db)
    compose = code_composer(EmailContext(CODE_KEY, "OpenMeet", "https://meet.example"))
    due = DueEmail(CODE_MAIL, EMAIL, challenge.id, 1)
    letter = await compose(db, due)
    assert letter.to == EMAIL
    assert letter.subject == f"Your code: {model.spaced(right(challenge))}"
    assert model.spaced(right(challenge)) in letter.text
    assert model.spaced(right(challenge)) in letter.html
    # The request came from a program, so a link would work in no browser.
    assert "https://" not in letter.text
    assert LINK_PATH not in letter.html
    await answer(db, challenge, right(challenge))
    assert await compose(db, due) is None


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Ana@Example.ORG ", "ana@example.org"),
        ("a.b+c@example.co.uk", "a.b+c@example.co.uk"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
    ],
)
def test_an_address_is_normalised(typed, kept):
    assert model.check_email(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ana",
        "ana@",
        "@example.org",
        "a b@example.org",
        "ana@example",
        "ana@-example.org",
        "a@b@example.org",
        "ana@example.org\nbcc: x@example.org",
        "a" * 250 + "@example.org",
        "a" * 65 + "@example.org",
        "ana..b@example.org",
        "ana@example.1",
        "аna@example.org",
    ],
)
def test_an_invalid_address_is_refused(typed):
    """Addresses that the mailer would refuse later are refused too, because their code would stay in the queue forever."""
    with pytest.raises(InvalidForm):
        model.check_email(typed)


def test_a_code_is_read_as_people_type_it(clock):
    """Case, spaces and hyphens are ignored, and letters that codes do not contain are read as the similar characters."""
    now = clock.now()
    challenge = Challenge(ChallengeId("c"), EMAIL, "", 5, "/", now, now + 1, None)
    code = model.code_of(CODE_KEY, challenge.id)
    assert (len(code), set(code) <= set(CODE_ALPHABET)) == (8, True)
    assert not set("01ILOBSZU") & set(CODE_ALPHABET)
    misread = code.translate(str.maketrans("852V", "BSZU"))
    for typed in (f" {code[:4]} {code[4:]}", f"{code[:4]}-{code[4:]}".lower(), misread):
        assert model.is_right(CODE_KEY, challenge, typed, now)
    assert not model.is_right(CODE_KEY, challenge, "", now)
    assert not model.is_right(CODE_KEY, challenge, code, now + 1)


def link_in(site, challenge):
    return f"/sign-in/link/{model.link_token(CODE_KEY, challenge)}"


async def test_links_in_browsers(make_sqlite, clock):
    """The link is opened by a link scanner, in another browser, and after a code was entered: only the right browser is
    signed in, once.
    """
    site = site_on(await make_sqlite("openmeet"), clock)
    async with site.browser() as browser, site.browser() as other:
        asked = await browser.post("/sign-in", data={"identifier": EMAIL, "next": "/groups"})
        (challenge,) = parse_qs(urlsplit(asked.headers["location"]).query)["challenge"]
        link = link_in(site, challenge)
        for _ in range(2):
            opened = await other.get(link)
            assert (opened.status_code, "Open this link in your other browser" in opened.text) == (200, True)
            assert (await other.head(link)).status_code == 200
        refused = await other.post(link, data={"time_zone": ""})
        assert (refused.status_code, "set-cookie" in refused.headers) == (400, False)
        assert "Sign in here?" in (await browser.get(link)).text
        entered = await browser.post(link, data={"time_zone": "Europe/Lisbon"})
        assert (entered.status_code, entered.headers["location"]) == (303, "/welcome?next=%2Fgroups")
        for each in (browser, other):
            again = await each.post(link, data={"time_zone": ""})
            assert (again.status_code, "no longer works" in again.text) == (410, True)
        assert (await other.get("/sign-in/link/made-up")).status_code == 410


async def test_the_page_says_how_long_the_code_is_and_for_how_long_it_is_valid(make_sqlite, clock, monkeypatch):
    site = site_on(await make_sqlite("openmeet"), clock)
    monkeypatch.setattr(pages, "CODE_LENGTH", 6)
    monkeypatch.setattr(pages, "CODE_LIFE", 20 * MINUTE)
    async with site.browser() as browser:
        asked = await browser.post("/sign-in", data={"identifier": EMAIL})
        text = (await browser.get(asked.headers["location"])).text
        assert "a code of 6 letters and digits" in text
        assert "for 20 minutes" in text


async def test_a_page_says_when_another_code_can_be_sent(make_sqlite, clock):
    """By the server, at each request. Asking then does send one."""
    site = site_on(await make_sqlite("openmeet"), clock, dev_mode=True)
    async with site.browser() as browser:
        asked = [await browser.post("/sign-in", data={"identifier": EMAIL}) for _ in range(model.MAX_MAILED)]
        first, last = asked[0].headers["location"], asked[-1].headers["location"]
        assert "another code</a> in 30 minutes." in (await browser.get(last)).text
        clock.turn(20 * MINUTE + 1)
        assert "another code</a> in 10 minutes." in (await browser.get(first)).text
        clock.turn(10 * MINUTE)
        again = (await browser.post("/sign-in", data={"identifier": EMAIL})).headers["location"]
        assert "earlier" not in again
        assert "another code</a> in 1 hour." in (await browser.get(again)).text
    async with site.browser() as browser:
        other = (await browser.post("/sign-in", data={"identifier": "other@example.org"})).headers["location"]
        assert 'or <a href="/sign-in">ask for another code</a>.' in (await browser.get(other)).text


async def test_a_page_says_when_all_guesses_are_used(make_sqlite, clock):
    site = site_on(await make_sqlite("openmeet"), clock, dev_mode=True)
    async with site.browser() as browser:
        asked = [await browser.post("/sign-in", data={"identifier": EMAIL}) for _ in range(5)]
        challenges = [parse_qs(urlsplit(one.headers["location"]).query)["challenge"][0] for one in asked]
        assert "earlier=yes" in asked[-1].headers["location"]
        assert "Use the newest one" in (await browser.get(asked[-1].headers["location"])).text
        for challenge in challenges[:4]:
            for _ in range(CODE_TRIES):
                await browser.post("/sign-in/code", data={"challenge": challenge, "code": "22222222"})
        used_up = await browser.post("/sign-in/code", data={"challenge": challenges[4], "code": "22222222"})
        assert (used_up.status_code, "Open the link in our e-mail" in used_up.text) == (429, True)
        by_api = {"challengeId": challenges[4], "code": "22222222"}
        assert (await browser.post("/api/session", json=by_api)).status_code == 429
        assert (await browser.post(link_in(site, challenges[0]), data={"time_zone": ""})).status_code == 303


@pytest.mark.parametrize(("said", "kept"), [("Europe/Lisbon", "Europe/Lisbon"), ("Mars/Olympus", None)])
async def test_a_newcomer_gets_the_browsers_zone_and_keeps_a_later_choice(make_sqlite, clock, said, kept):
    site = site_on(await make_sqlite("openmeet"), clock)
    for zone in (said, "Asia/Tokyo"):
        async with site.browser() as browser:
            asked = await browser.post("/sign-in", data={"identifier": EMAIL, "next": "/"})
            (challenge,) = parse_qs(urlsplit(asked.headers["location"]).query)["challenge"]
            code = model.code_of(CODE_KEY, challenge)
            sent = {"challenge": challenge, "code": code, "time_zone": zone}
            assert (await browser.post("/sign-in/code", data=sent)).status_code == 303
        async with site.db.reader() as reader:
            assert (await by_email(reader, EMAIL)).time_zone == kept


async def test_a_guest_who_signs_up_gets_the_browsers_zone(db):
    async with db.transaction() as tx:
        guest = await guests.make(tx, display_name="Eve", email=EMAIL)
    challenge = await ask(db)
    async with db.transaction() as tx:
        answered = await actions.answer_code(
            tx, CODE_KEY, challenge.id, right(challenge), SessionTransport.BROWSER, time_zone="Europe/Lisbon"
        )
    async with db.reader() as reader:
        user = await by_email(reader, EMAIL)
    assert (user.id, answered.session.user_id) == (guest, guest)
    assert user.time_zone == "Europe/Lisbon"


async def test_a_code_is_sent_before_mails_that_have_waited_longer(db, clock):
    """A person who wants to sign in is waiting for the code, so it is sent before a thousand notifications."""
    async with db.transaction() as tx:
        await enqueue_emails(tx, "notification", [(f"person {number}", "e", tx.now) for number in range(30)])
    clock.turn(MINUTE)
    await ask(db)
    async with db.transaction() as tx:
        (first,) = await leased_jobs.lease(tx, JobKind.MAIL, limit=1, partitions=1, until=Instant(tx.now + MINUTE))
    assert due_email_of(first).kind == CODE_MAIL
