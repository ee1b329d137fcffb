"""Rules of any shape as a plain list of dates, and the conditions when one replaces another. Imports none of our code."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
# Rules are expanded up to this distance.
FAR = timedelta(days=800)


@dataclass(frozen=True)
class Shape:
    """A repetition: weekly on some weekdays, daily, or monthly on the nth weekday. It ends after a number of dates, on
    a day, or never.

    ``base`` is the first day considered, ``left_out`` has the indexes of excluded dates, and ``added`` has extra dates.
    """

    base: datetime
    freq: str
    interval: int
    days: tuple[int, ...] = ()
    nth: int = 0
    count: int | None = None
    until: datetime | None = None
    left_out: tuple[int, ...] = ()
    added: tuple[datetime, ...] = ()

    @property
    def start(self) -> datetime:
        """The first date of the rule itself."""
        return next(iter(self._named(self.base)))

    @property
    def rule(self) -> str:
        """The rule as RFC 5545 text."""
        parts = [f"FREQ={self.freq}", f"INTERVAL={self.interval}"]
        if self.days:
            parts.append("BYDAY=" + ",".join(f"{self.nth or ''}{DAYS[day]}" for day in self.days))
        if self.count is not None:
            parts.append(f"COUNT={self.count}")
        if self.until is not None:
            parts.append(f"UNTIL={self.until:%Y%m%dT%H%M%S}")
        return ";".join(parts)

    def by_rule(self) -> list[datetime]:
        """The dates of the rule, including excluded ones."""
        dates = [at for at in self._named(self.start) if self.until is None or at <= self.until]
        return dates if self.count is None else dates[: self.count]

    def without(self) -> list[datetime]:
        """The excluded dates."""
        named = self.by_rule()
        return [named[number] for number in self.left_out if number < len(named)]

    def dates(self) -> list[datetime]:
        return sorted({*self.by_rule(), *self.added} - set(self.without()))

    def _named(self, start: datetime) -> list[datetime]:
        every = [start + timedelta(days=number) for number in range(FAR.days)]
        if self.freq == "DAILY":
            return every[:: self.interval]
        if self.freq == "WEEKLY":
            monday = start.date() - timedelta(days=start.weekday())
            return [
                at for at in every if at.weekday() in self.days and (at.date() - monday).days // 7 % self.interval == 0
            ]
        month = start.year * 12 + start.month
        return [
            at
            for at in every
            if at.weekday() in self.days
            and (at.day - 1) // 7 + 1 == self.nth
            and (at.year * 12 + at.month - month) % self.interval == 0
        ]


@dataclass
class Meeting:
    """One stored date: its name (its start according to the rule), its title, and the people who go.

    ``own_start`` is set if the date is no longer in a rule and kept its start. It keeps that start even if it gets
    another name.
    """

    name: datetime
    title: str
    own_title: bool = False
    going: set[str] = field(default_factory=set)
    own_start: datetime | None = None

    @property
    def is_special(self) -> bool:
        """True if people go, or if the title or the start differs from the series. Such a meeting must not be lost."""
        return bool(self.going) or self.own_title or self.own_start is not None

    @property
    def starts(self) -> datetime:
        return self.own_start or self.name

    def left_over(self) -> "Meeting":
        """The meeting after it has been dropped from the rule."""
        return replace(self, own_start=self.starts)

    def at(self, name: datetime, title: str) -> "Meeting":
        """The meeting with this name in a series with this title. Its own title is no longer its own if it equals the
        title of the series.
        """
        own_start = None if self.own_start == name else self.own_start
        if self.own_title:
            return replace(self, name=name, own_start=own_start, own_title=self.title != title)
        return replace(self, name=name, own_start=own_start, title=title)


# By an id that does not change while the meeting exists.
Meetings = Mapping[str, Meeting]


def after_new_rule(
    before: Meetings, dates: Sequence[datetime], names: Mapping[str, datetime], title: str, stored_until: datetime
) -> dict[str, Meeting]:
    """Return the meetings after a series got a rule with these dates and this title. ``names`` has the names that exist
    now.

    Within the assertions below, the product decides where to put meetings that are not in the new rule.
    """
    new = set(dates)
    assert len(set(names.values())) == len(names), "two meetings at one time"
    for meeting_id, meeting in before.items():
        if meeting.is_special:
            assert meeting_id in names, f"the meeting of {meeting.name} went, to which {meeting.going} go"
        if meeting.name in new:
            assert names.get(meeting_id) == meeting.name, f"{meeting.name} is in both rules, and is another meeting now"
    stranded = {meeting_id for meeting_id, name in names.items() if name not in new}
    for meeting_id in stranded:
        assert meeting_id in before, "a meeting was created on a day that is not in the rule"
        assert before[meeting_id].is_special, f"nobody misses {names[meeting_id]}, and it is there still"
        assert names[meeting_id] == before[meeting_id].name, "a meeting without a date in the rule stays"
    there = {name for name in names.values() if name in new}
    assert {name for name in there if name < stored_until} == {at for at in new if at < stored_until}
    _keeps_days(before, new, names)
    _keeps_order(before, names, stranded)
    return dict(_told(before, names, stranded, title))


def _keeps_days(before: Meetings, new: set[datetime], names: Mapping[str, datetime]) -> None:
    """Assert that a meeting stays on its day if the new rule has that day at another hour."""
    taken = {meeting.name for meeting in before.values() if meeting.name in new}
    homeless: dict[object, list[str]] = {}
    for meeting_id, meeting in before.items():
        if meeting.name not in new:
            homeless.setdefault(meeting.name.date(), []).append(meeting_id)
    for day, ids in homeless.items():
        free = sorted(at for at in new - taken if at.date() == day)
        if len(ids) == 1 and free:
            assert names.get(ids[0]) == free[0], f"the meeting of {day} is on another day"


def _keeps_order(before: Meetings, names: Mapping[str, datetime], stranded: Iterable[str]) -> None:
    kept = sorted(
        (before[one].name.date(), names[one].date()) for one in before if one in names and one not in stranded
    )
    assert [behind for _, behind in kept] == sorted(behind for _, behind in kept), "the order of meetings has changed"


def _told(
    before: Meetings, names: Mapping[str, datetime], stranded: set[str], title: str
) -> Iterable[tuple[str, Meeting]]:
    for meeting_id, name in names.items():
        known = before.get(meeting_id)
        if known is None:
            yield meeting_id, Meeting(name, title)
        else:
            yield meeting_id, known.left_over() if meeting_id in stranded else known.at(name, title)
