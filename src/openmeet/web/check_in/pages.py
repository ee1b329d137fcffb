"""Check-in: the searchable attendee list, typed or scanned codes, and undo. Also the attendee's own ticket and its URL."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.errors import InvalidForm, Refused, TooMany
from groundwork.http.forms import EMPTY, FormState, read_form
from groundwork.rate_limit.contract import Limit
from openmeet.domain.attendance import check_in_times, host_decisions, host_list, rsvp_list_texts
from openmeet.domain.attendance.host_list import HostListFilter
from openmeet.domain.attendance.model import Attendance, AttendanceId, AttendanceMode, AttendanceStatus
from openmeet.domain.attendance.proofs import refusal_of_proof
from openmeet.domain.check_in import tickets as actions
from openmeet.domain.covers.model import tone_for
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.event_access import private_details_for
from openmeet.domain.events.model import Event, EventSlug
from openmeet.domain.events.time_and_place import (
    join_from_label,
    lines_without_own_country,
    removal_notice,
    short_start_label,
)
from openmeet.domain.events.values import Mode
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import Size
from openmeet.domain.page_paths import event_path
from openmeet.i18n import formatting
from openmeet.i18n.catalogue import gettext
from openmeet.recurrence import wall_time
from openmeet.web.media.drawings import qr_code, thumbnail
from openmeet.web.media.subject import subject_of_event
from openmeet.web.site.caller import caller_of
from openmeet.web.site.faces import avatar_of, portraits_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import refund, spend_on
from openmeet.web.site.reader_zone import zone_of
from openmeet.web.site.services import services
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of
from openmeet.web.site.time_tags import span_tags

# Statuses that can be checked in, most likely first.
_OTHERS = (AttendanceStatus.WAITLISTED, AttendanceStatus.PENDING, AttendanceStatus.INTERESTED, AttendanceStatus.INVITED)

_SHOWN = 200

# Per host and event, in ten minutes. Enough for people who come with tickets of other events. Guessing a code of 40 bits
# would still take decades.
WRONG_CODES = Limit("wrong_ticket_codes", 300, 600)

# This is the only page that may use the camera.
_CAMERA = {"permissions-policy": "camera=(self), microphone=(), payment=()", "cache-control": "no-store"}


def routes() -> list[Route]:
    return [
        Route("/events/{slug}/check-in", show, methods=["GET"]),
        Route("/events/{slug}/check-in", check_in, methods=["POST"]),
        Route("/events/{slug}/check-in/undo", undo, methods=["POST"]),
        Route("/events/{slug}/ticket", show_ticket, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    """The page, with the holder of the ticket whose URL leads here."""
    code = request.query_params.get("code", "")
    if not code:
        return await _check_in_page(request, EMPTY)
    try:
        holder = await holder_of_code(request, code)
    except InvalidForm as wrong:
        return await _check_in_page(request, FormState({"code": code}, wrong.problems))
    except TooMany as many:
        return await _check_in_page(request, FormState({"code": code}, {"code": many.why}), status=429)
    return await _check_in_page(request, FormState({"code": code}), holder=holder)


async def holder_of_code(request: Request, code: str) -> AttendanceId:
    """The attendance whose ticket has the code, for a host of the event. Raises NotFound, Forbidden, InvalidForm
    (``code``), and TooMany if this person has entered too many wrong codes for this event.
    """
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller, event_slug_of(request))
    code = actions.check_code(code)
    counted = f"{caller.user_id} {event.id}"
    await spend_on(request, WRONG_CODES, counted)
    try:
        async with database_of(request).reader() as reader:
            attendance_id = await actions.of_code(reader, services(request).code_key, event, code)
    except InvalidForm:
        raise  # a wrong code, which stays counted
    except BaseException:
        await refund(request, WRONG_CODES, counted)
        raise
    await refund(request, WRONG_CODES, counted)
    return attendance_id


async def check_in(request: Request) -> Response:
    """Check in somebody by ticket code, or from a row of the list."""
    caller, slug = caller_of(request), event_slug_of(request)
    form = await read_form(request)
    try:
        selected_id = form.get("attendance", "")
        attendance_id = (
            AttendanceId(selected_id) if selected_id else await holder_of_code(request, form.get("code", ""))
        )
        async with database_of(request).transaction() as tx:
            was_there = attendance_id in await actions.check_in_times_of(tx, [attendance_id])
            saved = await host_decisions.check_in(tx, caller, slug, attendance_id)
    except InvalidForm as wrong:
        return await _check_in_page(request, FormState(form, wrong.problems), status=400)
    except TooMany as many:
        return await _check_in_page(request, FormState(form, {"code": many.why}), status=429)
    except Refused as refused:
        return await _check_in_page(request, FormState(form, {"": refused.why}), status=422)
    query = {"done": saved.id, "q": form.get("q", "")}
    if was_there:
        return go(f"{event_path(slug)}/check-in?{urlencode(query | {'again': '1'})}")
    return go(f"{event_path(slug)}/check-in?{urlencode(query)}")


async def undo(request: Request) -> Response:
    caller, slug = caller_of(request), event_slug_of(request)
    form = await read_form(request)
    async with database_of(request).transaction() as tx:
        await host_decisions.undo_check_in(tx, caller, slug, AttendanceId(form.get("attendance", "")))
    query = urlencode({"q": form.get("q", "")})
    return go(f"{event_path(slug)}/check-in?{query}", flash="check_in_undone")


async def show_ticket(request: Request) -> Response:
    """The caller's own ticket."""
    caller = caller_of(request)
    async with database_of(request).reader() as reader:
        event, own_rsvp = await actions.own_ticket(reader, caller, event_slug_of(request))
        private = await private_details_for(reader, event, caller.user_id, is_going=own_rsvp.is_seated)
        may_have_proof = refusal_of_proof(event, own_rsvp.status, reader.now) is None
    return ticket_page(request, event, own_rsvp, caller.display_name, private, offers_proof=may_have_proof)


