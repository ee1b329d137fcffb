"""Rules for all account pages: each needs a session, sensitive ones ask for the password again, and other sites cannot
send their forms.
"""

import re

import pytest

from aurora_locus.blobs import quotas
from aurora_locus.web.browser_sessions.authentication import PROOF_LASTS
from groundwork.clock import DAY, SECOND
from tests.aurora_locus.accounts.account_content import add_content, write_record
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.visitor import Visitor, heading_of, token_in, visitor
from tests.aurora_locus.web.account_pages.conftest import Ada
from tests.visible_text import visible_text

DELICATE = (
    "/account/email",
    "/account/password",
    "/account/app-passwords",
    "/account/export",
    "/account/recovery-key",
    "/account/move",
    "/account/deactivate",
    "/account/delete",
)

OTHERS = ("/account", "/account/handle", "/account/sessions", "/account/apps", "/account/records")

# The effect each form would have if another site could send it.
ATTACKS = {
    "/account/email": {"act": "change", "email": "eve@example.org"},
    "/account/password": {"password": "known to eve", "repeated": "known to eve"},
    "/account/app-passwords": {"name": "eve"},
    "/account/export": {"act": "save"},
    "/account/recovery-key": {"act": "ask"},
    "/account/move": {"act": "begin", "target": "https://evil.example", "handle": "x", "email": "x@example.org"},
    "/account/deactivate": {"act": "deactivate", "after": ""},
    "/account/delete": {"act": "ask"},
    "/account/handle": {"name": "eve", "ending": ".test"},
    "/account/sessions": {"act": "others"},
    "/account/apps": {"app": "x"},
}


async def test_pages_require_signing_in(deployment: Deployment) -> None:
    stranger = visitor(deployment)
    for path in (*DELICATE, *OTHERS):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path.replace('/', '%2F')}")
    await stranger.http.aclose()


async def test_every_page_is_shown_and_not_cached(ada: Ada) -> None:
    for path in (*DELICATE, *OTHERS):
        answer = await ada.browser.get(path)
        assert answer.status_code == 200, answer.text
        assert len(re.findall("<h1", answer.text)) == 1, path
        assert heading_of(answer)
        assert answer.headers["cache-control"] == "no-store"


async def test_pages_show_how_long_a_handle_is_reserved(deployment: Deployment, ada: Ada) -> None:
    """The pages show the configured time for which a handle is kept, not the default."""
    for days, words in ((30, "for 30 days"), (7, "for 7 days"), (1 / 24, "for 60 minutes"), (0, "right away")):
        object.__setattr__(deployment.pds.registry, "handle_quarantine", round(days * DAY))
        for path in ("/account/handle", "/account/delete"):
            page = (await ada.browser.get(path)).text
            assert words in page
            assert days == 30 or "30 days" not in page


async def test_overview_shows_the_accounts_own_quota(deployment: Deployment, ada: Ada) -> None:
    """An account with a quota of its own sees that quota, not the server's default."""
    await deployment.db.write(lambda w: quotas.set_quota(w, ada.app.did, 3_200_000_000))
    assert "of 3.2 GB for files" in visible_text((await ada.browser.get("/account")).text)


async def test_app_password_page_states_the_permissions(deployment: Deployment, ada: Ada) -> None:
    """The page of app passwords says what they can do. One that can change the handle is not described as unable to
    change the account.
    """
    page = (await ada.browser.get("/account/app-passwords")).text
    assert "change your @name" in page
    assert "change your account" not in page


async def test_sensitive_actions_require_a_recent_password(deployment: Deployment, ada: Ada) -> None:
    token = token_in(await ada.browser.get("/account"))
    # In two steps, so that the session does not expire, but the confirmation of the password does.
    for _ in range(2):
        deployment.clock.turn(PROOF_LASTS // 2 + SECOND)
        await ada.browser.get("/account")
    for path in DELICATE:
        wanted = f"/sign-in/again?next={path.replace('/', '%2F')}"
        for answer in (await ada.browser.get(path), await ada.browser.post(path, {"csrf": token, **ATTACKS[path]})):
            assert (answer.status_code, answer.headers["location"]) == (303, wanted)
    assert (await deployment.count("app_passwords"), await deployment.count("email_tokens")) == (0, 0)


async def _state(deployment: Deployment) -> list[object]:
    async with deployment.db.reader() as reader:
        rows = await reader.fetch("select handle, email, password_hash, deactivated_at from accounts order by did")
        kept: list[object] = [tuple(row) for row in rows]
    counted = [
        await deployment.count(table) for table in ("app_passwords", "email_tokens", "sessions", "browser_sign_ins")
    ]
    return [*kept, *counted, await deployment.count("outbox_jobs")]


@pytest.mark.parametrize(
    ("headers", "has_token"),
    [
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, True),
        ({"sec-fetch-site": "same-site", "origin": "http://eve.test"}, True),
        ({}, False),
    ],
    ids=["another site", "a neighbour's handle", "without token"],
)
async def test_no_other_site_sends_a_form(
    deployment: Deployment, ada: Ada, headers: dict[str, str], has_token: bool
) -> None:
    token = token_in(await ada.browser.get("/account"))
    before = await _state(deployment)
    for path, fields in ATTACKS.items():
        answer = await ada.browser.post(path, {**fields, **({"csrf": token} if has_token else {})}, **headers)
        assert answer.status_code == 403, path
        assert await _state(deployment) == before


