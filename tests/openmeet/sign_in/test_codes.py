"""Codes by e-mail and the sessions that follow; on both engines."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from groundwork.clock import HOUR, MINUTE
from groundwork.errors import InvalidForm, TooMany
from openmeet.debts.deliveries import Due
from openmeet.sign_in import actions, queries, rules, tasks
from openmeet.sign_in.letters import code_composer
from openmeet.sign_in.model import (
    CODE_MAIL,
    CODE_TRIES,
    CODES_PER_HOUR,
    SESSION_LIFE,
    Challenge,
    ChallengeId,
    SessionKind,
)
from openmeet.users.queries import by_email
from tests.openmeet.site_under_test import CODE_KEY, site_on

EMAIL = "ana@example.org"


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def ask(db, **more: str):
    async with db.transaction() as tx:
        return await actions.ask_for_code(tx, EMAIL, **more)


async def answer(db, challenge, typed, kind=SessionKind.BROWSER):
    async with db.transaction() as tx:
        return await actions.answer_code(tx, CODE_KEY, challenge.id, typed, kind)


def right(challenge):
    return rules.code_of(CODE_KEY, challenge.id)


def wrong(challenge):
    return f"{(int(right(challenge)) + 1) % 1_000_000:06}"


async def test_the_right_code_makes_a_person_and_a_session(db):
    challenge = await ask(db, display_name="Ana", next_path="/events/new")
    answered = await answer(db, challenge, right(challenge))
    async with db.reader() as reader:
        user = await by_email(reader, EMAIL)
        found = await queries.holder(reader, rules.hash_token(answered.session.token), SessionKind.BROWSER)
    assert user.display_name == "Ana"
    assert found.caller.user_id == user.id
    assert (answered.next_path, answered.is_new) == ("/events/new", False)


async def test_somebody_known_is_the_same_person_again(db):
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


async def test_simultaneous_right_answers_open_one_session(db):
    challenge = await ask(db)
    answers = await asyncio.gather(*(answer(db, challenge, right(challenge)) for _ in range(4)))
    assert len([one for one in answers if one.session]) == 1


async def test_a_code_works_for_ten_minutes(db, clock):
    challenge = await ask(db)
    clock.turn(10 * MINUTE)
    assert (await answer(db, challenge, right(challenge))).session is None


async def test_after_five_wrong_tries_the_right_code_does_not_help(db):
    challenge = await ask(db)
    left = [(await answer(db, challenge, wrong(challenge))).tries_left for _ in range(CODE_TRIES)]
    assert left == [4, 3, 2, 1, 0]
    assert (await answer(db, challenge, right(challenge))).session is None


async def test_an_address_gets_a_few_codes_an_hour(db, clock):
    for _ in range(CODES_PER_HOUR):
        await ask(db)
    with pytest.raises(TooMany) as raised:
        await ask(db)
    assert 0 < raised.value.after_seconds <= 3600
    clock.turn(HOUR)
    await ask(db)


async def test_a_session_token_of_one_kind_does_not_work_as_the_other(db):
    challenge = await ask(db)
    session = (await answer(db, challenge, right(challenge), SessionKind.API)).session
    async with db.reader() as reader:
        assert await queries.holder(reader, rules.hash_token(session.token), SessionKind.BROWSER) is None
        assert await queries.holder(reader, rules.hash_token(session.token), SessionKind.API) is not None


async def test_a_session_ends(db, clock):
    challenge = await ask(db)
    session = (await answer(db, challenge, right(challenge))).session
    clock.turn(SESSION_LIFE)
    async with db.reader() as reader:
        assert await queries.holder(reader, rules.hash_token(session.token), SessionKind.BROWSER) is None
    assert await tasks.forget_expired(db) == 2


async def test_neither_code_nor_token_is_in_the_database(make_sqlite):
    """Invariant 8: the stored rows do not contain what they prove, in any column of any table."""
    db = await make_sqlite("openmeet")
    challenge = await ask(db)
    session = (await answer(db, challenge, right(challenge))).session
    async with db.reader() as reader:
        tables = await reader.fetch("select name from sqlite_master where type = 'table' and name <> 'search_index'")
        rows = [tuple(row) for table in tables for row in await reader.fetch(f"select * from {table['name']}")]
    everything = repr(rows)
    assert challenge.id in everything
    assert right(challenge) not in everything.replace(challenge.id, "")
    assert session.token not in everything


async def test_the_letter_carries_the_code_until_it_is_used(db):
    challenge = await ask(db)
    compose = code_composer(CODE_KEY, "OpenMeet")
    due = Due(CODE_MAIL, EMAIL, challenge.id, 1)
    letter = await compose(db, due)
    assert letter.to == EMAIL
    assert right(challenge) in letter.text
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
def test_an_address_has_one_spelling(typed, kept):
    assert rules.check_email(typed) == kept


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
def test_what_is_no_address_is_refused(typed):
    """Above all what the mailer would refuse later: a code would be owed for ever."""
    with pytest.raises(InvalidForm):
        rules.check_email(typed)


def test_spaces_and_hyphens_in_a_code_do_not_matter(clock):

    now = clock.now()
    challenge = Challenge(ChallengeId("c"), EMAIL, "", 5, "/", now, now + 1, None)
    code = rules.code_of(CODE_KEY, challenge.id)
    assert rules.is_right(CODE_KEY, challenge, f"{code[:3]} {code[3:]}", now)
    assert not rules.is_right(CODE_KEY, challenge, "", now)


@pytest.mark.parametrize(("said", "kept"), [("Europe/Lisbon", "Europe/Lisbon"), ("Mars/Olympus", None)])
async def test_a_newcomer_has_the_zone_of_their_browser_and_keeps_what_they_chose_since(make_sqlite, clock, said, kept):
    site = site_on(await make_sqlite("openmeet"), clock)
    for zone in (said, "Asia/Tokyo"):
        async with site.browser() as browser:
            asked = await browser.post("/sign-up", data={"email": EMAIL, "display_name": "Ana", "next": "/"})
            (challenge,) = parse_qs(urlsplit(asked.headers["location"]).query)["challenge"]
            code = rules.code_of(CODE_KEY, challenge)
            sent = {"challenge": challenge, "code": code, "time_zone": zone}
            assert (await browser.post("/sign-in/code", data=sent)).status_code == 303
        async with site.db.reader() as reader:
            assert (await by_email(reader, EMAIL)).time_zone == kept
