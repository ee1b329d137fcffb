"""Registration settings of an event, or of every date of its series, on a page."""

from collections.abc import Mapping, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, PreconditionFailed
from groundwork.http.forms import FormState, form_with_problems, outdated_form, read_form
from openmeet.domain.attendance import event_hosting, host_decisions, registration
from openmeet.domain.attendance.capacity_change import CapacityImpact, RegistrationImpact
from openmeet.domain.attendance.model import MAX_PARTY
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import (
    MAX_QUESTIONS,
    PLAIN_SETTINGS,
    RegistrationSettings,
    RegistrationSubmission,
    SubmittedQuestion,
    as_typed,
    check_settings,
    question_as_typed,
)
from openmeet.domain.events.model import Event
from openmeet.domain.events.values import Mode
from openmeet.domain.page_paths import event_path
from openmeet.i18n.catalogue import gettext, lazy, ngettext
from openmeet.web.api.etags import revision_in_form
from openmeet.web.attendance.lower_limit import CONFIRMED_LIMITS, ask_to_confirm_lower_limit
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.confirmation import confirmation_field
from openmeet.web.site.layout import go, page
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

# Empty rows for further questions.
_SPARE_QUESTIONS = 2

_IN_PERSON = "limit_in_person"
_ONLINE = "limit_online"

_LABELS = {
    "limit_in_person": lazy("Places in person"),
    "limit_online": lazy("Places online"),
    "closes_hours_before": lazy("Answers until"),
    "max_party": lazy("People per answer"),
    "list_audience": lazy("Who sees who’s coming"),
    "foreign_answers": lazy("Answers from other apps"),
    "is_members_only": lazy("Members only"),
    "questions": lazy("Questions"),
}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/joining", show, methods=["GET"]),
        Route("/events/{slug}/joining", save, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller_of(request), event_slug_of(request))
        registration_settings = await registration.settings_of(reader, event)
        revision = await registration.revision_of(reader, event)
    return _registration_page(
        request, event, FormState(_form_values(registration_settings, revision)), _question_rows(registration_settings)
    )


async def save(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    form = await read_form(request)
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller, slug)
    questions = _typed_questions(form)
    try:
        async with database_of(request).transaction() as tx:
            locked = await event_hosting.lock_registration(
                tx,
                caller,
                slug,
                for_series=form.get("scope") == "series",
                expected_revision=revision_in_form(form.get("revision", "")),
            )
            new_settings = check_settings(_submission_of(form, questions), locked.event, locked.settings)
            await event_hosting.replace_registration(tx, locked, new_settings, confirm=partial(_ask_to_confirm, form))
    except InvalidForm as wrong:
        return _registration_page(
            request,
            event,
            form_with_problems({**form, **confirmation_field(form, CONFIRMED_LIMITS, wrong)}, wrong),
            questions,
            status=400,
        )
    except PreconditionFailed:
        async with database_of(request).reader() as reader:
            current_settings = await registration.settings_of(reader, event)
            revision = await registration.revision_of(reader, event)
        current = {
            **_form_values(current_settings, revision),
            **_question_values(_question_rows(current_settings)),
            "scope": form.get("scope", ""),
        }
        outdated = outdated_form(form, current, AttendanceReason.SETTINGS_CHANGED_MEANWHILE())
        return _registration_page(request, event, outdated, questions, status=409)
    return go(event_path(event.slug), flash="registration_saved")


def _ask_to_confirm(form: Mapping[str, str], impact: RegistrationImpact) -> None:
    """Raise NeedsConfirmation if lower limits have consequences: beside the limit in person if that one alone has any,
    otherwise beside the limit online.
    """
    key = " ".join(form.get(name, "").strip() or "-" for name in (_IN_PERSON, _ONLINE, "scope"))
    field = _IN_PERSON if impact.of_limit_in_person != CapacityImpact() else _ONLINE
    ask_to_confirm_lower_limit(form, field, key=key, impact=impact.total)


