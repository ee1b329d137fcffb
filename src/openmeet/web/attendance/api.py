"""RSVPs as JSON: the caller's own, and those of guests by e-mail."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.database.transaction import Reader, Transaction
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.attendance import actions, history, queries, visibility, waitlist
from openmeet.domain.attendance.model import (
    Attendance,
    AttendanceMode,
    AttendanceStatus,
    ChangeChannel,
    HistoryEntry,
    ReplyDetails,
    RsvpReply,
)
from openmeet.domain.attendance.registration import MAX_QUESTIONS
from openmeet.domain.events.queries import lock_by_slug
from openmeet.domain.guest_rsvps import actions as guest_rsvp_actions
from openmeet.domain.paging import Page
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users.actions import check_name
from openmeet.domain.users.model import Caller
from openmeet.i18n.formatting import iso
from openmeet.web.api.etags import IF_MATCH, etag_of, require_match
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.site.caller import caller_of
from openmeet.web.site.rate_limits import spend_on
from openmeet.web.site.slugs import event_slug_of
from openmeet.web.site.tenant_routing import database_of

ModeName = Literal["in_person", "online"]
ChannelName = Literal["page", "api", "mail", "network", "host", "clock", "group"]

# The three replies, and synonyms that older clients send.
ReplyName = Literal["going", "interested", "declined", "attending", "confirmed", "maybe", "cancelled", "waitlist"]

_REPLIES = {
    "going": RsvpReply.GOING,
    "attending": RsvpReply.GOING,
    "confirmed": RsvpReply.GOING,
    "waitlist": RsvpReply.GOING,
    "interested": RsvpReply.INTERESTED,
    "maybe": RsvpReply.INTERESTED,
    "declined": RsvpReply.DECLINED,
    "cancelled": RsvpReply.DECLINED,
}


class FormResponseById(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A response to one of the host's questions."""

    question_id: str
    answer: str


class AnswerInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The caller's RSVP. ``going`` joins the waitlist if the event is full, and accepts a place that was offered.

    ``party`` is the number of people including the caller. ``mode`` is how they take part in a hybrid event. While
    ``skipBlueskySync`` is true, nothing is written to the caller's repository, and an existing record stays as it is.

    Fields left out are unchanged. In a first RSVP to a date of a series, they are as in the caller's latest ``going`` to
    another date, also one that waits for a place or for approval, but the party is reduced to what this date allows. In
    any other first RSVP, ``skipBlueskySync`` is then false.
    """

    reply: ReplyName
    party: int | None = None
    mode: ModeName | None = None
    guest_names: list[str] | None = None
    answers: list[FormResponseById] | None = None
    is_private: bool | None = None
    skip_bluesky_sync: bool | None = None


class AnswerOutput(msgspec.Struct, rename="camel"):
    """The resulting RSVP. ``waitingBefore`` is the number of people ahead of the caller on the waitlist. It is null if
    the caller is not on it.

    ``offeredUntil`` is the time until which an offered place is held for the caller; it is null if none is offered.
    ``pendingFor`` says why a pending RSVP does not take a place yet: a host has to approve it (``approval``), no host has
    confirmed an RSVP that came from another app (``apart``), or its record has a status that is not known (``unclear``).
    """

    id: str
    status: AttendanceStatus
    waiting_before: int | None
    record_uri: str | None
    answered_at: str
    party: int
    mode: ModeName | None
    guest_names: list[str]
    answers: list[FormResponseById]
    is_private: bool
    offered_until: str | None
    pending_for: Literal["approval", "apart", "unclear"] | None


class ChangeOutput(msgspec.Struct, rename="camel"):
    """One change of an RSVP. ``actorId`` is null if nobody made it by hand: a record, the deletion of
    the person’s AT Protocol account, the scheduler, a lower limit, leaving a group or a moderator’s block.
    """

    status: AttendanceStatus
    status_before: AttendanceStatus | None
    party: int
    mode: ModeName | None
    is_offered: bool
    through: ChannelName
    actor_id: str | None
    changed_at: str


class History(msgspec.Struct, rename="camel"):
    """One page of the changes of one RSVP, oldest first; ``cursor`` is null on the last page."""

    changes: list[ChangeOutput]
    cursor: str | None


class GuestAnswerInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """An RSVP without an account. It takes effect once the link in the e-mail is confirmed."""

    email: str
    display_name: str
    reply: ReplyName
    party: int | None = None
    mode: ModeName | None = None
    guest_names: list[str] | None = None
    answers: list[FormResponseById] | None = None


class GuestAnswerOutput(msgspec.Struct, rename="camel"):
    """The time at which the link in the e-mail expires. The response is the same for known and unknown addresses."""

    expires_at: str


async def put_answer(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, AnswerInput)
    slug = event_slug_of(request)

    async def work(tx: Transaction) -> Response:
        await _require_match(request, tx, caller)
        saved = await actions.answer(
            tx, caller, slug, reply_of(body.reply), _reply_details(body), through=ChangeChannel.API
        )
        people_ahead = await _people_ahead(tx, saved)
        return json_response(_answer_output(saved, people_ahead, tx), headers=etag_of(saved.revision))

    return await database_of(request).batch(work, key=slug)


async def show_answer(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        own_rsvp = await visibility.own_rsvp(reader, event_slug_of(request), caller_of(request).user_id)
        people_ahead = await _people_ahead(reader, own_rsvp)
        return json_response(_answer_output(own_rsvp, people_ahead, reader), headers=etag_of(own_rsvp.revision))


async def show_history(request: Request) -> Response:
    page = paging(request)
    async with database_of(request).reader() as reader:
        own_rsvp = await visibility.own_rsvp(reader, event_slug_of(request), caller_of(request).user_id)
        changes = await history.of_rsvp(reader, own_rsvp.id, page)
    return json_response(history_output(page, changes))


async def request_guest_answer(request: Request) -> Response:
    body = await read_json(request, GuestAnswerInput)
    email, name = check_email(body.email), check_name(body.display_name)
    await spend_on(request, guest_rsvp_actions.GUEST_EMAIL_LIMIT)
    async with database_of(request).transaction() as tx:
        guest_rsvp = await guest_rsvp_actions.request_rsvp(
            tx,
            event_slug_of(request),
            email=email,
            display_name=name,
            reply=reply_of(body.reply),
            reply_details=_reply_details(body),
        )
    return json_response(GuestAnswerOutput(iso(guest_rsvp.expires_at)), 202)


def history_output(page: Page, changes: Sequence[HistoryEntry]) -> History:
    """A page of the history."""
    shown_changes, cursor = page.cut(changes, lambda one: one.position)
    return History([change_output(one) for one in shown_changes], cursor)


def reply_of(name: ReplyName) -> RsvpReply:
    """The reply that a name in a request means. Several names can mean the same reply."""
    return _REPLIES[name]


def change_output(entry: HistoryEntry) -> ChangeOutput:
    """One history entry as JSON."""
    return ChangeOutput(
        entry.after,
        entry.before,
        entry.party,
        entry.mode.value if entry.mode else None,
        entry.is_offered,
        entry.through.value,
        entry.actor_id,
        iso(entry.changed_at),
    )


def _reply_details(body: AnswerInput | GuestAnswerInput) -> ReplyDetails:
    return ReplyDetails(
        party=body.party,
        mode=AttendanceMode(body.mode) if body.mode else None,
        companion_names=None if body.guest_names is None else tuple(body.guest_names),
        form_responses=None if body.answers is None else {one.question_id: one.answer for one in body.answers},
        is_private=body.is_private if isinstance(body, AnswerInput) else None,
        skips_record=body.skip_bluesky_sync if isinstance(body, AnswerInput) else None,
    )


async def _require_match(request: Request, tx: Transaction, caller: Caller) -> None:
    """Lock the event, so that the caller's RSVP cannot change during the request, then check ``If-Match`` against it."""
    if "if-match" in request.headers:
        event = await lock_by_slug(tx, event_slug_of(request))
        own_rsvp = await queries.find(tx, event.id, caller.user_id) if event else None
        require_match(request, own_rsvp.revision if own_rsvp else None)


