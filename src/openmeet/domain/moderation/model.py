"""Moderation values and rules: subjects, statuses, reports, blocks and mutes, and which actions are allowed. Pure."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType
from urllib.parse import urlsplit

from groundwork.clock import Instant
from groundwork.errors import InvalidForm, InvalidInput, Reason, Refused, Why
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import lazy


class ModerationReason(Reason):
    """Why an action of a moderator is refused. The messages are in ``i18n/reasons/site.py``."""

    DECIDED_MEANWHILE = "moderation.decided_meanwhile"
    NOTHING_REPORTED = "moderation.nothing_reported"
    NO_SUCH_ACTION = "moderation.no_such_action"
    ALREADY_UNDONE = "moderation.already_undone"
    DECIDED_SINCE = "moderation.decided_since"
    CHANGED_SINCE = "moderation.changed_since"
    REASON_NEEDED = "moderation.reason_needed"
    NOTHING_TO_CHANGE = "moderation.nothing_to_change"
    TEXT_NEEDED = "moderation.text_needed"
    EXPLANATION_NEEDED = "moderation.explanation_needed"
    MALFORMED_PDS = "moderation.malformed_pds"
    NOT_MUTABLE = "moderation.not_mutable"
    CHANGED_SINCE_OPENED = "moderation.changed_since_opened"
    RULES_CHANGED_WHILE_OPEN = "moderation.rules_changed_while_open"
    MODERATORS_ONLY = "moderation.moderators_only"
    NO_SUCH_SUBJECT = "moderation.no_such_subject"
    MALFORMED_SUBJECT = "moderation.malformed_subject"
    NUMBER_OUT_OF_RANGE = "moderation.number_out_of_range"


ReportId = NewType("ReportId", str)
ModerationActionId = NewType("ModerationActionId", str)

MAX_COMMENT: Final = 2_000
MAX_REASON: Final = 500


class ModeratedKind(StrEnum):
    """The kind of a subject. A subject is identified by its id, a DID, or the origin of a PDS
    (``https://pds.example``).
    """

    EVENT = "event"
    SERIES = "series"
    GROUP = "group"
    PERSON = "person"
    PHOTO = "photo"
    DID = "did"
    HOST = "host"


# Kinds of subject that users can mute.
MUTED: Final = (ModeratedKind.PERSON, ModeratedKind.GROUP)


class SubjectVisibility(StrEnum):
    """Moderation status of a subject. It has one at a time. Most hide it from everybody but its owner (``hides``).

    ``FIRST_EVENT``: a new user's public events wait for a moderator. ``ARRIVAL``: the author is new on the network and
    is held for some time. ``BURST``: too many authors or events came at once; they are held until a moderator decides.
    ``TRUSTED``: a moderator trusts the subject, and nothing of it is held.
    """

    SHOWN = "shown"
    HIDDEN = "hidden"
    FIRST_EVENT = "first_event"
    ARRIVAL = "arrival"
    BURST = "burst"
    TRUSTED = "trusted"

    @property
    def hides(self) -> bool:
        """Whether it hides the subject, or some of its events, from everybody but its owner."""
        return self not in {SubjectVisibility.SHOWN, SubjectVisibility.TRUSTED}


class ReportReason(StrEnum):
    """Why a user reports something. Free text adds details."""

    SPAM = "spam"
    ABUSE = "abuse"
    HATE = "hate"
    SEXUAL = "sexual"
    DANGER = "danger"
    MISLEADING = "misleading"
    OTHER = "other"


REASON_LABELS: Final = {
    ReportReason.SPAM: lazy("Spam or advertising"),
    ReportReason.ABUSE: lazy("Harassment or bullying"),
    ReportReason.HATE: lazy("Hate"),
    ReportReason.SEXUAL: lazy("Unwanted sexual content"),
    ReportReason.DANGER: lazy("Dangerous or illegal"),
    ReportReason.MISLEADING: lazy("Misleading or impersonation"),
    ReportReason.OTHER: lazy("Something else"),
}


class ReportOutcome(StrEnum):
    """How a report was resolved."""

    ACTED = "acted"
    DISMISSED = "dismissed"


class ModerationAction(StrEnum):
    """A moderation action. The value is its name in the audit log."""

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
    """A subject of moderation."""

    kind: ModeratedKind
    id: str


@dataclass(frozen=True, slots=True)
class ModerationStatus:
    """A subject's status, the time it was set, and the reason given to its owner."""

    subject: Subject
    state: SubjectVisibility
    reason: str
    decided_by: UserId | None
    since: Instant


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A line of the audit log. ``actor_id`` is None for an automatic rule or a command. ``undoes``: the line that this
    line undoes.
    """

    id: ModerationActionId
    at: Instant
    actor_id: UserId | None
    act: ModerationAction
    subject: Subject
    before: str
    after: str
    reason: str
    undoes: ModerationActionId | None


@dataclass(frozen=True, slots=True)
class AbuseReport:
    """A report about a subject. Only moderators see the reporter, who is None for a visitor without an account."""

    id: ReportId
    reporter_id: UserId | None
    subject: Subject
    reason: ReportReason
    comment: str
    created_at: Instant
    closed_at: Instant | None
    outcome: ReportOutcome | None


@dataclass(frozen=True, slots=True)
class ModerationPolicy:
    """The conditions under which new content is held for moderation. One policy applies to the whole site.

    ``holds_first_events``: public events of accounts younger than ``new_account_days`` are held until a moderator
    approves one.

    ``new_author_minutes``: how long events of a remote author are held after the author is first seen.

    ``most_events_of_author``: maximum number of new events per hour from an unknown remote author.

    ``most_authors_of_host``, ``most_events_of_host``: more new authors from one host, or more events from them, per
    hour count as a burst.

    ``most_new_hosts``: more previously unknown hosts per hour also count as a burst.
    """

    holds_first_events: bool = False
    new_account_days: int = 7
    new_author_minutes: int = 10
    most_events_of_author: int = 30
    most_authors_of_host: int = 30
    most_events_of_host: int = 120
    most_new_hosts: int = 30
    revision: int = 0


_HIDDEN = {
    ModeratedKind.EVENT: ModerationAction.HIDE,
    ModeratedKind.SERIES: ModerationAction.HIDE,
    ModeratedKind.GROUP: ModerationAction.HIDE,
    ModeratedKind.PHOTO: ModerationAction.HIDE,
}
_SHOWN = {
    ModeratedKind.EVENT: ModerationAction.SHOW,
    ModeratedKind.SERIES: ModerationAction.SHOW,
    ModeratedKind.GROUP: ModerationAction.SHOW,
    ModeratedKind.PHOTO: ModerationAction.SHOW,
}


def host_of(pds_url: str) -> str:
    """The key by which a PDS is counted: its domain with one label before it, because an operator may run many servers.

    An IP address or a single name such as localhost is its own key, with its port. Empty if there is no host.
    """
    parts = urlsplit(pds_url)
    name = parts.hostname or ""
    labels = name.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or ":" in name:
        return parts.netloc
    return ".".join(labels[-2:])


def is_burst(policy: ModerationPolicy, *, counted: int, authors: int, events: int, new_hosts: int) -> bool:
    """Whether a newcomer exceeds one of the rates: their own events, newcomers on their host, or unknown hosts."""
    return (
        counted > policy.most_events_of_author
        or authors > policy.most_authors_of_host
        or events > policy.most_events_of_host
        or new_hosts > policy.most_new_hosts
    )


def action_of(subject: Subject, before: SubjectVisibility, after: SubjectVisibility) -> ModerationAction:
    """The action to log for a change from one status to another."""
    if after is SubjectVisibility.HIDDEN:
        return _HIDDEN.get(subject.kind, ModerationAction.BLOCK)
    if after in {SubjectVisibility.FIRST_EVENT, SubjectVisibility.ARRIVAL, SubjectVisibility.BURST}:
        return ModerationAction.HOLD
    if before is SubjectVisibility.HIDDEN:
        return _SHOWN.get(subject.kind, ModerationAction.UNBLOCK)
    return ModerationAction.RELEASE


def require_possible(subject: Subject, before: SubjectVisibility, after: SubjectVisibility) -> None:
    """Raise Refused (``NothingToDo``) if the status is already set or is not possible for such a subject."""
    if after is before or (
        after is SubjectVisibility.TRUSTED
        and subject.kind not in {ModeratedKind.PERSON, ModeratedKind.DID, ModeratedKind.EVENT}
    ):
        raise Refused(ModerationReason.NOTHING_TO_CHANGE, name="NothingToDo")


def check_report(reason: str, comment: str) -> tuple[ReportReason, str]:
    """Validate a report. Raises InvalidForm."""
    problems: dict[str, Why] = {}
    comment = comment.strip()
    if reason not in set(ReportReason):
        problems["reason"] = ModerationReason.REASON_NEEDED
    elif ReportReason(reason) is ReportReason.OTHER and not comment:
        problems["words"] = ModerationReason.TEXT_NEEDED
    if len(comment) > MAX_COMMENT:
        problems["words"] = GeneralReason.TEXT_TOO_LONG(most=MAX_COMMENT)
    if problems:
        raise InvalidForm(problems)
    return ReportReason(reason), comment


def check_reason(reason: str, *, is_told: bool) -> str:
    """Validate the moderator's reason for the subject's owner. ``is_told``: a reason is required. Raises InvalidForm."""
    reason = reason.strip()
    if is_told and not reason:
        raise InvalidForm({"reason": ModerationReason.EXPLANATION_NEEDED})
    if len(reason) > MAX_REASON:
        raise InvalidForm({"reason": GeneralReason.TEXT_TOO_LONG(most=MAX_REASON)})
    return reason


def check_host(text: str) -> Subject:
    """Parse the origin of a PDS from its URL. Raises InvalidInput."""
    typed = text.strip().rstrip("/")
    parts = urlsplit(typed if "://" in typed else f"https://{typed}")
    is_name = re.fullmatch(r"[a-z0-9.:\[\]-]+", parts.netloc.lower()) is not None
    if parts.scheme not in {"http", "https"} or not is_name or parts.path or parts.query:
        raise InvalidInput("subject", ModerationReason.MALFORMED_PDS)
    return Subject(ModeratedKind.HOST, f"{parts.scheme}://{parts.netloc.lower()}")


def require_kind_to_mute(subject: Subject) -> None:
    """Raise Refused for a kind of subject that cannot be muted."""
    if subject.kind not in MUTED:
        raise Refused(ModerationReason.NOT_MUTABLE, name="NotMutable")
