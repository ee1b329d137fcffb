"""How often one may try, and how clients are told."""

import httpx
import pytest

from aurora_locus.accounts.limits import CREATE_ACCOUNT, OPERATOR_SIGN_IN, SIGN_IN, WRONG_PASSWORDS, network_of
from groundwork.clock import HOUR, MINUTE
from tests.aurora_locus.conftest import OpenTown
from tests.aurora_locus.town import ADMIN_PASSWORD, SERVER, Town, statuses, together

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

PUBLIC = {
    "dev_mode": False,
    "hostname": "pds.example.org",
    "service_handle_domains": (".pds.example.org",),
    "trusted_proxy_hops": 1,
}


@pytest.fixture
async def public_town(open_the_town: OpenTown) -> Town:
    return await open_the_town(**PUBLIC)


async def test_limits_are_told_on_every_answer(public_town: Town) -> None:
    """On refusals as well: a client slows down before it is stopped."""
    answer = await public_town.sign_in("nobody.test", "wrong")
    assert answer.status_code == 401
    assert answer.headers["ratelimit-limit"] == "30"
    assert answer.headers["ratelimit-remaining"] == "29"
    assert answer.headers["ratelimit-policy"] == "30;w=300"
    assert int(answer.headers["ratelimit-reset"]) == (public_town.clock.now() + 5 * MINUTE) // 1_000_000


async def test_sign_ins_are_limited_per_identifier_and_address(public_town: Town) -> None:
    town = public_town
    answers = await together(*(town.sign_in("Nobody.test" if n % 2 else "nobody.test", "wrong") for n in range(31)))
    assert statuses(answers) == [401] * 30 + [429]
    (refused,) = (answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"] == "RateLimitExceeded"
    assert refused.headers["retry-after"] == "300"
    assert refused.headers["ratelimit-remaining"] == "0"
    assert (await town.sign_in("somebody.test", "wrong")).status_code == 401
    elsewhere = {"x-forwarded-for": "192.0.2.7"}
    body = {"identifier": "nobody.test", "password": "wrong"}
    assert (await town.http.post(f"/xrpc/{SERVER}.createSession", json=body, headers=elsewhere)).status_code == 401
    town.clock.turn(5 * MINUTE)
    assert (await town.sign_in("nobody.test", "wrong")).status_code == 401


async def test_wrong_passwords_count_from_everywhere(public_town: Town) -> None:
    """Many addresses do not try more passwords than one."""
    town = public_town
    body = {"identifier": "nobody.test", "password": "x" * 513}

    async def attempt(number: int) -> httpx.Response:
        headers = {"x-forwarded-for": f"192.0.2.{number}"}
        return await town.http.post(f"/xrpc/{SERVER}.createSession", json=body, headers=headers)

    answers = await together(*(attempt(n) for n in range(WRONG_PASSWORDS.points)))
    assert statuses(answers) == [401] * WRONG_PASSWORDS.points
    assert (await attempt(200)).status_code == 429
    town.clock.turn(24 * HOUR)
    assert (await attempt(201)).status_code == 401


@pytest.mark.parametrize("path", [f"/xrpc/{SERVER}.getAccountInviteCodes", "/admin/federation"])
async def test_password_of_the_administration_is_not_found_by_trying(public_town: Town, path: str) -> None:
    """The guesses that the operators' page allows, at any door; then not even the right one is taken."""
    town = public_town
    wrong, right = httpx.BasicAuth("admin", "wrong"), httpx.BasicAuth("admin", ADMIN_PASSWORD)

    async def attempt(auth: httpx.BasicAuth, address: str = "192.0.2.1") -> int:
        return (await town.http.get(path, auth=auth, headers={"x-forwarded-for": address})).status_code

    lets_in = await attempt(right)
    assert lets_in in {200, 403}
    guesses = [await attempt(wrong) for _ in range(OPERATOR_SIGN_IN.points + 1)]
    assert guesses == [401] * OPERATOR_SIGN_IN.points + [429]
    assert await attempt(right) == 429
    assert await attempt(right, "192.0.2.2") == lets_in
    town.clock.turn(5 * MINUTE)
    assert await attempt(right) == lets_in


async def test_sign_ups_are_limited_per_address(public_town: Town) -> None:
    """Counted before anything is looked at, so that guesses of taken names are limited as well."""
    town = public_town
    answers = await together(*(town.ask_to_sign_up("x") for _ in range(CREATE_ACCOUNT.points + 1)))
    assert statuses(answers) == [400] * CREATE_ACCOUNT.points + [429]


async def test_development_is_generous(town: Town) -> None:
    answer = await town.sign_in("nobody.test", "wrong")
    assert answer.headers["ratelimit-limit"] == str(SIGN_IN.points * 1000)


async def test_body_beyond_the_cap_is_not_read(town: Town) -> None:
    answer = await town.ask_to_sign_up("ana", password="x" * 200_000)
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLarge")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_customers_are_told_apart_by_network(engine: str, address: str, network: str) -> None:
    assert engine
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("name", "body", "allowed"),
    [
        ("requestPasswordReset", {"email": "nobody@example.org"}, 15),
        ("resetPassword", {"token": "AAAAA-AAAAA", "password": "short"}, 50),
        ("reserveSigningKey", {}, 20),
    ],
)
async def test_what_anybody_may_ask_is_limited_per_address(
    public_town: Town, name: str, body: dict[str, str], allowed: int
) -> None:
    answers = [await public_town.stranger.post(f"{SERVER}.{name}", body) for _ in range(allowed + 1)]
    assert [answer.status_code for answer in answers].count(429) == 1
    assert answers[-1].json()["error"] == "RateLimitExceeded"
    elsewhere = {"x-forwarded-for": "192.0.2.7"}
    answer = await public_town.http.post(f"/xrpc/{SERVER}.{name}", json=body, headers=elsewhere)
    assert answer.status_code != 429