def ticket_page(
    request: Request,
    event: Event,
    own_rsvp: Attendance,
    name: str,
    private: PrivateDetails,
    *,
    offers_proof: bool = False,
) -> Response:
    """A ticket for its holder. ``private`` has the place, link and entry instructions that they may see.
    ``offers_proof``: they can make a proof of attendance.

    People who take part online need the link instead of the code.
    """
    code = actions.code_of(services(request).code_key, own_rsvp.id)
    address = ticket_url(services(request).settings.public_url, event.slug, code)
    context = {
        "event": event,
        "code": code,
        "picture": qr_code(address),
        "cover": thumbnail(event.content, Size.SMALL),
        "tone": tone_for(event.content),
        "is_online": event.content.mode is Mode.ONLINE or own_rsvp.mode is AttendanceMode.ONLINE,
        "when": span_tags(event, services(request).clock.now()),
        "removal_notice": removal_notice(event, services(request).clock.now()),
        "zone": zone_of(event),
        "private": private,
        # Its holder comes to the place.
        "place_lines": lines_without_own_country(private.place, event.time_zone),
        "join_from_label": join_from_label(event, private),
        "name": name,
        "party": own_rsvp.party,
        "offers_proof": offers_proof,
    }
    return page(request, "check_in/ticket.html", context, headers={"cache-control": "no-store"})


async def _check_in_page(
    request: Request, form_state: FormState, *, holder: AttendanceId | None = None, status: int = 200
) -> Response:
    """``holder``: the attendance whose ticket was opened."""
    caller = caller_of(request)
    q = (form_state.value("q") or request.query_params.get("q", "")).strip()
    async with database_of(request).reader() as reader:
        event = await host_decisions.find_hosted_event(reader, caller, event_slug_of(request))
        counts, now = await actions.counts(reader, event.id), reader.now
        to_come = HostListFilter((AttendanceStatus.ATTENDING, *(_OTHERS if q else ())), q)
        attendee_filter = HostListFilter((AttendanceStatus.ATTENDED,), q)
        # Hosts look for people who have not arrived yet, so a list that is cut off shows those first. This also helps
        # offline.
        rows = await host_list.entries(reader, event.id, to_come, None, _SHOWN)
        rows += await host_list.entries(reader, event.id, attendee_filter, None, _SHOWN - len(rows))
        done = AttendanceId(request.query_params.get("done", ""))
        single = await host_list.entries_by_ids(reader, event.id, [one for one in (holder, done) if one])
        since = await actions.check_in_times_of(reader, [one.attendance_id for one in (*rows, *single)])
        names = await shown_names(reader, [one.user_id for one in (*rows, *single)])
        portraits = await portraits_of(reader, caller.user_id, [one.user_id for one in (*rows, *single)])
        people = [rsvp_list_texts.text_of(one, names) for one in rows]
        by_id = {one.attendance_id: rsvp_list_texts.text_of(one, names) for one in single}
    context = {
        "event": event,
        "subject": subject_of_event(event, now).page("attendees", gettext("Guests")),
        "closed": check_in_times.why_check_in_is_closed(event, now),
        "counts": counts,
        "is_over": event.is_over(now),
        "people": people,
        "when": short_start_label(event),
        # The colour must not reveal who owns an address.
        "avatars": {
            one.attendance_id: avatar_of(
                one.attendance_id if one.is_named_by_address else one.user_id, one.name, portraits
            )
            for one in (*people, *by_id.values())
        },
        "is_cut": len(rows) == _SHOWN,
        "holder": by_id.get(holder) if holder else None,
        "done": by_id.get(done),
        "is_again": bool(request.query_params.get("again")),
        "since": {key: formatting.clock(wall_time.local_of(at, event.time_zone)) for key, at in since.items()},
        "q": q,
        "typed": form_state if form_state.values or form_state.problems else FormState({"q": q}),
    }
    return page(request, "check_in/check_in.html", context, status=status, headers=_CAMERA)


def ticket_url(public_url: str, slug: EventSlug, code: str) -> str:
    """The URL in a ticket. It shows the holder to the event's hosts, and nothing to everyone else."""
    return f"{public_url}{event_path(slug)}/check-in?code={code}"
