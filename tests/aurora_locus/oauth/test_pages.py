"""What a person does on the OAuth pages, without scripts."""

import re
from html import unescape

import pyotp
import pytest

from aurora_locus.accounts.limits import SECOND_FACTOR
from aurora_locus.accounts.second_factors import queries, totp
from aurora_locus.oauth.authorization import INACTIVITY
from groundwork.clock import MINUTE, SECOND
from tests.aurora_locus.deployment import SERVER, Deployment, statuses, together
from tests.aurora_locus.mailbox import newest_token
from tests.aurora_locus.oauth.apps import SCOPE, App, localhost_id
from tests.aurora_locus.oauth.conftest import Confidential
from tests.aurora_locus.oauth.consent_pages import (
    AUTHORIZE,
    ada,
    answer_to_app,
    approve_scopes,
    follow_redirects,
    hidden_fields,
    open_consent_page,
    press_button,
    sign_in_on_page,
    ticked_scopes,
)
from tests.aurora_locus.visitor import Visitor, heading_of, problems_in, visitor

__all__ = ["ada"]


PASSWORD = {"identifier": "ada.test", "password": "password of ada", "step": "sign-in"}


@pytest.fixture
async def app(deployment: Deployment) -> App:
    return App(deployment)


async def test_sign_in_and_consent_return_a_code_to_the_app(deployment: Deployment, ada: Visitor, app: App) -> None:
    """Signing in and consenting leads from the app through both pages and back, with a code that the app can redeem."""
    page = await open_consent_page(ada, app)
    assert heading_of(page) == "Sign in"
    told = await approve_scopes(ada, await sign_in_on_page(ada, page), app)
    assert told["state"] == "state of the app"
    assert told["iss"] == deployment.settings.url
    tokens = await app.spend(told["code"])
    assert tokens.status_code == 200
    assert set(tokens.json()["scope"].split()) == set(SCOPE.split())


@pytest.mark.parametrize(
    ("requested", "accepted", "chosen", "shown"),
    [
        ("de-AT en", "en", "", "de"),
        ("xx de", "en", "", "de"),
        ("xx", "de", "", "de"),
        (None, "de", "", "de"),
        ("de", "en", "en", "en"),
    ],
)
async def test_pages_are_in_the_language_that_the_app_requests(
    ada: Visitor, app: App, requested: str | None, accepted: str, chosen: str, shown: str
) -> None:
    """``ui_locales`` is preferred to the language of the browser, but not to the one that the person chose."""
    ada.sends["accept-language"] = accepted
    if chosen:
        ada.carry({"aurora_language": chosen})
    page = await open_consent_page(ada, app, ui_locales=requested)
    assert f'<html lang="{shown}"' in page.text
    assert page.headers["content-language"] == shown
    refused = await press_button(ada, page, "sign-in", identifier="ada.test", password="wrong")
    assert f'<html lang="{shown}"' in refused.text


async def test_deselected_scopes_are_not_granted(ada: Visitor, app: App) -> None:
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    told = await approve_scopes(ada, page, app, "blob:image/*", "account:email")
    granted = (await app.spend(told["code"])).json()["scope"].split()
    assert "blob:image/*" not in granted
    assert "account:email" not in granted
    assert "atproto" in granted
    assert len(granted) == len(SCOPE.split()) - 2


async def test_without_selected_scopes_the_app_gets_only_the_identity(ada: Visitor, app: App) -> None:
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    told = await approve_scopes(ada, page, app, *ticked_scopes(page).values())
    assert (await app.spend(told["code"])).json()["scope"] == "atproto"


async def test_form_cannot_grant_unrequested_scopes(ada: Visitor, app: App) -> None:
    """A made-up form field grants nothing that was not requested."""
    page = await sign_in_on_page(ada, await open_consent_page(ada, app, scope="atproto"))
    made_up = {f"allow-{number}": "identity:*" for number in range(5)}
    answer = await press_button(ada, page, "approve", **made_up)
    assert (await app.spend(answer_to_app(answer, app)["code"])).json()["scope"] == "atproto"


