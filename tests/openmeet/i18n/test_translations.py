"""The translations: each message of every language keeps what the English one has, and German is complete."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from groundwork.clock import Instant
from openmeet.i18n import formatting, languages
from openmeet.i18n.catalogue import DOMAIN, LOCALES, speaking
from openmeet.recurrence.describe import describe
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule

LANGUAGES: Final = sorted(path.parent.parent.name for path in LOCALES.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))

_PARAMETER: Final = re.compile(r"%\(\w+\)[sd]|%%")
_TAG: Final = re.compile(r"</?\w[^>]*>|&\w+;")

# Sie and officialese; the polite pronouns differ from "sie" and "ihr" only inside of a sentence.
_BANNED_IN_GERMAN: Final = re.compile(
    r"(?<=[a-zäöüß,] )(?:Sie|Ihnen|Ihre?[mnrs]?)\b|\bseitens\b|\bdiesbezüglich|\bhinsichtlich\b|\bzwecks\b|\berfolgreich\b"
    r"|\bUser\b|\bEmail|\bE-mail|\bNutzer|\bVeranstaltung|\bbetätigen\b|\bgemäß\b|\bUnzulässig|\bHoppla\b|;"
)


def _catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def _of(language: str) -> Catalog:
    return _catalogue(LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po")


def _forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def _messages(language: str) -> Iterator[Message]:
    """Those that are translated."""
    return (one for one in _of(language) if one.id and any(_forms(one.string)))


def _differences(one: Message, plural_forms: int) -> Iterator[str]:
    """What a translation lost or made up."""
    english, translated = _forms(one.id), _forms(one.string)
    if len(translated) != (1 if len(english) == 1 else plural_forms) or not all(translated):
        yield f"forms of {english}"
    # Which of the forms names the number is up to the language.
    known = [set(_PARAMETER.findall(text)) for text in english]
    for text in translated:
        has = set(_PARAMETER.findall(text))
        if not (set.intersection(*known) <= has <= set.union(*known)):
            yield f"parameters of {text!r}"
        if sorted(_TAG.findall(text)) != sorted(_TAG.findall(english[-1])):
            yield f"tags of {text!r}"
        if (text[:1].isspace(), text[-1:].isspace()) != (english[-1][:1].isspace(), english[-1][-1:].isspace()):
            yield f"spaces around {text!r}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_parameters_tags_and_forms(language: str) -> None:
    forms = _of(language).num_plurals
    assert [found for one in _messages(language) for found in _differences(one, forms)] == []
    assert [one.id for one in _of(language) if one.fuzzy and one.id] == []


def test_a_wrong_translation_is_found() -> None:
    wrong = (
        Message("Save %(name)s", "Speichern"),
        Message("<b>Now</b>", "Jetzt"),
        Message(("%(number)s event", "%(number)s events"), ("%(number)s Event", "")),
        Message(" more", "mehr"),
        Message("Save", "%(name)s speichern"),
    )
    assert all(list(_differences(one, 2)) for one in wrong)
    assert list(_differences(Message(("One", "%(number)s"), ("Eins", "%(number)s")), 2)) == []


def test_every_message_has_a_german_translation() -> None:
    template = {(one.context, _forms(one.id)) for one in _catalogue(LOCALES / f"{DOMAIN}.pot") if one.id}
    german = {(one.context, _forms(one.id)) for one in _messages("de")}
    assert sorted(str(english) for _, english in template - german) == []
    assert german <= template


def test_german_has_no_banned_word() -> None:
    said = [text for one in _messages("de") for text in _forms(one.string)]
    # A comma after a parameter name, "&nbsp;" and addresses are no sentence.
    assert [text for text in said if _BANNED_IN_GERMAN.search(_TAG.sub("", text))] == []
    # Quotation marks are the German ones, except around JSON.
    assert [text for text in said if "”" in text or ('"' in _TAG.sub("", text) and "{" not in text)] == []


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("FREQ=WEEKLY", "Jeden Dienstag um 18:00 Uhr"),
        ("FREQ=WEEKLY;INTERVAL=2", "Jeden zweiten Dienstag um 18:00 Uhr"),
        ("FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,TH", "Alle 3 Wochen Dienstag und Donnerstag um 18:00 Uhr"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;COUNT=10", "Jeden Werktag (Montag bis Freitag) um 18:00 Uhr, 10-mal"),
        ("FREQ=DAILY;UNTIL=20261224T170000Z", "Jeden Tag um 18:00 Uhr, bis 24. Dezember 2026"),
        ("FREQ=MONTHLY;BYDAY=2TU", "Jeden Monat am zweiten Dienstag um 18:00 Uhr"),
        ("FREQ=MONTHLY;BYDAY=-2TU", "Jeden Monat am vorletzten Dienstag um 18:00 Uhr"),
        ("FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=1,15", "Jeden zweiten Monat am 1. und am 15. um 18:00 Uhr"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "Jeden Monat am letzten Tag um 18:00 Uhr"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "Jeden Monat am Freitag (nur am 13.) um 18:00 Uhr"),
        ("FREQ=YEARLY", "Jedes Jahr am 10. März um 18:00 Uhr"),
        ("FREQ=YEARLY;BYMONTH=3,9;BYDAY=1TU", "Jedes Jahr am ersten Dienstag im März und September um 18:00 Uhr"),
        ("FREQ=YEARLY;BYMONTHDAY=13", "Jedes Jahr am 13. jedes Monats um 18:00 Uhr"),
        ("FREQ=YEARLY;BYWEEKNO=20,-1;BYDAY=MO", "Jedes Jahr in Woche 20 und in der letzten Woche, Montag um 18:00 Uhr"),
    ],
)
def test_rules_of_series_are_german_sentences(rule: str, sentence: str) -> None:
    with speaking("de"):
        assert describe(pattern(datetime(2026, 3, 10, 18), "Europe/Berlin", parse_rule(rule))) == sentence  # noqa: DTZ001


def test_dates_and_numbers_are_german() -> None:
    at = datetime(2026, 12, 24, 18, 5)  # noqa: DTZ001
    with speaking("de"):
        assert formatting.day(at) == "Donnerstag, 24. Dezember 2026"
        assert formatting.short_day(at) == "Do., 24. Dez."
        assert formatting.span(at, at.replace(hour=21)) == "Donnerstag, 24. Dezember 2026, 18:05–21:05 Uhr"
        assert formatting.day_and_time("Do., 24. Dez.", at) == "Do., 24. Dez., 18:05 Uhr"
        assert formatting.zone_of_series("Europe/Vienna") == "Ortszeit Wien"
        assert languages.name_of("fr") == "Französisch"
        assert formatting.weekdays()[0] == ("Montag", "Mo")
        assert formatting.ago(Instant(0), Instant(180_000_000)) == "vor 3 Minuten"
        assert formatting.number(1234567) == "1.234.567"