async def _people_ahead(reader: Reader, own_rsvp: Attendance) -> int | None:
    return None if own_rsvp.waitlist_number is None else await waitlist.people_ahead(reader, own_rsvp)


def _answer_output(rsvp: Attendance, people_ahead: int | None, reader: Reader) -> AnswerOutput:
    until = rsvp.offered_until
    return AnswerOutput(
        rsvp.id,
        rsvp.status,
        people_ahead,
        rsvp.record_uri,
        iso(rsvp.answered_at),
        rsvp.party,
        rsvp.mode.value if rsvp.mode else None,
        list(rsvp.companion_names),
        [FormResponseById(name, text) for name, text in rsvp.form_responses.items()],
        rsvp.is_private,
        iso(until) if until is not None and rsvp.has_offer(reader.now) else None,
        rsvp.pending_for.value if rsvp.pending_for else None,
    )


OPERATIONS = (
    ApiOperation(
        "PUT",
        "/api/events/{slug}/answer",
        "putAnswer",
        "Answer an event. Repeating the answer after the event has moved confirms the new time",
        put_answer,
        {200: AnswerOutput},
        AnswerInput,
        (IF_MATCH,),
        failures=(404, 412, 422),
    ),
    ApiOperation(
        "GET",
        "/api/events/{slug}/answer",
        "showAnswer",
        f"Your own answer, with the responses to the host’s questions, at most {MAX_QUESTIONS}",
        show_answer,
        {200: AnswerOutput},
        failures=(404,),
    ),
    ApiOperation(
        "GET",
        "/api/events/{slug}/answer/history",
        "showAnswerHistory",
        "The history of your answer",
        show_history,
        {200: History},
        parameters=(CURSOR, LIMIT),
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        "/api/events/{slug}/guest-answers",
        "askToConfirmAnswer",
        "Answer without an account. A link in an e-mail confirms it",
        request_guest_answer,
        {202: GuestAnswerOutput},
        GuestAnswerInput,
        needs_session=False,
        failures=(404, 422, 429),
    ),
)