@pytest.mark.parametrize("where", ["sign-in", "sign-up", "consent"])
async def test_deny_is_always_possible(ada: Visitor, app: App, where: str) -> None:
    page = await open_consent_page(ada, app)
    if where == "sign-up":
        page = await ada.get(f"{page.url.raw_path.decode()}&view=sign-up")
    if where == "consent":
        page = await sign_in_on_page(ada, page)
    told = answer_to_app(await press_button(ada, page, "deny"), app)
    assert told["error"] == "access_denied"
    assert "code" not in told


async def test_page_shows_the_full_client_id(ada: Visitor, app: App) -> None:
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    assert app.client_id in unescape(page.text)
    assert "Any program on this computer can use its address" in page.text
    assert "Upload images" in page.text


async def test_identity_permissions_are_highlighted(ada: Visitor, app: App) -> None:
    scope = "atproto identity:* repo:org.example.note"
    asking = App(app.deployment, client_id=localhost_id(scope), scope=scope)
    page = await sign_in_on_page(ada, await open_consent_page(ada, asking))
    grave = page.text[page.text.index('class="is-grave"') :]
    assert "Change your identity" in grave
    assert "Be careful" in grave
    assert "take your name, or your whole account, away" in grave


async def test_forms_may_lead_to_the_app_and_nowhere_else(ada: Visitor, app: App) -> None:
    page = await open_consent_page(ada, app)
    assert "form-action 'self' http://127.0.0.1;" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]


async def test_login_hint_fills_in_and_locks_the_account(deployment: Deployment, ada: Visitor, app: App) -> None:
    """A login hint fills in and locks the account: that account's password is required, even if the form names another
    one.
    """
    await deployment.sign_up("ben")
    page = await open_consent_page(ada, app, login_hint="ada.test")
    assert re.search(r'name="identifier" type="text" value="ada\.test"[^>]* readonly', page.text)
    as_ben = await press_button(ada, page, "sign-in", identifier="ben.test", password="password of ben")
    assert heading_of(as_ben) == "Sign in"
    assert set(problems_in(as_ben)) == {"password"}
    page = await sign_in_on_page(ada, as_ben)
    assert "@ada.test" in page.text
    assert "code" in await approve_scopes(ada, page, app)


async def test_the_hint_shows_no_other_account_of_the_browser(deployment: Deployment, ada: Visitor, app: App) -> None:
    ben = await deployment.sign_up("ben")
    await ada.sign_in("ada")
    page = await open_consent_page(ada, app, login_hint=ben.did)
    assert heading_of(page) == "Sign in"
    assert 'value="ben.test"' in page.text
    did = (await deployment.sign_in("ada.test", "password of ada")).json()["did"]
    page = await ada.get(f"{page.url.raw_path.decode()}&account={did}")
    assert heading_of(page) == "Sign in"


async def test_login_hint_of_an_unknown_account_is_reported(ada: Visitor, app: App) -> None:
    page = await open_consent_page(ada, app, login_hint="nobody.test")
    assert heading_of(page) == "We don’t know this account"
    assert answer_to_app(await press_button(ada, page, "deny"), app)["error"] == "access_denied"


async def test_account_is_chosen_among_several(deployment: Deployment, ada: Visitor, app: App) -> None:
    await deployment.sign_up("ben")
    await ada.sign_in("ada")
    await ada.sign_in("ben")
    page = await open_consent_page(ada, app)
    assert heading_of(page) == "Choose an account"
    link = re.search(
        r'<li><a href="([^"]+)"[^>]*>.*?@ada\.test',
        page.text[: page.text.index("@ada.test") + 9],
        re.DOTALL,
    )
    assert link is not None
    *_, last = re.findall(r'<li><a href="([^"]+)"', link[0])
    told = await approve_scopes(ada, await ada.get(unescape(last)), app)
    ada_did = (await deployment.sign_in("ada.test", "password of ada")).json()["did"]
    assert (await app.spend(told["code"])).json()["sub"] == ada_did


async def test_single_signed_in_account_gets_the_consent_page_at_once(ada: Visitor, app: App) -> None:
    await ada.sign_in("ada")
    assert "code" in await approve_scopes(ada, await open_consent_page(ada, app), app)


async def test_an_account_of_another_browser_cannot_be_named(deployment: Deployment, ada: Visitor, app: App) -> None:
    ben = await deployment.sign_up("ben")
    await ada.sign_in("ada")
    page = await open_consent_page(ada, app)
    fields = {**hidden_fields(page, "approve"), "step": "approve", "account": ben.did}
    answer = await ada.post(AUTHORIZE, fields)
    assert answer.headers["location"].startswith("/sign-in")


