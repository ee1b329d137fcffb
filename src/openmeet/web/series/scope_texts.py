"""Sentences of the question which dates an edit changes: the counts of a scope, and the notification that people get."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from groundwork.clock import Instant
from openmeet.domain.attendance import capacity_change
from openmeet.domain.attendance.capacity_change import CapacityImpact
from openmeet.domain.events.edits import with_details
from openmeet.domain.events.model import Event
from openmeet.domain.notifications import event_kinds
from openmeet.domain.series import notify
from openmeet.domain.series.model import EditScope, Series
from openmeet.domain.series.plan import EditPlan
from openmeet.emails.notifications import texts
from openmeet.emails.notifications.current_state import CurrentState
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.web.series.schemas import EditConsequences

# Maximum number of new dates listed by name.
_NAMED: Final = 3


def notification_of(series: Series, plan: EditPlan, now: Instant) -> str:
    """The notification of a person who answered all dates that the plan changes, or else removes. Empty if the plan only
    adds dates.
    """
    kind = event_kinds.EVENT_CHANGED
    dates: list[tuple[Event | None, Event]] = [
        (one.event, with_details(one.event, one.details)) for one in plan.dates_changed
    ]
    if not dates:
        kind = event_kinds.EVENT_DELETED
        dates = [(event, replace(event, deleted_at=now)) for event in plan.vanishing]
    if not dates:
        return ""
    before = series.timing.pattern
    after = before if plan.scope is EditScope.THIS else plan.timing.pattern
    event, payload = notify.for_all_dates(dates, before, after)
    state = CurrentState(series.changed_by or series.owner_id, now, event)
    return event.title.join(texts.line(kind, payload, state, {}))


def counts_text(counted: EditConsequences, *, has_later: bool) -> str:
    """Short sentences, such as ``8 dates change. 31 answers are kept. 12 people get a notification.`` Single changes are
    not among them, because the form asks about them. ``has_later``: also dates that are not stored yet.
    """
    sentences = []
    if counted.scope != "this":
        sentences.append(_dates_sentence(counted, has_later=has_later))
    if counted.answers_kept:
        sentences.append(ngettext("%(number)s answer is kept.", "%(number)s answers are kept.", counted.answers_kept))
    if counted.stranded:
        sentences.append(
            ngettext(
                "%(number)s date outside the new rule stays, because people answered.",
                "%(number)s dates outside the new rule stay, because people answered.",
                len(counted.stranded),
            )
        )
    if counted.vanishing:
        sentences.append(
            ngettext(
                "%(number)s date without answers is removed.",
                "%(number)s dates without answers are removed.",
                len(counted.vanishing),
            )
        )
    if counted.made:
        sentences.append(
            ngettext(
                "%(number)s date is new (%(dates)s).",
                "%(number)s dates are new (%(dates)s).",
                len(counted.made),
                dates=_first(counted),
            )
        )
    if counted.people_told:
        sentences.append(_notified_sentence(counted))
    if not sentences:
        sentences.append(gettext("No answers yet."))
    sentences.append(capacity_change.impact_text(CapacityImpact(counted.people_over_limit, counted.parties_too_large)))
    if counted.scope != "this":
        sentences.append(
            gettext("Past dates stay as they were.") if counted.scope == "all" else gettext("A new series starts here.")
        )
    return " ".join(filter(None, sentences))


def _dates_sentence(counted: EditConsequences, *, has_later: bool) -> str:
    """``8 dates change.``, or ``8 dates (until Tue 19 Jan) and all later ones change.``"""
    if not has_later:
        return ngettext("%(number)s date changes.", "%(number)s dates change.", counted.dates_changed)
    if not counted.changes:
        return gettext("Later dates change.")
    last = max(datetime.fromisoformat(one.new_original_date) for one in counted.changes)
    return ngettext(
        "%(number)s date (%(day)s) and all later ones change.",
        "%(number)s dates (until %(day)s) and all later ones change.",
        counted.dates_changed,
        day=formatting.short_day(last),
    )


def _notified_sentence(counted: EditConsequences) -> str:
    """``5 people get a notification, 2 of them also an e-mail.``"""
    if not counted.people_mailed:
        return ngettext(
            "%(number)s person gets a notification.", "%(number)s people get a notification.", counted.people_told
        )
    return ngettext(
        "%(number)s person gets a notification, and an e-mail.",
        "%(number)s people get a notification, %(mailed)s of them also an e-mail.",
        counted.people_told,
        mailed=counted.people_mailed,
    )


def _first(counted: EditConsequences) -> str:
    """``Wed 4 March and 2 more``."""
    date_labels = [formatting.short_day(datetime.fromisoformat(one.original_date)) for one in counted.made]
    dates, more = ", ".join(date_labels[:_NAMED]), len(date_labels) - _NAMED
    return dates if more <= 0 else gettext("%(dates)s and %(number)s more", dates=dates, number=more)
