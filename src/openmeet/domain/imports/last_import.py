"""The fields of an event at its last import. They show whether a change was made in the file or on this site."""

from dataclasses import replace
from typing import Final

import msgspec

from groundwork.errors import InvalidForm
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.submissions import values_of, values_of_event
from openmeet.domain.imports.model import ImportedEvent, OccurrenceOverride

TIMES: Final = ("starts", "ends", "time_zone", "all_day")
PLACE: Final = ("venue_name", "street", "postal_code", "locality", "region", "country", "point")
# The fields that a file can have, by their names in the form, in display order.
FIELDS: Final = ("title", *TIMES, "description", "mode", *PLACE, "online_url", "categories", "tags")
# Fields that change together, because a mixture of the old and the new time or place would be wrong.
_TOGETHER: Final = (TIMES, PLACE)


class ImportedDate(msgspec.Struct, frozen=True):
    """The fields of one overridden date of a series at its last import."""

    fields: dict[str, str]
    is_cancelled: bool


class LastImport(msgspec.Struct, frozen=True):
    """The fields of an event at its last import, by their names in the form.

    ``rule``, ``left_out`` and ``added`` are RFC 5545 text. The keys of ``dates`` are original starts.
    """

    fields: dict[str, str]
    rule: str
    left_out: str
    added: str
    is_cancelled: bool
    dates: dict[str, ImportedDate]

    def has_same_schedule(self, imported: ImportedEvent) -> bool:
        """Whether the file still has the same times, rule and extra dates."""
        times = values_of(imported.typed)
        is_same = (self.rule, self.left_out, self.added) == (imported.rule, imported.left_out, imported.added)
        return is_same and all(self.fields[name] == times[name] for name in TIMES)

    def of_date(self, change: OccurrenceOverride) -> dict[str, str]:
        """The fields of this date. A date without an override has the fields of the series, except the times."""
        values = self.dates.get(change.original)
        return values.fields if values else {**self.fields, **dict.fromkeys(TIMES, "")}

    def has_date(self, change: OccurrenceOverride) -> bool:
        """Whether the last import had exactly this override of the date."""
        return self.dates.get(change.original) == _of_date(change)


def last_import_of(imported: ImportedEvent) -> LastImport:
    """The present content of the file, to be stored as its last import."""
    return LastImport(
        _fields(imported.typed),
        imported.rule,
        imported.left_out,
        imported.added,
        imported.is_cancelled,
        {change.original: _of_date(change) for change in imported.changes if not change.and_following},
    )


def changed_fields(submission: Submission, base: dict[str, str] | None) -> frozenset[str]:
    """The fields that changed in the file since the last import. All fields if the last import is not known."""
    if base is None:
        return frozenset(FIELDS)
    now = _fields(submission)
    changed = {name for name in FIELDS if now[name] != base[name]}
    for group in _TOGETHER:
        if changed.intersection(group):
            changed.update(group)
    return frozenset(changed)


def edited_here(base: dict[str, str] | None, current: dict[str, str]) -> frozenset[str]:
    """The fields that were edited on this site since the last import. None if the last import is not known."""
    if base is None:
        return frozenset()
    submission = replace(Submission(**current), **base)
    try:
        values = values_of_event(check(submission))
    except InvalidForm:
        values = base
    return frozenset(name for name in FIELDS if base[name] and current[name] not in {base[name], values[name]})


def _fields(submission: Submission) -> dict[str, str]:
    values = values_of(submission)
    return {name: values[name] for name in FIELDS}


def _of_date(change: OccurrenceOverride) -> ImportedDate:
    return ImportedDate(_fields(change.typed), change.is_cancelled)
