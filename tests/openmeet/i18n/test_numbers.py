"""Numbers of people in the thousands are formatted by locale: on pages, in messages and in labels."""

import re
from html.parser import HTMLParser

import jinja2
import pytest

from groundwork.clock import HandClock
from groundwork.uuid7 import new_id
from openmeet.domain.attendance import actions, event_hosting
from openmeet.domain.attendance.model import RsvpReply
from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.users.model import Caller
from openmeet.domain.users.queries import by_email
from openmeet.i18n.catalogue import gettext, lazy, ngettext, speaking
from openmeet.i18n.templates import speak
from tests.databases import MakeDatabase
from tests.openmeet.site_under_test import Site, event_by, person, sign_up, site_on

PLACES = 23_456
GROUPED = {"en": ("12,400", "23,456"), "de": ("12.400", "23.456")}


class _Text(HTMLParser):
    """What a reader sees and hears of a page: its text and its accessible names."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._is_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._is_script = tag in {"script", "style"}
        self.words += [value or "" for name, value in attrs if name in {"aria-label", "alt", "title"}]

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False

    def handle_data(self, data: str) -> None:
        if not self._is_script:
            self.words.append(data)


def visible_text(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    return " ".join(parser.words)


@pytest.fixture
async def site(make_sqlite: MakeDatabase, clock: HandClock) -> Site:
    return site_on(await make_sqlite("openmeet", clock=clock), clock)


async def crowd_of(site: Site) -> str:
    """An event by Ana today with 23,456 places. 620 people attend with 19 guests each, and one asks to join."""
    async with site.db.transaction() as tx:
        user = await by_email(tx, "ana@example.org")
        assert user is not None
        ana = Caller(user.id, "Ana")
        event = await event_by(tx, ana, title="Fair", starts="2026-03-01T18:00", ends="2026-03-01T20:00")
        asks = RegistrationSettings(needs_approval=True)
        await event_hosting.change_registration_settings(tx, ana, event.slug, asks)
        await actions.answer(tx, await person(tx, "Cleo"), event.slug, RsvpReply.GOING)
        await tx.execute("update events set capacity = :places where id = :id", places=PLACES, id=event.id)
        rows = [{"id": new_id(tx.now), "person": new_id(tx.now), "now": tx.now, "event": event.id} for _ in range(620)]
        await tx.execute_many(
            "insert into users (id, kind, display_name, email, bio, time_zone, revision, created_at, updated_at)"
            " values (:person, 'person', 'Guest', :person || '@example.org', '', null, 1, :now, :now)",
            [{key: row[key] for key in ("person", "now")} for row in rows],
        )
        await tx.execute_many(
            "insert into attendances (id, event_id, user_id, status, party, source, revision, created_at, answered_at)"
            " values (:id, :event, :person, 'attending', 20, 'here', 1, :now, :now)",
            rows,
        )
    return event.slug


@pytest.mark.parametrize("language", ["en", "de"])
async def test_no_page_shows_five_digits_in_a_row(site: Site, language: str) -> None:
    going, places = GROUPED[language]
    async with site.browser() as hosts, site.browser() as anybody:
        for browser in (hosts, anybody):
            browser.headers["accept-language"] = language
        await sign_up(hosts, "ana@example.org", "Ana")
        slug = await crowd_of(site)
        for browser, path, number in (
            (anybody, f"/events/{slug}", going),
            (anybody, "/", going),
            (hosts, f"/events/{slug}", places),
            (hosts, f"/events/{slug}/attendees", going),
            (hosts, f"/events/{slug}/guest-list", going),
            (hosts, f"/events/{slug}/check-in", going),
            (hosts, "/my/events?which=hosting", going),
            (hosts, "/", going),
        ):
            said = visible_text((await browser.get(path)).text)
            assert number in said, path
            assert re.findall(r"(?<![\w/-])[0-9]{5,}(?![\w/-])", said) == [], path


@pytest.mark.parametrize(("language", "number"), [("en", "20,000"), ("de", "20.000")])
def test_numbers_in_messages_are_formatted_by_locale(language: str, number: str) -> None:
    environment = jinja2.Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    speak(environment)
    source = (
        "{% trans count=n %}{{ count }} going{% pluralize %}{{ count }} going{% endtrans %}|{% trans n=n %}{{ n "
        "}} so{% endtrans %}"
        '|{{ ngettext("%(num)s so", "%(num)s so", n) }}|{{ n|number }}|{{ n }}'
    )
    with speaking(language):
        in_template = environment.from_string(source).render(n=20_000)
        assert re.findall(r"[0-9.,]+", in_template) == [number] * 4 + ["20000"]
        assert number in gettext("%(number)s to decide", number=20_000)
        assert number in ngettext("%(number)s going", "%(number)s going", 20_000)
        assert number in lazy("%(number)s so").filled(number=20_000)
        assert ngettext("%(number)s so", "%(number)s so", 7) == "7 so"
        assert gettext("%(yes)s so", yes=True) == "True so"
