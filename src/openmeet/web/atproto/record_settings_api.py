"""Record settings, publication status and sync, as JSON."""

import asyncio
from typing import ClassVar, Literal, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader
from groundwork.errors import Explanation, InvalidInput
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance import event_hosting, record_comparison
from openmeet.domain.attendance.host_decisions import may_host
from openmeet.domain.attendance.visibility import visible_event
from openmeet.domain.events.model import Detail, Event, RecordSettings
from openmeet.domain.events.publication import PublishLevel, allows_record, reach
from openmeet.domain.events.record_changes import DeletedRecordChoice
from openmeet.domain.identities.queries import consent
from openmeet.domain.series import record_settings
from openmeet.domain.series.model import PublishPolicy, Series
from openmeet.i18n.formatting import iso
from openmeet.i18n.reasons.messages import explain
from openmeet.outbox import publication_status, publications
from openmeet.outbox.publication_status import PublicationStatus
from openmeet.outbox.publications import PublicationKind
from openmeet.outbox.reasons import RecordStatus
from openmeet.web.api.etags import IF_MATCH, etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.events.new_pages import publish_first
from openmeet.web.site.caller import caller_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

PolicyName = Literal["next", "window", "none"]
DetailName = Literal["full", "minimal"]
AnswersName = Literal["published", "withheld"]
ReachName = Literal["nothing", "minimal", "full"]
StateName = Literal[
    "imported",
    "withheld",
    "waiting",
    "due",
    "sending",
    "published",
    "retrying",
    "blocked",
    "refused",
    "conflicted",
    "retracting",
    "retracted",
]

SETTINGS_PATH = "/api/events/{slug}/bluesky-settings"

# The number of events that one request publishes before it responds. The rest are published in the background.
AWAITED = 10


class RecordStanding(msgspec.Struct, rename="camel"):
    """The status of one record. ``slug`` identifies the event or series. ``originalDate`` identifies a date of a
    series. ``nextTryAt`` is null if nothing is due.

    ``words`` is the status as the page shows it. ``state`` is ``imported`` if another app wrote the record and nothing
    was changed on this site. ``deletedElsewhereAt`` is set if another app deleted the record of an event created on
    this site, until its host decides what to do (``decideDeletedRecord``). ``recordUri`` is null if the repository has
    no record, as far as this site knows.
    """

    kind: Literal["event", "rsvp", "series"]
    slug: str
    original_date: str | None
    state: StateName
    words: str
    reason: str
    record_uri: str | None
    next_try_at: str | None
    changed_at: str | None
    deleted_elsewhere_at: str | None = None


