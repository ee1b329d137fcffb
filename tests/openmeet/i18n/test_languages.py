"""A language is one file: pages, e-mails and the settings offer it, and each person reads their own language."""

import re
from typing import Any

import pytest

from groundwork.clock import HOUR, HandClock
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance import event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.events.co_hosts import CO_HOST_MAIL
from openmeet.domain.groups.model import INVITATION_MAIL
from openmeet.domain.guest_rsvps import actions as guests
from openmeet.domain.imports.people import ARRIVAL_MAIL
from openmeet.i18n import catalogue
from tests.databases import MakeDatabase
from tests.openmeet.i18n.conftest import AddLanguage
from tests.openmeet.i18n.mailing_site import MailingSite
from tests.openmeet.privacy.email_occasions import OCCASIONS
from tests.openmeet.site_under_test import api_session, event_by, person, sign_up, signed_in, site_on

# A few sentences of the site. All others stay English.
_FRENCH = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"

msgid "Name and e-mail"
msgstr "Compte"

msgid "Choose a language from the list."
msgstr "Choisissez une langue dans la liste."

msgid "Your code: %(code)s"
msgstr "Votre code : %(code)s"

msgid "Confirm your answer: %(title)s"
msgstr "Confirmez votre réponse : %(title)s"

msgid "You’re going"
msgstr "Vous venez"

msgid "Cancelled"
msgstr "Annulé"

msgid "%(fact)s: %(title)s, %(day)s"
msgstr "%(fact)s : %(title)s, %(day)s"
"""

FRENCH = {"accept-language": "fr-CH, fr;q=0.9, en;q=0.8"}
ENGLISH = {"accept-language": "en"}


@pytest.fixture
async def mailing(make_database: MakeDatabase, clock: HandClock) -> MailingSite:
    return MailingSite(site_on(await make_database("openmeet"), clock), "en")


async def _profile(browser: Any, headers: dict[str, str]) -> str:
    answer = await browser.get("/settings/profile", headers=headers)
    assert answer.status_code == 200
    return str(answer.text)


@pytest.mark.usefixtures("add_language")
async def test_a_language_without_a_catalogue_is_not_offered(mailing: MailingSite) -> None:
    async with mailing.site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        assert '<option value="fr"' not in await _profile(browser, FRENCH)
        token = await api_session(browser, "ben@example.org", "Ben")
        refused = await browser.put("/api/me", json={"displayName": "Ben", "language": "fr"}, headers=token)
        assert (refused.status_code, refused.json()["fields"].keys()) == (400, {"language"})


async def test_a_file_adds_a_language_to_pages_and_to_the_choice(
    mailing: MailingSite, add_language: AddLanguage
) -> None:
    """The person's choice comes first, then the browser's preference, then the site's language."""
    add_language("fr", _FRENCH)
    async with mailing.site.browser() as browser:
        await sign_up(browser, "ana@example.org", "Ana")
        french, english = await _profile(browser, FRENCH), await _profile(browser, ENGLISH)
        assert ("<h1>Compte</h1>" in french, '<html lang="fr"' in french) == (True, True)
        assert "<h1>Name and e-mail</h1>" in english
        assert '<option value="fr">Français</option>' in english
        saved = await browser.post("/settings/profile", data={"display_name": "Ana", "language": "fr"}, headers=ENGLISH)
        assert saved.status_code == 303
        assert "<h1>Compte</h1>" in await _profile(browser, ENGLISH)
        wrong = await browser.post("/settings/profile", data={"display_name": "Ana", "language": "xx"}, headers=ENGLISH)
        assert (wrong.status_code, "Choisissez une langue dans la liste." in wrong.text) == (400, True)
        await browser.post("/settings/profile", data={"display_name": "Ana", "language": ""}, headers=ENGLISH)
        assert "<h1>Name and e-mail</h1>" in await _profile(browser, ENGLISH)


async def test_the_api_uses_the_saved_language(mailing: MailingSite, add_language: AddLanguage) -> None:
    add_language("fr", _FRENCH)
    async with mailing.site.browser() as browser:
        token = await api_session(browser, "ben@example.org", "Ben")
        saved = await browser.put("/api/me", json={"displayName": "Ben", "language": "fr"}, headers=token)
        assert saved.json()["language"] == "fr"
        assert (await browser.get("/api/me", headers=token)).json()["language"] == "fr"
        refused = await browser.put("/api/me", json={"displayName": "Ben", "language": "xx"}, headers=token)
        assert refused.json()["fields"]["language"] == "Choisissez une langue dans la liste."


async def test_everyone_gets_e_mail_in_their_chosen_language(mailing: MailingSite, add_language: AddLanguage) -> None:
    add_language("fr", _FRENCH)
    async with mailing.site.db.transaction() as tx:
        host, ana, ben = await person(tx, "Host"), await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, host)
        for one in (ana, ben):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        await tx.execute("update users set language = 'fr' where id = :id", id=ana.user_id)
        await event_hosting.cancel(tx, host, event.slug, reason="")
    mailing.site.clock.turn(HOUR)
    found = await mailing.subjects()
    assert found["ana@example.org"] == "Annulé : Board games, sam. 4 juil."
    assert found["ben@example.org"] == "Cancelled: Board games, Sat 4 Jul"
    (french,) = [one for one in mailing.sent if one.to == "ana@example.org"]
    assert "Annulé." in french.text
    assert "samedi 4 juillet," in french.text
    assert '<html lang="fr" dir="ltr">' in french.html


