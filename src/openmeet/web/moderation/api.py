"""Moderation, as JSON: the queue, statuses, actions and their undo, the log, the site's policy."""

from typing import ClassVar, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.moderation import actions as moderation_actions
from openmeet.domain.moderation import audit_log, labelled_subjects, policy, reports, visibility
from openmeet.domain.moderation.model import (
    LogEntry,
    ModeratedKind,
    ModerationAction,
    ModerationActionId,
    ModerationPolicy,
    ReportReason,
    SubjectVisibility,
)
from openmeet.domain.moderation_effects import actions
from openmeet.domain.safety import subjects
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.formatting import iso, iso_or_none
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.api.pagination import CURSOR, LIMIT, limit_of, paging
from openmeet.web.moderation import view
from openmeet.web.moderation.access import moderator_of, position_of, subject_of
from openmeet.web.moderation.view import LabelledSubject
from openmeet.web.site.tenant_routing import database_of

_PAGE = 50
_MAX_PAGE = 100
_LIMIT = Parameter("limit", f"Items per page, 1 to {_MAX_PAGE}", shape=int)


class ReportText(msgspec.Struct, rename="camel"):
    """One report. Only moderators see who made it. ``reporterId`` is null for a visitor without an account."""

    reporter_id: str | None
    reason: ReportReason
    words: str
    created_at: str


class LabelIssued(msgspec.Struct, rename="camel"):
    """A label with this ``value`` on ``subject``, which is a DID or the URI of a record. With ``cid``, it applies to
    that version of the record only.

    ``hides`` says whether labels with this value hide their subject. Other labels only warn.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "labeler": "did:plc:ar7c4by46qjdydhdevvrndac",
        "subject": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        "cid": None,
        "value": "spam",
        "labelledAt": "2027-03-02T17:00:00Z",
        "expiresAt": None,
        "hides": True,
    }

    labeler: str
    subject: str
    cid: str | None
    value: str
    labelled_at: str
    expires_at: str | None
    hides: bool


class ReportedThing(msgspec.Struct, rename="camel"):
    """A subject and the reports about it."""

    thing: ModeratedKind
    subject_id: str
    title: str
    state: SubjectVisibility
    reports: list[ReportText]
    labels: list[LabelIssued]


class ModerationQueue(msgspec.Struct, rename="camel"):
    """One page of the reported subjects, longest waiting first. ``cursor`` is null on the last page."""

    entries: list[ReportedThing]
    cursor: str | None


class SubjectStatusOutput(msgspec.Struct, rename="camel"):
    """The status of a subject, which is an id, a DID, or the origin of a PDS. The owner can read ``reason``."""

    thing: ModeratedKind
    subject_id: str
    title: str
    state: SubjectVisibility
    reason: str
    since: str
    labels: list[LabelIssued]


class LabelledThing(msgspec.Struct, rename="camel"):
    """A DID or an event that labels hide. For an event, the labels of its host are included."""

    thing: ModeratedKind
    subject_id: str
    title: str
    labels: list[LabelIssued]


class LabelledList(msgspec.Struct, rename="camel"):
    """One page of labelled subjects, latest label first. ``cursor`` is null on the last page."""

    subjects: list[LabelledThing]
    cursor: str | None


class StandingList(msgspec.Struct, rename="camel"):
    """One page of the subjects with a status that a moderator set, oldest first. ``cursor`` is null on the last page."""

    subjects: list[SubjectStatusOutput]
    cursor: str | None


class ModerationActionInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``hide`` hides an event, series or group, and blocks a user, DID or host. ``show`` reverses that. ``trust``
    releases content that is held.

    ``dismiss`` closes the reports. Hiding requires a ``reason`` of at most 500 characters, which the owner can read.
    """

    act: Literal["hide", "show", "trust", "dismiss"]
    thing: ModeratedKind
    subject_id: str
    reason: str = ""


class ActionMade(msgspec.Struct, rename="camel"):
    """The log entry of the action."""

    id: str


class HeldNewcomersInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Newcomers that are held because many of them arrived at once, from one host (``bsky.network``) or from all hosts."""

    act: Literal["accept", "block"]
    host: str = ""
    reason: str = ""


class WaitingDecided(msgspec.Struct, rename="camel"):
    """The number of newcomers decided in this request, at most 200."""

    number: int


class ModerationLine(msgspec.Struct, rename="camel"):
    """A log entry. ``actorId`` is null for actions by rules and commands. ``undoes`` is the entry that this one
    reverses.
    """

    id: str
    at: str
    actor_id: str | None
    act: ModerationAction
    thing: ModeratedKind
    subject_id: str
    before: str
    after: str
    reason: str
    undoes: str | None


class ModerationLogOutput(msgspec.Struct, rename="camel"):
    """One page of the log of moderators, newest first. ``cursor`` is null on the last page."""

    entries: list[ModerationLine]
    cursor: str | None


class PolicyInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Rules for holding content before it is shown. The page of the site's rules explains the fields."""

    holds_first_events: bool
    new_account_days: int
    new_author_minutes: int
    most_events_of_author: int
    most_authors_of_host: int
    most_events_of_host: int
    most_new_hosts: int


