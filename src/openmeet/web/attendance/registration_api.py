"""Registration settings, as JSON."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import NotFound
from groundwork.http.json_bodies import json_response, keeping, read_json
from openmeet.domain.attendance import capacity_change, host_decisions, queries, registration
from openmeet.domain.attendance.registration import (
    MAX_QUESTIONS,
    JoiningSubmission,
    RegistrationSettings,
    check,
    question_id,
)
from openmeet.domain.attendance.rules import is_invited
from openmeet.domain.events import seeing
from openmeet.domain.events.model import EventSlug
from openmeet.domain.events.queries import by_slug
from openmeet.web.api.etags import etag_of, expected_revision
from openmeet.web.api.operations import ApiOperation, Parameter
from openmeet.web.attendance.forms import CONFIRM, must_be_confirmed
from openmeet.web.events.schemas import QuestionAsked
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.tenant_routing import database_of

PATH = "/api/events/{slug}/joining"


class JoiningShown(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Who can come and how. The limits per way to take part apply to hybrid events; null is no limit.

    ``closesHoursBefore``: when registration closes before the start; null is never. ``foreignAnswers``: how RSVPs from
    other apps are treated if their authors never signed in here, are no members and were not invited; null is the
    default.
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
    """For everybody who sees the event: clients need the host's questions."""
    caller = caller_or_none(request)
    async with database_of(request).reader() as reader:
        event = await by_slug(reader, _slug(request))
        mine = await queries.find(reader, event.id, caller.user_id) if event and caller else None
        viewer = caller.user_id if caller else None
        if (
            event is None
            or event.is_gone
            or not await seeing.may_see(reader, event, viewer, is_invited=is_invited(mine))
        ):
            raise NotFound("There is no such event.")
        joining = await registration.of_event(reader, event)
        revision = await registration.revision_of(reader, event)
    return json_response(_shown(joining), headers=etag_of(revision))


# These are unchanged if a replace leaves them out.
_WHO_GETS_IN = ("needs_approval", "is_members_only", "list_audience", "foreign_answers")


async def save(request: Request) -> Response:
    caller = caller_of(request)
    wanted = await read_json(request, JoiningShown)
    async with database_of(request).transaction() as tx:
        event = await host_decisions.hosted(tx, caller, _slug(request))
        before = await registration.of_event(tx, event)
        now = _shown(before)
        wanted = await keeping(request, wanted, {name: getattr(now, name) for name in _WHO_GETS_IN})
        settings = check(_submission(wanted), event, before)
        for_series = request.query_params.get("scope") == "series"
        dates = await host_decisions.dates_joined_so(tx, event) if for_series else [event]
        lowered = await capacity_change.by_joining(tx, dates, settings)
        saved = await host_decisions.change_joining(
            tx,
            caller,
            event.slug,
            settings,
            for_series=for_series,
            expected_revision=expected_revision(request),
        )
        must_be_confirmed(request, lowered)
        revision = await registration.revision_of(tx, event)
    return json_response(_shown(saved), headers=etag_of(revision))


def _submission(wanted: JoiningShown) -> JoiningSubmission:
    return JoiningSubmission(
        limit_in_person=_text(wanted.limit_in_person),
        limit_online=_text(wanted.limit_online),
        needs_approval="yes" if wanted.needs_approval else "",
        closes_hours_before=_text(wanted.closes_hours_before),
        max_party=str(wanted.max_party),
        asks_names="yes" if wanted.asks_names else "",
        is_members_only="yes" if wanted.is_members_only else "",
        list_audience=wanted.list_audience,
        foreign_answers=wanted.foreign_answers or "",
        takes_guests="yes" if wanted.takes_guests else "",
        questions=[
            (
                one.question_id or question_id(),
                one.question,
                "\n".join(one.choices),
                "yes" if one.is_required else "",
            )
            for one in wanted.questions
        ],
    )


def _shown(joining: RegistrationSettings) -> JoiningShown:
    return JoiningShown(
        joining.limit_in_person,
        joining.limit_online,
        joining.needs_approval,
        joining.closes_hours_before,
        joining.max_party,
        joining.asks_names,
        joining.is_members_only,
        joining.list_audience.value,
        joining.foreign_answers.value if joining.foreign_answers else None,
        joining.takes_guests,
        questions_shown(joining),
    )


def questions_shown(joining: RegistrationSettings) -> list[QuestionAsked]:
    """The questions to every attendee."""
    return [QuestionAsked(one.words, list(one.choices), one.is_required, one.id) for one in joining.questions]


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _slug(request: Request) -> EventSlug:
    return EventSlug(request.path_params["slug"])


OPERATIONS = (
    ApiOperation(
        "GET",
        PATH,
        "showJoining",
        f"Who can come to an event, and what they are asked: at most {MAX_QUESTIONS} questions",
        show,
        {200: JoiningShown},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "PUT",
        PATH,
        "saveJoining",
        "Replace who can come, and what they are asked; approval, members only and who sees names stay where they are left out",
        save,
        {200: JoiningShown},
        JoiningShown,
        (
            Parameter("scope", "Of this event, or of every date of its series", shape=Literal["event", "series"]),
            CONFIRM,
            Parameter("If-Match", "The ETag of the settings that are to be replaced", "header"),
        ),
        failures=(403, 404, 412, 422),
    ),
)
