"""The translations: each message keeps the placeholders of the English one, and every language is complete."""

from datetime import datetime
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from checks.messages import Server

from groundwork.clock import Instant
from groundwork.i18n.catalogue import Catalogue
from openmeet.i18n import formatting, languages
from openmeet.i18n.catalogue import CATALOGUE, speaking
from openmeet.recurrence.describe import describe
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from tests import translations
from tests.translations import differences


def test_translations_keep_parameters_tags_and_forms() -> None:
    translations.kept(CATALOGUE)


def test_a_wrong_translation_is_found() -> None:
    wrong = (
        Message("Save %(name)s", "Speichern"),
        Message("<b>Now</b>", "Jetzt"),
        Message(("%(number)s event", "%(number)s events"), ("%(number)s Event", "")),
        Message(" more", "mehr"),
        Message("Save", "%(name)s speichern"),
        Message('See all<span class="hidden"> guests</span>', 'Alle<span class="hidden"> Gäste</span> ansehen'),
    )
    assert all(list(differences(one, 2)) for one in wrong)
    assert list(differences(Message(("One", "%(number)s"), ("Eins", "%(number)s")), 2)) == []


def test_every_message_has_a_translation_in_every_language() -> None:
    translations.complete(CATALOGUE)
    assert "de" in translations.missing(CATALOGUE)


def test_languages_must_be_complete_and_variants_need_not(tmp_path: Path) -> None:
    """A new folder is a language that must be complete, unless it varies a language that the catalogue has."""
    (tmp_path / "site.pot").write_text('msgid "Save"\nmsgstr ""\n\nmsgid "Open"\nmsgstr ""\n')
    translated = {"fr": {"Save": "Enregistrer"}, "fr_CA": {"Open": "Ouvrir", "Gone": "Parti"}, "en_US": {}, "pt_BR": {}}
    for language, messages in translated.items():
        folder = tmp_path / language / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "site.po").write_text(
            "\n\n".join(f'msgid "{one}"\nmsgstr "{text}"' for one, text in messages.items())
        )
    site = Catalogue("site", tmp_path)
    assert translations.missing(site) == {"fr": ["('Open',)"], "pt_BR": ["('Open',)", "('Save',)"]}
    assert translations.unused(site) == {"en_US": [], "fr": [], "fr_CA": ["('Gone',)"], "pt_BR": []}


def test_a_message_inside_a_string_is_reported() -> None:
    assert translations.hidden_in_strings(
        """a = f"{', '.join(b) or gettext('None')}."\nc = f"{d}" + gettext("e")"""
    ) == [1]


def test_every_message_is_found() -> None:
    translations.all_found(Server("openmeet", "OpenMeet"))


def test_numbers_always_have_their_plural() -> None:
    translations.counted(Server("openmeet", "OpenMeet"))


def test_german_has_no_banned_word() -> None:
    translations.good_german(CATALOGUE)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("FREQ=WEEKLY", "Jeden Dienstag um 18:00\xa0Uhr"),
        ("FREQ=WEEKLY;INTERVAL=2", "Jeden zweiten Dienstag um 18:00\xa0Uhr"),
        ("FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,TH", "Alle 3 Wochen am Dienstag und Donnerstag um 18:00\xa0Uhr"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU,WE,TH,FR", "Jede zweite Woche von Montag bis Freitag um 18:00\xa0Uhr"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;COUNT=10", "Jeden Werktag (Montag bis Freitag) um 18:00\xa0Uhr, 10-mal"),
        ("FREQ=DAILY;UNTIL=20261224T170000Z", "Jeden Tag um 18:00\xa0Uhr, bis 24.\xa0Dezember 2026"),
        ("FREQ=MONTHLY;BYDAY=2TU", "Jeden Monat am zweiten Dienstag um 18:00\xa0Uhr"),
        ("FREQ=MONTHLY;BYDAY=-2TU", "Jeden Monat am vorletzten Dienstag um 18:00\xa0Uhr"),
        ("FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1,15", "Jeden zweiten Monat am 1. und am 15. um 18:00\xa0Uhr"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "Jeden Monat am letzten Tag um 18:00\xa0Uhr"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "Jeden Monat am Freitag (nur am 13.) um 18:00\xa0Uhr"),
        ("FREQ=YEARLY", "Jedes Jahr am 10.\xa0März um 18:00\xa0Uhr"),
        ("FREQ=YEARLY;BYMONTH=3,9;BYDAY=1TU", "Jedes Jahr am ersten Dienstag im März und September um 18:00\xa0Uhr"),
        ("FREQ=YEARLY;BYMONTHDAY=13", "Jedes Jahr am 13. jedes Monats um 18:00\xa0Uhr"),
        (
            "FREQ=YEARLY;BYWEEKNO=20,-1;BYDAY=MO",
            "Jedes Jahr am Montag in Woche 20 und in der letzten Woche um 18:00\xa0Uhr",
        ),
    ],
)
def test_rules_of_series_are_german_sentences(rule: str, sentence: str) -> None:
    with speaking("de"):
        assert describe(pattern(datetime(2026, 3, 10, 18), "Europe/Berlin", parse_rule(rule))) == sentence  # noqa: DTZ001


def test_dates_and_numbers_are_german() -> None:
    at = datetime(2026, 12, 24, 18, 5)  # noqa: DTZ001
    with speaking("de"):
        assert formatting.day(at) == "Donnerstag, 24.\xa0Dezember 2026"
        assert formatting.short_day(at) == "Do., 24.\xa0Dez."
        assert formatting.span(at, at.replace(hour=21)) == "Donnerstag, 24.\xa0Dezember 2026, 18:05–21:05\xa0Uhr"
        assert formatting.day_and_time("Do., 24.\xa0Dez.", at) == "Do., 24.\xa0Dez., 18:05\xa0Uhr"
        assert formatting.zone_of_series("Europe/Vienna") == "Ortszeit Wien"
        assert languages.name_of("fr") == "Französisch"
        assert formatting.weekdays()[0] == ("Montag", "Mo")
        assert formatting.ago(Instant(0), Instant(180_000_000)) == "vor 3 Minuten"
        assert formatting.number(1234567) == "1.234.567"