def _submission_of(form: dict[str, str], questions: list[SubmittedQuestion]) -> RegistrationSubmission:
    """Read the submitted registration settings."""
    return RegistrationSubmission(
        **{name: form[name] for name in PLAIN_SETTINGS if name in form},
        questions=questions,
    )


def _typed_questions(form: dict[str, str]) -> list[SubmittedQuestion]:
    """The questions in the form."""
    return [
        SubmittedQuestion(
            form.get(f"id_{number}", ""),
            form.get(f"question_{number}", ""),
            form.get(f"choices_{number}", "").replace("\r\n", "\n"),
            form.get(f"required_{number}", ""),
        )
        for number in range(1, MAX_QUESTIONS + _SPARE_QUESTIONS + 1)
        if f"question_{number}" in form
    ]


def _question_rows(registration_settings: RegistrationSettings) -> list[SubmittedQuestion]:
    """The questions as rows of the form, and empty rows for further ones."""
    rows = [question_as_typed(one) for one in registration_settings.questions]
    return rows + [SubmittedQuestion("")] * min(_SPARE_QUESTIONS, MAX_QUESTIONS - len(rows))


def _question_values(questions: Sequence[SubmittedQuestion]) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, one in enumerate(questions, 1):
        values |= {
            f"question_{number}": one.words,
            f"choices_{number}": one.choices,
            f"required_{number}": one.required,
        }
    return values


def _form_values(registration_settings: RegistrationSettings, revision: int) -> dict[str, str]:
    values = {name: as_typed(getattr(registration_settings, name)) for name in PLAIN_SETTINGS}
    return {**values, "revision": str(revision), "scope": "event"}


def _registration_page(
    request: Request, event: Event, form_state: FormState, questions: list[SubmittedQuestion], *, status: int = 200
) -> Response:
    numbered = list(enumerate(questions, 1))
    # A larger party could never come. What was saved before the places were limited stays an option.
    chosen = form_state.value("max_party")
    largest_party = max(
        min(MAX_PARTY, event.content.capacity or MAX_PARTY),
        min(MAX_PARTY, int(chosen)) if chosen.isascii() and chosen.isdecimal() and len(chosen) < 4 else 1,
    )
    context = {
        "event": event,
        "subject": subject_of_event(event, services(request).clock.now()),
        "typed": FormState(
            {
                **form_state.values,
                **{f"id_{number}": one.id for number, one in numbered},
                **_question_values(questions),
            },
            form_state.problems,
            form_state.others,
        ),
        "rows": numbered,
        "is_hybrid": event.content.mode is Mode.HYBRID,
        "is_in_series": event.position_in_series is not None,
        "parties": [
            (
                str(n),
                gettext("Everyone answers for themselves")
                if n == 1
                else ngettext("Up to %(number)s person", "Up to %(number)s people", n),
            )
            for n in range(1, largest_party + 1)
        ],
        "hours": _deadline_options(form_state.value("closes_hours_before")),
        "labels": _LABELS
        | {f"question_{number}": gettext("Question %(place)s", place=number) for number, _ in numbered}
        | {f"choices_{number}": gettext("Choices of question %(place)s", place=number) for number, _ in numbered},
    }
    return page(request, "attendance/registration.html", context, status=status)


def _deadline_options(selected_hours: str) -> list[tuple[str, str]]:
    """The options for the deadline. They include the current value if another client set it."""
    hours = {
        "": gettext("the event ends"),
        "0": gettext("the event starts"),
        "1": gettext("1 hour before the start"),
        "3": gettext("3 hours before the start"),
        "12": gettext("12 hours before the start"),
        "24": gettext("a day before the start"),
        "48": gettext("2 days before the start"),
        "72": gettext("3 days before the start"),
        "168": gettext("a week before the start"),
        "336": gettext("2 weeks before the start"),
    }
    if selected_hours not in hours and selected_hours.isdecimal():
        hours[selected_hours] = gettext("%(chosen)s hours before the start", chosen=selected_hours)
    return list(hours.items())
