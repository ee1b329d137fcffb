"""Moderation values and rules: what can be reported, hidden, blocked or muted, in which state it is, and what may be done. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType
from urllib.parse import urlsplit

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, InvalidInput, Refused
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


class SubjectVisibility(StrEnum):
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


class ReportReason(StrEnum):
    """Why somebody reports something; what they add in words says the rest."""

    SPAM = "spam"
    ABUSE = "abuse"
    HATE = "hate"
    SEXUAL = "sexual"
    DANGER = "danger"
    MISLEADING = "misleading"
    OTHER = "other"


REASON_WORDS: Final = {
    ReportReason.SPAM: "Spam or advertising",
    ReportReason.ABUSE: "Harassment or bullying",
    ReportReason.HATE: "Hate against people",
    ReportReason.SEXUAL: "Sexual content where it does not belong",
    ReportReason.DANGER: "Dangerous or against the law",
    ReportReason.MISLEADING: "Misleading, or somebody pretends to be somebody else",
    ReportReason.OTHER: "Something else",
}


class ReportOutcome(StrEnum):
    """What became of a report."""

    ACTED = "acted"
    DISMISSED = "dismissed"


class ModerationAction(StrEnum):
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
class ModerationStatus:
    """How a subject stands, since when, and what those whose it is are told about that."""

    subject: Subject
    state: SubjectVisibility
    reason: str
    decided_by: UserId | None
    since: Instant


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of the log. ``actor_id`` None: a rule or a command did it. ``undoes``: the line that this one takes back."""

    id: ActId
    at: Instant
    actor_id: UserId | None
    act: ModerationAction
    subject: Subject
    before: str
    after: str
    reason: str
    undoes: ActId | None


@dataclass(frozen=True, slots=True)
class AbuseReport:
    """What one person said about one thing; who they are is for moderators alone."""

    id: ReportId
    reporter_id: UserId
    subject: Subject
    reason: ReportReason
    words: str
    created_at: Instant
    closed_at: Instant | None
    outcome: ReportOutcome | None


@dataclass(frozen=True, slots=True)
class ModerationPolicy:
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


_HIDDEN = {Thing.EVENT: ModerationAction.HIDE, Thing.SERIES: ModerationAction.HIDE, Thing.GROUP: ModerationAction.HIDE}
_SHOWN = {Thing.EVENT: ModerationAction.SHOW, Thing.SERIES: ModerationAction.SHOW, Thing.GROUP: ModerationAction.SHOW}


def host_of(pds_url: str) -> str:
    """Under which name a PDS is counted: its domain with one label before it, since many servers of one operator are one host.

    An address without a domain (a number, this machine) is itself. Empty for what has no host.
    """
    parts = urlsplit(pds_url)
    name = parts.hostname or ""
    labels = name.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or ":" in name:
        return parts.netloc
    return ".".join(labels[-2:])


def is_burst(policy: ModerationPolicy, *, counted: int, authors: int, events: int, new_hosts: int) -> bool:
    """Whether a newcomer is part of too much at once: of their own, of their host's newcomers, of hosts that nobody knew."""
    return (
        counted > policy.most_events_of_author
        or authors > policy.most_authors_of_host
        or events > policy.most_events_of_host
        or new_hosts > policy.most_new_hosts
    )


def act_of(subject: Subject, before: SubjectVisibility, after: SubjectVisibility) -> ModerationAction:
    """What the log calls the step from one state to another."""
    if after is SubjectVisibility.HIDDEN:
        return _HIDDEN.get(subject.thing, ModerationAction.BLOCK)
    if after in {SubjectVisibility.FIRST_EVENT, SubjectVisibility.ARRIVAL, SubjectVisibility.BURST}:
        return ModerationAction.HOLD
    if before is SubjectVisibility.HIDDEN:
        return _SHOWN.get(subject.thing, ModerationAction.UNBLOCK)
    return ModerationAction.RELEASE


def must_be_possible(subject: Subject, before: SubjectVisibility, after: SubjectVisibility) -> None:
    """Refused (``NothingToDo``) where a moderator asks for what is so already, or for what cannot be of such a thing."""
    if after is before or (
        after is SubjectVisibility.TRUSTED and subject.thing not in {Thing.PERSON, Thing.DID, Thing.EVENT}
    ):
        raise Refused("There is nothing to do: it stands so already.", name="NothingToDo")


def check_report(reason: str, words: str) -> tuple[ReportReason, str]:
    """Raises InvalidForm."""
    problems = {}
    words = words.strip()
    if reason not in set(ReportReason):
        problems["reason"] = "Choose what is wrong with it."
    elif ReportReason(reason) is ReportReason.OTHER and not words:
        problems["words"] = "Say in a few words what is wrong."
    if len(words) > MAX_WORDS:
        problems["words"] = f"At most {MAX_WORDS} characters."
    if problems:
        raise InvalidForm(problems)
    return ReportReason(reason), words


def check_reason(reason: str, *, is_told: bool) -> str:
    """What a moderator says to those whose it is; ``is_told``: it must say something. Raises InvalidForm."""
    reason = reason.strip()
    if is_told and not reason:
        raise InvalidForm({"reason": "Say why: whose it is reads it."})
    if len(reason) > MAX_REASON:
        raise InvalidForm({"reason": f"At most {MAX_REASON} characters."})
    return reason


def check_host(text: str) -> Subject:
    """A PDS by its address; raises InvalidInput."""
    typed = text.strip().rstrip("/")
    parts = urlsplit(typed if "://" in typed else f"https://{typed}")
    is_name = re.fullmatch(r"[a-z0-9.:\[\]-]+", parts.netloc.lower()) is not None
    if parts.scheme not in {"http", "https"} or not is_name or parts.path or parts.query:
        raise InvalidInput("subject", "Write the address of a PDS, like https://pds.example.")
    return Subject(Thing.HOST, f"{parts.scheme}://{parts.netloc.lower()}")


def must_be_mutable(subject: Subject) -> None:
    """Refused for what cannot be muted."""
    if subject.thing not in MUTED:
        raise Refused("People and groups can be muted.", name="NotMutable")
