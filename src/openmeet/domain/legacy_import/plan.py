"""What bringing in an older database will do: computed whole before anything is written, the same at every computation."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.events.model import Details
from openmeet.domain.legacy_import.model import Odd, OldAnswer, OldEvent, OldGroup, OldMember, OldUser, Shape
from openmeet.domain.series.model import Template, Timing


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is imported."""

    old: OldAnswer
    status: AttendanceStatus


@dataclass(frozen=True, slots=True)
class Single:
    """An event that stands alone, or a date of a series (``name``, and the fields in which it differs on purpose)."""

    old: OldEvent
    details: Details
    is_cancelled: bool
    answers: tuple[Answer, ...]
    name: str = ""
    overridden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One series: the head of a recurring event or of what follows a split point.

    ``after``: the old id of the part that it was split off. ``followers``: old ids of people.
    """

    old: OldEvent
    template: Template
    timing: Timing
    is_cancelled: bool
    after: int | None
    dates: tuple[Single, ...]
    followers: tuple[int, ...]


@dataclass(slots=True)
class Plan:
    """Everything that will be there afterwards, in the order in which it is imported."""

    shape: Shape
    users: list[OldUser] = field(default_factory=list)
    groups: list[OldGroup] = field(default_factory=list)
    members: list[OldMember] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    singles: list[Single] = field(default_factory=list)
    odd: list[Odd] = field(default_factory=list)

    @property
    def dates(self) -> list[Single]:
        return [one for part in self.parts for one in part.dates]

    def counts(self) -> Mapping[str, int]:
        """What is expected to be found afterwards, by the names that reports use."""
        events = [*self.dates, *self.singles]
        # The room of a recurring event is the series', not its first date's.
        heads = {part.old.id for part in self.parts}
        answers = Counter(answer.status for one in events for answer in one.answers)
        return {
            "people": len(self.users),
            "groups": len(self.groups),
            "members": len(self.members),
            "series": len(self.parts),
            "splitSeries": sum(part.after is not None for part in self.parts),
            "dates": len(self.dates),
            "modifiedDates": sum(bool(one.overridden) for one in self.dates),
            "cancelledEvents": sum(one.is_cancelled for one in events),
            "singleEvents": len(self.singles),
            "followers": sum(len(part.followers) for part in self.parts),
            "answers": sum(answers.values()),
            **{f"answers:{status.value}": answers[status] for status in AttendanceStatus if answers[status]},
            "rooms": sum(one.old.matrix_room_id is not None and one.old.id not in heads for one in events)
            + sum(part.old.matrix_room_id is not None for part in self.parts),
        }
