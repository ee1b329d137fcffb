"""Reports of an analysis and of a run, as text and as JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from openmeet.domain.legacy_import.model import WORDS, LegacyOddity
from openmeet.domain.legacy_import.plan import LegacyPlan, LegacySeriesPart
from openmeet.recurrence.describe import describe

# Maximum number of oddities of one kind in the text report. JSON has all of them.
SHOWN = 5

COUNTS: Mapping[str, str] = {
    "people": "people",
    "groups": "groups",
    "members": "memberships",
    "series": "series",
    "splitSeries": "of them split off from another",
    "dates": "stored dates of series",
    "modifiedDates": "of them with changes of their own",
    "cancelledEvents": "cancelled events and dates",
    "singleEvents": "single events",
    "followers": "followers (people who answered the recurring event)",
    "answers": "answers",
    "rooms": "chat rooms",
}


def lines_of(plan: LegacyPlan) -> Iterator[str]:
    """The plan as text: what will be created, followed by the oddities."""
    yield f"This is a database of the older model, {plan.shape.words}."
    counts = plan.counts()
    yield "The import will create:"
    yield from (f"  {counts[name]:8,}  {words}" for name, words in COUNTS.items())
    yield from (f"  {counts[name]:8,}  answers: {name.partition(':')[2]}" for name in counts if ":" in name)
    if not plan.oddities:
        yield "No oddities were found."
        return
    if len(plan.oddities) == 1:
        yield "1 oddity was found. It does not prevent the import:"
    else:
        yield f"{len(plan.oddities):,} oddities were found. None of them prevents the import:"
    for what, count in Counter(oddity.what for oddity in plan.oddities).most_common():
        yield f"  {count:,} × {what.value}: {WORDS[what]}"
        same = [oddity for oddity in plan.oddities if oddity.what is what]
        yield from (
            f"      {oddity.subject}{f' ({oddity.detail})' if oddity.detail else ''}" for oddity in same[:SHOWN]
        )
        if count > SHOWN:
            yield f"      … and {count - SHOWN:,} more (--json lists all)"


def json_of(plan: LegacyPlan) -> dict[str, Any]:
    """The plan as JSON."""
    return {
        "shape": {
            "hasRecurrence": plan.shape.has_recurrence,
            "hasSplitPoints": plan.shape.has_split_points,
        },
        "counts": dict(plan.counts()),
        "series": [_series(part) for part in plan.parts],
        "odd": [_oddity(oddity) for oddity in plan.oddities],
    }


def differences(expected: Mapping[str, int], actual: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Counts that differ, as (expected, found)."""
    names = [*expected, *(name for name in actual if name not in expected)]
    return {
        name: (expected.get(name, 0), actual.get(name, 0))
        for name in names
        if expected.get(name, 0) != actual.get(name, 0)
    }


def verification_lines(expected: Mapping[str, int], actual: Mapping[str, int]) -> Iterator[str]:
    """The expected and the actual counts, side by side."""
    yield "Counted in the database after the import:"
    for name in [*expected, *(name for name in actual if name not in expected)]:
        ours, theirs = expected.get(name, 0), actual.get(name, 0)
        verdict = "ok" if ours == theirs else f"EXPECTED {ours:,}"
        yield f"  {theirs:8,}  {COUNTS.get(name, name)}  {verdict}"


def _series(part: LegacySeriesPart) -> dict[str, Any]:
    return {
        "event": part.old.id,
        "slug": part.old.slug,
        "title": part.content.title,
        "sentence": describe(part.timing.pattern),
        "timeZone": part.timing.pattern.zone_name,
        "splitFromEvent": part.after,
        "dates": len(part.dates),
        "modifiedDates": sum(bool(one.overridden) for one in part.dates),
        "followers": len(part.followers),
    }


def _oddity(oddity: LegacyOddity) -> dict[str, Any]:
    return {"what": oddity.what.value, "subject": oddity.subject, "detail": oddity.detail, "sentence": oddity.sentence}
