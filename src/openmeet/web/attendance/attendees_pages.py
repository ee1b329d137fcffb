"""The host's attendee list: who is going, waiting or needs a decision, with decisions in bulk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound, Refused, TooMany, kind_of
from groundwork.http.forms import EMPTY, FormState, local_path, open_form, read_form
from openmeet.domain.attendance import (
    approval_undo,
    attendee_summary,
    history,
    host_decisions,
    host_list,
    invitations,
    queries,
    registration,
    rsvp_details,
    rsvp_list,
    rsvp_list_texts,
)
from openmeet.domain.attendance.approval_undo import ApprovalBatch
from openmeet.domain.attendance.host_decisions import DecisionCounts, HostDecision
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.model import AttendanceId, AttendanceStatus, RsvpCounts
from openmeet.domain.attendance.reasons import AttendanceReason
from openmeet.domain.attendance.registration import EventRegistration
from openmeet.domain.attendance.rsvp_list import RsvpListEntry
from openmeet.domain.attendance.seats import limits_of
from openmeet.domain.check_in import tickets
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.imports import queries as imports
from openmeet.domain.imports.model import ImportKind
from openmeet.domain.page_paths import event_path
from openmeet.domain.users.model import UserId
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import LazyText, gettext, lazy
from openmeet.web.attendance import attendees_csv, forms
from openmeet.web.attendance.invitation_limit import spend_on_invitation
from openmeet.web.attendance.view import history_section, is_over_or_cancelled, past_words_of
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.page_streams import fingerprint_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

PAGE_SIZE = 100
# A shorter list has no search field, because people can read it just as fast.
_SEARCHED_FROM: Final = 20


@dataclass(frozen=True, slots=True)
class _Tab:
    """The RSVPs with some statuses."""

    label: LazyText
    statuses: tuple[AttendanceStatus, ...]


_Status = AttendanceStatus
# By the name in the URL.
_TABS: Final = {
    "asking": _Tab(lazy("Requests"), (_Status.PENDING,)),
    "going": _Tab(lazy("Going"), (_Status.ATTENDING, _Status.ATTENDED)),
    "waiting": _Tab(lazy("Waitlist"), (_Status.WAITLISTED,)),
    "interested": _Tab(lazy("Maybe"), (_Status.INTERESTED,)),
    "invited": _Tab(lazy("Invited"), (_Status.INVITED,)),
    "out": _Tab(lazy("Can’t go"), (_Status.DECLINED, _Status.REJECTED)),
}

# The label of the tab "Going" once the event is over or cancelled.
_WERE_GOING: Final = lazy("Were going")

# The button that approves everyone who is waiting for a decision.
_APPROVE_ALL: Final = "approve_all"

# Other pages that have the decision buttons, by the names that their forms give. After the decision they are shown
# again. A form can give a path instead.
_RETURN_PATHS: Final = {"event": "/events/{slug}", "hosting": "/my/events?which=hosting"}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/attendees", show, methods=["GET"]),
        Route("/events/{slug}/attendees", decide, methods=["POST"]),
        Route("/events/{slug}/attendees/add", add_attendee, methods=["POST"]),
        Route("/events/{slug}/attendees/invite", invite, methods=["POST"]),
        Route("/events/{slug}/attendees/restore", restore, methods=["POST"]),
        Route("/events/{slug}/attendees/undo-approvals", undo_approvals, methods=["POST"]),
        Route("/events/{slug}/attendees.csv", export_csv, methods=["GET"]),
        Route("/events/{slug}/attendees/{attendance_id}", show_one, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    return await _attendees_page(request, EMPTY)


async def decide(request: Request) -> Response:
    """Approve or reject the selected RSVPs, give them places from the waitlist, or approve everyone who is
    waiting for a decision.
    """
    caller, slug = caller_of(request), event_slug_of(request)
    decision = await _read_decision(request)
    if decision.action == _APPROVE_ALL:
        decision_counts = await host_decisions.approve_all(database_of(request), caller, slug)
    elif not decision.ids:
        return await _attendees_page(request, FormState({}, {"": gettext("Select somebody first.")}), status=400)
    else:
        async with database_of(request).transaction() as tx:
            decision_counts = await host_decisions.decide(tx, caller, slug, HostDecision(decision.action), decision.ids)
    return _redirect_after_decision(slug, decision, decision_counts)


@dataclass(frozen=True, slots=True)
class _SentDecision:
    """What a host decided about whom: a ``HostDecision`` or ``_APPROVE_ALL``. ``back`` is the page to show afterwards,
    a name of ``_RETURN_PATHS`` or a path, and ``tab`` the tab if that is the list itself.
    """

    action: str
    ids: list[AttendanceId]
    tab: str
    back: str


async def _read_decision(request: Request) -> _SentDecision:
    async with open_form(request, max_fields=PAGE_SIZE + 10) as form:
        ids = [AttendanceId(str(one)) for one in form.getlist("who")]
        action, tab = str(form.get("act", "")), str(form.get("tab", ""))
        # A button in a row names the action and the person. It ignores the checkboxes.
        if only := str(form.get("only", "")):
            action, _, attendance_id = only.partition(":")
            ids = [AttendanceId(attendance_id)]
        back = str(form.get("next", ""))
    choices = (*HostDecision, _APPROVE_ALL)
    if action not in choices:
        raise InvalidInput("act", GeneralReason.CHOOSE_ONE, choices=", ".join(choices))
    return _SentDecision(action, ids, tab, back)


def _redirect_after_decision(slug: EventSlug, decision: _SentDecision, decision_counts: DecisionCounts) -> Response:
    """Redirect to the page that the host came from, with a button to undo the decision if that is possible."""
    action, tab, back = decision.action, decision.tab, decision.back
    undo: dict[str, str] = {}
    if action == HostDecision.REJECT and len(decision.ids) == 1:
        undo = {"removed": decision.ids[0]}
    if decision_counts.first_at is not None and decision_counts.last_at is not None:
        undo = {"approved": str(ApprovalBatch(decision_counts.first_at, decision_counts.last_at))}
    if back == "event" and "approved" in undo:
        return _redirect_with_counts(f"{event_path(slug)}?{urlencode(undo)}", action, decision_counts)
    if back:
        path = _RETURN_PATHS.get(back, "").format(slug=quote(slug)) or local_path(back, _attendees_path(slug, tab=tab))
        return _redirect_with_counts(path, action, decision_counts)
    if "removed" in undo and decision_counts.rejected:
        # The page names whom the host rejected, so it needs no flash message.
        return go(_attendees_path(slug, tab=tab, **undo))
    return _redirect_with_counts(_attendees_path(slug, tab=tab, **undo), action, decision_counts)


def _redirect_with_counts(path: str, action: str, decision_counts: DecisionCounts) -> Response:
    if action == HostDecision.REJECT:
        return go(path, flash="answers_rejected", numbers=(decision_counts.rejected,))
    numbers = decision_counts.seated, decision_counts.waiting
    if action == HostDecision.GIVE_PLACE:
        return go(path, flash="places_given", numbers=numbers)
    return go(path, flash="answers_approved", numbers=(*numbers, decision_counts.restored))


async def add_attendee(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    form = await read_form(request)
    try:
        async with database_of(request).transaction() as tx:
            event = await host_decisions.find_hosted_event(tx, caller, slug)
            event_registration = await registration.registration_of(tx, event)
            reply_details = forms.reply_details_of(form, forms.fields_of(event_registration, None))
            await host_decisions.add(
                tx, caller, slug, form.get("name", ""), party=reply_details.party or 1, mode=reply_details.mode
            )
    except InvalidForm as wrong:
        return await _attendees_page(request, FormState(form, wrong.problems), status=400)
    except Refused as refused:
        return await _attendees_page(request, FormState(form, {"name": refused.why}), status=422)
    return go(_attendees_path(slug), flash="attendee_added")


async def invite(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    form = await read_form(request)
    try:
        address, for_series = form.get("email", ""), bool(form.get("for_series"))
        await spend_on_invitation(request, caller, slug, address, for_series=for_series)
        async with database_of(request).transaction() as tx:
            await invitations.invite(tx, caller, slug, address, for_series=for_series)
    except InvalidForm as wrong:
        return await _attendees_page(request, FormState(form, wrong.problems), status=400)
    except (Refused, TooMany) as refused:
        status = kind_of(refused).http_status
        return await _attendees_page(request, FormState(form, {"email": refused.why}), status=status)
    return go(_attendees_path(slug, tab="invited"), flash="attendee_invited")


async def restore(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        await host_decisions.restore(tx, caller, slug, AttendanceId(form.get("who", "")))
    return go(_attendees_path(slug, tab=form.get("tab", "")), flash="attendee_restored")


async def undo_approvals(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    form = await read_form(request)
    batch = ApprovalBatch.parse(form.get("approved", ""))
    if batch is None:
        raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
    numbers = await approval_undo.undo_approvals(database_of(request), caller, slug, batch)
    path = event_path(slug) if form.get("next") == "event" else _attendees_path(slug, tab="asking")
    return go(path, flash="approvals_undone", numbers=numbers)


async def export_csv(request: Request) -> Response:
    """The list as CSV, safe to open in spreadsheets."""
    db = database_of(request)
    async with db.reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller_of(request), event_slug_of(request))
    headers = {
        "content-disposition": f'attachment; filename="attendees-{quote(event.slug)}.csv"',
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    parts = attendees_csv.csv_parts(db, event)
    return StreamingResponse(parts, media_type="text/csv; charset=utf-8", headers=headers)


async def show_one(request: Request) -> Response:
    """One RSVP with its details and history."""
    caller = caller_of(request)
    attendance_id = AttendanceId(request.path_params["attendance_id"])
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller, event_slug_of(request))
        attendees = await host_list.entries_by_ids(reader, event.id, [attendance_id])
        if not attendees:
            raise NotFound(AttendanceReason.NO_SUCH_ANSWER)
        changes = await history_section(
            reader,
            (attendance_id, attendees[0].user_id),
            caller.user_id,
            event.time_zone,
            path=f"{_attendees_path(event.slug)}/{attendance_id}",
            cursor=request.query_params.get("before", ""),
        )
        names = await shown_names(reader, [attendees[0].user_id])
        event_registration = await registration.registration_of(reader, event)
        details = await rsvp_details.details_for_hosts(reader, event_registration, [attendance_id])
        portraits = await portraits_of(reader, caller.user_id, [attendees[0].user_id])
        past = await past_words_of(reader, caller.user_id, [attendees[0].user_id])
    attendee_row = rsvp_list_texts.text_of(attendees[0], names, limits_of(event_registration))
    context = {
        "event": event,
        "subject": subject_of_event(event, reader.now).page("attendees", gettext("Guests")),
        "one": attendee_row,
        # Do not disclose who owns the invited address.
        "face": avatar_of(attendance_id, attendee_row.name)
        if attendee_row.is_named_by_address
        else avatar_of(attendee_row.user_id, attendee_row.name, portraits),
        "past": "" if attendee_row.is_named_by_address else past[attendee_row.user_id],
        "form_responses": [(response.question_text, response.text) for response in details[attendance_id].responses],
        "history": changes,
        "modes": forms.MODE_LABELS,
        "reportable_user_id": attendee_row.user_id
        if attendee_row.user_id != caller.user_id and not attendee_row.is_named_by_address
        else None,
    }
    return page(request, "attendance/attendee.html", context)


async def _attendees_page(request: Request, form_state: FormState, *, status: int = 200) -> Response:
    caller, query_params = caller_of(request), request.query_params
    search_words = query_params.get("q", "").strip()
    after = rsvp_list.parse_cursor(query_params.get("after", ""))
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller, event_slug_of(request))
        counts = (await queries.counts(reader, [event.id]))[event.id]
        tab = query_params.get("tab", "")
        if tab not in _TABS:
            tab = "asking" if counts.pending_rsvps else "going"
        list_filter = HostListFilter(tuple(_Status) if search_words else _TABS[tab].statuses, search_words)
        rows = await host_list.entries(reader, event.id, list_filter, after, PAGE_SIZE + 1)
        event_registration = await registration.registration_of(reader, event)
        context = {
            **await _people_context(reader, caller.user_id, event_registration, rows[:PAGE_SIZE]),
            **await _numbers_context(reader, event_registration, counts, tab, is_search=bool(search_words)),
            **await _new_time_context(reader, event, counts.going, rows[:PAGE_SIZE]),
            **await _rejected_context(reader, event, query_params.get("removed", "")),
            **await _approved_context(reader, event, caller.user_id, query_params.get("approved", "")),
            "has_imported_list": bool(await imports.count_by_stage(reader, ImportKind.GUESTS, event.id)),
        }
    context |= {
        "event": event,
        "subject": subject_of_event(event, reader.now),
        "is_over_or_cancelled": is_over_or_cancelled(event, reader.now),
        "may_invite": not (event.is_over(reader.now) or event.is_cancelled or event.is_hidden or event.is_held),
        "tab": tab,
        # What the tab says already is not repeated in its rows.
        "tab_words": str(rsvp_list_texts.STATUS_LABELS[_TABS[tab].statuses[0]]),
        "q": search_words,
        "more": urlencode({"tab": tab, "q": search_words, "after": rsvp_list.format_cursor(rows[PAGE_SIZE - 1])})
        if len(rows) > PAGE_SIZE
        else "",
        "live_state": fingerprint_of(services(request).code_key, event, counts),
        "typed": form_state,
        "fields": forms.fields_of(event_registration, None),
        "modes": forms.MODE_LABELS,
    }
    return page(request, "attendance/attendees.html", context, status=status)


async def _numbers_context(
    reader: Reader, event_registration: EventRegistration, counts: RsvpCounts, tab: str, *, is_search: bool
) -> dict[str, object]:
    """The numbers of people and places, and the tabs with their numbers of RSVPs."""
    event = event_registration.event
    rsvps_by_status = await host_list.count_by_status(reader, event.id)
    return {
        "counts": counts,
        "asking": counts.pending_rsvps,
        "has_companions": counts.going > sum(rsvps_by_status[one] for one in _TABS["going"].statuses),
        "places_left": attendee_summary.places_left(event, counts),
        "checked_in": (await tickets.counts(reader, event.id)).there,
        "has_search": sum(rsvps_by_status.values()) >= _SEARCHED_FROM,
        "tabs": _shown_tabs(
            rsvps_by_status,
            tab,
            is_search=is_search,
            needs_approval=event_registration.settings.needs_approval,
            is_over_or_cancelled=is_over_or_cancelled(event, reader.now),
        ),
    }


async def _people_context(
    reader: Reader,
    viewer: UserId,
    event_registration: EventRegistration,
    attendees: Sequence[RsvpListEntry],
) -> dict[str, object]:
    """The rows of the list, with pictures, responses to the host's questions, and how often people who ask to join came
    before.
    """
    names = await shown_names(reader, [one.user_id for one in attendees])
    portraits = await portraits_of(reader, viewer, [one.user_id for one in attendees])
    answered = [one for one in attendees if not one.is_unanswered_invitation]
    details = await rsvp_details.details_for_hosts(reader, event_registration, [one.attendance_id for one in answered])
    people = [rsvp_list_texts.text_of(one, names, limits_of(event_registration)) for one in attendees]
    asking = [one for one in attendees if one.status is _Status.PENDING]
    past = await past_words_of(reader, viewer, [one.user_id for one in asking])
    return {
        "people": people,
        # The colour must not reveal who owns an address.
        "avatars": {
            one.attendance_id: avatar_of(
                one.attendance_id if one.is_named_by_address else one.user_id, one.name, portraits
            )
            for one in people
        },
        "responses": {attendance_id: one.responses for attendance_id, one in details.items()},
        "past": {one.attendance_id: past[one.user_id] for one in asking},
    }


async def _new_time_context(
    reader: Reader, event: Event, going: int, attendees: Sequence[RsvpListEntry]
) -> dict[str, object]:
    """After the event was moved: how many people have not confirmed the new time, and which of these attendees."""
    has_started = event.starts_at is None or event.starts_at <= reader.now
    unconfirmed = 0 if has_started or event.is_cancelled else await host_list.count_new_time_unconfirmed(reader, event)
    ids = [one.attendance_id for one in attendees] if unconfirmed else []
    return {
        "new_time": rsvp_list_texts.new_time_sentence(going, unconfirmed),
        "new_time_unconfirmed": await host_list.new_time_unconfirmed_among(reader, event, ids),
    }


async def _rejected_context(reader: Reader, event: Event, attendance_id: str) -> dict[str, object]:
    """The RSVP that the host has just rejected, so that the page can offer to undo it. The page says that a request was
    declined, and that anybody else was removed.
    """
    found = await host_list.entries_by_ids(reader, event.id, [AttendanceId(attendance_id)] if attendance_id else [])
    rejected = [entry for entry in found if entry.status is _Status.REJECTED]
    if not rejected:
        return {"rejected": None}
    names = await shown_names(reader, [rejected[0].user_id])
    rejection = await history.latest_change_to(reader, rejected[0].attendance_id, _Status.REJECTED)
    return {
        "rejected": rsvp_list_texts.text_of(rejected[0], names),
        "was_request": rejection is not None and rejection.before is _Status.PENDING,
    }


async def _approved_context(reader: Reader, event: Event, host: UserId, approved: str) -> dict[str, object]:
    """What the host has just approved, so that the page can offer to undo it, and how much of it is unchanged."""
    batch = ApprovalBatch.parse(approved)
    return {
        "approved": batch,
        "approved_number": await approval_undo.count_unchanged(reader, event, host, batch),
    }


@dataclass(frozen=True, slots=True)
class _ShownTab:
    """A tab of the page. ``number``: how many RSVPs it lists."""

    name: str
    label: LazyText
    number: int
    is_current: bool


def _shown_tabs(
    rsvps_by_status: Mapping[AttendanceStatus, int],
    tab: str,
    *,
    is_search: bool,
    needs_approval: bool,
    is_over_or_cancelled: bool,
) -> list[_ShownTab]:
    """The tabs that list an RSVP or always exist. Events that do not need approval have no tab for requests unless there
    are any, and there is one for invitations only if some are unanswered.
    """
    numbers = {name: sum(rsvps_by_status[status] for status in one.statuses) for name, one in _TABS.items()}
    is_shown_if_empty = {"asking": needs_approval, "invited": False}
    return [
        _ShownTab(
            name,
            _WERE_GOING if is_over_or_cancelled and name == "going" else one.label,
            numbers[name],
            is_current=name == tab and not is_search,
        )
        for name, one in _TABS.items()
        if numbers[name] or tab == name or is_shown_if_empty.get(name, True)
    ]


def _attendees_path(slug: EventSlug, **parameters: str) -> str:
    query = urlencode({name: value for name, value in parameters.items() if value})
    return f"{event_path(slug)}/attendees" + (f"?{query}" if query else "")
