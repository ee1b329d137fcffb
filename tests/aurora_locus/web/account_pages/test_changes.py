"""The pages change the same things as the methods: handle, e-mail address, password, sessions, app passwords, the
account.
"""

import io
import re
import zipfile
from pathlib import Path

import pytest

from aurora_locus.accounts.limits import REQUEST_DELETION, effective_limit
from aurora_locus.web.account_pages import handle
from groundwork.clock import DAY
from programs.operations.repo import examine_archive
from tests.aurora_locus.accounts.account_content import add_content, write_record
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.mailbox import emails_to, newest_token
from tests.aurora_locus.oauth.apps import App, named
from tests.aurora_locus.visitor import heading_of, problems_in, visitor
from tests.aurora_locus.web.account_pages.conftest import Ada

ADDRESS = "ada@example.org"


async def test_overview_lists_the_stored_data(deployment: Deployment, ada: Ada) -> None:
    await add_content(deployment, ada.app)
    text = (await ada.browser.get("/account")).text
    for said in ("@ada.test", ada.app.did, ADDRESS, "Not confirmed", "2 entries, 1 file", "768 kB of 5.4 GB"):
        assert said in text


async def test_overview_shows_picture_and_name_of_the_profile(deployment: Deployment, ada: Ada) -> None:
    """The overview shows the picture and name of the account's profile record; an invalid name is left out."""
    blob = await add_content(deployment, ada.app)
    for name, heading in (("Ada L.", "Ada L."), ("x" * 500, "@ada.test"), (7, "@ada.test"), ("a\u202eb", "@ada.test")):
        record = {"$type": "app.bsky.actor.profile", "displayName": name, "avatar": blob}
        wish = {"repo": ada.app.did, "collection": "app.bsky.actor.profile", "rkey": "self", "validate": False}
        assert (await ada.app.post("com.atproto.repo.putRecord", {**wish, "record": record})).status_code == 200
        page = await ada.browser.get("/account")
        assert heading_of(page) == heading
        assert f"cid={blob['ref']['$link']}" in page.text


async def test_the_overview_asks_for_one_thing_at_a_time(deployment: Deployment, ada: Ada) -> None:
    """The overview asks for one thing at a time: first to confirm the e-mail address, and then for a second step."""
    assert (await ada.browser.get("/account")).text.count('class="banner') == 1
    assert "Confirm your e-mail address." in (await ada.browser.get("/account")).text
    await ada.browser.send("/account/email", {"act": "ask_to_confirm"})
    token = await newest_token(deployment, ADDRESS)
    await ada.browser.send("/account/email", {"act": "confirm", "token": token})
    text = (await ada.browser.get("/account")).text
    assert "Only your password protects this account." in text
    assert text.count('class="banner') == 1


