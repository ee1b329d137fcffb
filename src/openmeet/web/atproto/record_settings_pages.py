"""Record settings of an event, or of every date of its series, on a page."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, NotFound, PreconditionFailed, Refused
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.events import event_access, permissions
from openmeet.domain.events.model import Detail, Event, RecordSettings
from openmeet.domain.events.permissions import EventPermission
from openmeet.domain.events.publication import PublishLevel, allows_record, reach
from openmeet.domain.events.values import Visibility
from openmeet.domain.identities.permissions import Feature, permission_for
from openmeet.domain.identities.queries import consent
from openmeet.domain.page_paths import event_path
from openmeet.domain.series import record_settings
from openmeet.domain.series.model import PublishPolicy, Series
from openmeet.domain.validation import GeneralReason
from openmeet.feature_flags.flags import Flag, switches
from openmeet.i18n.catalogue import lazy
from openmeet.outbox import publication_queries, publication_status, publications
from openmeet.outbox.publications import PublicationKind
from openmeet.web.api.etags import revision_in_form
from openmeet.web.atproto.reasons import AtprotoReason
from openmeet.web.events.publication_view import event_sync
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.time_tags import span_tags

LABELS = {
    "publishes": lazy("What other apps get"),
    "answers": lazy("Answers"),
    "policy": lazy("Dates of the series"),
    "scope": lazy("For which dates"),
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/publishing", show, methods=["GET"]),
        Route("/events/{slug}/publishing", save, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await _own_event(reader, request)
        series = await record_settings.own_series_around(reader, caller, event)
        return await _record_settings_page(request, reader, event, series, FormState(_form_values(event, series)))


async def save(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            event, series = await record_settings.lock(
                tx,
                caller,
                await _own_event(tx, request),
                expected_revision=revision_in_form(form.get("revision", "")),
            )
            settings = _chosen_settings(event, form)
            if series is not None:
                # Lock order: the series before its dates.
                for_all = settings if form.get("scope") == "series" else None
                await record_settings.change_series(tx, caller, series.slug, for_all, _publish_policy(form))
                if form.get("rule_again") == "yes":
                    await publications.retry_now(tx, kind=PublicationKind.SERIES, subject_id=series.id)
            event = await record_settings.change_event(tx, caller, event.slug, settings)
    except (InvalidForm, Refused, PreconditionFailed) as wrong:
        problem = wrong if isinstance(wrong, InvalidForm) else InvalidForm({"": wrong.why})
        async with database_of(request).reader() as reader:
            event = await _own_event(reader, request)
            series = await record_settings.own_series_around(reader, caller, event)
            now = str(record_settings.revision_of(event, series))
            form_state = form_with_problems({**_form_values(event, series), **form, "revision": now}, problem)
            return await _record_settings_page(request, reader, event, series, form_state, status=wrong_status(wrong))
    return go(f"{event_path(event.slug)}/publishing", flash="record_settings_saved")


def wrong_status(wrong: Exception) -> int:
    """The HTTP status of the page if its form was rejected."""
    return 412 if isinstance(wrong, PreconditionFailed) else 400


async def _own_event(reader: Reader, request: Request) -> Event:
    event = await record_settings.find_own_event(reader, caller_of(request), request.path_params["slug"])
    if event is None:
        raise NotFound(GeneralReason.NO_SUCH_EVENT)
    return event


def _chosen_settings(event: Event, form: dict[str, str]) -> RecordSettings:
    publishes = form.get("publishes", "")
    if publishes not in {"nothing", "minimal", "full"}:
        raise InvalidForm({"publishes": AtprotoReason.LEVEL_NEEDED})
    is_public = event.content.visibility is Visibility.PUBLIC
    return RecordSettings(
        is_wanted=publishes != "nothing" if is_public or event.group is not None else event.record_settings.is_wanted,
        detail=Detail(publishes) if is_public and publishes != "nothing" else event.record_settings.detail,
        is_announced=not is_public and event.group is None and publishes == "minimal",
        publishes_rsvps=form.get("answers") == "yes" if is_public else event.record_settings.publishes_rsvps,
    )


def _publish_policy(form: dict[str, str]) -> PublishPolicy:
    try:
        return PublishPolicy(form.get("policy", ""))
    except ValueError:
        raise InvalidForm({"policy": AtprotoReason.DATES_NEEDED}) from None


def _form_values(event: Event, series: Series | None) -> dict[str, str]:
    is_public = event.content.visibility is Visibility.PUBLIC
    if is_public:
        publishes = event.record_settings.detail.value if event.record_settings.is_wanted else "nothing"
    elif event.group is not None:
        publishes = "minimal" if event.record_settings.is_wanted else "nothing"
    else:
        publishes = "minimal" if event.record_settings.is_announced else "nothing"
    return {
        "publishes": publishes,
        "answers": "yes" if event.record_settings.publishes_rsvps else "",
        "policy": "" if series is None else series.policy.value,
        "scope": "event",
        "revision": str(record_settings.revision_of(event, series)),
    }


async def _record_settings_page(
    request: Request, reader: Reader, event: Event, series: Series | None, form_state: FormState, *, status: int = 200
) -> Response:
    published_events = [event] if series is None else await record_settings.published_dates(reader, series)
    publications_of = await publication_status.statuses(
        reader, PublicationKind.EVENT, [one.id for one in published_events]
    )
    agreed = (await consent(reader, event.author_id)).is_given
    rows = [
        (
            one,
            publications_of[one.id].explanation_for_owner(
                reader.now,
                is_allowed=agreed and allows_record(one),
                is_foreign=one.has_foreign_record,
            ),
            event_sync(one, publications_of[one.id], reader.now, has_agreed=agreed).tone,
            span_tags(one),
        )
        for one in published_events
    ]
    series_record = None if series is None else await record_settings.of_series(reader, series)
    did, asks = ("", False) if series is None else await _permission(reader, series)
    context = {
        "event": event,
        "subject": subject_of_event(event, reader.now),
        "series": series,
        "series_status": None
        if series_record is None
        else series_record[0].explanation_for_owner(reader.now, is_allowed=series_record[1]),
        "is_withdrawn": series_record is not None and series_record[0].is_withdrawn,
        "did": did,
        "asks": asks,
        "typed": form_state,
        "labels": LABELS,
        "rows": rows,
        # The page of a record is only for people who may edit the event.
        "may_edit": permissions.may(await event_access.role_of(reader, event, event.author_id), EventPermission.EDIT),
        "record_uris": [one.record_uri for one in (*(event for event, *_ in rows), series) if one and one.record_uri],
        "has_agreed": agreed,
        "is_public": event.content.visibility is Visibility.PUBLIC,
        "is_foreign": event.has_foreign_record and not await _is_written_here(reader, event),
        "is_unlisted": event.content.visibility is Visibility.UNLISTED,
        "group_tells": event.group is not None and event.group.announces_events,
        "group_narrows": event.group is not None
        and reach(event.content.visibility, event.group) is not PublishLevel.FULL,
    }
    return page(request, "atproto/publishing.html", context, status=status)


async def _is_written_here(reader: Reader, event: Event) -> bool:
    """Whether this site has ever written the event's record."""
    publication = await publication_queries.find(reader, PublicationKind.EVENT, event.id)
    return publication is not None and publication.has_own_version


async def _permission(reader: Reader, series: Series) -> tuple[str, bool]:
    """The repository for the record of the series, and whether the user must first grant a permission for it."""
    if Flag.SERIES_LEXICON not in await switches(reader):
        return "", False
    if (
        reach(series.content.visibility, series.group, series.record_settings) is not PublishLevel.FULL
        or series.policy is PublishPolicy.NONE
    ):
        return "", False
    return await permission_for(reader, series.owner_id, Feature.SERIES)