async def test_no_page_shows_data_of_another_account(deployment: Deployment, ada: Ada) -> None:
    """Records, app passwords and sessions of another account are neither shown nor ended, even if a form names them."""
    ben = await deployment.sign_up("ben")
    await write_record(ben, {"text": "Ben's own words"})
    await ben.post(f"{SERVER}.createAppPassword", {"name": "bens-phone"})
    ben_browser = visitor(deployment)
    await ben_browser.sign_in("ben")
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select id from sessions where did = :did", did=ben.did)
        browser = await reader.fetch_one("select id_hash from browser_sign_ins where did = :did", did=ben.did)
        listed = await reader.fetch("select collection, rkey from records where did = :did", did=ben.did)
    assert row is not None
    assert browser is not None
    for fields in ({"app": row["id"]}, {"browser": bytes(browser["id_hash"]).hex()}):
        await ada.browser.send("/account/sessions", fields)
    await ada.browser.send("/account/app-passwords", {"revoke": "bens-phone"})
    assert await ben_browser.is_signed_in()
    assert await deployment.count("app_passwords") == 1
    assert (await ben.bearing(ben.refresh_token).post(f"{SERVER}.refreshSession")).status_code == 200
    for path in ("/account/records", "/account/sessions", "/account/app-passwords"):
        text = visible_text((await ada.browser.get(path)).text)
        assert "Ben" not in text.replace("Benutzer", "")
        assert "bens-phone" not in text
    answer = await ada.browser.get(f"/account/records/{listed[0]['collection']}/{listed[0]['rkey']}")
    assert answer.status_code == 404
    await ben_browser.http.aclose()


async def test_urls_contain_nothing_private(deployment: Deployment, ada: Ada) -> None:
    """No URL, in a link or as the target of a form, contains an e-mail address, a code or a password."""
    await add_content(deployment, ada.app)
    places: list[str] = []
    for path in (*DELICATE, *OTHERS):
        text = (await ada.browser.get(path)).text
        places += re.findall(r'(?:href|action|src)="([^"]*)"', text)
    for path, fields in ATTACKS.items():
        if path in {"/account/export", "/account/deactivate", "/account/password", "/account/move"}:
            continue
        answer = await ada.browser.send(path, fields)
        places.append(answer.headers.get("location", ""))
    joined = "\n".join(places)
    for secret in ("example.org", "%40example", "password%20of", "password of"):
        assert secret not in joined


async def test_invalid_url_gets_an_error_page(ada: Ada) -> None:
    for query in ("cursor=nonsense", "collection=%00", "q=%ff", "q=" + "x" * 500):
        answer = await ada.browser.http.get(f"/account/records?{query}", headers={"accept": "text/html"})
        assert answer.status_code in {200, 400}
        assert heading_of(answer) == "Your data"


async def test_a_browser_of_two_accounts_shows_the_chosen_one(deployment: Deployment, ada: Ada) -> None:
    await deployment.sign_up("ben")
    browser: Visitor = ada.browser
    await browser.sign_in("ben")
    assert heading_of(await browser.get("/account")) == "@ben.test"
    page = await browser.get("/sign-in/accounts")
    await browser.post("/sign-in/accounts", {"csrf": token_in(page), "account": ada.app.did})
    assert heading_of(await browser.get("/account")) == "@ada.test"


async def test_a_new_account_reads_no_zeros(ada: Ada) -> None:
    """Zero is said in words, and lists leave out what there is nothing of."""
    for path in ("/account", "/account/export", "/account/move", "/account/delete"):
        shown = visible_text((await ada.browser.get(path)).text)
        assert not re.search(r"\b0 (?:entries|files|pictures|preferences)", shown), path
    assert "Nothing yet" in visible_text((await ada.browser.get("/account")).text)