async def test_guests_get_e_mail_in_the_language_of_their_answer(
    mailing: MailingSite, add_language: AddLanguage
) -> None:
    add_language("fr", _FRENCH)
    async with mailing.site.db.transaction() as tx:
        event = await event_by(tx, await person(tx, "Host"))
    async with mailing.site.browser() as browser:
        for email, headers in (("liz@example.org", FRENCH), ("max@example.org", ENGLISH)):
            asked = await browser.post(
                f"/events/{event.slug}/guest-answer",
                data={"email": email, "display_name": "Guest", "reply": "going"},
                headers=headers,
            )
            assert asked.status_code in {200, 303}, asked.text
    assert await mailing.subjects() == {
        "liz@example.org": "Confirmez votre réponse : Board games",
        "max@example.org": "Confirm your answer: Board games",
    }
    async with mailing.site.db.transaction() as tx:
        for row in await tx.fetch("select id from guest_rsvps order by id"):
            await guests.confirm(tx, row["id"])
    found = await mailing.subjects()
    assert found["liz@example.org"] == "Vous venez : Board games, sam. 4 juil."
    assert found["max@example.org"] == "You’re going: Board games, Sat 4 Jul"


@pytest.mark.parametrize("kind", [CO_HOST_MAIL, INVITATION_MAIL, ARRIVAL_MAIL])
async def test_invitations_of_new_people_are_in_the_language_of_who_invites_them(
    mailing: MailingSite, kind: str
) -> None:
    async def deliver_nothing() -> None:
        """These occasions do not wait for a delivery."""

    await OCCASIONS[kind](mailing.site, deliver_nothing)
    async with mailing.site.db.transaction() as tx:
        await tx.execute("update users set language = 'de'")
    await mailing.subjects()
    (invitation,) = mailing.sent
    assert '<html lang="de" dir="ltr">' in invitation.html


async def test_a_code_e_mail_has_the_language_of_its_page(mailing: MailingSite, add_language: AddLanguage) -> None:
    add_language("fr", _FRENCH)
    async with mailing.site.browser() as browser:
        await browser.post("/sign-in", data={"identifier": "eve@example.org"}, headers=FRENCH)
    assert (await mailing.subjects())["eve@example.org"].startswith("Votre code : ")


async def test_the_default_is_the_language_of_the_site(
    make_database: MakeDatabase, clock: HandClock, add_language: AddLanguage
) -> None:
    """A person whose chosen language no longer exists also gets the site's language."""
    add_language("fr", _FRENCH)
    mailing = MailingSite(site_on(await make_database("openmeet"), clock, language="fr"), "fr")
    async with mailing.site.db.transaction() as tx:
        host, ana, ben = await person(tx, "Host"), await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, host)
        for one in (ana, ben):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        await tx.execute("update users set language = 'tlh' where id = :id", id=ben.user_id)
        await event_hosting.cancel(tx, host, event.slug, reason="")
    mailing.site.clock.turn(HOUR)
    assert set((await mailing.subjects()).values()) == {"Annulé : Board games, sam. 4 juil."}


def test_only_languages_with_a_catalogue_are_offered(add_language: AddLanguage) -> None:
    assert catalogue.choices("en") == [("en", "English")]
    add_language("de", _FRENCH)
    assert catalogue.choices("en") == [("en", "English"), ("de", "Deutsch")]
    assert catalogue.choices("en-XA") == [("en", "English"), ("de", "Deutsch"), ("en-XA", "Pseudo")]


async def test_german_pages_and_mails(mailing: MailingSite) -> None:
    """The language follows the browser, then the person's choice, also in e-mails. Other people read English."""
    german = {"accept-language": "de-AT, de;q=0.9, en;q=0.5"}
    async with mailing.site.db.transaction() as tx:
        host, ana, ben = await person(tx, "Host"), await person(tx, "Ana"), await person(tx, "Ben")
        event = await event_by(tx, host)
        for one in (ana, ben):
            await attendance.answer(tx, one, event.slug, RsvpReply.GOING)
        await tx.execute("update users set language = 'de' where id = :id", id=ana.user_id)
    async with mailing.site.browser() as browser:
        stranger = (await browser.get(f"/events/{event.slug}", headers=german)).text
        assert '<html lang="de"' in stranger
        assert "Samstag, 4.\xa0Juli 2026" in stranger
        assert "Ich komme" in stranger
        assert "I’m going" in (await browser.get(f"/events/{event.slug}", headers=ENGLISH)).text
        refused = await browser.get("/events/no-such-event", headers=german)
        assert (refused.status_code, "Diese Seite finden wir nicht" in refused.text) == (404, True)
        await sign_up(browser, "ida@example.org", "Ida")
        await browser.post("/settings/profile", data={"display_name": "Ida", "language": "de"}, headers=ENGLISH)
        assert "Dein Profil ist gespeichert." in await _profile(browser, ENGLISH)
    async with mailing.site.db.transaction() as tx:
        await event_hosting.cancel(tx, host, event.slug, reason="Zu wenige Leute")
    async with signed_in(mailing.site, ana.user_id) as browser:
        line = re.sub(r"<[^>]+>|\s+", " ", (await browser.get("/notifications")).text)
    assert "Board games , Sa., 4. Juli, ist abgesagt: Zu wenige Leute." in " ".join(line.split())
    mailing.site.clock.turn(HOUR)
    found = await mailing.subjects()
    assert (found["ana@example.org"], found["ben@example.org"]) == (
        "Abgesagt: Board games, Sa., 4. Juli",
        "Cancelled: Board games, Sat 4 Jul",
    )
    (written,) = [one for one in mailing.sent if one.to == "ana@example.org"]
    assert "Abgesagt." in written.text
    assert "Samstag, 4.\xa0Juli," in written.text
    assert '<html lang="de" dir="ltr">' in written.html
