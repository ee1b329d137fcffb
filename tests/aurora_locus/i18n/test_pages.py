"""Pages use the catalogue for every text: no template has unmarked words, and in the pseudo-locale no page shows any."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import httpx
import pytest

from at_protocol.syntax.did import Did
from aurora_locus.account_migration.moves import MoveReason
from aurora_locus.i18n.catalogue import CATALOGUE
from aurora_locus.i18n.language import COOKIE
from aurora_locus.i18n.sentences import MESSAGES
from aurora_locus.web.site.templating import Branding, open_site
from groundwork.errors import FailureReason
from groundwork.i18n import pseudo
from tests.aurora_locus.account_migration.leaving_account import store_failed_move
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.mailbox import emails_to
from tests.aurora_locus.oauth.apps import App, localhost_id
from tests.aurora_locus.page_addresses import ACCOUNT_PAGES, OPERATOR_PAGES, SIGNED_OUT_PAGES
from tests.aurora_locus.visitor import Visitor, visitor
from tests.aurora_locus.web.administration_pages.operator_browser import signed_in_operator
from tests.untranslated_text import parsed_templates, unmarked_texts, untranslated_texts

# Names of programs and protocols, which are not translated, and addresses.
_NAMES: Final = frozenset(
    {"/admin/settings#PDS_BACKUP_URL", "DID", "Android", "iPad", "iPhone", "Linux", "Mac", "Windows"}
)
_BROWSERS: Final = re.compile(r"Firefox|Edge|Opera|Chrome|Safari")

_LANGUAGES: Final = "|".join(
    re.escape(name.removesuffix(")")) for _, name in sorted(CATALOGUE.choices(pseudo.TAG), key=lambda one: -len(one[1]))
)
# Content of records and settings, names of languages in their own language, units, and conjunctions that depend on the
# locale.
_CONTENT: Final = re.compile(
    rf"\S+@\S+|at://\S+|\b(?:{_LANGUAGES}|DID|DNS|MB|GB|kB|PDS_\w+|localhost(?::\d+)?|[\w-]+\.test|test|ada|example|note|other"
    r"|admin|and|or|python|httpx)\b"
)

# Technical values: settings with their description, and code.
NOT_YET: Final = frozenset({"/admin/settings"})


def _left(template_words: set[str]) -> set[str]:
    return {words for words in template_words - _NAMES if not _BROWSERS.search(words)}


def test_every_template_text_is_marked_for_translation() -> None:
    templates = open_site(Branding("Aurora"), "https://pds.example.com", b"key", {}).templates
    found = {
        name: words for name, template in parsed_templates(templates) if (words := _left(unmarked_texts(template)))
    }
    assert found == {}


def _speaks(browser: Visitor, tag: str) -> Visitor:
    browser.http.cookies.set(COOKIE, tag, domain=browser.http.base_url.host)
    browser.sends["accept"] = "text/html"
    return browser


@pytest.fixture
async def reader(deployment: Deployment):
    await deployment.sign_up("ada")
    browser = _speaks(visitor(deployment), pseudo.TAG)
    yield browser
    await browser.http.aclose()


def _texts(answer: httpx.Response) -> Iterator[str]:
    assert answer.headers["content-type"].startswith("text/html"), answer.headers
    assert f'<html lang="{pseudo.TAG}" dir="ltr">' in answer.text
    yield from untranslated_texts(answer.text, _CONTENT)


async def test_pages_show_only_translated_messages(deployment: Deployment, reader: Visitor) -> None:
    found = {path: set(_texts(await reader.get(path))) for path in SIGNED_OUT_PAGES}
    refused = await reader.send("/sign-in", {"identifier": "ada.test", "password": "wrong"})
    found["wrong password"] = set(_texts(refused))
    assert (await reader.sign_in("ada")).status_code == 303
    for path in ACCOUNT_PAGES:
        answer = await reader.get(path)
        assert answer.status_code == 200, path
        found[path] = set(_texts(answer))
    refused = await reader.send("/account/handle", {"name": "a", "ending": ".test"})
    found["short handle"] = set(_texts(refused))
    assert {path: texts for path, texts in found.items() if texts} == {}


async def test_problem_of_a_move_is_shown_as_a_translated_message(deployment: Deployment, reader: Visitor) -> None:
    assert (await reader.sign_in("ada")).status_code == 303
    async with deployment.db.reader() as rows:
        (row,) = await rows.fetch("select did from accounts")
    problem = MoveReason.NOT_ACTIVE_YET(problem=FailureReason.NOT_FOUND())
    await store_failed_move(deployment.db, Did(row["did"]), problem)
    answer = await reader.get("/account/move")
    assert pseudo.marked(MESSAGES[FailureReason.NOT_FOUND]) in answer.text
    assert set(_texts(answer)) == set()


async def test_consent_page_shows_only_translated_messages(deployment: Deployment, reader: Visitor) -> None:
    app = App(deployment, localhost_id())
    asked = {"client_id": app.client_id, "request_uri": await app.pushed()}
    found = set(_texts(await reader.get("/oauth/authorize", **asked)))
    await reader.sign_in("ada")
    found |= set(_texts(await reader.get("/oauth/authorize", **asked)))
    found |= set(_texts(await reader.get("/oauth/authorize")))
    assert found == set()


async def test_operators_pages_show_only_translated_messages(deployment: Deployment) -> None:
    ada = await deployment.sign_up("ada")
    async with signed_in_operator(deployment) as admin:
        _speaks(admin, pseudo.TAG)
        found = {}
        for page in (
            *OPERATOR_PAGES,
            f"/accounts/{ada.did}",
            f"/accounts/{ada.did}/suspend",
            f"/accounts/{ada.did}/delete",
        ):
            found[f"/admin{page}"] = set(_texts(await admin.get(f"/admin{page}")))
    assert {path: texts for path, texts in found.items() if texts and path not in NOT_YET} == {}


async def test_a_browser_chooses_its_language(deployment: Deployment) -> None:
    """The page language is the one that the person chose, or else the best match for the browser's languages. Programs
    get English.
    """
    browser = visitor(deployment)
    browser.sends |= {"accept": "text/html", "accept-language": "de-AT, en;q=0.5"}
    page = await browser.get("/sign-in")
    assert '<html lang="de" dir="ltr">' in page.text
    assert page.headers["content-language"] == "de"
    assert "Anmelden" in page.text
    browser.sends["referer"] = f"{deployment.url}/sign-in?next=/account"
    chosen = await browser.get("/language/en")
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in?next=/account")
    assert '<html lang="en" dir="ltr">' in (await browser.get("/sign-in")).text
    for elsewhere in ("https://evil.example/x", f"{deployment.url}.evil.example/x", "//evil.example"):
        browser.sends["referer"] = elsewhere
        assert (await browser.get("/language/de")).headers["location"] == "/"
    assert (await browser.get("/language/tlh")).status_code == 404
    refused = await browser.http.get("/xrpc/com.atproto.server.getSession", headers={"accept-language": "de"})
    assert "token" in refused.json()["message"].lower() or "sign in" in refused.json()["message"].lower()
    await browser.http.aclose()


async def test_e_mails_are_in_the_language_of_the_requester(deployment: Deployment) -> None:
    await deployment.sign_up("ada")
    browser = visitor(deployment)
    browser.sends["accept-language"] = "de"
    sent = await browser.send("/reset-password", {"email": "ada@example.org"})
    assert sent.status_code in {200, 303}
    mail, *_ = await emails_to(deployment, "ada@example.org")
    assert mail.subject == "Dein Code für ein neues Passwort"
    assert "Er gilt eine Stunde lang und nur einmal." in mail.text
    await browser.http.aclose()


async def test_e_mails_that_programs_ask_for_are_in_the_language_of_the_request(deployment: Deployment) -> None:
    """E-mails that a program requests are in the language of its request, not of the previous one, and in English if it
    names none.
    """
    ada = await deployment.sign_up("ada")
    german = replace(ada, headers=ada.headers | {"accept-language": "de-AT, en;q=0.5"})
    for method, subject in (
        ("requestEmailConfirmation", "Dein Code, um deine Adresse zu bestätigen"),
        ("requestAccountDelete", "Dein Code, um dein Konto zu löschen"),
    ):
        answer = await german.post(f"{SERVER}.{method}")
        assert answer.status_code == 200, answer.text
        mail, *_ = await emails_to(deployment, "ada@example.org")
        assert mail.subject == subject
    await ada.post(f"{SERVER}.requestEmailConfirmation")
    mail, *_ = await emails_to(deployment, "ada@example.org")
    assert mail.subject == "Your code to confirm your address"
