"""The plain choices that a form offers for a start: nobody has to know what a rule is."""

import calendar
from datetime import datetime

from openmeet.recurrence.rule import Rule, Weekday


def plain_choices(start: datetime) -> list[Rule]:
    """Rules that fit the start, the likeliest first; ``sentence.describe`` words them."""
    weekday = start.weekday()
    nth = (start.day - 1) // 7 + 1
    days_in_month = calendar.monthrange(start.year, start.month)[1]
    choices = [
        Rule("WEEKLY", by_day=(Weekday(weekday),)),
        Rule("WEEKLY", interval=2, by_day=(Weekday(weekday),)),
    ]
    if nth <= 4:
        choices.append(Rule("MONTHLY", by_day=(Weekday(weekday, nth),)))
    if start.day > days_in_month - 7:
        choices.append(Rule("MONTHLY", by_day=(Weekday(weekday, -1),)))
    choices.append(Rule("MONTHLY", by_month_day=(start.day,)))
    if start.day == days_in_month:
        choices.append(Rule("MONTHLY", by_month_day=(-1,)))
    choices.append(Rule("DAILY"))
    if weekday < 5:
        choices.append(Rule("WEEKLY", by_day=tuple(Weekday(day) for day in range(5))))
    choices.append(Rule("YEARLY"))
    return choices
