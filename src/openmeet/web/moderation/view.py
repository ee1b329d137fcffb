"""View models of the moderation console: reports, held and hidden content, log. Templates only place the values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.moderation import audit_log, labelled_subjects, labels, policy, reports, visibility
from openmeet.domain.moderation.labels import NetworkLabel
from openmeet.domain.moderation.model import (
    REASON_LABELS,
    AbuseReport,
    LogEntry,
    ModeratedKind,
    ModerationAction,
    ModerationStatus,
    Subject,
    SubjectVisibility,
)
from openmeet.domain.safety import subjects
from openmeet.domain.safety.subjects import ReportedSubject
from openmeet.i18n.catalogue import LazyText, gettext, lazy

# Number of a newcomer's events that are shown for a decision.
MAX_SHOWN: Final = 5

KIND_LABELS: Final = {
    ModeratedKind.EVENT: lazy("Event"),
    ModeratedKind.SERIES: lazy("Series"),
    ModeratedKind.GROUP: lazy("Group"),
    ModeratedKind.PERSON: lazy("Person"),
    ModeratedKind.PHOTO: lazy("Photo"),
    ModeratedKind.DID: lazy("Account from another app"),
    ModeratedKind.HOST: lazy("Account server"),
}
STATE_LABELS: Final = {
    SubjectVisibility.SHOWN: lazy("Shown"),
    SubjectVisibility.HIDDEN: lazy("Hidden"),
    SubjectVisibility.FIRST_EVENT: lazy("Waiting: first public event"),
    SubjectVisibility.ARRIVAL: lazy("Waiting: new here"),
    SubjectVisibility.BURST: lazy("Waiting: too much at once"),
    SubjectVisibility.TRUSTED: lazy("Trusted"),
}
ACTION_LABELS: Final = {
    ModerationAction.HIDE: lazy("hid"),
    ModerationAction.SHOW: lazy("restored"),
    ModerationAction.BLOCK: lazy("blocked"),
    ModerationAction.UNBLOCK: lazy("unblocked"),
    ModerationAction.RELEASE: lazy("released"),
    ModerationAction.HOLD: lazy("held back"),
    ModerationAction.DISMISS: lazy("dismissed the reports about"),
    ModerationAction.REOPEN: lazy("reopened the reports about"),
    ModerationAction.NAME: lazy("gave moderator rights to"),
    ModerationAction.UNNAME: lazy("ended the moderator role of"),
    ModerationAction.CHANGE_POLICY: lazy("changed the rules of"),
}


@dataclass(frozen=True, slots=True)
class ReportView:
    """One report, for moderators."""

    who: str
    reason: str
    comment: str
    at: Instant


@dataclass(frozen=True, slots=True)
class SubjectCard:
    """What the moderation pages show about one reported subject: kind, status, reports, content and labels."""

    meant: ReportedSubject
    kind: str
    state: SubjectVisibility
    state_words: str
    reason: str
    since: Instant | None
    path: str
    reports: list[ReportView] = field(default_factory=list)
    events: list[ReportedSubject] = field(default_factory=list)
    labels: list[tuple[str, Instant]] = field(default_factory=list)
    is_labelled_away: bool = False

    @property
    def is_there(self) -> bool:
        return self.meant.is_there

    @property
    def is_shown(self) -> bool:
        return not self.state.hides and not self.is_labelled_away


@dataclass(frozen=True, slots=True)
class ModerationLogRow:
    """A log entry as text. ``undo_id`` is empty if the action was already undone or cannot be undone on this page."""

    at: Instant
    who: str
    what: str
    title: str
    path: str
    kind: str
    change: str
    reason: str
    undo_id: str
    is_undo: bool


def path_of(subject: Subject) -> str:
    """The path of the page on which moderators decide about a subject."""
    return f"/moderation/things/{subject.kind.value}/{quote(subject.id, safe='')}"


async def subject_cards(reader: Reader, listed: Sequence[Subject]) -> list[SubjectCard]:
    """Cards of these subjects, in order, with their open reports and, for held authors, their events."""
    described = await subjects.described(reader, listed)
    stand = await visibility.statuses_of(reader, [subject.id for subject in listed])
    labels = await of_each(reader, listed)
    reported = await _reports_about(reader, await reports.open_about(reader, [subject.id for subject in listed]))
    cards = []
    for subject in listed:
        subject_visibility = stand.get(subject.id)
        state = subject_visibility.state if subject_visibility else SubjectVisibility.SHOWN
        labelled = labels.get(subject.id)
        is_held = labelled is not None and labelled.is_held
        own_events = (
            await _events_of(reader, described[subject.id])
            if subject.kind in {ModeratedKind.PERSON, ModeratedKind.DID}
            else []
        )
        cards.append(
            SubjectCard(
                described[subject.id],
                str(KIND_LABELS[subject.kind]),
                state,
                gettext("Waiting: labelled")
                if is_held and state is SubjectVisibility.SHOWN
                else str(STATE_LABELS[state]),
                subject_visibility.reason if subject_visibility else "",
                subject_visibility.since if subject_visibility else None,
                path_of(subject),
                reported.get(subject.id, []),
                own_events,
                labelled.words if labelled else [],
                is_held,
            )
        )
    return cards


async def _reports_about(reader: Reader, abuse_reports: Sequence[AbuseReport]) -> dict[str, list[ReportView]]:
    names = await shown_names(reader, [one.reporter_id for one in abuse_reports if one.reporter_id is not None])
    by_subject: dict[str, list[ReportView]] = {}
    for one in abuse_reports:
        who = gettext("A visitor") if one.reporter_id is None else names[one.reporter_id]
        line = ReportView(who, str(REASON_LABELS[one.reason]), one.comment, one.created_at)
        by_subject.setdefault(one.subject.id, []).append(line)
    return by_subject


async def _events_of(reader: Reader, account: ReportedSubject) -> list[ReportedSubject]:
    if account.owner is None:
        return []
    events = await subjects.newest_events(reader, account.owner, MAX_SHOWN)
    described = await subjects.described(reader, events)
    return [described[one.id] for one in events]


async def log_rows(reader: Reader, entries: Sequence[LogEntry]) -> list[ModerationLogRow]:
    """Log entries as text, in order."""
    described = await subjects.described(reader, [one.subject for one in entries])
    actors = await shown_names(reader, [one.actor_id for one in entries if one.actor_id is not None])
    undone = await audit_log.undone_among(reader, [one.id for one in entries])
    return [
        _log_row(one, described, actors.get(one.actor_id, "") if one.actor_id else "", one.id in undone)
        for one in entries
    ]


# Labels of a site's rules, on their page and in the log.
RULE_LABELS: Final[Mapping[str, LazyText]] = {
    "holds_first_events": lazy("Review the first public event of new accounts"),
    "new_account_days": lazy("An account is new for"),
    "new_author_minutes": lazy("New people wait"),
    "most_events_of_author": lazy("Events by one author"),
    "most_authors_of_host": lazy("New authors on one server"),
    "most_events_of_host": lazy("Events by new authors on one server"),
    "most_new_hosts": lazy("Unknown servers"),
}


def _log_row(
    entry: LogEntry, described: Mapping[str, ReportedSubject], actor: str, is_undone: bool
) -> ModerationLogRow:
    is_policy = entry.act is ModerationAction.CHANGE_POLICY
    is_appointment = entry.act in {ModerationAction.NAME, ModerationAction.UNNAME}
    return ModerationLogRow(
        at=entry.at,
        who=actor or (gettext("The operator") if is_appointment else gettext("A rule of this site")),
        what=str(ACTION_LABELS[entry.act]),
        title=gettext("this site") if is_policy else described[entry.subject.id].title or entry.subject.id,
        path="" if is_policy else path_of(entry.subject),
        kind="" if is_policy else str(KIND_LABELS[entry.subject.kind]),
        change=_change_text(entry),
        reason=entry.reason,
        undo_id="" if is_undone or is_appointment else entry.id,
        is_undo=entry.undoes is not None,
    )


def _change_text(entry: LogEntry) -> str:
    if entry.act is ModerationAction.CHANGE_POLICY:
        before, after = (policy.decode(words) for words in (entry.before, entry.after))
        changes = [(label, getattr(before, name), getattr(after, name)) for name, label in RULE_LABELS.items()]
        return "; ".join(
            f"{label}: {_rule_value(was)} → {_rule_value(now)}" for label, was, now in changes if was != now
        )
    if entry.before in set(SubjectVisibility) and entry.after in set(SubjectVisibility):
        return f"{STATE_LABELS[SubjectVisibility(entry.before)]} → {STATE_LABELS[SubjectVisibility(entry.after)]}"
    return ""


def _rule_value(value: int) -> str:
    """The value of a rule: a number, or yes or no."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return str(value)