class PolicyOutput(PolicyInput, rename="camel"):
    """The policy and its revision, which is 0 if nobody has changed the policy."""

    revision: int


async def show_queue(request: Request) -> Response:
    limit = limit_of(request, _PAGE, _MAX_PAGE)
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        reported = await reports.reported_subjects(
            reader, after=position_of(request.query_params.get("cursor", "")), limit=limit + 1
        )
        shown = [one.subject for one in reported[:limit]]
        described = await subjects.described(reader, shown)
        stand = await visibility.statuses_of(reader, [subject.id for subject in shown])
        open_reports = await reports.open_about(reader, [subject.id for subject in shown])
        labels = await view.of_each(reader, shown)
    entries = [
        ReportedThing(
            subject.kind,
            subject.id,
            described[subject.id].title,
            stand[subject.id].state if subject.id in stand else SubjectVisibility.SHOWN,
            [
                ReportText(one.reporter_id, one.reason, one.comment, iso(one.created_at))
                for one in open_reports
                if one.subject == subject
            ],
            _label_outputs(labels.get(subject.id)),
        )
        for subject in shown
    ]
    cursor = f"{reported[limit - 1].since}:{reported[limit - 1].subject.id}" if len(reported) > limit else None
    return json_response(ModerationQueue(entries, cursor))


async def list_subjects(request: Request) -> Response:
    state = request.query_params.get("state", SubjectVisibility.HIDDEN.value)
    if state not in set(SubjectVisibility) - {SubjectVisibility.SHOWN}:
        raise InvalidInput(
            "state",
            GeneralReason.CHOOSE_ONE,
            choices=", ".join(one.value for one in SubjectVisibility if one is not SubjectVisibility.SHOWN),
        )
    limit = limit_of(request, _PAGE, _MAX_PAGE)
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        after = position_of(request.query_params.get("cursor", ""))
        statuses = await visibility.listed(reader, [SubjectVisibility(state)], after=after, limit=limit + 1)
        described = await subjects.described(reader, [one.subject for one in statuses])
        labels = await view.of_each(reader, [one.subject for one in statuses[:limit]])
    shown = [
        SubjectStatusOutput(
            one.subject.kind,
            one.subject.id,
            described[one.subject.id].title,
            one.state,
            one.reason,
            iso(one.since),
            _label_outputs(labels.get(one.subject.id)),
        )
        for one in statuses[:limit]
    ]
    cursor = f"{statuses[limit - 1].since}:{statuses[limit - 1].subject.id}" if len(statuses) > limit else None
    return json_response(StandingList(shown, cursor))


