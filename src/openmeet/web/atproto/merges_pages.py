"""Sync pages: the state of the record of an event, a group or a series, and the merge decisions about it. Each decision
shows both versions, with a button to choose each. ``answer_sync_pages`` has the page of an RSVP.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.clock import Instant
from groundwork.database.transaction import Reader, Transaction
from groundwork.errors import Failure, InvalidInput, Refused, decode_explanation
from groundwork.http.forms import read_form
from openmeet.domain.attendance.model import RsvpRecordStatus
from openmeet.domain.attendance.rsvp_list_texts import STATUS_LABELS
from openmeet.domain.events.model import EventSlug
from openmeet.domain.groups.model import GroupSlug, JoinPolicy, PromotionLevel
from openmeet.domain.identities.queries import consent
from openmeet.domain.merge_decisions.model import FieldDecision, KeptDecision, MergeReason, MergeSide
from openmeet.domain.page_paths import event_path, group_path, series_path
from openmeet.domain.series.model import SeriesSlug
from openmeet.domain.users.model import Caller
from openmeet.domain.validation import GeneralReason
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.i18n.reasons.messages import explain
from openmeet.network.ingestion import local_rsvps, merge_review
from openmeet.network.own_records.edits import STATUSES
from openmeet.network.records import provenance
from openmeet.network.records.provenance import RecordLocation
from openmeet.outbox import publication_status
from openmeet.outbox.publications import PublicationKind
from openmeet.recurrence import wall_time
from openmeet.recurrence.describe import describe
from openmeet.recurrence.errors import RuleRefused
from openmeet.recurrence.pattern import pattern
from openmeet.recurrence.rule import parse_rule
from openmeet.web.events.form_summaries import MODES
from openmeet.web.events.merged_fields import FIELD_LABELS
from openmeet.web.events.publication_view import Sync, event_sync
from openmeet.web.groups.view import ROLE_CHIPS
from openmeet.web.media.subject import PageSubject, subject_of_event, subject_of_group, subject_of_series
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.tenant_routing import database_of

_WHY = {
    MergeReason.MANUAL_EDIT_IS_KEPT: lazy("We kept the version from this site."),
    MergeReason.ORIGIN_WINS: lazy("We kept the version from where it was created."),
    MergeReason.PARTS_ADD_UP: lazy("Both changed different parts, so we kept both changes."),
    MergeReason.MORE_RESTRICTIVE: lazy("Until you decide, we use the stricter of the two."),
    MergeReason.MOST_RECENT: lazy("We kept the later change."),
    MergeReason.LATEST_ANSWER: lazy("We kept the later answer."),
    MergeReason.FORMER_OWNER: lazy("It belonged to someone else at the time, so we kept the version from this site."),
}

_CHOSEN = {
    MergeSide.OURS: lazy("You kept the version from this site."),
    MergeSide.THEIRS: lazy("You kept the version from the other app."),
}

_IN_USE = {MergeSide.OURS: "yours", MergeSide.THEIRS: "theirs", MergeSide.BOTH: "both"}

# The statuses of RSVP records.
RECORD_STATUS_LABELS: Final[Mapping[RsvpRecordStatus, LazyText]] = {
    RsvpRecordStatus.GOING: lazy("going"),
    RsvpRecordStatus.INTERESTED: lazy("maybe"),
    RsvpRecordStatus.NOT_GOING: lazy("not going"),
    RsvpRecordStatus.UNCLEAR: lazy("unclear answer"),
}

# The values of fields that have a few fixed ones.
_VALUE_LABELS: Final[Mapping[str, Mapping[str, LazyText]]] = {
    "mode": MODES,
    "status": STATUSES,
    "is_discoverable": {str(True): lazy("yes"), str(False): lazy("no")},
    "join_policy": {
        JoinPolicy.OPEN: lazy("Everyone can join"),
        JoinPolicy.REQUEST: lazy("People ask, you decide"),
        JoinPolicy.INVITE: lazy("By invitation only"),
    },
    "level": {
        PromotionLevel.PUBLIC: lazy("Public events in full"),
        PromotionLevel.MEMBERS: lazy("Only name, time and a link"),
        PromotionLevel.PRIVATE: lazy("Nothing in other apps"),
    },
    "role": {role.value: label for role, label in ROLE_CHIPS.items()},
    local_rsvps.RSVP_FIELD: {
        **{status.value: label for status, label in STATUS_LABELS.items()},
        **{status.value: label for status, label in RECORD_STATUS_LABELS.items()},
        local_rsvps.DELETED_VALUE: lazy("deleted"),
    },
}


@dataclass(frozen=True, slots=True)
class MergeView:
    """One merge decision, for the template. ``uri`` is that of the record. ``in_use`` says which value is used: yours,
    theirs or both; it is empty if ``is_replaced``, because the field has another value now.
    """

    uri: str
    field: str
    theirs_rev: str
    words: str
    before: str
    yours: str
    theirs: str
    why: str
    in_use: str
    when: str
    decided_at: Instant
    is_decided: bool
    is_replaced: bool
    may_choose: bool


def merge_view(
    conflict: KeptDecision, zone: str, now: Instant, first: datetime | None = None, *, is_newest: bool
) -> MergeView:
    """One merge decision as the host sees it. Times are shown in ``zone``. ``first`` is the start of a series.
    ``is_newest``: no later decision is about the same field.
    """
    decision = conflict.decision
    is_replaced = not is_newest or (conflict.reviewed_at is not None and conflict.choice is None)
    return MergeView(
        uri=conflict.uri,
        field=decision.field,
        theirs_rev=conflict.theirs_rev,
        words=str(FIELD_LABELS.get(decision.field, decision.field)),
        before=_value(decision.field, decision.base, zone, first),
        yours=_value(decision.field, decision.ours, zone, first),
        theirs=remote_version_of(decision) or _value(decision.field, decision.theirs, zone, first),
        why=_reason(conflict, is_replaced=is_replaced),
        in_use="" if is_replaced else _IN_USE[conflict.choice or decision.result],
        when=formatting.ago(conflict.decided_at, now),
        decided_at=conflict.decided_at,
        is_decided=conflict.choice is not None,
        is_replaced=is_replaced,
        may_choose=decision.ours_values is not None and not is_replaced,
    )


def _reason(conflict: KeptDecision, *, is_replaced: bool) -> str:
    if is_replaced:
        return gettext("It was changed again later.")
    return str(_WHY[conflict.decision.policy] if conflict.choice is None else _CHOSEN[conflict.choice])


# Fields whose remote version could not be applied. Instead of a value, they store the reason and the beginning of that
# version.
_NOT_APPLIED = frozenset({"record", "rrule"})


def remote_version_of(decision: FieldDecision) -> str:
    """Why the remote version was not applied, followed by its beginning. Empty for every other decision."""
    return explain(decode_explanation(decision.theirs)) if decision.field in _NOT_APPLIED else ""


def _value(field: str, text: str, zone: str, first: datetime | None) -> str:
    if not text:
        return gettext("nothing")
    if field in _VALUE_LABELS:
        return str(_VALUE_LABELS[field].get(text, text))
    match field:
        case "starts_at" | "ends_at" if text.lstrip("-").isdigit():
            local = wall_time.local_of(Instant(int(text)), zone)
            return f"{formatting.day(local)}, {formatting.clock(local)} {formatting.zone_label(local, zone)}"
        case "minutes":
            return gettext("%(text)s minutes", text=text)
        case "start":
            return text.replace("T", " ")
        case "rule":
            return _rule_text(text, first)
        case "avatar":
            return gettext("a picture")
        case _:
            return text


def _rule_text(text: str, first: datetime | None) -> str:
    if first is None:
        return text
    try:
        return describe(pattern(first, None, parse_rule(text)))
    except RuleRefused:
        return text


CHOICES = {"yours": MergeSide.OURS, "theirs": MergeSide.THEIRS}


@dataclass(frozen=True, slots=True)
class StoryLine:
    """A line of “What happened”: a merge decision, or else an edit in words. ``icon`` is a name in ``ui/icons.jinja``."""

    at: Instant
    decision: MergeView | None = None
    icon: str = ""
    words: str = ""
    detail: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True)
class AnswerVersions:
    """An RSVP on this site (``here``) and in the account (``there``, empty if it is not there), in words.

    ``may_choose``: they differ and stay so until the person chooses. ``reply`` is the reply that takes the version of the
    account; empty if the event does not accept it. ``shares`` is the reply that shares the version of this site, if the
    person kept it here.
    """

    here: str
    there: str
    differs: bool
    may_choose: bool
    reply: str
    shares: str


@dataclass(frozen=True, slots=True)
class MergedRecordView:
    """The object that was merged. ``path`` is its page, ``edit`` its edit form, and ``settings`` the page of its record
    settings, or empty. ``sync``: the status of its record, of an event for its author and of an RSVP for the attendee.

    Of an RSVP, ``answer`` compares both versions, and ``history`` has its changes.
    """

    kind: PublicationKind
    subject_id: str
    title: str
    path: str
    edit: str
    decisions: list[MergeView]
    record_uri: str | None
    about: PageSubject
    settings: str = ""
    sync: Sync | None = None
    answer: AnswerVersions | None = None
    history: Sequence[StoryLine] = ()

    @property
    def sync_path(self) -> str:
        """The path of the sync page."""
        return f"{self.path}/{'merged' if self.answer is None else 'sync'}"


def story_of(decisions: Sequence[MergeView], where: RecordLocation | None, app: str, now: Instant) -> list[StoryLine]:
    """What is known to have happened, newest first. ``app`` is the name of the other app; empty if it is unknown."""
    lines = [StoryLine(one.decided_at, one) for one in decisions]
    if where is not None and (at := where.edited_elsewhere_at) is not None:
        if where.is_first_known:
            words = gettext("Came from %(app)s", app=app) if app else gettext("Came from another app")
        else:
            words = gettext("Changed in %(app)s", app=app) if app else gettext("Changed in another app")
        lines.append(StoryLine(at, None, "globe", words, "", formatting.ago(at, now)))
    if where is not None and (at := where.edited_here_at) is not None:
        words = gettext("Created on this site") if where.is_new_here else gettext("Edited on this site")
        detail = gettext("Synced") if where.is_edit_synced else gettext("Not synced")
        lines.append(StoryLine(at, None, "edit", words, detail, formatting.ago(at, now)))
    return sorted(lines, key=lambda line: line.at, reverse=True)


@dataclass(frozen=True, slots=True)
class MergeChoice:
    """The merge decision to change, and the side whose value to use."""

    field: str
    theirs_rev: str
    side: MergeSide


Look = Callable[[Reader, Caller, str], Awaitable[MergedRecordView]]
Choose = Callable[[Transaction, Caller, str, MergeChoice], Awaitable[str]]


def routes() -> list[Route]:
    return [
        *_routes("/events/{slug}/merged", of_event, choose_for_event),
        *_routes("/groups/{slug}/merged", of_group, choose_for_group),
        *_routes("/series/{slug}/merged", of_series, choose_for_series),
    ]


async def of_event(reader: Reader, caller: Caller, slug: str) -> MergedRecordView:
    """The merge decisions about an event, for users who may change it. Raises NotFound, Forbidden."""
    event, decisions = await merge_review.merged(reader, caller, EventSlug(slug))
    path, sync = event_path(event.slug), None
    if event.author_id == caller.user_id:
        publication = (await publication_status.statuses(reader, PublicationKind.EVENT, [event.id]))[event.id]
        has_agreed = (await consent(reader, caller.user_id)).is_given
        sync = event_sync(event, publication, reader.now, has_agreed=has_agreed)
    return MergedRecordView(
        PublicationKind.EVENT,
        event.id,
        event.title,
        path,
        f"{path}/edit",
        merge_views(reader, decisions, event.time_zone),
        event.record_uri,
        subject_of_event(event, reader.now),
        f"{path}/publishing" if event.author_id == caller.user_id else "",
        sync,
    )


async def of_group(reader: Reader, caller: Caller, slug: str) -> MergedRecordView:
    """The merge decisions about a group, for users who may change it. Raises NotFound, Forbidden."""
    group, kept_decisions = await merge_review.merged_into_group(reader, caller, GroupSlug(slug))
    path = group_path(group.slug)
    decisions = merge_views(reader, kept_decisions, group.details.time_zone)
    return MergedRecordView(
        PublicationKind.GROUP,
        group.id,
        group.details.name,
        path,
        f"{path}/settings",
        decisions,
        group.network.record_uri,
        subject_of_group(group),
    )


async def of_series(reader: Reader, caller: Caller, slug: str) -> MergedRecordView:
    """The merge decisions about a series, for users who may change it. Raises NotFound, Forbidden."""
    series, kept_decisions = await merge_review.merged_into_series(reader, caller, SeriesSlug(slug))
    path = series_path(series.slug)
    decisions = merge_views(reader, kept_decisions, series.zone_name, series.timing.pattern.start)
    return MergedRecordView(
        PublicationKind.SERIES,
        series.id,
        series.content.title,
        path,
        f"{path}/edit",
        decisions,
        series.record_uri,
        subject_of_series(series),
    )


async def choose_for_event(tx: Transaction, caller: Caller, slug: str, choice: MergeChoice) -> str:
    """Apply a host's choice between two values of a field. Returns the event's slug, which may have changed."""
    conflict = {"field": choice.field, "theirs_rev": choice.theirs_rev}
    return (await merge_review.choose(tx, caller, EventSlug(slug), **conflict, choice=choice.side)).slug


async def choose_for_group(tx: Transaction, caller: Caller, slug: str, choice: MergeChoice) -> str:
    """Apply an admin's choice between two values of a field. Returns the group's slug, which may have changed."""
    conflict = {"field": choice.field, "theirs_rev": choice.theirs_rev}
    return (await merge_review.choose_for_group(tx, caller, GroupSlug(slug), **conflict, choice=choice.side)).slug


async def choose_for_series(tx: Transaction, caller: Caller, slug: str, choice: MergeChoice) -> str:
    """Apply a host's choice between two values of a field. Returns the series' slug."""
    conflict = {"field": choice.field, "theirs_rev": choice.theirs_rev}
    return (await merge_review.choose_for_series(tx, caller, SeriesSlug(slug), **conflict, choice=choice.side)).slug


def _routes(path: str, look: Look, choose: Choose) -> list[Route]:
    async def show(request: Request) -> Response:
        return await merged_page(request, look)

    async def save(request: Request) -> Response:
        form = await read_form(request)
        side = CHOICES.get(form.get("keep", ""))
        if side is None:
            raise InvalidInput("keep", GeneralReason.CHOOSE_ONE, choices="yours, theirs")
        choice = MergeChoice(form.get("field", ""), form.get("theirs_rev", ""), side)
        try:
            async with database_of(request).transaction() as tx:
                slug = await choose(tx, caller_of(request), request.path_params["slug"], choice)
        except (Refused, RuleRefused) as refused:
            return await merged_page(request, look, problem=refused)
        return go(path.replace("{slug}", quote(slug)), flash="choice_kept")

    return [Route(path, show, methods=["GET"]), Route(path, save, methods=["POST"])]


async def merged_page(request: Request, look: Look, *, problem: Failure | None = None) -> Response:
    """The sync page of what ``look`` finds."""
    async with database_of(request).reader() as reader:
        caller = caller_of(request)
        merged = await look(reader, caller, request.path_params["slug"])
        where = None
        if merged.record_uri is not None or (merged.sync is not None and not merged.sync.is_up_to_date):
            where = await provenance.whereabouts_of(reader, merged.record_uri, merged.kind, merged.subject_id)
        edits = None if merged.answer is not None else where
        uris = [*([merged.record_uri] if merged.record_uri else []), *(one.uri for one in merged.decisions)]
        own_host = urlsplit(services(request).settings.public_url).hostname or ""
        writers = await provenance.writers_of(reader, uris, own_host)
        now = reader.now
    story = story_of(merged.decisions, edits, writers.get(merged.record_uri or "", ("", ""))[1], now)
    if merged.history:
        story = sorted([*story, *merged.history], key=lambda line: line.at, reverse=True)
    context = {
        "merged": merged,
        "subject": merged.about,
        # Of a decision about an earlier version it is not known which app wrote that.
        "apps": {(uri, rev): app for uri, (rev, app) in writers.items()},
        "is_unsynced": where is not None and where.edited_here_at is not None and not where.is_edit_synced,
        "story": story,
        "problem": "" if problem is None else problem.why,
        "handle": where.handle if where else "",
        "is_own_account": where is not None and where.owner == caller.user_id,
        "synced": formatting.ago(where.synced_at, now) if where and where.synced_at else "",
        "in_account": formatting.ago(where.in_account_since, now) if where and where.in_account_since else "",
    }
    return page(request, "atproto/merged.html", context, status=200 if problem is None else 422)


def merge_views(
    reader: Reader, decisions: list[KeptDecision], zone: str, first: datetime | None = None
) -> list[MergeView]:
    """Merge decisions as the page shows them. Times are shown in ``zone``. ``first`` is the start of a series."""
    newest: dict[tuple[str, str], str] = {}
    for one in decisions:
        field = (one.uri, one.decision.field)
        newest[field] = max(newest.get(field, ""), one.theirs_rev)
    return [
        merge_view(one, zone, reader.now, first, is_newest=one.theirs_rev == newest[one.uri, one.decision.field])
        for one in decisions
    ]
