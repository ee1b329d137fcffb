"""Wrong passwords of one account: counted together under all its names, and without locking out its owner."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from aurora_locus.accounts import limits, password_guesses
from aurora_locus.accounts.sign_in_links import MAX_OPEN
from groundwork.clock import DAY, SECOND
from groundwork.http.client_addresses import FOR_SOMEBODY, signed_address_header
from groundwork.rate_limit.contract import Limit
from groundwork.settings import Secret
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import SERVER, Deployment, Person, statuses, together
from tests.aurora_locus.mailbox import emails_to
from tests.aurora_locus.visitor import Visitor, heading_of, problems_in, visitor

CREATE = f"/xrpc/{SERVER}.createSession"
GUESSES = 3
OWNERS, STRANGERS = "198.51.100.7", "192.0.2.66"
RIGHT = "password of ada"
# Other tests run the same SQL on both engines.
on_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

KEY = Secret("a key of sixteen characters")


@pytest.fixture
def low_guess_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three guesses a day, because every one costs a hash."""
    monkeypatch.setattr(password_guesses, "WRONG_PASSWORDS", Limit("wrong_passwords", GUESSES, 86400))


@pytest.fixture
async def deployment(make_deployment: MakeDeployment, low_guess_limit: None) -> Deployment:
    assert low_guess_limit is None
    return await make_deployment(
        trusted_proxy_hops=1,
        rate_limits_enabled=True,
        rate_limit_bypass_key=KEY,
        rate_limit_bypass_ips=("192.0.2.200",),
    )


@pytest.fixture
async def ada(deployment: Deployment) -> Person:
    return await deployment.sign_up("ada")


@pytest.fixture
async def browser(deployment: Deployment) -> AsyncIterator[Visitor]:
    """The owner's browser."""
    opened = visitor(deployment)
    yield opened
    await opened.http.aclose()


@pytest.fixture
async def stranger(deployment: Deployment) -> AsyncIterator[Visitor]:
    opened = visitor(deployment)
    yield opened
    await opened.http.aclose()


async def attempt(
    deployment: Deployment, password: str, *, identifier: str = "ada.test", address: str = STRANGERS, **headers: str
) -> httpx.Response:
    """``createSession`` from an address that the configured proxy reports; an empty address means no proxy."""
    seen = {"x-forwarded-for": address} if address else {}
    body = {"identifier": identifier, "password": password}
    return await deployment.http.post(CREATE, json=body, headers={**seen, **headers})


async def use_up(deployment: Deployment, **how: str) -> None:
    """Guess as an attacker until all attempts are used up."""
    for _ in range(GUESSES):
        assert (await attempt(deployment, "wrong", **how)).status_code == 401
    assert (await attempt(deployment, "wrong", **how)).status_code == 429


@pytest.mark.usefixtures("ada")
async def test_every_spelling_counts_for_the_account(deployment: Deployment, ada: Person) -> None:
    """Handle, @handle, capitals and DID count for the same account, from any address."""
    spellings = ["ada.test", "@ada.test", " ADA.Test ", "Ada.test", ada.did]
    answers = [
        await attempt(deployment, "wrong", identifier=name, address=f"192.0.2.{number}")
        for number, name in enumerate([*spellings, *spellings])
    ]
    assert [answer.status_code for answer in answers] == [401] * GUESSES + [429] * (10 - GUESSES)
    assert answers[-1].json()["error"] == "RateLimitExceeded"
    assert (await attempt(deployment, RIGHT, address="192.0.2.99")).status_code == 429
    deployment.clock.turn(DAY)
    assert (await attempt(deployment, RIGHT)).status_code == 200


@on_sqlite
async def test_used_up_guesses_do_not_reveal_the_address_of_an_account(deployment: Deployment, ada: Person) -> None:
    """The address and the handle of an account have separate counters. If they shared one, anybody could use up the
    guesses for the handle, and then see which address has none left either.
    """
    await use_up(deployment)
    addresses = ("ada@example.org", " Ada@example.org", "nobody@example.org")
    refused = [await attempt(deployment, "wrong", identifier=address) for address in addresses]
    assert [answer.status_code for answer in refused] == [401] * len(addresses)
    assert (await attempt(deployment, "wrong", identifier=ada.did)).status_code == 429
    assert (await attempt(deployment, RIGHT, identifier="ada@example.org", address=OWNERS)).status_code == 200
    await attempt(deployment, "wrong", identifier="ada@example.org")
    assert (await attempt(deployment, RIGHT, identifier="ada@example.org")).status_code == 429