def next_after(statuses: Sequence[ModerationStatus], limit: int) -> str:
    """The cursor of the next page of subjects with this status. Empty on the last page."""
    return f"{statuses[limit - 1].since}:{statuses[limit - 1].subject.id}" if len(statuses) > limit else ""


# Maximum number of subjects per page of held content. Once some are decided, the next ones appear.
MAX_LISTED: Final = 25


@dataclass(frozen=True, slots=True)
class LabelledSubject:
    """The labels of one subject. ``is_held``: the labels hide the subject, or the events that the account hosts, from
    other people.
    """

    words: list[tuple[str, Instant]]
    is_held: bool
    labels: list[NetworkLabel]


async def of_each(reader: Reader, subjects: Sequence[Subject]) -> dict[str, LabelledSubject]:
    """The labels by subject id, including those of an event's host. Subjects without labels are left out."""
    names = await labelled_subjects.dids_and_uris(reader, subjects)
    issued = await labels.about(reader, [name for labelled_names in names.values() for name in labelled_names])
    held_ids = await labelled_subjects.held_among(
        reader, [one for one in subjects if any(name in issued for name in names.get(one.id, ()))]
    )
    labelled_by_subject = {}
    for one in subjects:
        own_labels = [label for name in names.get(one.id, ()) for label in issued.get(name, ())]
        if own_labels:
            labelled_by_subject[one.id] = LabelledSubject(
                [(_label_line(one, label), label.labelled_at) for label in own_labels], one.id in held_ids, own_labels
            )
    return labelled_by_subject


def _label_line(subject: Subject, label: NetworkLabel) -> str:
    """The label as a line that names its labeler. Labels on an event are distinguished from those on its host."""
    host_suffix = (
        gettext(" (its host)") if subject.kind is ModeratedKind.EVENT and label.subject.startswith("did:") else ""
    )
    version = gettext(" (one version of it)") if label.cid else ""
    return f"{label.value}{host_suffix}{version}, by {label.source}"
