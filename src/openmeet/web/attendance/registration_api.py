"""Registration settings, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json, with_current_values
from openmeet.domain.attendance import capacity_change, event_hosting, host_decisions, registration
from openmeet.domain.attendance.registration import (
    MAX_QUESTIONS,
    RegistrationSettings,
    RegistrationSubmission,
    SubmittedQuestion,
    check,
    new_question_id,
)
from openmeet.domain.attendance.visibility import visible_event
from openmeet.web.api.etags import etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.attendance.lower_limit import CONFIRM_LOWER_LIMIT, require_confirmed_lower_limit
from openmeet.web.attendance.schemas import QuestionAsked
from openmeet.web.site.caller import caller_of, viewer_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

PATH = "/api/events/{slug}/joining"


class RegistrationSettingsBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Who can come and how. The limits per way to take part apply to hybrid events. Null means no limit.

    ``closesHoursBefore`` is the number of hours before the start at which registration closes. Null means that it stays
    open. ``foreignAnswers`` says how to treat RSVPs from other apps by people who never signed in on this site, are not
    members and were not invited. Null means the default.
    """

    limit_in_person: int | None = None
    limit_online: int | None = None
    needs_approval: bool = False
    closes_hours_before: int | None = None
    max_party: int = 1
    asks_names: bool = False
    is_members_only: bool = False
    list_audience: Literal["everyone", "attendees", "hosts"] = "everyone"
    foreign_answers: Literal["count", "need_approval", "apart"] | None = None
    takes_guests: bool = True
    questions: list[QuestionAsked] = []


async def show(request: Request) -> Response:
    """The registration settings, for everyone who can see the event, because clients need the host's questions."""
    async with database_of(request).reader() as reader:
        event, _ = await visible_event(reader, event_slug_of(request), viewer_of(request))
        registration_settings = await registration.of_event(reader, event)
        revision = await registration.revision_of(reader, event)
    return json_response(_settings_body(registration_settings), headers=etag_of(revision))


# Unlike other fields, these keep their values if a PUT leaves them out: they decide who gets in and who sees them.
_KEPT_IF_LEFT_OUT = ("needs_approval", "is_members_only", "list_audience", "foreign_answers")


async def save(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, RegistrationSettingsBody)
    async with database_of(request).transaction() as tx:
        event = await host_decisions.find_for_host(tx, caller, event_slug_of(request))
        before = await registration.of_event(tx, event)
        current = _settings_body(before)
        body = await with_current_values(request, body, {name: getattr(current, name) for name in _KEPT_IF_LEFT_OUT})
        settings = check(_submission(body), event, before)
        for_series = request.query_params.get("scope") == "series"
        dates = await event_hosting.dates_with_same_settings(tx, event) if for_series else [event]
        impact = await capacity_change.impact_of_settings(tx, dates, settings)
        saved = await event_hosting.change_registration_settings(
            tx,
            caller,
            event.slug,
            settings,
            for_series=for_series,
            expected_revision=expected_revision(request),
        )
        require_confirmed_lower_limit(request, impact)
        revision = await registration.revision_of(tx, event)
    return json_response(_settings_body(saved), headers=etag_of(revision))


def _submission(body: RegistrationSettingsBody) -> RegistrationSubmission:
    return RegistrationSubmission(
        limit_in_person=_number_text(body.limit_in_person),
        limit_online=_number_text(body.limit_online),
        needs_approval="yes" if body.needs_approval else "",
        closes_hours_before=_number_text(body.closes_hours_before),
        max_party=str(body.max_party),
        asks_names="yes" if body.asks_names else "",
        is_members_only="yes" if body.is_members_only else "",
        list_audience=body.list_audience,
        foreign_answers=body.foreign_answers or "",
        takes_guests="yes" if body.takes_guests else "",
        questions=[
            SubmittedQuestion(
                one.question_id or new_question_id(),
                one.question,
                "\n".join(one.choices),
                "yes" if one.is_required else "",
            )
            for one in body.questions
        ],
    )


def _settings_body(registration_settings: RegistrationSettings) -> RegistrationSettingsBody:
    return RegistrationSettingsBody(
        limit_in_person=registration_settings.limit_in_person,
        limit_online=registration_settings.limit_online,
        needs_approval=registration_settings.needs_approval,
        closes_hours_before=registration_settings.closes_hours_before,
        max_party=registration_settings.max_party,
        asks_names=registration_settings.asks_names,
        is_members_only=registration_settings.is_members_only,
        list_audience=registration_settings.list_audience.value,
        foreign_answers=registration_settings.foreign_answers.value if registration_settings.foreign_answers else None,
        takes_guests=registration_settings.takes_guests,
        questions=questions_output(registration_settings),
    )


def questions_output(registration_settings: RegistrationSettings) -> list[QuestionAsked]:
    """The questions that every attendee is asked."""
    return [
        QuestionAsked(one.words, list(one.choices), one.is_required, one.id) for one in registration_settings.questions
    ]


def _number_text(number: int | None) -> str:
    return "" if number is None else str(number)


OPERATIONS = (
    ApiOperation(
        "GET",
        PATH,
        "showJoining",
        f"Registration settings of an event, with at most {MAX_QUESTIONS} questions",
        show,
        {200: RegistrationSettingsBody},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        PATH,
        "saveJoining",
        "Replace the registration settings; the settings for approval, members only, visible names and answers from other apps keep their values if left out",
        save,
        {200: RegistrationSettingsBody},
        RegistrationSettingsBody,
        (
            Parameter("scope", "This event, or every date of its series", shape=Literal["event", "series"]),
            CONFIRM_LOWER_LIMIT,
            Parameter("If-Match", "The ETag of the settings to replace", "header"),
        ),
        failures=(403, 404, 412, 422),
    ),
)
