"""A forgotten password: the page does not reveal which addresses have accounts, and a reset ends the sessions of the
old password.
"""

import re

import pytest

from aurora_locus.web.sign_in import reset_pages
from groundwork.rate_limit.contract import Limit
from tests.aurora_locus.conftest import MakeDeployment
from tests.aurora_locus.deployment import Deployment
from tests.aurora_locus.mailbox import emails_to, newest_token
from tests.aurora_locus.visitor import Visitor, problems_in, visitor


@pytest.fixture
async def browser(deployment: Deployment):
    await deployment.sign_up("ada")
    opened = visitor(deployment)
    yield opened
    await opened.http.aclose()


async def asked(browser: Visitor, email: str) -> tuple[int, str, str]:
    """What the browser sees after a request: status, URL, page."""
    answer = await browser.send("/reset-password", {"email": email})
    page = await browser.get(answer.headers["location"])
    return answer.status_code, answer.headers["location"], re.sub(r'name="csrf" value="[^"]+"', "", page.text)


async def test_reset_response_is_the_same_for_every_address(deployment: Deployment, browser: Visitor) -> None:
    assert await asked(browser, "ada@example.org") == await asked(browser, "nobody@example.org")
    assert len(await emails_to(deployment, "ada@example.org")) == 1
    assert await emails_to(deployment, "nobody@example.org") == []


async def test_e_mailed_link_sets_a_new_password(deployment: Deployment, browser: Visitor) -> None:
    other = visitor(deployment)
    await other.sign_in("ada")
    await asked(browser, "Ada@Example.org")
    token = await newest_token(deployment, "ada@example.org")
    (letter, *_) = await emails_to(deployment, "ada@example.org")
    assert f"{deployment.settings.url}/reset-password/code?code={token}" in letter.text
    page = await browser.get("/reset-password/code", code=token)
    assert f'value="{token}"' in page.text
    short = await browser.send("/reset-password/code", {"code": token, "password": "short"})
    assert set(problems_in(short)) == {"password"}
    assert f'value="{token}"' in short.text
    saved = await browser.send("/reset-password/code", {"code": token, "password": "a new password"})
    assert saved.status_code == 303
    assert "Your password has been changed" in (await browser.get(saved.headers["location"])).text
    assert not await other.is_signed_in()
    assert (await deployment.sign_in("ada.test", "password of ada")).status_code == 401
    assert (await deployment.sign_in("ada.test", "a new password")).status_code == 200
    again = await browser.send("/reset-password/code", {"code": token, "password": "a third password"})
    assert set(problems_in(again)) == {"code"}
    await other.http.aclose()


async def test_people_behind_an_unconfigured_proxy_do_not_use_up_each_others_resets(
    deployment: Deployment, browser: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages allow an address that many people may share as many resets as the methods do."""
    object.__setattr__(deployment.pds.registry, "has_wide_limits", False)
    for name in ("RESET_PASSWORD", "REQUEST_PASSWORD_RESET"):
        few = Limit(name.lower(), 2, 300)
        monkeypatch.setattr(reset_pages, name, few if name == "RESET_PASSWORD" else (few,))
    for _ in range(3):
        assert (await browser.send("/reset-password", {"email": "nobody@example.org"})).status_code == 303
        wrong = await browser.send("/reset-password/code", {"code": "AAAAA-AAAAA", "password": "a new password"})
        assert wrong.status_code == 400


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c"])
async def test_invalid_address_is_reported(browser: Visitor, email: str) -> None:
    answer = await browser.send("/reset-password", {"email": email})
    assert answer.status_code == 400
    assert set(problems_in(answer)) == {"email"}


async def test_a_server_without_mail_says_so(make_deployment) -> None:
    deployment: Deployment = await make_deployment()
    object.__setattr__(deployment.pds.registry, "sends_mail", False)
    browser = visitor(deployment)
    answer = await browser.send("/reset-password", {"email": "ada@example.org"})
    assert answer.status_code == 422
    assert "can’t send e-mail" in problems_in(answer)["email"]
    await browser.http.aclose()


@pytest.mark.parametrize("is_limited", [True, False], ids=["limits on", "limits off"])
async def test_pages_count_resets_only_if_rate_limits_are_on(
    make_deployment: MakeDeployment, monkeypatch: pytest.MonkeyPatch, is_limited: bool
) -> None:
    """With PDS_RATE_LIMITS_ENABLED=false, the pages refuse as little as the methods do."""
    deployment = await make_deployment(rate_limits_enabled=is_limited, trusted_proxy_hops=1)
    monkeypatch.setattr(reset_pages, "RESET_PASSWORD", Limit("reset_password", 1, 300))
    monkeypatch.setattr(reset_pages, "REQUEST_PASSWORD_RESET", (Limit("request_password_reset", 1, 300),))
    browser = visitor(deployment)
    for expected in ([303, 400], [429, 429] if is_limited else [303, 400]):
        asked_for = await browser.send("/reset-password", {"email": "nobody@example.org"})
        entered = await browser.send("/reset-password/code", {"code": "AAAAA-AAAAA", "password": "a new password"})
        assert [asked_for.status_code, entered.status_code] == expected
    await browser.http.aclose()
