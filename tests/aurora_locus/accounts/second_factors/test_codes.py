"""Codes of second factors: accepted once, in time, and not guessable; their secrets are not readable in the database."""

import re

import pyotp
import pytest

from aurora_locus.accounts import password_reset
from aurora_locus.accounts.limits import SECOND_FACTOR
from aurora_locus.accounts.second_factors import checking, queries, recovery_codes, totp
from groundwork.clock import MINUTE, SECOND
from groundwork.rate_limit.contract import RateLimited
from tests.aurora_locus.deployment import SERVER, Deployment, Person, statuses, together
from tests.aurora_locus.mailbox import emails_to, newest_token

STEP = totp.STEP_SECONDS * SECOND


@pytest.fixture
async def ada(deployment: Deployment) -> Person:
    return await deployment.sign_up("ada")


async def set_up(deployment: Deployment, did) -> str:
    """Set up an authenticator app that counts; returns its secret."""
    registry = deployment.pds.registry
    await deployment.db.write(lambda w: totp.begin(w, registry.factor_keys, did))
    async with deployment.db.reader() as reader:
        secret = await totp.pending(reader, registry.factor_keys, did)
    assert secret is not None
    assert await deployment.db.write(
        lambda w: totp.use_code(w, registry.factor_keys, did, code(deployment, secret), confirming=True)
    )
    deployment.clock.turn(STEP)
    return secret


def code(deployment: Deployment, secret: str, steps: int = 0) -> str:
    """The code that an app shows now, or some steps later."""
    return pyotp.TOTP(secret).at((deployment.clock.now() + steps * STEP) // SECOND)


async def sign_in(deployment: Deployment, token: str | None = None, password: str = "password of ada"):
    body = {"identifier": "ada.test", "password": password}
    return await deployment.stranger.post(
        f"{SERVER}.createSession", body | ({"authFactorToken": token} if token else {})
    )


async def test_secret_is_active_only_after_a_code_is_entered(deployment: Deployment, ada: Person) -> None:
    keys = deployment.pds.registry.factor_keys
    await deployment.db.write(lambda w: totp.begin(w, keys, ada.did))
    assert (await sign_in(deployment)).status_code == 200
    assert not await deployment.db.write(lambda w: totp.use_code(w, keys, ada.did, "000000", confirming=True))
    assert (await sign_in(deployment)).status_code == 200
    await set_up(deployment, ada.did)
    refused = await sign_in(deployment)
    assert refused.status_code == 401
    assert refused.json()["error"] == "AuthFactorTokenRequired"


async def test_a_code_works_once(deployment: Deployment, ada: Person) -> None:
    secret = await set_up(deployment, ada.did)
    now = code(deployment, secret)
    assert (await sign_in(deployment, now)).status_code == 200
    replayed = await sign_in(deployment, now)
    assert replayed.status_code == 400
    assert replayed.json()["error"] == "InvalidToken"


async def test_code_used_concurrently_works_once(deployment: Deployment, ada: Person) -> None:
    secret = await set_up(deployment, ada.did)
    now = code(deployment, secret)
    assert statuses(await together(*(sign_in(deployment, now) for _ in range(5)))) == [200, 400, 400, 400, 400]


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)], ids=str)
async def test_clocks_may_differ_by_30_seconds(deployment: Deployment, ada: Person, steps: int, is_taken: bool) -> None:
    secret = await set_up(deployment, ada.did)
    # Two steps later, so that no code is older than the one used for the setup.
    deployment.clock.turn(2 * STEP)
    assert ((await sign_in(deployment, code(deployment, secret, steps))).status_code == 200) is is_taken


async def test_code_older_than_an_accepted_one_is_refused(deployment: Deployment, ada: Person) -> None:
    secret = await set_up(deployment, ada.did)
    deployment.clock.turn(2 * STEP)
    before, after = code(deployment, secret, -1), code(deployment, secret, 1)
    assert (await sign_in(deployment, after)).status_code == 200
    assert (await sign_in(deployment, before)).status_code == 400


async def test_number_of_attempts_is_limited(deployment: Deployment, ada: Person) -> None:
    """Codes cannot be guessed: after ten attempts in a quarter of an hour, even the right one is refused."""
    secret = await set_up(deployment, ada.did)
    object.__setattr__(deployment.pds.registry, "has_wide_limits", False)
    tries = SECOND_FACTOR[0].points
    wrong = [f"{number:06}" for number in range(tries)]
    for typed in wrong:
        assert (await sign_in(deployment, typed)).status_code == 400
    assert (await sign_in(deployment, code(deployment, secret))).status_code == 429
    deployment.clock.turn(16 * MINUTE)
    assert (await sign_in(deployment, code(deployment, secret))).status_code == 200


