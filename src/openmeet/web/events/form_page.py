"""The page with the form of an event: a new one, a draft, an existing event, or a series edited through one of its
dates.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import Why
from groundwork.http.forms import FormState
from groundwork.http.security_headers import content_policy
from openmeet.domain.covers.model import MOTIFS, cover_of
from openmeet.domain.events import rules
from openmeet.domain.events.model import Details, Event
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.events.submissions import submission_of
from openmeet.domain.events.vocabulary import ACCESS_LABELS, Category, categories_by_label
from openmeet.domain.groups.model import Group
from openmeet.domain.page_paths import event_path
from openmeet.i18n import countries
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.i18n.formatting import OFFERED_ZONES
from openmeet.web.events import author_name, picture_pages, place_field
from openmeet.web.events.form_summaries import KEPT_FOR, LABELS, LENGTHS, LINK_TIMES, section_summaries, zone_words
from openmeet.web.series import recurrence_form, recurrence_preview
from openmeet.web.series.recurrence_form import RecurrenceFormState
from openmeet.web.site.caller import caller_or_none
from openmeet.web.site.confirmation import NeedsConfirmation
from openmeet.web.site.layout import page
from openmeet.web.site.services import services

# Hidden field with the start in the past that the person was asked to confirm.
CONFIRMED_START = "past"
# Checkbox: attendees are not notified of the change.
IS_CORRECTION = "is_correction"
# Labels of the form's buttons. Questions about the input name the button that confirms it.
SAVE_LABEL = lazy("Save changes")
SCOPE_LABEL = lazy("Select the dates")
PUBLISH_LABEL = lazy("Publish")
SCHEDULE_LABEL = lazy("Publish at this time")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventForm:
    """What the form shows. ``typed``: the values of its fields, with their problems. ``event``: the event or draft that is
    edited; None for a new event. ``series_path`` is set if a series is edited through one of its dates.

    ``was_draft``: a visitor had typed it before signing in. ``repeats``: the recurrence options, if they are offered.
    ``place_answer``: the message next to the place field. ``groups``: those that a new event can be in. ``asks_zone``:
    the time zone is not known yet. ``asks_name``: the viewer has no name yet. ``may_remove``: the viewer may choose when
    the event is removed. ``may_publish``: the viewer may publish it, if it is a draft. ``has_attendees``: there
    are people to notify of changes, so the viewer may choose not to.
    """

    typed: FormState
    event: Event | None = None
    series_path: str = ""
    notice: Why = ""
    was_draft: bool = False
    repeats: RecurrenceFormState | None = None
    place_answer: place_field.PlaceField = place_field.NOT_ASKED
    groups: Sequence[Group] = ()
    asks_zone: bool = False
    asks_name: bool = False
    may_remove: bool = True
    may_publish: bool = True
    has_attendees: bool = False
    group_audience: str = ""

    @property
    def is_new(self) -> bool:
        """Whether the form is for a new event or a draft, which nobody else has seen."""
        return not self.series_path and (self.event is None or self.event.is_draft)

    @property
    def action_path(self) -> str:
        """The path to which the form is sent."""
        if self.series_path:
            return f"{self.series_path}/edit"
        if self.event is None:
            return "/events/new"
        return f"{event_path(self.event.slug)}/{'draft' if self.event.is_draft else 'edit'}"


def form_page(request: Request, form: EventForm, *, status: int = 200) -> Response:
    """The page with this form."""
    typed = replace(form.typed, values={**form.typed.values, **place_field.field_values(form.typed.values)})
    if typed.problem(place_field.PLACE):
        typed = replace(typed, values={**typed.values, place_field.TOWN_OF: typed.value(place_field.PLACE).strip()})
    context = {
        "typed": typed,
        "event": form.event,
        "labels": {
            **LABELS,
            place_field.PLACE: gettext("Place"),
            **picture_pages.LABELS,
            **author_name.LABELS,
            **(recurrence_form.LABELS if form.repeats is not None else {}),
        },
        "lengths": LENGTHS,
        "zones": OFFERED_ZONES,
        "countries": countries.offered(),
        "in_group": bool(form.event.group if form.event else typed.value("group")),
        "groups": [("", gettext("No group")), *((one.slug, one.details.name) for one in form.groups)]
        if form.groups
        else [],
        "notice": form.notice,
        "was_draft": form.was_draft,
        "is_new": form.is_new,
        "is_draft": form.event is not None and form.event.is_draft,
        "action": form.action_path,
        "submit_label": _submit_label(request, form),
        "schedule_label": SCHEDULE_LABEL,
        "series_path": form.series_path,
        "repeats": form.repeats,
        "dates_from": recurrence_preview.path_for(
            event="" if form.event is None or form.series_path else form.event.slug,
            series=form.series_path.rpartition("/")[2],
        ),
        "access_words": [(one.value, words) for one, words in ACCESS_LABELS.items()],
        "category_words": [(one.value, words) for one, words in categories_by_label()],
        "link_times": list(LINK_TIMES.items()),
        "kept_for": list(KEPT_FOR.items()),
        "may_remove": form.may_remove,
        "may_publish": form.may_publish,
        "has_attendees": form.has_attendees,
        "group_audience": form.group_audience,
        "summaries": section_summaries(typed.values),
        "asks_zone": form.asks_zone,
        "asks_name": form.asks_name,
        "zone_words": zone_words,
        "place": form.place_answer
        if form.place_answer is not place_field.NOT_ASKED
        else place_field.question(request, typed.values),
        "finds_places": services(request).places is not None,
        "takes_picture": form.event is None
        and not form.series_path
        and caller_or_none(request) is not None
        and services(request).pictures is not None,
        "cover": _cover_path(form.event, typed),
        "cover_title": "" if form.event is None else form.event.content.cover_title,
        "draws_cover": (form.event is None or form.event.content.picture is None) and not typed.value("picture_key"),
        "motifs": json.dumps(MOTIFS),
        "has_picture": form.event is not None and form.event.content.picture is not None,
    }
    # Scripts show a chosen picture before it is uploaded.
    headers = {"content-security-policy": content_policy(img_src="'self' data: blob:")}
    return page(request, "events/form.html", context, status=status, headers=headers)


def _submit_label(request: Request, form: EventForm) -> LazyText:
    """The label of the form's main button."""
    if form.series_path:
        return SCOPE_LABEL
    if form.event is not None:
        return PUBLISH_LABEL if form.event.is_draft else SAVE_LABEL
    return create_label(request)