async def test_concurrent_guesses_do_not_exceed_the_limit(deployment: Deployment, ada: Person) -> None:
    answers = await together(
        *(attempt(deployment, f"wrong {number}", address=f"192.0.2.{number}") for number in range(4 * GUESSES))
    )
    assert sorted(statuses(answers)) == [401] * GUESSES + [429] * 3 * GUESSES
    assert ada.did


@on_sqlite
async def test_right_passwords_do_not_count_as_guesses(deployment: Deployment, ada: Person) -> None:
    for number in range(2 * GUESSES):
        assert (await attempt(deployment, RIGHT, address=f"192.0.2.{number}")).status_code == 200
    assert ada.did


@on_sqlite
async def test_a_restart_gives_no_new_guesses(deployment: Deployment, ada: Person) -> None:
    """A restart gives no new guesses, because the count is in the database. That of an unknown name is, too; otherwise
    a restart would reveal which accounts exist.
    """
    names = ("ada.test", "ada@example.org", "nobody.test", "nobody@example.org")
    for name in names:
        await use_up(deployment, identifier=name)
    object.__setattr__(deployment.pds.registry, "counters", type(deployment.pds.registry.counters)())
    for name in names:
        assert (await attempt(deployment, "wrong", identifier=name, address="192.0.2.5")).status_code == 429
    assert ada.did


@on_sqlite
async def test_every_unknown_name_has_a_counter_of_its_own(deployment: Deployment) -> None:
    """Otherwise guesses at invented names would use up those at a name, but never those at an account."""
    context = deployment.pds.registry.guess_context
    names = [f"nobody{number}@example.org" for number in range(5_000)]
    assert len({password_guesses.subject_of_unknown(context, name) for name in names}) == len(names)