async def test_attempts_after_the_last_of_a_day_do_not_count_for_the_shorter_limit(
    deployment: Deployment, ada: Person
) -> None:
    """People read when the day is over, however often they try, and have all attempts then."""
    registry = deployment.pds.registry
    object.__setattr__(registry, "has_wide_limits", False)
    short, daily = SECOND_FACTOR
    for number in range(daily.points):
        if number % short.points == 0:
            deployment.clock.turn(16 * MINUTE)
        await checking.count_try(registry, ada.did)
    deployment.clock.turn(16 * MINUTE)
    for _ in range(short.points + 1):
        with pytest.raises(RateLimited) as refused:
            await checking.count_try(registry, ada.did)
        assert refused.value.state.limit == daily
    deployment.clock.turn(round(refused.value.after_seconds * SECOND))
    for _ in range(short.points):
        await checking.count_try(registry, ada.did)


async def test_a_restart_gives_no_new_attempts(deployment: Deployment, ada: Person) -> None:
    """Neither a restart nor another process gives new attempts, and a new password does not either."""
    secret = await set_up(deployment, ada.did)
    registry = deployment.pds.registry
    object.__setattr__(registry, "has_wide_limits", False)
    for number in range(SECOND_FACTOR[0].points):
        assert (await sign_in(deployment, f"{number:06}")).status_code == 400
    object.__setattr__(registry, "counters", type(registry.counters)())
    await password_reset.change(registry, ada.did, "another password")
    refused = await sign_in(deployment, code(deployment, secret), password="another password")
    assert refused.status_code == 429
    assert "wrong passwords" not in refused.json()["message"]


async def test_being_asked_for_a_code_does_not_count_as_a_wrong_password(deployment: Deployment, ada: Person) -> None:
    """A request for a code does not count as a wrong password; otherwise sign-ins with a second factor would lock the
    account.
    """
    secret = await set_up(deployment, ada.did)
    object.__setattr__(deployment.pds.registry, "has_wide_limits", False)
    for count in range(2):
        assert (await sign_in(deployment)).json()["error"] == "AuthFactorTokenRequired"
        assert await guesses_made(deployment) == count
        assert (await sign_in(deployment, password="wrong")).status_code == 401
    assert (await sign_in(deployment, code(deployment, secret))).status_code == 200


async def guesses_made(deployment: Deployment) -> int:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select sum(used) from password_guesses")
    return 0 if row is None else row[0] or 0


async def test_app_passwords_are_exempt(deployment: Deployment, ada: Person) -> None:
    made = await ada.post(f"{SERVER}.createAppPassword", {"name": "phone"})
    await set_up(deployment, ada.did)
    assert (await sign_in(deployment, password=made.json()["password"])).status_code == 200


async def test_wrong_password_is_reported_before_the_code(deployment: Deployment, ada: Person) -> None:
    secret = await set_up(deployment, ada.did)
    answer = await sign_in(deployment, code(deployment, secret), password="wrong")
    assert answer.json()["error"] == "AuthenticationRequired"
    # The code is still valid.
    assert (await sign_in(deployment, code(deployment, secret))).status_code == 200


async def test_recovery_codes_work_once_in_any_spelling(deployment: Deployment, ada: Person) -> None:
    await set_up(deployment, ada.did)
    codes = await deployment.db.write(lambda w: recovery_codes.renew(w, deployment.pds.registry.factor_keys, ada.did))
    assert len(set(codes)) == recovery_codes.COUNT
    typed = codes[0].upper().replace("-", " ")
    assert (await sign_in(deployment, typed)).status_code == 200
    assert (await sign_in(deployment, codes[0])).status_code == 400
    assert await deployment.count("recovery_codes") == recovery_codes.COUNT - 1
    ben = await deployment.sign_up("ben")
    assert not await deployment.db.write(
        lambda w: recovery_codes.take(w, deployment.pds.registry.factor_keys, ben.did, codes[1])
    )


async def test_a_code_by_mail(deployment: Deployment, ada: Person) -> None:
    await deployment.db.write(lambda w: queries.set_mail(w, ada.did, is_on=True))
    refused = await sign_in(deployment)
    assert refused.json()["error"] == "AuthFactorTokenRequired"
    token = await newest_token(deployment, "ada@example.org")
    (letter, *_) = await emails_to(deployment, "ada@example.org")
    assert letter.subject == "Your code to sign in"
    assert (await sign_in(deployment, token.lower())).status_code == 200
    assert (await sign_in(deployment, token)).status_code == 400
    await sign_in(deployment)
    late = await newest_token(deployment, "ada@example.org")
    deployment.clock.turn(16 * MINUTE)
    assert (await sign_in(deployment, late)).status_code == 400


