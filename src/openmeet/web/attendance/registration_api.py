"""Registration settings of an event, or of every date of its series, as JSON."""

from typing import ClassVar, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.http.json_bodies import json_response, read_json, with_current_values
from openmeet.domain.attendance import event_hosting, registration
from openmeet.domain.attendance.registration import (
    MAX_QUESTIONS,
    PLAIN_SETTINGS,
    RegistrationSettings,
    RegistrationSubmission,
    SubmittedQuestion,
    as_typed,
    check_settings,
)
from openmeet.domain.attendance.visibility import visible_event
from openmeet.web.api.etags import etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.attendance.lower_limit import CONFIRM_LOWER_LIMIT, require_confirmed_lower_limit
from openmeet.web.site.caller import caller_of, viewer_of
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

_PATH = "/api/events/{slug}/joining"


class QuestionAsked(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A question that every attendee is asked. Without ``choices`` the response is free text. The server assigns
    ``questionId``: a question keeps its id if it is sent back with it, and any other gets a new one.
    """

    EXAMPLE: ClassVar[dict[str, object]] = {
        "question": "What do you eat?",
        "choices": ["Everything", "No meat"],
        "isRequired": False,
    }

    question: str
    choices: list[str] = []
    is_required: bool = False
    question_id: str | None = None


class RegistrationSettingsBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Who can come and how. The limits per way to take part, from 1 to 1000000, apply to hybrid events. Null: no limit.

    ``closesHoursBefore``, from 0 to 2160, is the number of hours before the start at which registration closes. Null:
    when the event ends. ``maxParty`` is the number of people in one answer, from 1 to 20. ``takesGuests``: people without
    an account can answer by e-mail.

    ``foreignAnswers`` says how to treat RSVPs from other apps by people who never signed in on this site, are not members
    and were not invited. Null: they count, or, if places are limited, wait for confirmation (``apart``).
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


async def show_settings(request: Request) -> Response:
    """The registration settings, for everyone who can see the event, because clients need the host's questions."""
    async with database_of(request).reader() as reader:
        event, _ = await visible_event(reader, event_slug_of(request), viewer_of(request))
        registration_settings = await registration.settings_of(reader, event)
        revision = await registration.revision_of(reader, event)
    return json_response(_settings_body(registration_settings), headers=etag_of(revision))


# Unlike other fields, these keep their values if a PUT leaves them out: they decide who gets in and who sees them.
_KEPT_IF_LEFT_OUT = ("needs_approval", "is_members_only", "list_audience", "foreign_answers")


async def save_settings(request: Request) -> Response:
    body = await read_json(request, RegistrationSettingsBody)
    async with database_of(request).transaction() as tx:
        locked = await event_hosting.lock_registration(
            tx,
            caller_of(request),
            event_slug_of(request),
            for_series=request.query_params.get("scope") == "series",
            expected_revision=expected_revision(request),
        )
        current = _settings_body(locked.settings)
        body = await with_current_values(request, body, {name: getattr(current, name) for name in _KEPT_IF_LEFT_OUT})
        new_settings = check_settings(_submission_of_body(body), locked.event, locked.settings)
        saved = await event_hosting.replace_registration(
            tx, locked, new_settings, confirm=lambda impact: require_confirmed_lower_limit(request, impact.total)
        )
        revision = await registration.revision_of(tx, locked.event)
    return json_response(_settings_body(saved), headers=etag_of(revision))


def _submission_of_body(body: RegistrationSettingsBody) -> RegistrationSubmission:
    return RegistrationSubmission(
        **{name: as_typed(getattr(body, name)) for name in PLAIN_SETTINGS},
        questions=[
            SubmittedQuestion(one.question_id or "", one.question, "\n".join(one.choices), as_typed(one.is_required))
            for one in body.questions
        ],
    )


def _settings_body(settings: RegistrationSettings) -> RegistrationSettingsBody:
    values = {name: getattr(settings, name) for name in PLAIN_SETTINGS}
    return RegistrationSettingsBody(**values, questions=questions_output(settings))


def questions_output(registration_settings: RegistrationSettings) -> list[QuestionAsked]:
    """The questions that every attendee is asked."""
    return [
        QuestionAsked(one.words, list(one.choices), one.is_required, one.id) for one in registration_settings.questions
    ]


OPERATIONS = (
    ApiOperation(
        "GET",
        _PATH,
        "showJoining",
        f"Registration settings of an event, with at most {MAX_QUESTIONS} questions",
        show_settings,
        {200: RegistrationSettingsBody},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        _PATH,
        "saveJoining",
        "Replace the registration settings. The settings for approval, members only, visible names and answers "
        "from other apps keep their values if left out",
        save_settings,
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