async def list_labelled(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        held_subjects, cursor = await labelled_subjects.held_subjects(reader, page)
        described = await subjects.described(reader, held_subjects)
        labels = await view.of_each(reader, held_subjects)
    return json_response(
        LabelledList(
            [
                LabelledThing(one.kind, one.id, described[one.id].title, _label_outputs(labels.get(one.id)))
                for one in held_subjects
            ],
            cursor,
        )
    )


async def act(request: Request) -> Response:
    body = await read_json(request, ModerationActionInput)
    subject = subject_of(body.thing, body.subject_id)
    async with database_of(request).transaction() as tx:
        moderator = await moderator_of(tx, request)
        if body.act == "dismiss":
            action_id = await moderation_actions.dismiss(tx, moderator.user_id, subject, body.reason)
        else:
            action_id = (
                await actions.decide(tx, moderator, subject, actions.DECISIONS[body.act], body.reason)
            ).action_id
    return json_response(ActionMade(action_id), 201)


async def undo(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        moderator = await moderator_of(tx, request)
        await actions.undo(tx, moderator, ModerationActionId(request.path_params["id"]))
    return Response(status_code=204)


async def decide_waiting(request: Request) -> Response:
    body = await read_json(request, HeldNewcomersInput)
    after = SubjectVisibility.TRUSTED if body.act == "accept" else SubjectVisibility.HIDDEN
    async with database_of(request).transaction() as tx:
        moderator = await moderator_of(tx, request)
        number = await actions.decide_waiting(tx, moderator, after, host=body.host, reason=body.reason)
    return json_response(WaitingDecided(number))


async def show_log(request: Request) -> Response:
    limit = limit_of(request, _PAGE, _MAX_PAGE)
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        before = position_of(request.query_params.get("cursor", ""))
        subject = request.query_params.get("subject") or None
        entries = await audit_log.newest(reader, subject=subject, before=before, limit=limit + 1)
    cursor = f"{entries[limit - 1].at}:{entries[limit - 1].id}" if len(entries) > limit else None
    return json_response(ModerationLogOutput(list(map(_log_line, entries[:limit])), cursor))


async def show_policy(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        await moderator_of(reader, request)
        current = await policy.current(reader)
    return json_response(_policy_output(current), headers=etag_of(current.revision))


async def put_policy(request: Request) -> Response:
    policy_change = ModerationPolicy(**msgspec.structs.asdict(await read_json(request, PolicyInput)))
    expected = expected_revision(request)
    async with database_of(request).transaction() as tx:
        moderator = await moderator_of(tx, request)
        saved = await policy.change(tx, policy_change, by=moderator.user_id, expected_revision=expected)
    return json_response(_policy_output(saved), headers=etag_of(saved.revision))


def _policy_output(moderation_policy: ModerationPolicy) -> PolicyOutput:
    return PolicyOutput(
        holds_first_events=moderation_policy.holds_first_events,
        new_account_days=moderation_policy.new_account_days,
        new_author_minutes=moderation_policy.new_author_minutes,
        most_events_of_author=moderation_policy.most_events_of_author,
        most_authors_of_host=moderation_policy.most_authors_of_host,
        most_events_of_host=moderation_policy.most_events_of_host,
        most_new_hosts=moderation_policy.most_new_hosts,
        revision=moderation_policy.revision,
    )


def _label_outputs(labelled: LabelledSubject | None) -> list[LabelIssued]:
    return [
        LabelIssued(
            labeler=one.source,
            subject=one.subject,
            cid=one.cid or None,
            value=one.value,
            labelled_at=iso(one.labelled_at),
            expires_at=iso_or_none(one.expires_at),
            hides=one.hides,
        )
        for one in (labelled.labels if labelled else ())
    ]


def _log_line(entry: LogEntry) -> ModerationLine:
    return ModerationLine(
        id=entry.id,
        at=iso(entry.at),
        actor_id=entry.actor_id,
        act=entry.act,
        thing=entry.subject.kind,
        subject_id=entry.subject.id,
        before=entry.before,
        after=entry.after,
        reason=entry.reason,
        undoes=entry.undoes,
    )


OPERATIONS = (
    ApiOperation(
        "GET",
        "/api/moderation/queue",
        "listReportedThings",
        "Reports, grouped by subject. For moderators",
        show_queue,
        {200: ModerationQueue},
        parameters=(CURSOR, _LIMIT),
        failures=(403,),
    ),
    ApiOperation(
        "GET",
        "/api/moderation/subjects",
        "listWithheld",
        "Hidden, blocked and held subjects. For moderators",
        list_subjects,
        {200: StandingList},
        parameters=(
            Parameter("state", "Status; ``hidden`` by default", shape=SubjectVisibility),
            CURSOR,
            _LIMIT,
        ),
        failures=(403,),
    ),
    ApiOperation(
        "GET",
        "/api/moderation/labelled",
        "listLabelled",
        "Subjects hidden by labels, and the labelers. For moderators",
        list_labelled,
        {200: LabelledList},
        parameters=(CURSOR, LIMIT),
        failures=(403,),
    ),
    ApiOperation(
        "POST",
        "/api/moderation/acts",
        "moderate",
        "Hide, block, show again or trust a subject, or dismiss its reports. For moderators",
        act,
        {201: ActionMade},
        ModerationActionInput,
        failures=(403, 404, 409, 422),
    ),
    ApiOperation(
        "DELETE",
        "/api/moderation/acts/{id}",
        "undoModeration",
        "Undo an action, with an entry in the log. For moderators",
        undo,
        {204: None},
        failures=(403, 404, 409, 422),
    ),
    ApiOperation(
        "POST",
        "/api/moderation/waiting",
        "decideWaiting",
        "Release or block newcomers that are held because many arrived at once. For moderators",
        decide_waiting,
        {200: WaitingDecided},
        HeldNewcomersInput,
        failures=(403,),
    ),
    ApiOperation(
        "GET",
        "/api/moderation/log",
        "listModerationLog",
        "The audit log. For moderators",
        show_log,
        {200: ModerationLogOutput},
        parameters=(Parameter("subject", "Only about this subject"), CURSOR, _LIMIT),
        failures=(403,),
    ),
    ApiOperation(
        "GET",
        "/api/moderation/policy",
        "getModerationPolicy",
        "The rules for holding new content. For moderators",
        show_policy,
        {200: PolicyOutput},
        failures=(403,),
    ),
    ApiOperation(
        "PUT",
        "/api/moderation/policy",
        "putModerationPolicy",
        "Change the rules for holding new content. For moderators",
        put_policy,
        {200: PolicyOutput},
        PolicyInput,
        parameters=(IF_MATCH,),
        failures=(403, 412),
    ),
)