async def test_prompt_login_asks_for_the_password_of_whoever_is_signed_in(ada: Visitor, app: App) -> None:
    await ada.sign_in("ada")
    page = await open_consent_page(ada, app, prompt="login")
    assert heading_of(page) == "Sign in"
    account = page.url.raw_path.decode() + "&account=x&proof=" + "0" * 32
    assert heading_of(await ada.get(account)) == "Sign in"
    assert "code" in await approve_scopes(ada, await sign_in_on_page(ada, page), app)


async def test_prompt_login_cannot_be_bypassed(ada: Visitor, app: App) -> None:
    """prompt=login cannot be bypassed by a consent form of another request."""
    await ada.sign_in("ada")
    other = await open_consent_page(ada, app)
    page = await open_consent_page(ada, app, prompt="login")
    fields = {**hidden_fields(other, "approve"), **hidden_fields(page, "sign-in")}
    answer = await follow_redirects(ada, await ada.post(AUTHORIZE, {**fields, "step": "approve"}))
    assert heading_of(answer) == "Sign in"


async def test_prompt_none_answers_without_a_page(deployment: Deployment, ada: Visitor, app: App) -> None:
    told = answer_to_app(await open_consent_page(ada, app, prompt="none"), app)
    assert told["error"] == "login_required"
    await ada.sign_in("ada")
    told = answer_to_app(await open_consent_page(ada, app, prompt="none"), app)
    assert told["error"] == "consent_required"
    await deployment.sign_up("ben")
    await ada.sign_in("ben")
    told = answer_to_app(await open_consent_page(ada, app, prompt="none"), app)
    assert told["error"] == "account_selection_required"


async def test_prompt_select_account_is_shown_even_for_one_account(ada: Visitor, app: App) -> None:
    await ada.sign_in("ada")
    assert heading_of(await open_consent_page(ada, app, prompt="select_account")) == "Choose an account"


async def test_prompt_create_starts_with_the_sign_up_form(deployment: Deployment, ada: Visitor, app: App) -> None:
    """prompt=create starts with the sign-up form, which keeps what was typed after a mistake and leads to the consent
    page.
    """
    page = await open_consent_page(ada, app, prompt="create")
    assert heading_of(page) == "Create an account"
    wish = {"name": "eve", "domain": ".test", "email": "eve@example.org"}
    wrong = await press_button(ada, page, "sign-up", **wish, password="short")
    assert set(problems_in(wrong)) == {"password"}
    assert 'value="eve@example.org"' in wrong.text
    page = await press_button(ada, wrong, "sign-up", **wish, password="password of eve")
    assert "@eve.test" in page.text
    told = await approve_scopes(ada, page, app)
    assert (await app.spend(told["code"])).status_code == 200


