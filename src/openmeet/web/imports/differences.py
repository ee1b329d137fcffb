"""Differences between a file and an event that was imported before, as text."""

from datetime import datetime
from typing import Final, NamedTuple

from openmeet.domain.imports.model import ImportedEvent
from openmeet.domain.imports.updates import FieldChange, ImportUpdate
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import parse_dates, pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.events.form_summaries import LABELS

_LABELS: Final = {**LABELS, "rule": lazy("Repeats"), "left_out": lazy("Dates left out"), "added": lazy("Extra dates")}
# Maximum number of dates that are listed. Further dates are counted.
_NAMED: Final = 6
# Maximum number of characters shown of a text.
_LETTERS: Final = 200


class ImportDifference(NamedTuple):
    """One difference: the field's label, its value on this site, and its value in the file. ``is_edited_here``: it was
    changed on this site too.
    """

    label: str
    before: str
    after: str
    is_edited_here: bool


def differences(event: ImportedEvent, update: ImportUpdate) -> list[ImportDifference]:
    """The fields of an event that differ, as text."""
    starts = next((one for one in update.fields if one.field == "starts"), None)
    first = (starts.before, starts.after) if starts else (event.typed.starts, event.typed.starts)
    return [
        ImportDifference(
            str(_LABELS[one.field]), *_before_and_after(one, first, event.typed.time_zone), one.is_edited_here
        )
        for one in update.fields
    ]


def _before_and_after(change: FieldChange, first: tuple[str, str], zone: str) -> tuple[str, str]:
    match change.field:
        case "rule":
            return _rule_text(change.before, first[0]), _rule_text(change.after, first[1])
        case "left_out" | "added":
            return _dates_text(change.before, zone), _dates_text(change.after, zone)
        case "starts" | "ends":
            return change.before.replace("T", " "), change.after.replace("T", " ")
        case _:
            return _cut(change.before), _cut(change.after)


def _rule_text(text: str, first: str) -> str:
    """A recurrence rule as a sentence, or the raw text if it cannot be parsed."""
    if not text:
        return ""
    try:
        start = datetime.fromisoformat(first)
        return describe(pattern(start, None, parse_rule(text), is_all_day="T" not in first))
    except (RuleRefused, ValueError):
        return text


def _dates_text(text: str, zone: str) -> str:
    try:
        dates = parse_dates(text, zone)
    except RuleRefused:
        return text
    date_labels = [formatting.short_date(at) for at in dates[:_NAMED]]
    return ", ".join(date_labels) + (
        gettext(" and %(named)s more", named=len(dates) - _NAMED) if len(dates) > _NAMED else ""
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