def create_label(request: Request) -> LazyText:
    """The label of the button that creates an event. Visitors sign in next."""
    return lazy("Create event") if caller_or_none(request) else lazy("Sign in to create")


def _cover_path(event: Event | None, form_state: FormState) -> str:
    """The path of the picture next to the form: an upload, or the cover generated from the title."""
    if form_state.value("picture_key"):
        return f"/media/{form_state.value('picture_key')}/large"
    if event is not None and event.content.picture is not None:
        return f"/media/{event.content.picture.key}/large"
    checked_categories = [one for one in Category if form_state.value(f"categories.{one.value}")]
    listed_categories = [Category(one) for one in form_state.value("categories").split(",") if one in set(Category)]
    shuffle = form_state.value("cover_shuffle")
    kept_title = "" if event is None else event.content.cover_title
    return cover_of(
        kept_title or form_state.value("title"),
        checked_categories or listed_categories,
        int(shuffle) if shuffle.isascii() and shuffle.isdigit() and len(shuffle) < 10 else 0,
    ).path


def require_confirmed_past_start(
    request: Request, form: Mapping[str, str], details: Details, before: Event | Details | None, button: LazyText
) -> None:
    """Raises NeedsConfirmation for a start in the past that was not confirmed. ``button`` is the label of the button that
    submitted the form, and that confirms the start when it is pressed again.
    """
    submission = submission_of(form)
    start = f"{submission.starts} {submission.time_zone}"
    if form.get(CONFIRMED_START) != start and rules.starts_in_the_past(details, before, services(request).clock.now()):
        raise NeedsConfirmation(
            "starts", EventReason.START_IN_PAST_SAVE_AGAIN(button=button), name=CONFIRMED_START, key=start
        )