async def test_secrets_are_sealed_and_codes_hashed(deployment: Deployment, ada: Person) -> None:
    secret = await set_up(deployment, ada.did)
    codes = await deployment.db.write(lambda w: recovery_codes.renew(w, deployment.pds.registry.factor_keys, ada.did))
    async with deployment.db.reader() as reader:
        rows = [*await reader.fetch("select * from totp_secrets"), *await reader.fetch("select * from recovery_codes")]
    kept = repr([[row[name] for name in row.keys()] for row in rows])  # noqa: SIM118 - a row is no dict
    assert secret not in kept
    assert pyotp.TOTP(secret).byte_secret().hex() not in kept
    assert not [one for one in codes if one in kept or re.sub("-", "", one) in kept]


async def test_apps_turn_codes_by_mail_on_and_off(deployment: Deployment, ada: Person) -> None:
    """Apps turn e-mailed codes on and off as deployed ones do, by updateEmail with the present address. Turning them
    off takes a token, like any change of the address.
    """
    address = {"email": "ada@example.org"}
    unconfirmed = await ada.post(f"{SERVER}.updateEmail", {**address, "emailAuthFactor": True})
    assert unconfirmed.status_code == 400
    await ada.post(f"{SERVER}.requestEmailConfirmation")
    await ada.post(f"{SERVER}.confirmEmail", {**address, "token": await newest_token(deployment, "ada@example.org")})
    assert (await ada.post(f"{SERVER}.updateEmail", {**address, "emailAuthFactor": True})).status_code == 200
    session = (await ada.get(f"{SERVER}.getSession")).json()
    assert (session["emailConfirmed"], session["emailAuthFactor"]) == (True, True)
    assert (await sign_in(deployment)).json()["error"] == "AuthFactorTokenRequired"
    refused = await ada.post(f"{SERVER}.updateEmail", {**address, "emailAuthFactor": False})
    assert refused.json()["error"] == "TokenRequired"
    await ada.post(f"{SERVER}.requestEmailUpdate")
    token = await newest_token(deployment, "ada@example.org")
    off = await ada.post(f"{SERVER}.updateEmail", {**address, "emailAuthFactor": False, "token": token})
    assert off.status_code == 200
    assert "emailAuthFactor" not in (await ada.get(f"{SERVER}.getSession")).json()
    assert (await sign_in(deployment)).status_code == 200


async def test_changing_an_unconfirmed_address_requires_the_second_factor(deployment: Deployment, ada: Person) -> None:
    """With a second factor, changing even an unconfirmed address needs a code, because a stolen session proves no more
    than the password.
    """
    secret = await set_up(deployment, ada.did)
    change = {"email": "thief@example.org"}
    assert (await ada.post(f"{SERVER}.requestEmailUpdate")).json() == {"tokenRequired": True}
    bare = await ada.post(f"{SERVER}.updateEmail", change)
    assert (bare.status_code, bare.json()["error"]) == (400, "TokenRequired")
    wrong = await ada.post(f"{SERVER}.updateEmail", {**change, "token": "000000"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "InvalidToken")
    assert (await ada.get(f"{SERVER}.getSession")).json()["email"] == "ada@example.org"
    good = await ada.post(f"{SERVER}.updateEmail", {"email": "new@example.org", "token": code(deployment, secret)})
    assert good.status_code == 200, good.text
    assert (await ada.get(f"{SERVER}.getSession")).json()["email"] == "new@example.org"


async def test_e_mailed_codes_end_when_the_address_changes(deployment: Deployment, ada: Person) -> None:
    """E-mailed codes end when the address changes: nobody has proved yet that they can read the new one, and asking for
    its codes could lock the owner out.
    """
    address = {"email": "ada@example.org"}
    await ada.post(f"{SERVER}.requestEmailConfirmation")
    await ada.post(f"{SERVER}.confirmEmail", {**address, "token": await newest_token(deployment, "ada@example.org")})
    await ada.post(f"{SERVER}.updateEmail", {**address, "emailAuthFactor": True})
    await ada.post(f"{SERVER}.requestEmailUpdate")
    token = await newest_token(deployment, "ada@example.org")
    assert (await ada.post(f"{SERVER}.updateEmail", {"email": "new@example.org", "token": token})).status_code == 200
    session = (await ada.get(f"{SERVER}.getSession")).json()
    assert (session["email"], session["emailConfirmed"]) == ("new@example.org", False)
    assert "emailAuthFactor" not in session
    assert (await sign_in(deployment)).status_code == 200