async def test_handle_is_changed_on_the_page(deployment: Deployment, ada: Ada) -> None:
    answer = await ada.browser.send("/account/handle", {"name": "ada-l", "ending": ".test"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/handle")
    assert "@ada-l.test" in (await ada.browser.get("/account/handle")).text
    assert (await deployment.directory.log(ada.app.did))[-1]["alsoKnownAs"] == ["at://ada-l.test"]


REFUSED_NAMES = [
    ({"name": "a", "ending": ".test"}, "name", "3 to 18 characters"),
    ({"name": "ben", "ending": ".test"}, "name", "is taken"),
    ({"name": "admin", "ending": ".test"}, "name", "reserved"),
    ({"domain": "no domain", "act": "use"}, "domain", "isn’t a valid name"),
    ({"domain": "no domain", "act": "look"}, "domain", "isn’t a domain"),
]


async def test_invalid_name_is_reported_at_its_field(deployment: Deployment, ada: Ada) -> None:
    await deployment.sign_up("ben")
    for fields, field, said in REFUSED_NAMES:
        answer = await ada.browser.send("/account/handle", fields)
        assert answer.status_code in {400, 422}
        assert said in problems_in(answer)[field]


async def test_form_of_the_name_says_the_limits_of_names(ada: Ada, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint takes its numbers from the policy of handles, as the refusal does."""
    monkeypatch.setattr(handle, "MAX_LABEL", 24)
    assert "3 to 24 letters" in (await ada.browser.get("/account/handle")).text


async def test_a_domain_is_looked_up_both_ways_while_it_is_set_up(ada: Ada) -> None:
    """A domain is checked both ways while it is set up. Under .test nothing is queried, and nothing is found."""
    answer = await ada.browser.send("/account/handle", {"domain": "ada.elsewhere.test", "act": "look"})
    assert answer.status_code == 200
    assert answer.text.count("Nothing there yet") == 2
    assert "_atproto.ada.elsewhere.test" in answer.text
    assert f"did={ada.app.did}" in answer.text


async def test_the_address_is_confirmed_and_then_changed_with_a_code(deployment: Deployment, ada: Ada) -> None:
    await ada.browser.send("/account/email", {"act": "ask_to_confirm"})
    token = await newest_token(deployment, ADDRESS)
    answer = await ada.browser.send("/account/email", {"act": "confirm", "token": "AAAAA-AAAAA"})
    assert "wrong" in problems_in(answer)["token"]
    assert (
        await ada.browser.send("/account/email", {"act": "confirm", "token": f" {token.lower()} "})
    ).status_code == 303
    assert "not confirmed" not in (await ada.browser.get("/account/email")).text

    wish = {"act": "change", "email": "ada@new.example"}
    assert "token" in problems_in(await ada.browser.send("/account/email", wish))
    await ada.browser.send("/account/email", {"act": "ask_to_change"})
    token = await newest_token(deployment, ADDRESS)
    assert (await ada.browser.send("/account/email", {**wish, "token": token})).status_code == 303
    text = (await ada.browser.get("/account/email")).text
    assert "ada@new.example" in text
    assert "Not confirmed" in text


async def test_an_address_of_somebody_else_is_refused(deployment: Deployment, ada: Ada) -> None:
    await deployment.sign_up("ben")
    answer = await ada.browser.send("/account/email", {"act": "change", "email": "ben@example.org"})
    assert "already" in problems_in(answer)["email"]
    assert 'value="ben@example.org"' in answer.text


async def test_least_length_of_the_server_holds_for_new_passwords(
    deployment: Deployment, ada: Ada, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment.pds.registry.passwords, "min_length", 12)
    for new, status in (("x" * 11, 400), ("x" * 12, 303)):
        answer = await ada.browser.send("/account/password", {"password": new, "repeated": new})
        assert answer.status_code == status
        assert status == 303 or "at least 12" in problems_in(answer)["password"]


async def test_new_password_ends_all_other_sessions(deployment: Deployment, ada: Ada) -> None:
    elsewhere = visitor(deployment)
    await elsewhere.sign_in("ada")
    new = "correct horse battery"
    answer = await ada.browser.send("/account/password", {"password": new, "repeated": f"{new}!"})
    assert "repeated" in problems_in(answer)
    answer = await ada.browser.send("/account/password", {"password": "short", "repeated": "short"})
    assert "at least 8" in problems_in(answer)["password"]
    assert new not in answer.text
    assert (await ada.browser.send("/account/password", {"password": new, "repeated": new})).status_code == 303
    assert await ada.browser.is_signed_in()
    assert not await elsewhere.is_signed_in()
    refreshed = await ada.app.bearing(ada.app.refresh_token).post(f"{SERVER}.refreshSession")
    assert refreshed.status_code == 400
    assert (await ada.app.get(f"{SERVER}.getSession")).status_code == 400
    assert (await deployment.sign_in("ada.test", new)).status_code == 200
    assert (await deployment.sign_in("ada.test", "password of ada")).status_code == 401
    await elsewhere.http.aclose()


async def test_password_page_lists_what_a_new_password_does_not_end(ada: Ada) -> None:
    """Somebody who had the password may have added an app password, so the page names those that stay."""
    heading = "Other ways into your account"
    assert heading not in (await ada.browser.get("/account/password")).text
    await ada.app.post(f"{SERVER}.createAppPassword", {"name": "reader of eve"})
    page = (await ada.browser.get("/account/password")).text
    assert heading in page
    assert "reader of eve" in page
    refused = await ada.browser.send("/account/password", {"password": "short", "repeated": "short"})
    assert "reader of eve" in refused.text


async def test_sessions_are_ended_one_by_one_and_all_together(deployment: Deployment, ada: Ada) -> None:
    elsewhere = visitor(deployment)
    elsewhere.sends["user-agent"] = "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"
    await elsewhere.sign_in("ada")
    page = (await ada.browser.get("/account/sessions")).text
    assert "Firefox on Windows" in page
    assert page.count("This browser") == 1
    app = re.findall(r'name="app" value="([^"]+)"', page)
    assert len(app) == 1
    await ada.browser.send("/account/sessions", {"app": app[0]})
    assert (await ada.app.bearing(ada.app.refresh_token).post(f"{SERVER}.refreshSession")).status_code == 400
    await deployment.sign_in("ada.test", "password of ada")
    await ada.browser.send("/account/sessions", {"act": "others"})
    assert not await elsewhere.is_signed_in()
    assert await ada.browser.is_signed_in()
    assert await deployment.count("sessions") == 0
    await elsewhere.http.aclose()


async def test_this_browser_can_be_ended_in_the_list_too(ada: Ada) -> None:
    page = (await ada.browser.get("/account/sessions")).text
    (browser,) = re.findall(r'name="browser" value="(\w+)"', page)
    answer = await ada.browser.send("/account/sessions", {"browser": browser})
    assert answer.headers["location"] == "/sign-in"
    assert not await ada.browser.is_signed_in()


async def test_an_app_password_is_shown_once_and_works_until_it_is_revoked(deployment: Deployment, ada: Ada) -> None:
    answer = await ada.browser.send("/account/app-passwords", {"name": "Phone", "privileged": "yes"})
    (password,) = re.findall(r'<output class="secret">([a-z2-7-]{19})</output>', answer.text)
    assert answer.headers["cache-control"] == "no-store"
    session = await deployment.sign_in("ada.test", password)
    assert session.status_code == 200
    again = await ada.browser.get("/account/app-passwords")
    assert password not in again.text
    assert "Private messages" in again.text
    twice = await ada.browser.send("/account/app-passwords", {"name": "Phone"})
    assert "already" in problems_in(twice)["name"]
    await ada.browser.send("/account/app-passwords", {"revoke": "Phone"})
    assert (await deployment.sign_in("ada.test", password)).status_code == 401


async def test_records_are_found_and_shown_as_stored(ada: Ada) -> None:
    for number in range(30):
        await write_record(ada.app, {"text": f"Note {number} <b>bold</b>"})
    page = (await ada.browser.get("/account/records")).text
    assert "Note 29 &lt;b&gt;" in page
    assert "org.example.note (30)" in page
    (further,) = re.findall(r'href="([^"]+)">Next page', page)
    rest = (await ada.browser.get(further.replace("&amp;", "&"))).text
    assert "Note 0 " in rest
    assert "Next page" not in rest
    found = (await ada.browser.get("/account/records", q="note 17")).text
    (link,) = re.findall(r'href="(/account/records/[^"]+)"', found)
    record = (await ada.browser.get(link)).text
    assert "Note 17 &lt;b&gt;bold" in record
    assert f"at://{ada.app.did}/org.example.note/" in record
    assert "Nothing contains these words" in (await ada.browser.get("/account/records", q="zzz")).text


async def test_the_archive_is_saved_from_the_page(deployment: Deployment, ada: Ada, tmp_path: Path) -> None:
    await add_content(deployment, ada.app)
    answer = await ada.browser.send("/account/export", {})
    assert answer.headers["content-type"] == "application/zip"
    assert re.fullmatch(r'attachment; filename="ada\.test-\d{4}-\d\d-\d\d\.zip"', answer.headers["content-disposition"])
    path = tmp_path / "ada.zip"
    path.write_bytes(answer.content)
    assert examine_archive(path, None).wrong is None
    assert zipfile.ZipFile(io.BytesIO(answer.content)).namelist()[0] == "README.txt"


async def test_the_archive_is_described_in_the_language_of_the_page(deployment: Deployment, ada: Ada) -> None:
    ada.browser.sends["accept-language"] = "de"
    answer = await ada.browser.send("/account/export", {})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        readme = archive.read("README.txt").decode()
    assert "repository.car    Alles, was du veröffentlicht hast" in readme
    assert "openmeet repo verify FILE.zip" in readme


async def test_account_is_deactivated_and_activated_on_the_page(deployment: Deployment, ada: Ada) -> None:
    before = len(await deployment.announced(ada.app.did))
    assert (await ada.browser.send("/account/deactivate", {"act": "deactivate", "after": "30"})).status_code == 303
    page = await ada.browser.get("/account/deactivate")
    assert heading_of(page) == "Bring the account back"
    assert "hidden" in (await ada.browser.get("/account")).text
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select delete_after from accounts")
    assert row is not None
    assert row["delete_after"] == deployment.clock.now() + 30 * DAY
    assert (await ada.browser.send("/account/deactivate", {"act": "activate"})).status_code == 303
    assert (await deployment.announced(ada.app.did))[before:] == [
        "account deactivated",
        "account active",
        "identity ada.test",
        "sync",
    ]


async def test_moved_account_cannot_be_activated_on_the_page(deployment: Deployment, ada: Ada) -> None:
    await ada.browser.send("/account/deactivate", {"act": "deactivate", "after": ""})
    deployment.directory.is_down = True
    answer = await ada.browser.send("/account/deactivate", {"act": "activate"})
    assert answer.status_code == 502
    assert heading_of(answer) == "Bring the account back"


async def test_deleted_with_code_password_and_name(deployment: Deployment, ada: Ada) -> None:
    await ada.browser.send("/account/delete", {"act": "ask"})
    token = await newest_token(deployment, ADDRESS)
    wish = {"act": "delete", "token": token, "password": "password of ada", "handle": "@Ada.test"}
    assert "handle" in problems_in(await ada.browser.send("/account/delete", {**wish, "handle": "ben.test"}))
    wrong = await ada.browser.send("/account/delete", {**wish, "password": "wrong password"})
    assert "password" in problems_in(wrong)
    assert await deployment.count("accounts") == 1
    answer = await ada.browser.send("/account/delete", wish)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert await deployment.count("accounts") == 0
    assert (await deployment.announced(ada.app.did))[-1] == "account deleted"
    assert not await ada.browser.is_signed_in()


async def test_e_mail_requests_of_pages_and_methods_count_together(deployment: Deployment, ada: Ada) -> None:
    """Requests for e-mails from pages and methods count together: five in an hour (a thousand times as many in
    development).
    """
    counters = deployment.pds.registry.counters
    limit = effective_limit(deployment.pds.registry, REQUEST_DELETION[0])
    await counters.add(limit, str(ada.app.did), limit.points, deployment.clock.now())
    answer = await ada.browser.send("/account/delete", {"act": "ask"})
    assert answer.status_code == 429
    assert await emails_to(deployment, ADDRESS) == []


async def test_app_is_described_and_can_be_revoked(deployment: Deployment, ada: Ada) -> None:
    app = App(deployment)
    tokens = await app.let_in(ada.app.did)
    page = await ada.browser.get("/account/apps")
    assert "http://localhost?scope=atproto" in page.text
    assert "See who you are" in page.text
    (name,) = re.findall(r'name="app" value="([^"]+)"', page.text)
    assert (await ada.browser.send("/account/apps", {"app": name})).status_code == 303
    assert named(await app.refresh(tokens.refresh_token)) == (400, "invalid_grant")
    assert "No apps yet" in (await ada.browser.get("/account/apps")).text


async def test_deactivation_ends_app_sessions(deployment: Deployment, ada: Ada) -> None:
    app = App(deployment)
    tokens = await app.let_in(ada.app.did)
    await ada.browser.send("/account/deactivate", {"act": "deactivate", "after": ""})
    assert named(await app.refresh(tokens.refresh_token)) == (400, "invalid_grant")
