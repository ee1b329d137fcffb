"""Every combination of rule parts, as the sentence that people read."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import accumulate, combinations, islice, product

import pytest

from groundwork.i18n import pseudo
from openmeet.i18n.catalogue import speaking
from openmeet.recurrence.describe import describe, describe_rhythm
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import FREQUENCIES, Rule, parse_rule, until_date
from openmeet.recurrence.rule_dates import dates_by_rule

# A Tuesday.
START = datetime(2026, 3, 10, 18)  # noqa: DTZ001  # wall time is naive

PARTS = {
    "INTERVAL": ("2", "3"),
    "BYMONTH": ("3", "6,9"),
    "BYWEEKNO": ("20,21", "-1"),
    "BYYEARDAY": ("100", "-1"),
    "BYMONTHDAY": ("13", "1,-1"),
    "BYDAY": ("MO", "SA,SU", "2TU", "MO,TU,WE,TH,FR", "MO,TU,WE,TH,FR,SA,SU"),
    "BYHOUR": ("9,18",),
    "BYSETPOS": ("1", "-1"),
    "WKST": ("SU",),
}


def rules(most_parts: int) -> Iterator[Rule]:
    """All accepted rules with up to this many of these parts."""
    for freq in FREQUENCIES:
        for number in range(most_parts + 1):
            for names in combinations(PARTS, number):
                for values in product(*(PARTS[name] for name in names)):
                    parts = ["FREQ=" + freq, *(f"{name}={value}" for name, value in zip(names, values, strict=True))]
                    try:
                        yield parse_rule(";".join(parts))
                    except RuleRefused:
                        continue


def test_two_rules_with_one_sentence_have_the_same_dates() -> None:
    """Every part that selects dates is mentioned, so two different rules never have the same sentence."""
    first: dict[str, tuple[str, list[datetime]]] = {}
    end = START + timedelta(days=366 * 60)
    for rule in rules(3):
        sentence = describe(pattern(START, "UTC", rule))
        dates = list(islice(dates_by_rule(START, rule, START, end), 20))
        text, known = first.setdefault(sentence, (str(rule), dates))
        assert dates == known, f"{sentence!r}: {text} and {rule}"


def test_sentences_have_clean_punctuation() -> None:
    """There are no doubled or trailing commas and spaces, whatever follows."""
    for rule in rules(4):
        for is_all_day in (False, True):
            whole = replace(rule, by_hour=()) if is_all_day else rule
            if is_all_day and whole != rule:
                continue
            ends = (whole, replace(whole, count=10), replace(whole, until=until_date(START.date())))
            for one in ends if len(str(rule)) < 60 else ends[:1]:
                said = describe(pattern(START, "UTC", one, added=[START + timedelta(days=1)], is_all_day=is_all_day))
                plain = describe(pattern(START, "UTC", one, is_all_day=is_all_day))
                for sentence in (said, plain):
                    assert not any(bad in sentence for bad in (",,", ", ,", "  ", " ,")), sentence
                    assert sentence == sentence.strip(" ,"), sentence


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("FREQ=DAILY;BYDAY=MO;BYMONTHDAY=13", "Every day, if that’s a Monday and the 13th of the month, at 18:00"),
        ("FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR", "Every weekday (Monday to Friday) at 18:00"),
        ("FREQ=DAILY;INTERVAL=2;BYDAY=SA,SU", "Every other day, if that’s a Saturday or Sunday, at 18:00"),
        (
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3",
            "Every weekday (Monday to Friday) at 18:00, but only the last of these in each week, 3 times",
        ),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA,SU;WKST=SU",
            "Every other week on Saturday and Sunday (weeks begin on Sunday) at 18:00",
        ),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "On the last working day of every month at 18:00"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "On Friday the 13th of every month at 18:00"),
        (
            "FREQ=MONTHLY;BYDAY=2TU;BYMONTHDAY=13",
            "Every month on each day that is the second Tuesday of the month, and also the 13th of the month, at 18:00",
        ),
        ("FREQ=DAILY", "Every day at 18:00"),
        ("FREQ=DAILY;INTERVAL=3", "Every 3 days at 18:00"),
        (
            "FREQ=DAILY;INTERVAL=3;BYMONTHDAY=13;BYMONTH=6",
            "Every 3 days, if that’s the 13th of the month, in June at 18:00",
        ),
        ("FREQ=WEEKLY;INTERVAL=3;BYDAY=MO,TU;BYMONTH=6", "Every 3 weeks on Monday and Tuesday in June at 18:00"),
        ("FREQ=WEEKLY;INTERVAL=3", "Every third Tuesday at 18:00"),
        ("FREQ=WEEKLY;INTERVAL=22", "Every 22nd Tuesday at 18:00"),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=2TU", "On the second Tuesday of every other month at 18:00"),
        ("FREQ=MONTHLY;INTERVAL=6", "On the 10th of every 6 months at 18:00"),
        ("FREQ=YEARLY", "Every year on 10 March at 18:00"),
        ("FREQ=YEARLY;INTERVAL=2", "Every other year on 10 March at 18:00"),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=6,9", "Every 4 years on 10 June and September at 18:00"),
        ("FREQ=YEARLY;BYYEARDAY=100,-1", "On the 100th day and the last day of every year at 18:00"),
        (
            "FREQ=YEARLY;INTERVAL=2;BYMONTHDAY=1,-1",
            "Every other year on the 1st and the last day of every month at 18:00",
        ),
        (
            "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;WKST=SU",
            "On Monday of week 20 (weeks begin on Sunday) of every year at 18:00",
        ),
        ("FREQ=YEARLY;BYWEEKNO=20", "On every day of week 20 of every year at 18:00"),
        ("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO", "On Monday of the last week of every year at 18:00"),
        (
            "FREQ=YEARLY;BYMONTH=6,9;BYDAY=MO;BYSETPOS=1",
            "Every year on every Monday of June and September at 18:00, but only the first of these in each year",
        ),
    ],
)
def test_wording(rule: str, sentence: str) -> None:
    assert describe(pattern(START, "Europe/Berlin", parse_rule(rule))) == sentence


def test_a_rhythm_has_no_times_end_or_exceptions() -> None:
    weekly = parse_rule("FREQ=WEEKLY;BYDAY=TU;COUNT=5")
    with_exceptions = pattern(START, "Europe/Berlin", weekly, left_out=[START + timedelta(days=7)])
    assert describe_rhythm(with_exceptions) == "Every Tuesday"
    assert not describe_rhythm(pattern(START, "Europe/Berlin", added=[START + timedelta(days=1)]))


@pytest.mark.parametrize("is_all_day", [False, True])
def test_every_word_is_inside_a_message(*, is_all_day: bool) -> None:
    """The pseudo-locale puts brackets around each message, so the first and last characters must be those of the
    outermost message.
    """
    more = [START + timedelta(days=1)]
    with speaking(pseudo.TAG):
        for rule in rules(2):
            if is_all_day and rule.by_hour:
                continue
            for one in (rule, replace(rule, count=10), replace(rule, until=until_date(START.date()))):
                sentence = describe(pattern(START, "UTC", one, added=more, is_all_day=is_all_day))
                depths = list(accumulate({"[": 1, "]": -1}.get(char, 0) for char in sentence))
                assert depths.index(0) == len(sentence) - 1, sentence


def at(*texts: str) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in texts]


@pytest.mark.parametrize(
    ("rule", "left_out", "added", "sentence"),
    [
        ("FREQ=WEEKLY", ["2026-03-17T18:00"], [], "Every Tuesday at 18:00, except 17 March 2026"),
        (
            "FREQ=WEEKLY",
            [],
            ["2026-03-19T20:00", "2026-03-20T18:00"],
            "Every Tuesday at 18:00, and also on 19 March 2026 at 20:00 and 20 March 2026 at 18:00",
        ),
        (
            "FREQ=DAILY;BYHOUR=9,18;COUNT=1000",
            ["2026-03-17T09:00"],
            [],
            "Every day at 09:00 and 18:00, 1,000 times, except 17 March 2026 at 09:00",
        ),
        (None, [], ["2026-03-03T18:00"], "3 March 2026 at 18:00 and on 10 March 2026"),
        (None, ["2026-03-10T18:00"], ["2026-03-03T18:00"], "3 March 2026 at 18:00"),
        (None, [], ["2026-03-12T20:00"], "10 March 2026 at 18:00 and on 12 March 2026 at 20:00"),
        (None, ["2026-03-10T18:00"], [], "10 March 2026 at 18:00"),
    ],
)
def test_single_dates_are_listed_with_their_times(
    rule: str | None, left_out: list[str], added: list[str], sentence: str
) -> None:
    """A date with a different time is shown with that time, and an excluded date is not listed among the dates."""
    parsed = None if rule is None else parse_rule(rule)
    assert describe(pattern(START, "Europe/Berlin", parsed, left_out=at(*left_out), added=at(*added))) == sentence
