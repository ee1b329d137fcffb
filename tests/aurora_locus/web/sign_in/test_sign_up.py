"""Creating an account on the page."""

import pytest

from aurora_locus.web.sign_in import sign_up_pages
from groundwork.rate_limit.contract import Limit
from tests.aurora_locus.deployment import SERVER, Deployment, together
from tests.aurora_locus.mailbox import emails_to, newest_token
from tests.aurora_locus.visitor import Visitor, problems_in, token_in, visitor

WISH = {"name": "ada", "domain": ".test", "email": "ada@example.org", "password": "password of ada"}


@pytest.fixture
async def browser(deployment: Deployment):
    opened = visitor(deployment)
    yield opened
    await opened.http.aclose()


async def test_a_new_account_is_signed_in_and_announced(deployment: Deployment, browser: Visitor) -> None:
    answer = await browser.send("/sign-up", WISH)
    assert answer.status_code == 303, problems_in(answer)
    assert answer.headers["location"] == "/account"
    assert "@ada.test" in (await browser.get("/sign-in/accounts")).text
    session = (await deployment.sign_in("ada.test", "password of ada")).json()
    assert session["handle"] == "ada.test"
    assert "commit" in await deployment.announced(session["did"])
    # Only the session that was just opened: creating an account on a page leaves no session for apps.
    assert await deployment.count("sessions") == 1


async def test_people_behind_an_unconfigured_proxy_do_not_use_up_each_others_sign_ups(
    deployment: Deployment, browser: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page allows an address that many people may share as many sign-ups as the method does."""
    object.__setattr__(deployment.pds.registry, "has_wide_limits", False)
    monkeypatch.setattr(sign_up_pages, "CREATE_ACCOUNT", Limit("create_account", 2, 300))
    for _ in range(3):
        assert (await browser.send("/sign-up", {**WISH, "name": "ab"})).status_code == 400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "ab"}, "name"),
        ({"name": "a.b"}, "name"),
        ({"name": "admin"}, "name"),
        ({"name": "ä"}, "name"),
        ({"email": "nobody"}, "email"),
        ({"email": ""}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 257}, "password"),
    ],
    ids=lambda value: str(value)[:24],
)
async def test_errors_are_shown_next_to_their_fields(browser: Visitor, change: dict[str, str], field: str) -> None:
    """Each error is shown next to its field, and all other input is kept."""
    answer = await browser.send("/sign-up", {**WISH, **change})
    assert answer.status_code == 400
    assert set(problems_in(answer)) == {field}
    for name in {"name", "email"} - {field}:
        assert f'value="{WISH[name]}"' in answer.text
    assert f'<a href="#{field}">' in answer.text


async def test_form_says_the_limits_of_names(browser: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint takes its numbers from the policy of handles, as the refusal does."""
    monkeypatch.setattr(sign_up_pages, "MAX_LABEL", 24)
    assert "3 to 24 letters" in (await browser.get("/sign-up")).text


@pytest.mark.parametrize("name", ["Ada", "@ada", "ada.test", " ada "])
async def test_handle_is_accepted_in_any_spelling(browser: Visitor, name: str) -> None:
    answer = await browser.send("/sign-up", {**WISH, "name": name})
    assert answer.status_code == 303, problems_in(answer)
    assert "@ada.test" in (await browser.get("/sign-in/accounts")).text


async def test_taken_names_are_reported(deployment: Deployment, browser: Visitor) -> None:
    await deployment.sign_up("ada")
    assert set(problems_in(await browser.send("/sign-up", {**WISH, "email": "other@example.org"}))) == {"name"}
    assert set(problems_in(await browser.send("/sign-up", {**WISH, "name": "another"}))) == {"email"}


async def test_a_form_that_is_sent_twice_makes_one_account(deployment: Deployment, browser: Visitor) -> None:
    token = token_in(await browser.get("/sign-up"))
    answers = await together(*(browser.post("/sign-up", {**WISH, "csrf": token}) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [303, 400]
    assert await deployment.count("accounts") == 1


async def test_by_invitation_only(make_deployment) -> None:
    deployment: Deployment = await make_deployment(invite_required=True)
    browser = visitor(deployment)
    missing = await browser.send("/sign-up", WISH)
    assert set(problems_in(missing)) == {"invite_code"}
    wrong = await browser.send("/sign-up", {**WISH, "invite_code": "localhost-aaaaa-bbbbb"})
    assert set(problems_in(wrong)) == {"invite_code"}
    made = await deployment.administration.post(f"{SERVER}.createInviteCode", {"useCount": 1})
    code = made.json()["code"]
    linked = await browser.get("/sign-up", invite=code)
    assert f'value="{code}"' in linked.text
    assert (await browser.send("/sign-up", {**WISH, "invite_code": code})).status_code == 303
    await browser.http.aclose()


async def test_address_is_confirmed_with_the_e_mailed_code(deployment: Deployment, browser: Visitor) -> None:
    await browser.send("/sign-up", WISH)
    await browser.send("/confirm-email", {"step": "new-email"})
    (letter, *_) = await emails_to(deployment, "ada@example.org")
    token = await newest_token(deployment, "ada@example.org")
    assert f"{deployment.settings.url}/confirm-email?code={token}" in letter.text
    linked = await browser.get("/confirm-email", code=token)
    assert f'value="{token}"' in linked.text
    wrong = await browser.send("/confirm-email", {"code": "AAAAA-BBBBB"})
    assert set(problems_in(wrong)) == {"code"}
    right = await browser.send("/confirm-email", {"code": token.lower()})
    assert right.status_code == 303
    session = (await deployment.sign_in("ada.test", "password of ada")).json()
    assert session["emailConfirmed"] is True
    assert "is confirmed" in (await browser.get("/confirm-email")).text
