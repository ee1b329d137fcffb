"""Rate limits, and how they are reported to clients."""

from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import pytest

from aurora_locus.accounts import operator_guesses, password_guesses
from aurora_locus.accounts.limits import (
    CREATE_ACCOUNT,
    DELETE_ACCOUNT,
    OPERATOR_SIGN_IN,
    REQUEST_PASSWORD_RESET,
    RESERVE_KEY,
    RESET_PASSWORD,
    SIGN_IN,
    SIGN_IN_ADDRESS,
    WRONG_PASSWORDS,
    shared,
)
from aurora_locus.xrpc import gate
from groundwork.clock import HOUR, MINUTE
from groundwork.http.client_addresses import signed_address_header
from groundwork.rate_limit.contract import Limit
from groundwork.settings import Secret
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import ADMIN_PASSWORD, SERVER, Deployment, statuses, together
from tests.aurora_locus.visitor import visitor

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)

PUBLIC = {
    "dev_mode": False,
    "hostname": "pds.example.org",
    "service_handle_domains": (".pds.example.org",),
    "trusted_proxy_hops": 1,
}

# A method that accepts the administrator's password.
INVITES = "/xrpc/com.atproto.admin.getInviteCodes"


@pytest.fixture
async def public_deployment(make_deployment: MakeDeployment) -> Deployment:
    return await make_deployment(**PUBLIC)


async def test_every_response_reports_the_limits(public_deployment: Deployment) -> None:
    """Every response reports the limits, even refusals, so that a client can slow down before it is stopped."""
    answer = await public_deployment.sign_in("nobody.test", "wrong")
    assert answer.status_code == 401
    assert answer.headers["ratelimit-limit"] == "30"
    assert answer.headers["ratelimit-remaining"] == "29"
    assert answer.headers["ratelimit-policy"] == "30;w=300"
    assert int(answer.headers["ratelimit-reset"]) == (public_deployment.clock.now() + 5 * MINUTE) // 1_000_000