class DeletedRecordDecided(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``publish`` writes the record again with the same URI. ``keep`` keeps the event on this site only. To cancel the
    event, call ``cancelEvent``.
    """

    decision: Literal["publish", "keep"]


class SyncInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """``slug`` is the slug of an event, or of a series to sync every published date.

    With ``force``, records that were retracted or refused or that differ are tried again, and changes made by others
    are accepted.
    """

    slug: str
    force: bool = False


class SyncOutput(msgspec.Struct, rename="camel"):
    """The status of the records after the request."""

    publications: list[RecordStanding]


class RecordSettingsInput(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Fields left out are unchanged. ``detailsLevel`` is either everything, or name, time and a link.

    ``isAnnounced`` publishes the name and time of an event for invited people. ``rsvpHandling`` says whether attendees
    publish RSVPs to the event. ``seriesPolicy`` says which dates of its series are published. ``forSeries`` also
    applies the other settings to every upcoming date.
    """

    EXAMPLE: ClassVar = {"syncEnabled": True, "detailsLevel": "minimal", "rsvpHandling": "withheld"}

    sync_enabled: bool | None = None
    series_policy: PolicyName | None = None
    details_level: DetailName | None = None
    is_announced: bool | None = None
    rsvp_handling: AnswersName | None = None
    for_series: bool = False


class RecordSettingsOutput(msgspec.Struct, rename="camel"):
    """``reach`` is what is actually published. It follows from these settings and from the visibility of the event and
    its group. ``seriesPolicy`` is null if the event is not part of a series.
    """

    sync_enabled: bool
    series_policy: PolicyName | None
    details_level: DetailName
    is_announced: bool
    rsvp_handling: AnswersName
    reach: ReachName
    publications: list[RecordStanding]


class AnswersStanding(msgspec.Struct, rename="camel"):
    """The number of RSVPs in one state."""

    state: StateName
    answers: int


class AnswersSynced(msgspec.Struct, rename="camel"):
    """``mine`` is the caller's own RSVP, or null if there is none. For hosts, ``states`` counts RSVPs by their state
    before the check. For others it is null.

    For hosts, ``comparing`` is the number of RSVP records that are being read from their authors' repositories. For
    others it is null. The check writes to no repository. Missing and different records are counted as soon as they are
    found.
    """

    mine: RecordStanding | None
    states: list[AnswersStanding] | None
    comparing: int | None


async def sync(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, SyncInput)
    async with database_of(request).transaction() as tx:
        event = await record_settings.find_own_event(tx, caller, body.slug)
        if event is None:
            series = await record_settings.require_own_series(tx, caller, body.slug)
            if body.force:
                series = await record_settings.approve_publication(tx, caller, series.slug)
                await publications.retry_now(tx, kind=PublicationKind.SERIES, subject_id=series.id)
            published_dates = await record_settings.published_dates(tx, series)
        else:
            published_dates = [event]
        await record_settings.enqueue_records(tx, caller, published_dates, force=body.force)
    await asyncio.gather(*(publish_first(request, one) for one in published_dates[:AWAITED]))
    async with database_of(request).reader() as reader:
        return json_response(SyncOutput(await _records_of_events(reader, published_dates)))


async def show_settings(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await record_settings.find_own_event(reader, caller, request.path_params["slug"])
        if event is None:
            series = await record_settings.require_own_series(reader, caller, request.path_params["slug"])
            return await _series_shown(reader, series)
        around = await record_settings.own_series_around(reader, caller, event)
        return await _event_shown(reader, event, around)


async def save_settings(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, RecordSettingsInput)
    policy = None if body.series_policy is None else PublishPolicy(body.series_policy)
    expected = expected_revision(request)
    async with database_of(request).transaction() as tx:
        event = await record_settings.find_own_event(tx, caller, request.path_params["slug"])
        if event is None:
            series = await record_settings.require_own_series(tx, caller, request.path_params["slug"])
            settings = _merged(series.record_settings, body)
            saved = await record_settings.change_series(
                tx, caller, series.slug, settings, policy, expected_revision=expected
            )
            return await _series_shown(tx, saved)
        event, around = await record_settings.lock(tx, caller, event, expected_revision=expected)
        if around is None and (policy is not None or body.for_series):
            raise InvalidInput("seriesPolicy", AtprotoReason.NOT_IN_OWN_SERIES)
        if around is not None and (policy is not None or body.for_series):
            settings_of_all = _merged(event.record_settings, body) if body.for_series else None
            around = await record_settings.change_series(tx, caller, around.slug, settings_of_all, policy)
        after = await record_settings.change_event(
            tx,
            caller,
            event.slug,
            _merged(event.record_settings, body),
        )
        return await _event_shown(tx, after, around)


async def decide_deleted_record(request: Request) -> Response:
    body = await read_json(request, DeletedRecordDecided)
    slug = event_slug_of(request)
    async with database_of(request).transaction() as tx:
        event = await event_hosting.decide_about_deleted_record(
            tx, caller_of(request), slug, DeletedRecordChoice(body.decision)
        )
        return await _event_shown(tx, event, None)


async def sync_answers(request: Request) -> Response:
    caller = caller_of(request)
    slug = event_slug_of(request)
    async with database_of(request).transaction() as tx:
        event, own_rsvp = await visible_event(tx, slug, caller.user_id)
        hosts = await may_host(tx, event, caller)
        if own_rsvp is not None:
            await publications.retry_now(tx, kind=PublicationKind.RSVP, subject_id=own_rsvp.id)
            await publications.make_due(tx, kind=PublicationKind.RSVP, subject_ids=[own_rsvp.id])
        comparison = await record_comparison.request_comparison(tx, event) if hosts else None
        counts = await record_comparison.counts_by_state(tx, event.id) if hosts else {}
        agreed = (await consent(tx, caller.user_id)).is_given
        own_record = None
        if own_rsvp is not None:
            statuses = await publication_status.statuses(tx, PublicationKind.RSVP, [own_rsvp.id])
            own_record = _record_standing(
                "rsvp",
                event,
                statuses[own_rsvp.id],
                tx,
                is_allowed=agreed and allows_record(event),
                their_record=own_rsvp.record_uri,
            )
    states = [AnswersStanding(state.value, number) for state, number in sorted(counts.items())]
    return json_response(AnswersSynced(own_record, states if hosts else None, comparison))


def _merged(before: RecordSettings, body: RecordSettingsInput) -> RecordSettings:
    return RecordSettings(
        is_wanted=before.is_wanted if body.sync_enabled is None else body.sync_enabled,
        detail=before.detail if body.details_level is None else Detail(body.details_level),
        is_announced=before.is_announced if body.is_announced is None else body.is_announced,
        publishes_rsvps=before.publishes_rsvps if body.rsvp_handling is None else body.rsvp_handling == "published",
    )


async def _event_shown(reader: Reader, event: Event, series: Series | None) -> Response:
    settings = event.record_settings
    shown = RecordSettingsOutput(
        settings.is_wanted,
        None if series is None else series.policy.value,
        settings.detail.value,
        settings.is_announced,
        "published" if settings.publishes_rsvps else "withheld",
        _name(reach(event.content.visibility, event.group, settings)),
        await _records_of_events(reader, [event]),
    )
    return json_response(shown, headers=etag_of(record_settings.revision_of(event, series)))


async def _series_shown(reader: Reader, series: Series) -> Response:
    settings = series.record_settings
    shown = RecordSettingsOutput(
        settings.is_wanted,
        series.policy.value,
        settings.detail.value,
        settings.is_announced,
        "published" if settings.publishes_rsvps else "withheld",
        _name(reach(series.content.visibility, series.group, settings)),
        [
            *await _series_record(reader, series),
            *await _records_of_events(reader, await record_settings.published_dates(reader, series)),
        ],
    )
    return json_response(shown, headers=etag_of(series.revision))


def _name(level: PublishLevel) -> ReachName:
    match level:
        case PublishLevel.NOTHING:
            return "nothing"
        case PublishLevel.MINIMAL:
            return "minimal"
        case PublishLevel.FULL:
            return "full"


async def _records_of_events(reader: Reader, events: list[Event]) -> list[RecordStanding]:
    statuses = await publication_status.statuses(reader, PublicationKind.EVENT, [event.id for event in events])
    agreed = {user_id: (await consent(reader, user_id)).is_given for user_id in {event.author_id for event in events}}
    return [
        _record_standing(
            "event",
            event,
            statuses[event.id],
            reader,
            is_allowed=agreed[event.author_id] and allows_record(event),
            their_record=event.record_uri if event.has_foreign_record else None,
        )
        for event in events
    ]


async def _series_record(reader: Reader, series: Series) -> list[RecordStanding]:
    """The record of the series itself, if it has one or had one."""
    publication_and_consent = await record_settings.of_series(reader, series)
    if publication_and_consent is None:
        return []
    publication, is_allowed = publication_and_consent
    status = publication.explanation_for_owner(reader.now, is_allowed=is_allowed)
    return [_output("series", series.slug, None, publication, status, None)]


def _record_standing(
    kind: Literal["event", "rsvp"],
    event: Event,
    publication: PublicationStatus,
    reader: Reader,
    *,
    is_allowed: bool,
    their_record: str | None,
) -> RecordStanding:
    position = event.position_in_series
    status = publication.explanation_for_owner(reader.now, is_allowed=is_allowed, is_foreign=their_record is not None)
    shown = _output(kind, event.slug, position.original_date if position else None, publication, status, their_record)
    if kind == "rsvp" or event.record_deleted_at is None:
        return shown
    return msgspec.structs.replace(
        shown, words=explain(RecordStatus.DELETED_IN_ANOTHER_APP), deleted_elsewhere_at=iso(event.record_deleted_at)
    )


def _output(
    kind: Literal["event", "rsvp", "series"],
    slug: str,
    original_date: str | None,
    publication: PublicationStatus,
    status: Explanation,
    their_record: str | None,
) -> RecordStanding:
    """Convert a record's status to JSON. ``their_record`` is the URI of a record that another app of the owner wrote."""
    waits = publication.state.value in {"due", "retrying", "waiting", "retracting"}
    return RecordStanding(
        kind,
        slug,
        original_date,
        cast("StateName", publication.state_for_api(is_foreign=their_record is not None)),
        explain(status),
        explain(publication.reason),
        publication.uri or their_record,
        iso(publication.due_at) if waits else None,
        iso(publication.changed_at) if publication.changed_at else None,
    )


OPERATIONS = (
    ApiOperation(
        "POST",
        "/api/events/sync-bluesky",
        "syncEvent",
        "Check the records of an event or a series, and send pending changes now",
        sync,
        {200: SyncOutput},
        SyncInput,
        failures=(403, 404, 422),
        is_idempotent=True,
    ),
    ApiOperation(
        "GET",
        SETTINGS_PATH,
        "showRecordSettings",
        "The host’s settings of the event’s record, and its status",
        show_settings,
        {200: RecordSettingsOutput},
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        SETTINGS_PATH,
        "saveRecordSettings",
        "Change the settings of the event’s record, or of the records of a series",
        save_settings,
        {200: RecordSettingsOutput},
        RecordSettingsInput,
        (IF_MATCH,),
        failures=(403, 404, 412, 422),
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/deleted-record",
        "decideDeletedRecord",
        "After another app has deleted the event’s record: publish it again, or keep the event here only",
        decide_deleted_record,
        {200: RecordSettingsOutput},
        DeletedRecordDecided,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/attendees/sync",
        "syncAnswers",
        "Check the record of your answer. For hosts, compare the records of all answers with their repositories",
        sync_answers,
        {200: AnswersSynced},
        failures=(404,),
    ),
)