async def test_second_factor_is_required_in_the_flow(deployment: Deployment, ada: Visitor, app: App) -> None:
    registry = deployment.pds.registry
    did = (await deployment.sign_in("ada.test", "password of ada")).json()["did"]
    await deployment.db.write(lambda w: totp.begin(w, registry.factor_keys, did))
    async with deployment.db.reader() as reader:
        secret = await totp.pending(reader, registry.factor_keys, did)
    assert secret is not None
    now = pyotp.TOTP(secret).at(deployment.clock.now() // SECOND)
    assert await deployment.db.write(lambda w: totp.use_code(w, registry.factor_keys, did, now, confirming=True))
    deployment.clock.turn(30 * SECOND)
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    assert heading_of(page) == "Confirm it’s you"
    wrong = await press_button(ada, page, "factor", code=now)
    assert set(problems_in(wrong)) == {"code"}
    page = await press_button(ada, wrong, "factor", code=pyotp.TOTP(secret).at(deployment.clock.now() // SECOND))
    assert "code" in await approve_scopes(ada, page, app)


async def test_deactivated_account_authorizes_no_app(deployment: Deployment, ada: Visitor, app: App) -> None:
    person = deployment.person(await deployment.sign_in("ada.test", "password of ada"))
    await ada.sign_in("ada")
    page = await open_consent_page(ada, app)
    await person.post(f"{SERVER}.deactivateAccount", {})
    late = await press_button(ada, page, "approve", **ticked_scopes(page))
    assert late.status_code == 403
    assert heading_of(late) == "This account can’t give apps access"
    assert heading_of(await open_consent_page(ada, app)) == "This account can’t give apps access"


async def test_another_browser_gets_nothing_of_the_request(deployment: Deployment, ada: Visitor, app: App) -> None:
    """Another browser gets nothing of the request, not even a redirect, because it has not proved who opened it."""
    page = await open_consent_page(ada, app)
    other = visitor(deployment)
    stolen = await other.get(page.url.raw_path.decode())
    assert stolen.status_code == 400
    assert heading_of(stolen) == "This request can’t be answered"
    assert "another browser" in stolen.text
    await other.http.aclose()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "client_id=http%3A%2F%2Flocalhost",
        "client_id=a&client_id=b&request_uri=c",
        "client_id=a&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Anone",
        "client_id=a&request_uri=c&redirect_uri=https%3A%2F%2Fevil.example",
        "client_id=a&response_type=code&redirect_uri=https%3A%2F%2Fevil.example&scope=atproto",
    ],
    ids=["nothing", "half", "twice", "unknown", "beyond", "not pushed"],
)
async def test_unproven_request_gets_a_page_and_no_redirect(ada: Visitor, query: str) -> None:
    answer = await ada.get(f"{AUTHORIZE}?{query}")
    assert answer.status_code == 400
    assert heading_of(answer) == "This request can’t be answered"
    assert "evil.example" not in answer.text


async def test_request_of_another_client_gets_an_error_page(ada: Visitor, app: App) -> None:
    uri = await app.pushed()
    answer = await ada.get(AUTHORIZE, client_id="http://localhost", request_uri=uri)
    assert answer.status_code == 400
    assert "another app" in answer.text


async def test_request_expires_after_inactivity(deployment: Deployment, ada: Visitor, app: App) -> None:
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    deployment.clock.turn(INACTIVITY + MINUTE)
    late = await ada.get(page.url.raw_path.decode())
    assert late.status_code == 400
    assert "has expired" in late.text
    pressed = await press_button(ada, page, "approve", **ticked_scopes(page))
    assert pressed.status_code == 400
    assert heading_of(pressed) == "This request can’t be answered"


async def test_double_click_on_allow_creates_one_session(deployment: Deployment, ada: Visitor, app: App) -> None:
    """A double click on "Allow" makes one session. Both clicks lead to the app, and only one code is valid."""
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    fields = {**hidden_fields(page, "approve"), **ticked_scopes(page), "step": "approve"}
    answers = await together(*(ada.post(AUTHORIZE, fields) for _ in range(2)))
    assert statuses(answers) == [303, 303]
    codes = [answer_to_app(answer, app)["code"] for answer in answers]
    spent = [(await app.spend(code)).status_code for code in codes]
    assert sorted(spent) == [200, 400]
    assert await deployment.count("oauth_sessions") == 1


async def test_going_back_after_consent_shows_no_second_prompt(ada: Visitor, app: App) -> None:
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    told = await approve_scopes(ada, page, app)
    await app.spend(told["code"])
    back = await ada.get(page.url.raw_path.decode())
    assert back.status_code == 400
    assert "already answered this request" in back.text


async def test_allow_after_deny_is_refused(ada: Visitor, app: App) -> None:
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    await press_button(ada, page, "deny")
    again = await press_button(ada, page, "approve", **ticked_scopes(page))
    assert again.status_code == 400


async def test_form_without_its_token_is_refused(ada: Visitor, app: App) -> None:
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    fields = {**hidden_fields(page, "approve"), **ticked_scopes(page), "step": "approve", "csrf": "0" * 32}
    assert (await ada.post(AUTHORIZE, fields)).status_code == 403
    crossed = {**hidden_fields(page, "approve"), **ticked_scopes(page), "step": "approve"}
    refused = await ada.post(AUTHORIZE, crossed, **{"sec-fetch-site": "cross-site", "origin": "https://evil.example"})
    assert refused.status_code == 403


async def test_open_sign_up_confirms_the_address_in_the_flow(make_deployment) -> None:
    deployment: Deployment = await make_deployment()
    object.__setattr__(deployment.pds.registry, "confirms_email", True)
    browser, app = visitor(deployment), App(deployment)
    page = await open_consent_page(browser, app, prompt="create")
    wish = {"name": "eve", "domain": ".test", "email": "eve@example.org", "password": "password of eve"}
    page = await press_button(browser, page, "sign-up", **wish)
    assert heading_of(page) == "Confirm your e-mail address"
    wrong = await press_button(browser, page, "confirm-email", code="AAAAA-BBBBB")
    assert set(problems_in(wrong)) == {"code"}
    token = await newest_token(deployment, "eve@example.org")
    page = await press_button(browser, wrong, "confirm-email", code=token)
    assert "code" in await approve_scopes(browser, page, app)
    await browser.http.aclose()


async def test_confidential_app_needs_consent_once(
    deployment: Deployment, ada: Visitor, confidential: Confidential
) -> None:
    """A confidential app with consent for the same scopes is redirected at once, also after a sign-in; other scopes are
    asked about.
    """
    app = confidential()
    await approve_scopes(ada, await sign_in_on_page(ada, await open_consent_page(ada, app)), app, "account:email")
    told = answer_to_app(await open_consent_page(ada, app), app)
    assert "account:email" not in (await app.spend(told["code"])).json()["scope"].split()
    told = answer_to_app(await open_consent_page(ada, app, prompt="none"), app)
    assert "code" in told
    other = visitor(deployment)
    told = answer_to_app(await sign_in_on_page(other, await open_consent_page(other, app)), app)
    assert "code" in told
    assert heading_of(await open_consent_page(other, app, scope="atproto blob:image/*")).startswith("Let ")
    assert heading_of(await open_consent_page(other, app, prompt="consent")).startswith("Let ")
    await other.http.aclose()


async def test_public_app_needs_consent_every_time(ada: Visitor, app: App) -> None:
    """A public app needs consent every time, because anybody can impersonate it."""
    await approve_scopes(ada, await sign_in_on_page(ada, await open_consent_page(ada, app)), app)
    assert heading_of(await open_consent_page(ada, app)).startswith("Let ")


async def test_only_trusted_clients_are_shown_by_name(
    deployment: Deployment, ada: Visitor, confidential: Confidential
) -> None:
    logo = "https://events.example.com/logo.png"
    app = confidential(logo_uri=logo, tos_uri="https://events.example.com/terms")
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    assert heading_of(page) == "Let events.example.com use your account?"
    assert f"<code>{app.client_id}</code>" in page.text
    assert "Town Events" not in page.text
    assert logo not in page.text
    object.__setattr__(deployment.pds.authorization, "trusted_clients", frozenset({app.client_id}))
    page = await open_consent_page(ada, app)
    assert heading_of(page) == "Let Town Events use your account?"
    assert f'src="{logo}"' in page.text
    assert "https://events.example.com/terms" in page.text
    assert "img-src 'self' data: https://events.example.com;" in page.headers["content-security-policy"]


async def test_name_of_an_app_is_escaped(deployment: Deployment, ada: Visitor, confidential: Confidential) -> None:
    app = confidential(client_name="<script>alert(1)</script>")
    object.__setattr__(deployment.pds.authorization, "trusted_clients", frozenset({app.client_id}))
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text


async def test_codes_cannot_be_guessed_in_the_flow(deployment: Deployment, ada: Visitor, app: App) -> None:
    """Second-factor codes cannot be guessed during the flow: attempts count for the account on every form."""
    registry = deployment.pds.registry
    did = (await deployment.sign_in("ada.test", "password of ada")).json()["did"]
    await deployment.db.write(lambda w: queries.set_mail(w, did, is_on=True))
    page = await sign_in_on_page(ada, await open_consent_page(ada, app))
    object.__setattr__(registry, "has_wide_limits", False)
    tries = SECOND_FACTOR[0].points
    for _ in range(tries):
        page = await press_button(ada, page, "factor", code="AAAAA-AAAAA")
        assert problems_in(page) == {"code": "This code is wrong, or you’ve already used it."}
    page = await press_button(ada, page, "factor", code="AAAAA-AAAAA")
    assert "You’ve tried too often" in problems_in(page)["code"]