async def test_sign_ins_are_limited_per_identifier_and_address(public_deployment: Deployment) -> None:
    deployment = public_deployment
    answers = await together(
        *(deployment.sign_in("Nobody.test" if n % 2 else "nobody.test", "wrong") for n in range(31))
    )
    assert statuses(answers) == [401] * 30 + [429]
    (refused,) = (answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"] == "RateLimitExceeded"
    assert refused.headers["retry-after"] == "300"
    assert refused.headers["ratelimit-remaining"] == "0"
    assert (await deployment.sign_in("somebody.test", "wrong")).status_code == 401
    elsewhere = {"x-forwarded-for": "192.0.2.7"}
    body = {"identifier": "nobody.test", "password": "wrong"}
    assert (
        await deployment.http.post(f"/xrpc/{SERVER}.createSession", json=body, headers=elsewhere)
    ).status_code == 401
    deployment.clock.turn(5 * MINUTE)
    assert (await deployment.sign_in("nobody.test", "wrong")).status_code == 401


async def test_wrong_passwords_from_all_addresses_count_together(public_deployment: Deployment) -> None:
    """Wrong passwords count from all addresses together, so many addresses get no more attempts than one. Unknown names
    count as well.
    """
    deployment = public_deployment
    body = {"identifier": "nobody.test", "password": "x" * 513}

    async def attempt(number: int) -> httpx.Response:
        headers = {"x-forwarded-for": f"192.0.2.{number}"}
        return await deployment.http.post(f"/xrpc/{SERVER}.createSession", json=body, headers=headers)

    answers = await together(*(attempt(n) for n in range(WRONG_PASSWORDS.points)))
    assert statuses(answers) == [401] * WRONG_PASSWORDS.points
    assert (await attempt(200)).status_code == 429
    deployment.clock.turn(24 * HOUR)
    assert (await attempt(201)).status_code == 401


async def test_configured_limits_apply_in_development(make_deployment: MakeDeployment) -> None:
    """Limits that the operator turned on apply in development. Without that, they are a thousand times as high there."""
    deployment = await make_deployment(rate_limits_enabled=True)
    answers = [await deployment.sign_in("nobody.test", "x" * 513) for _ in range(SIGN_IN.points + 1)]
    assert [answer.status_code for answer in answers] == [401] * SIGN_IN.points + [429]


async def test_wrong_passwords_count_without_rate_limits(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With rate limits turned off requests are not counted, but wrong passwords are."""
    monkeypatch.setattr(password_guesses, "WRONG_PASSWORDS", Limit("wrong_passwords", 3, 86400))
    deployment = await make_deployment(rate_limits_enabled=False)
    await deployment.sign_up("ana")
    answers = [await deployment.sign_in("ana.test", "x" * 513) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [401] * 3 + [429]
    assert "ratelimit-limit" not in answers[0].headers


@pytest.mark.parametrize("path", [INVITES, "/admin/federation"])
async def test_admin_password_cannot_be_guessed(public_deployment: Deployment, path: str) -> None:
    """The administrator's password cannot be guessed: after the attempts that the operators' page allows, on any
    interface, even the right one is refused.
    """
    deployment = public_deployment
    wrong, right = httpx.BasicAuth("admin", "wrong"), httpx.BasicAuth("admin", ADMIN_PASSWORD)

    async def attempt(auth: httpx.BasicAuth, address: str = "192.0.2.1") -> int:
        return (await deployment.http.get(path, auth=auth, headers={"x-forwarded-for": address})).status_code

    lets_in = await attempt(right)
    assert lets_in == 200
    guesses = [await attempt(wrong) for _ in range(OPERATOR_SIGN_IN.points + 1)]
    assert guesses == [401] * OPERATOR_SIGN_IN.points + [429]
    assert await attempt(right) == 429
    assert await attempt(right, "192.0.2.2") == lets_in
    deployment.clock.turn(5 * MINUTE)
    assert await attempt(right) == lets_in


async def test_operator_can_sign_in_behind_an_unconfigured_proxy(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator can sign in behind an unconfigured proxy, where all visitors have its address: a browser used before
    and the machine itself have separate counts.
    """
    monkeypatch.setattr(operator_guesses, "OPERATOR_GUESSES", Limit("operator_guesses", 15, 86400))
    deployment = await make_deployment(rate_limits_enabled=True)
    operator, stranger = visitor(deployment), visitor(deployment)
    right = {"name": "admin", "password": ADMIN_PASSWORD}
    for number, browser in enumerate((operator, stranger)):
        browser.sends["x-forwarded-for"] = f"192.0.2.{number}"
    assert (await operator.send("/admin/sign-in", right)).status_code == 303
    path = INVITES

    async def call(password: str, **headers: str) -> int:
        auth = httpx.BasicAuth("admin", password)
        return (await deployment.http.get(path, auth=auth, headers=headers)).status_code

    through = {"x-forwarded-for": "192.0.2.1"}
    for _ in range(2):
        guesses = [await call("wrong", **through) for _ in range(OPERATOR_SIGN_IN.points + 1)]
        deployment.clock.turn(5 * MINUTE)
    assert set(guesses) == {401, 429}
    # The day's attempts are used up, from any address and on both interfaces; from there even the right password is
    # refused.
    assert await call(ADMIN_PASSWORD, **through) == 429
    assert (await stranger.send("/admin/sign-in", right)).status_code == 429
    await operator.send("/admin/sign-out", {}, page="/admin")
    assert (await operator.send("/admin/sign-in", right)).status_code == 303
    assert await call(ADMIN_PASSWORD) == 200
    # A program on the machine that guesses is stopped too.
    assert [await call("wrong") for _ in range(OPERATOR_SIGN_IN.points + 1)] == [401] * OPERATOR_SIGN_IN.points + [429]
    for browser in (operator, stranger):
        await browser.http.aclose()


async def test_guesses_at_the_operators_password_have_no_bypass(make_deployment: MakeDeployment) -> None:
    key = Secret("a key of sixteen characters")
    deployment = await make_deployment(rate_limits_enabled=True, rate_limit_bypass_key=key, trusted_proxy_hops=1)
    headers = {"x-ratelimit-bypass": key.reveal(), "x-forwarded-for": "192.0.2.1"}
    path, auth = INVITES, httpx.BasicAuth("admin", "wrong")
    answers = [await deployment.http.get(path, auth=auth, headers=headers) for _ in range(OPERATOR_SIGN_IN.points + 1)]
    assert [answer.status_code for answer in answers] == [401] * OPERATOR_SIGN_IN.points + [429]
    # A back end that identifies itself with the key continues; other people's guesses do not count against it.
    own = {**headers, **signed_address_header(key, "openmeet")}
    right = httpx.BasicAuth("admin", ADMIN_PASSWORD)
    assert (await deployment.http.get(path, auth=right, headers=own)).status_code == 200


async def test_sign_ups_are_limited_per_address(public_deployment: Deployment) -> None:
    """Sign-ups are limited per address and counted before any check, so that probing for taken names is limited as
    well.
    """
    deployment = public_deployment
    answers = await together(*(deployment.ask_to_sign_up("x") for _ in range(CREATE_ACCOUNT.points + 1)))
    assert statuses(answers) == [400] * CREATE_ACCOUNT.points + [429]


async def test_development_limits_are_high(deployment: Deployment) -> None:
    answer = await deployment.sign_in("nobody.test", "wrong")
    assert answer.headers["ratelimit-limit"] == str(SIGN_IN.points * 1000)


async def test_body_beyond_the_cap_is_not_read(deployment: Deployment) -> None:
    answer = await deployment.ask_to_sign_up("ana", password="x" * 200_000)
    assert (answer.status_code, answer.json()["error"]) == (413, "PayloadTooLarge")


@pytest.mark.parametrize(
    ("name", "body", "allowed"),
    [
        ("requestPasswordReset", {"email": "nobody@example.org"}, 15),
        ("resetPassword", {"token": "AAAAA-AAAAA", "password": "short"}, 50),
        ("reserveSigningKey", {}, 20),
    ],
)
async def test_public_methods_are_limited_per_address(
    public_deployment: Deployment, name: str, body: dict[str, str], allowed: int
) -> None:
    answers = [await public_deployment.stranger.post(f"{SERVER}.{name}", body) for _ in range(allowed + 1)]
    assert [answer.status_code for answer in answers].count(429) == 1
    assert answers[-1].json()["error"] == "RateLimitExceeded"
    elsewhere = {"x-forwarded-for": "192.0.2.7"}
    answer = await public_deployment.http.post(f"/xrpc/{SERVER}.{name}", json=body, headers=elsewhere)
    assert answer.status_code != 429


# As the reference's installer leaves it: a proxy next to the server that no setting mentions.
OF_THE_REFERENCE = {**PUBLIC, "trusted_proxy_hops": 0, "trusted_private_proxies": True}


async def test_proxies_in_private_networks_identify_clients(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies in private networks identify clients: each visitor has a count, and what a visitor writes before the
    proxy's entry is ignored.
    """
    monkeypatch.setattr(gate, "ADDRESS", Limit("address", 3, 300))
    deployment = await make_deployment(**OF_THE_REFERENCE)

    async def ask(forwarded_for: str) -> int:
        answer = await deployment.http.get(f"/xrpc/{SERVER}.describeServer", headers={"x-forwarded-for": forwarded_for})
        return answer.status_code

    assert [await ask("8.8.8.8") for _ in range(4)] == [200, 200, 200, 429]
    assert [await ask("8.8.4.4") for _ in range(3)] == [200, 200, 200]
    assert [await ask(f"1.1.1.{n}, 8.8.4.4") for n in range(2)] == [429, 429]
    assert await ask("10.0.0.7, 9.9.9.9, 10.0.0.8") == 200


async def test_five_thousand_people_behind_an_unconfigured_proxy_are_not_limited(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five thousand people behind an unconfigured proxy notice nothing. Everybody has the proxy's address, which gets a
    hundred times the limit of one person for every kind of request. A typed name is counted as usual.
    """
    monkeypatch.setattr(gate, "ADDRESS", Limit("address", 2, 300))
    deployment = await make_deployment(**OF_THE_REFERENCE)
    asked = [await deployment.http.get(f"/xrpc/{SERVER}.describeServer") for _ in range(200)]
    assert {answer.status_code for answer in asked} == {200}
    assert asked[0].headers["ratelimit-limit"] == "200"
    assert (await deployment.http.get(f"/xrpc/{SERVER}.describeServer")).status_code == 429
    monkeypatch.undo()
    everybody = shared(gate.ADDRESS).points
    assert everybody >= 5_000 * 8 * 5  # people, requests per minute, minutes
    answers = [await deployment.sign_in("nobody.test", "x" * 513) for _ in range(SIGN_IN.points + 1)]
    assert [answer.status_code for answer in answers] == [401] * SIGN_IN.points + [429]


async def test_unconfigured_proxy_address_gets_few_more_sign_ups(make_deployment: MakeDeployment) -> None:
    """An unconfigured proxy's address can create only a few more accounts than usual: a hundred times the limit of one
    person would be 10,000 accounts in five minutes for an attacker.
    """
    deployment = await make_deployment(**OF_THE_REFERENCE)
    allowed = shared(CREATE_ACCOUNT).points
    assert allowed == 300
    answers = await together(*(deployment.ask_to_sign_up("x") for _ in range(allowed + 1)))
    assert statuses(answers) == [400] * allowed + [429]
    assert (await deployment.http.get(f"/xrpc/{SERVER}.describeServer")).status_code == 200


TOLD = Path(__file__).parents[3] / "docs" / "from-the-reference-pds.md"


@pytest.mark.parametrize(
    ("what", "limits"),
    [
        ("calls of XRPC methods", [gate.ADDRESS]),
        ("opened streams", [gate.STREAM_OPENINGS]),
        ("created accounts", [CREATE_ACCOUNT]),
        ("sign-ins", [SIGN_IN_ADDRESS]),
        ("requested e-mails to reset a password", REQUEST_PASSWORD_RESET),
        ("passwords reset with a code from an e-mail", [RESET_PASSWORD]),
        ("deleted accounts", [DELETE_ACCOUNT]),
        ("reserved signing keys", [RESERVE_KEY]),
    ],
)
def test_documented_limits_per_address_match_the_code(engine: str, what: str, limits: Sequence[Limit]) -> None:
    """The operators' table for people who move from the reference PDS states the limits per address."""
    assert engine
    windows = {300: "5 minutes", 3600: "an hour", 86400: "a day"}

    def told(points: Callable[[Limit], Limit]) -> str:
        return ", ".join(f"{points(limit).points:,} in {windows[limit.window_seconds]}" for limit in limits)

    assert f"| {what} | {told(lambda limit: limit)} | {told(shared)} |" in TOLD.read_text()
