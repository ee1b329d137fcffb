"""Things that can be reported, hidden, blocked or muted; how they stand; what is done about them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from groundwork.clock import Instant
from openmeet.domain.users.model import UserId

ReportId = NewType("ReportId", str)
ActId = NewType("ActId", str)

MAX_WORDS: Final = 2_000
MAX_REASON: Final = 500


class Thing(StrEnum):
    """What a subject is: its id, a DID, or the origin of a PDS (``https://pds.example``)."""

    EVENT = "event"
    SERIES = "series"
    GROUP = "group"
    PERSON = "person"
    DID = "did"
    HOST = "host"


# What people can mute.
MUTED: Final = (Thing.PERSON, Thing.GROUP)


class State(StrEnum):
    """How a subject stands. All but the first and the last are shown to nobody but those whose it is.

    ``FIRST_EVENT``: a person's public events wait for a moderator. ``ARRIVAL``: somebody new on the network, for a while.
    ``BURST``: too much at once, until a moderator has looked. ``TRUSTED``: a moderator said so; nothing of theirs waits.
    """

    SHOWN = "shown"
    HIDDEN = "hidden"
    FIRST_EVENT = "first_event"
    ARRIVAL = "arrival"
    BURST = "burst"
    TRUSTED = "trusted"


class Reason(StrEnum):
    """Why somebody reports something; what they add in words says the rest."""

    SPAM = "spam"
    ABUSE = "abuse"
    HATE = "hate"
    SEXUAL = "sexual"
    DANGER = "danger"
    MISLEADING = "misleading"
    OTHER = "other"


REASON_WORDS: Final = {
    Reason.SPAM: "Spam or advertising",
    Reason.ABUSE: "Harassment or bullying",
    Reason.HATE: "Hate against people",
    Reason.SEXUAL: "Sexual content where it does not belong",
    Reason.DANGER: "Dangerous or against the law",
    Reason.MISLEADING: "Misleading, or somebody pretends to be somebody else",
    Reason.OTHER: "Something else",
}


class Outcome(StrEnum):
    """What became of a report."""

    ACTED = "acted"
    DISMISSED = "dismissed"


class Act(StrEnum):
    """One thing that was done, by the name that the log gives it."""

    HIDE = "hide"
    SHOW = "show"
    BLOCK = "block"
    UNBLOCK = "unblock"
    RELEASE = "release"
    HOLD = "hold"
    DISMISS = "dismiss"
    REOPEN = "reopen"
    NAME = "name"
    UNNAME = "unname"
    CHANGE_POLICY = "change_policy"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing by its name."""

    thing: Thing
    id: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subject stands, since when, and what those whose it is are told about that."""

    subject: Subject
    state: State
    reason: str
    decided_by: UserId | None
    since: Instant


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log. ``actor_id`` None: a rule or a command did it. ``undoes``: the line that this one takes back."""

    id: ActId
    at: Instant
    actor_id: UserId | None
    act: Act
    subject: Subject
    before: str
    after: str
    reason: str
    undoes: ActId | None


@dataclass(frozen=True, slots=True)
class Report:
    """What one person said about one thing; who they are is for moderators alone."""

    id: ReportId
    reporter_id: UserId
    subject: Subject
    reason: Reason
    words: str
    created_at: Instant
    closed_at: Instant | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What waits before it is shown, of one site.

    ``holds_first_events``: public events of accounts younger than ``new_account_days`` wait until a moderator has shown one.
    ``new_author_minutes``: so long wait events of an author of the network who is met for the first time.
    ``most_events_of_author``: an author whom nobody here knows shows at most so many new events in an hour.
    ``most_authors_of_host``, ``most_events_of_host``: more new authors of one host, or events of them, within an hour are a burst.
    ``most_new_hosts``: so are more hosts than this, met within an hour, that nobody knew before.
    """

    holds_first_events: bool = False
    new_account_days: int = 7
    new_author_minutes: int = 10
    most_events_of_author: int = 30
    most_authors_of_host: int = 30
    most_events_of_host: int = 120
    most_new_hosts: int = 30
    revision: int = 0