async def test_a_sweep_limits_the_counters_of_unknown_names(
    deployment: Deployment, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest are deleted. Those of accounts stay."""
    monkeypatch.setattr(password_guesses, "MAX_UNKNOWN", 2)
    await use_up(deployment)
    for name in ("first.test", "second.test", "third.test"):
        deployment.clock.turn(SECOND)
        await use_up(deployment, identifier=name)
    assert await deployment.pds.registry.db.write(password_guesses.sweep) == 1
    names = {"first.test": 401, "second.test": 429, "third.test": 429, ada.did: 429}
    assert {name: (await attempt(deployment, "wrong", identifier=name)).status_code for name in names} == names


@on_sqlite
async def test_unknown_name_gets_the_same_responses(deployment: Deployment, ada: Person) -> None:
    """An unknown name gets the same responses and the same limits, so guessing does not reveal which accounts exist."""
    known = [await attempt(deployment, "wrong") for _ in range(GUESSES + 1)]
    unknown = [await attempt(deployment, "wrong", identifier="nobody.test") for _ in range(GUESSES + 1)]
    assert [answer.status_code for answer in known] == [answer.status_code for answer in unknown]
    assert [answer.json() for answer in known] == [answer.json() for answer in unknown]
    again = await attempt(deployment, "wrong", identifier="@NOBODY.test")
    assert again.status_code == 429
    assert ada.did


@on_sqlite
async def test_known_address_of_the_owner_has_a_separate_limit(deployment: Deployment, ada: Person) -> None:
    """An address from which the owner's app signed in has a separate count, which the guesses of others do not affect.
    It is limited too.
    """
    assert (await attempt(deployment, RIGHT, address=OWNERS)).status_code == 200
    await use_up(deployment)
    assert (await attempt(deployment, RIGHT, address=OWNERS)).status_code == 200
    assert (await attempt(deployment, RIGHT)).status_code == 429
    await use_up(deployment, address=OWNERS)
    assert (await attempt(deployment, RIGHT, address=OWNERS)).status_code == 429
    assert ada.did


@on_sqlite
async def test_sessions_and_app_passwords_continue_while_sign_in_is_blocked(
    deployment: Deployment, ada: Person
) -> None:
    """Sessions continue while sign-in is blocked: tokens, refreshing, and app passwords in use, from any address. A
    wrong app password opens nothing.
    """
    made = await ada.post(f"{SERVER}.createAppPassword", {"name": "a reader"})
    app_password = made.json()["password"]
    await use_up(deployment)
    assert (await ada.get(f"{SERVER}.getSession")).status_code == 200
    assert (await ada.bearing(ada.refresh_token).post(f"{SERVER}.refreshSession")).status_code == 200
    for number in range(3):
        opened = await attempt(deployment, app_password, address=f"192.0.2.{number}")
        assert opened.status_code == 200
    assert (await attempt(deployment, "aaaa-bbbb-cccc-dddd")).status_code == 429


@on_sqlite
async def test_key_of_a_back_end_does_not_allow_guessing(deployment: Deployment, ada: Person) -> None:
    """The key of a back end does not allow unlimited guesses, and neither does an address exempt from rate limits.
    Methods with Basic authentication are limited too.
    """
    key = {"x-ratelimit-bypass": KEY.reveal()}
    answers = [await attempt(deployment, "wrong", **key) for _ in range(GUESSES)]
    assert statuses(answers) == [401] * GUESSES
    assert "ratelimit-limit" in answers[0].headers
    assert (await attempt(deployment, "wrong", address="192.0.2.200", **key)).status_code == 429
    body = {"did": ada.did, "password": RIGHT, "token": "AAAAA-AAAAA"}
    deleting = await deployment.http.post(f"/xrpc/{SERVER}.deleteAccount", json=body, headers=key)
    assert deleting.status_code == 429


@on_sqlite
async def test_a_back_end_names_its_visitors(deployment: Deployment, ada: Person) -> None:
    """A back end with our key names its visitors: each has a separate count. The owner gets in from a known address
    although others used up the guesses.
    """
    assert (await attempt(deployment, RIGHT, address="", **signed_address_header(KEY, OWNERS))).status_code == 200
    for number in range(GUESSES):
        guess = await attempt(deployment, "wrong", address="", **signed_address_header(KEY, f"192.0.2.{number}"))
        assert guess.status_code == 401
    assert (await attempt(deployment, RIGHT, address="", **signed_address_header(KEY, STRANGERS))).status_code == 429
    assert (await attempt(deployment, RIGHT, address="", **signed_address_header(KEY, OWNERS))).status_code == 200
    # The same person without the back end.
    assert (await attempt(deployment, RIGHT, address=OWNERS)).status_code == 200
    assert ada.did


@pytest.mark.parametrize(
    "forged",
    [
        {"x-client-address": OWNERS},
        {"x-client-address": f"{OWNERS} {'0' * 64}"},
        signed_address_header(Secret("another key of that length"), OWNERS),
        {
            "x-client-address": signed_address_header(KEY, "198.51.100.8")["x-client-address"].replace(
                "198.51.100.8", OWNERS
            )
        },
        {"x-client-address": "\u00e9 x"},
        {"x-forwarded-for": f"{OWNERS}, {STRANGERS}"},
        {"x-forwarded-for": f"{STRANGERS}, {OWNERS}", "forwarded": "for=_visitor"},
        {"forwarded": f"for={OWNERS}", "x-real-ip": OWNERS},
    ],
    ids=["bare", "wrong", "other key", "moved", "bytes", "two hops", "for somebody", "other headers"],
)
@on_sqlite
async def test_forged_address_header_does_not_help(deployment: Deployment, ada: Person, forged: dict[str, str]) -> None:
    """A forged address header does not help: an attacker who writes the owner's address into it is still counted under
    their own address.
    """
    assert (await attempt(deployment, RIGHT, address=OWNERS)).status_code == 200
    await use_up(deployment)
    headers = [(n.encode(), value.encode()) for n, value in {"x-forwarded-for": STRANGERS, **forged}.items()]
    body = {"identifier": "ada.test", "password": RIGHT}
    assert (await deployment.http.post(CREATE, json=body, headers=headers)).status_code == 429
    assert ada.did


@pytest.mark.parametrize(
    "how",
    [{"address": ""}, {"address": "", **FOR_SOMEBODY}, {"address": OWNERS, **FOR_SOMEBODY}],
    ids=["bare", "told", "seen"],
)
@on_sqlite
async def test_unconfigured_web_process_is_never_a_known_address(
    deployment: Deployment, ada: Person, how: dict[str, str]
) -> None:
    """An unconfigured web process that forwards requests of many visitors never becomes a known address, because
    attackers use it too. All its requests share one count.
    """
    assert (await attempt(deployment, RIGHT, **how)).status_code == 200
    await use_up(deployment)
    assert (await attempt(deployment, RIGHT, **how)).status_code == 429
    assert ada.did


@on_sqlite
async def test_unconfigured_proxy_is_never_a_known_address(
    make_deployment: MakeDeployment, low_guess_limit: None
) -> None:
    """An unconfigured proxy never becomes a known address, because all visitors have its address. The owner still gets
    in with a browser used before.
    """
    assert low_guess_limit is None
    deployment = await make_deployment(rate_limits_enabled=True)
    await deployment.sign_up("ada")
    owner, stranger = visitor(deployment), visitor(deployment)
    through = {"x-forwarded-for": OWNERS}
    owner.sends.update(through)
    stranger.sends.update({"x-forwarded-for": STRANGERS})
    assert (await owner.sign_in("ada")).status_code == 303
    await owner.send("/sign-out", {"everybody": ""}, page="/account")
    await use_up(deployment)
    assert (await attempt(deployment, RIGHT, address=OWNERS)).status_code == 429
    assert (await stranger.sign_in("ada")).status_code == 429
    # Also if the attacker used up the attempts for this name from this address.
    for _ in range(limits.SIGN_IN.points):
        await attempt(deployment, "wrong")
    assert (await owner.sign_in("ada")).status_code == 303
    for each in (owner, stranger):
        await each.http.aclose()


@on_sqlite
async def test_owner_can_sign_in_with_a_known_browser(
    deployment: Deployment, ada: Person, browser: Visitor, stranger: Visitor
) -> None:
    """A browser that the owner used before gets in, also with several accounts on it. Another person's browser or a
    made-up cookie does not.
    """
    await deployment.sign_up("eva")
    await browser.sign_in("ada")
    await browser.sign_in("eva")
    await browser.send("/sign-out", {"everybody": ""}, page="/account")
    await use_up(deployment)
    refused = await stranger.sign_in("ada")
    assert refused.status_code == 429
    assert "e-mail you a link" in problems_in(refused)["password"]
    stranger.http.cookies.set("aurora_known", "A" * 22, domain=stranger.http.base_url.host)
    assert (await stranger.sign_in("ada")).status_code == 429
    assert (await browser.sign_in("ada")).status_code == 303
    assert ada.did


@on_sqlite
async def test_each_device_has_a_separate_count(
    deployment: Deployment, ada: Person, browser: Visitor, stranger: Visitor
) -> None:
    """Each device has a separate count: guesses on a stolen device do not block the owner's other one."""
    for each in (browser, stranger):
        await each.sign_in("ada")
        await each.send("/sign-out", {"everybody": ""}, page="/account")
    for _ in range(GUESSES):
        assert (await stranger.send("/sign-in", {"identifier": "ada.test", "password": "x"})).status_code == 400
    assert (await stranger.sign_in("ada")).status_code == 429
    assert (await browser.sign_in("ada")).status_code == 303
    assert ada.did


async def link_of(deployment: Deployment) -> str:
    newest, *_ = await emails_to(deployment, "ada@example.org")
    found = re.search(r"/sign-in\?link=[A-Z2-7]{32}$", newest.text, re.MULTILINE)
    assert found is not None, newest.text
    return found[0]


async def ask_for_link(who: Visitor, name: str = "ada.test") -> httpx.Response:
    return await who.send("/sign-in", {"identifier": name, "step": "mail-link"}, page="/sign-in?another")


async def test_mailed_link_signs_the_owner_in_on_a_new_device(
    deployment: Deployment, ada: Person, browser: Visitor, stranger: Visitor
) -> None:
    await use_up(deployment)
    page = await browser.sign_in("ada")
    assert page.status_code == 429
    assert "E-mail me a link" in page.text
    assert heading_of(await ask_for_link(browser)) == "Check your e-mail"
    link = await link_of(deployment)
    # A mail scanner or a link preview opens the link; this does not use it up.
    for _ in range(3):
        opened = await stranger.get(link)
        assert "Your link works" in opened.text
    assert (await browser.send("/sign-in", {"identifier": "ada.test", "password": "x"}, page=link)).status_code == 429
    token = link.partition("=")[2]
    wrong = await browser.send("/sign-in", {"identifier": "ada.test", "password": "x", "link": token})
    assert wrong.status_code == 400
    right = {"identifier": "ada.test", "password": RIGHT, "link": token}
    assert (await browser.send("/sign-in", right)).status_code == 303
    assert await browser.is_signed_in()
    # The link can be used once, and then the device is known.
    assert (await stranger.send("/sign-in", right)).status_code == 429
    assert "was used" in (await stranger.get(link)).text
    await browser.send("/sign-out", {"everybody": ""}, page="/account")
    assert (await browser.sign_in("ada")).status_code == 303
    assert ada.did


@on_sqlite
async def test_link_expires_and_has_a_separate_count(deployment: Deployment, ada: Person, browser: Visitor) -> None:
    await use_up(deployment)
    await ask_for_link(browser, " @ADA.test")
    right = {"identifier": "ada.test", "password": RIGHT, "link": (await link_of(deployment)).partition("=")[2]}
    for _ in range(GUESSES):
        assert (await browser.send("/sign-in", {**right, "password": "x"})).status_code == 400
    assert (await browser.send("/sign-in", right)).status_code == 429
    await ask_for_link(browser)
    later = {**right, "link": (await link_of(deployment)).partition("=")[2]}
    assert later["link"] != right["link"]
    await deployment.sign_up("eva")
    for _ in range(GUESSES):
        await attempt(deployment, "wrong", identifier="eva.test", address="192.0.2.9")
    elses = {"identifier": "eva.test", "password": "password of eva", "link": later["link"]}
    assert (await browser.send("/sign-in", elses)).status_code == 429
    assert (await browser.send("/sign-in", later)).status_code == 303
    await ask_for_link(browser)
    link = await link_of(deployment)
    deployment.clock.turn(DAY)
    assert "more than a day old" in (await browser.get(link)).text
    assert ada.did


async def test_links_requested_by_strangers_do_not_displace_the_owners(
    deployment: Deployment, ada: Person, browser: Visitor, stranger: Visitor
) -> None:
    """Sign-in links requested by others do not displace the owner's: a mailbox gets few, and each stays valid."""
    await use_up(deployment)
    for _ in range(2 * MAX_OPEN):
        assert heading_of(await ask_for_link(stranger)) == "Check your e-mail"
    assert heading_of(await ask_for_link(stranger, "nobody.test")) == "Check your e-mail"
    mailed = [mail for mail in await emails_to(deployment, "ada@example.org") if "sign-in?link=" in mail.text]
    assert len(mailed) == MAX_OPEN
    await ask_for_link(browser)
    oldest = re.search(r"link=([A-Z2-7]{32})$", mailed[-1].text, re.MULTILINE)
    assert oldest is not None
    right = {"identifier": "ada.test", "password": RIGHT, "link": oldest[1]}
    assert (await browser.send("/sign-in", right)).status_code == 303
    assert ada.did


@on_sqlite
async def test_new_password_resets_the_counts(deployment: Deployment, ada: Person) -> None:
    """A new password resets the counts and the known addresses."""
    await attempt(deployment, RIGHT, address=OWNERS)
    for name in ("ada.test", "ada@example.org"):
        await use_up(deployment, identifier=name)
    body = {"did": ada.did, "password": "another password"}
    answer = await deployment.administration.post("com.atproto.admin.updateAccountPassword", body)
    assert answer.status_code == 200
    assert await deployment.count("known_sources") == 0
    assert await deployment.count("password_guesses") == 0
    assert (await attempt(deployment, "another password")).status_code == 200


@pytest.mark.usefixtures("ada")
@on_sqlite
async def test_neither_address_nor_device_nor_link_is_in_the_database(deployment: Deployment, browser: Visitor) -> None:
    await browser.sign_in("ada")
    await attempt(deployment, RIGHT, address=OWNERS)
    await ask_for_link(browser)
    async with deployment.db.reader() as reader:
        sources = [bytes(row[0]) for row in await reader.fetch("select source_hash from known_sources")]
        hashes = [bytes(row[0]) for row in await reader.fetch("select token_hash from sign_in_links")]
    assert (len(sources), len(hashes)) == (2, 1)
    secrets = [OWNERS, browser.cookies()["aurora_known"]]
    assert not any(secret.encode() in source for secret in secrets for source in sources)
