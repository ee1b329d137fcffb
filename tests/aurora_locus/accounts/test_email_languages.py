"""The language of e-mails: that of the request which causes them, or else the one that the account used last."""

import io
import json
import zipfile

from aurora_locus.accounts.second_factors import queries as factors
from tests.aurora_locus.deployment import SERVER, Deployment, Person
from tests.aurora_locus.mailbox import emails_to
from tests.aurora_locus.visitor import Visitor, visitor
from tests.aurora_locus.web.administration_pages.operator_browser import act, signed_in_operator

ANAS = "ana@example.org"
GERMAN = {"accept-language": "de-AT, en;q=0.5"}


async def language_of(deployment: Deployment, person: Person) -> str:
    async with deployment.db.reader() as reader:
        row = await reader.fetch_one("select language from accounts where did = :did", did=person.did)
    assert row is not None
    return str(row["language"])


async def languages_in(deployment: Deployment) -> dict[str, int]:
    """How many rows of each table that has languages say German."""
    async with deployment.db.reader() as reader:
        found = {}
        for table in ("accounts", "email_tokens"):
            row = await reader.fetch_one(f"select count(*) from {table} where language = 'de'")
            assert row is not None
            found[table] = int(row[0])
    return found


async def subjects(deployment: Deployment) -> set[str]:
    return {letter.subject for letter in await emails_to(deployment, ANAS)}


def german_visitor(deployment: Deployment) -> Visitor:
    browser = visitor(deployment)
    browser.sends |= GERMAN
    return browser


async def test_an_email_that_nobody_requested_is_in_the_language_of_the_last_sign_in(deployment: Deployment) -> None:
    """The operator's own language does not matter."""
    ana = await deployment.sign_up("ana")
    assert await language_of(deployment, ana) == ""
    browser = german_visitor(deployment)
    await browser.sign_in("ana")
    await browser.http.aclose()
    assert await language_of(deployment, ana) == "de"
    await deployment.pds.registry.db.write(lambda w: factors.set_mail(w, ana.did, is_on=True))
    async with signed_in_operator(deployment) as admin:
        admin.sends |= {"accept-language": "en"}
        await act(admin, ana.did, "remove-second-factors")
        await act(admin, ana.did, "send-reset")
        await act(admin, ana.did, "write", subject="", content="Two-step sign-in is off.")
    letters = {letter.subject: letter.text for letter in await emails_to(deployment, ANAS)}
    assert letters.keys() == {
        "Die Anmeldung in zwei Schritten ist aus", "Dein Code für ein neues Passwort", "Eine Nachricht zu deinem Konto"
    }  # fmt: skip
    assert "schreib ihnen" in " ".join(letters["Die Anmeldung in zwei Schritten ist aus"].split())
    assert letters["Eine Nachricht zu deinem Konto"].strip() == "Two-step sign-in is off."


async def test_an_app_that_states_no_language_causes_emails_in_that_of_the_account(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    await ana.post(f"{SERVER}.requestEmailConfirmation")
    browser = german_visitor(deployment)
    await browser.sign_in("ana")
    await browser.http.aclose()
    await ana.post(f"{SERVER}.requestAccountDelete")
    assert await subjects(deployment) == {"Your code to confirm your address", "Dein Code, um dein Konto zu löschen"}


async def test_signing_up_and_in_with_an_app_and_using_the_pages_set_the_language(deployment: Deployment) -> None:
    stranger = Person(deployment.stranger.http, GERMAN)
    wish = {"handle": "ana.test", "email": ANAS, "password": "password of ana"}
    ana = deployment.person(await stranger.post(f"{SERVER}.createAccount", wish))
    assert await language_of(deployment, ana) == "de"
    sign_in = {"identifier": "ana.test", "password": "password of ana"}
    await Person(stranger.http, {"accept-language": "en"}).post(f"{SERVER}.createSession", sign_in)
    assert await language_of(deployment, ana) == "en"
    # Programs state no language, and not every language is available.
    for headers in ({}, {"accept-language": "*"}, {"accept-language": "tlh"}):
        await Person(stranger.http, headers).post(f"{SERVER}.createSession", sign_in)
        assert await language_of(deployment, ana) == "en"
    browser = visitor(deployment)
    await browser.sign_in("ana")
    browser.sends |= GERMAN
    await browser.get("/account")
    assert await language_of(deployment, ana) == "en"
    await browser.send("/account/export", {})
    assert await language_of(deployment, ana) == "de"
    await browser.http.aclose()


async def test_the_language_is_exported_with_the_account(deployment: Deployment) -> None:
    await deployment.sign_up("ana")
    browser = german_visitor(deployment)
    await browser.sign_in("ana")
    answer = await browser.send("/account/export", {})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert json.loads(archive.read("account.json"))["language"] == "de"
    await browser.http.aclose()


async def test_the_language_chosen_at_the_foot_of_a_page_counts_at_once(deployment: Deployment) -> None:
    """Only on this server's own pages: a link on another site must not change what the account stores."""
    ana = await deployment.sign_up("ana")
    browser = visitor(deployment)
    await browser.sign_in("ana")
    for referer, language in (
        ("https://elsewhere.example/", ""),
        (f"{deployment.url}.elsewhere.example/account", ""),
        (f"{deployment.url}/account", "de"),
    ):
        browser.sends["referer"] = referer
        assert (await browser.get("/language/de")).status_code == 303
        assert await language_of(deployment, ana) == language
    await browser.http.aclose()


async def test_the_language_is_deleted_with_the_account(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    german = Person(ana.http, ana.headers | GERMAN)
    browser = german_visitor(deployment)
    await browser.sign_in("ana")
    await browser.http.aclose()
    await german.post(f"{SERVER}.requestEmailConfirmation")
    assert await languages_in(deployment) == {"accounts": 1, "email_tokens": 1}
    answer = await deployment.administration.post("com.atproto.admin.deleteAccount", {"did": ana.did})
    assert answer.status_code == 200, answer.text
    assert await languages_in(deployment) == {"accounts": 0, "email_tokens": 0}
