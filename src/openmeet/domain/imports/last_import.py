"""What a file said of an event when it was imported last: the base from which changes of the file and changes here are told apart."""

from dataclasses import replace
from typing import Final

import msgspec

from groundwork.errors import InvalidForm
from openmeet.domain.events.rules import Submission, check
from openmeet.domain.events.submissions import values_of, values_of_event
from openmeet.domain.imports.model import ImportedEvent, OccurrenceOverride

TIMES: Final = ("starts", "ends", "time_zone", "all_day")
PLACE: Final = ("venue_name", "street", "postal_code", "locality", "region", "country", "point")
# What a file says, by the names of the form, in the order in which it is shown.
FIELDS: Final = ("title", *TIMES, "description", "mode", *PLACE, "online_url", "categories", "tags")
# Fields that are taken together: half of a new time, or of a new place, is neither the old one nor the new one.
_TOGETHER: Final = (TIMES, PLACE)


class SaidOfDate(msgspec.Struct, frozen=True):
    """The same of one date of a series that differs."""

    fields: dict[str, str]
    is_cancelled: bool


class LastImport(msgspec.Struct, frozen=True):
    """``fields`` by the names of the form; ``rule``, ``left_out`` and ``added`` are RFC 5545 text. ``dates`` by their names."""

    fields: dict[str, str]
    rule: str
    left_out: str
    added: str
    is_cancelled: bool
    dates: dict[str, SaidOfDate]

    def has_same_schedule(self, found: ImportedEvent) -> bool:
        """Whether the file says the same times, rule and extra dates."""
        times = values_of(found.typed)
        is_same = (self.rule, self.left_out, self.added) == (found.rule, found.left_out, found.added)
        return is_same and all(self.fields[name] == times[name] for name in TIMES)

    def of_date(self, change: OccurrenceOverride) -> dict[str, str]:
        """What was said of this date; of one that did not differ, what was said of the series, which says nothing of its time."""
        known = self.dates.get(change.original)
        return known.fields if known else {**self.fields, **dict.fromkeys(TIMES, "")}

    def has_date(self, change: OccurrenceOverride) -> bool:
        """Whether this very change was in the file before."""
        return self.dates.get(change.original) == _of_date(change)


def said_in(found: ImportedEvent) -> LastImport:
    """What the file says now."""
    return LastImport(
        _fields(found.typed),
        found.rule,
        found.left_out,
        found.added,
        found.is_cancelled,
        {change.original: _of_date(change) for change in found.changes if not change.and_following},
    )


def changed_fields(typed: Submission, base: dict[str, str] | None) -> frozenset[str]:
    """The fields that a file says otherwise than before; all of them where it is not known what it said."""
    if base is None:
        return frozenset(FIELDS)
    now = _fields(typed)
    found = {name for name in FIELDS if now[name] != base[name]}
    for group in _TOGETHER:
        if found.intersection(group):
            found.update(group)
    return frozenset(found)


def edited_here(base: dict[str, str] | None, here: dict[str, str]) -> frozenset[str]:
    """The fields that are otherwise here than a file said them, as it wrote them or as they were kept. None where that is not known."""
    if base is None:
        return frozenset()
    typed = replace(Submission(**here), **base)
    try:
        kept = values_of_event(check(typed))
    except InvalidForm:
        kept = base
    return frozenset(name for name in FIELDS if base[name] and here[name] not in {base[name], kept[name]})


def _fields(typed: Submission) -> dict[str, str]:
    values = values_of(typed)
    return {name: values[name] for name in FIELDS}


def _of_date(change: OccurrenceOverride) -> SaidOfDate:
    return SaidOfDate(_fields(change.typed), change.is_cancelled)
