"""Poll form: a question and 2 to 10 choices, which can be dates of the series."""

import secrets
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import Conflict, Forbidden, InvalidForm, InvalidInput, TooMany
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.chat import messages, polls, readers, rooms
from openmeet.domain.chat.access import require_at_least
from openmeet.domain.chat.model import MAX_TEXT, Access, MessageKind, NewMessage, RoomKind
from openmeet.domain.chat.polls import MOST_CHOICES
from openmeet.domain.chat.room_queries import chain_of
from openmeet.domain.series import date_queries
from openmeet.domain.series.model import SeriesId
from openmeet.i18n.catalogue import lazy
from openmeet.recurrence.wall_time import instant_of, parse_local
from openmeet.web.chat import view
from openmeet.web.chat.requests import spend_on_message, spend_on_opening
from openmeet.web.chat.room_pages import Find, RoomPage
from openmeet.web.site.caller import caller_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.tenant_routing import database_of

_LABELS: Final = {
    "text": lazy("Question"),
    "choices": lazy("Choices"),
    "dates": lazy("Dates"),
    "ends_at": lazy("Voting ends"),
}


async def show_poll_form(find: Find, request: Request) -> Response:
    return await _poll_page(find, request, FormState({}))


async def send_poll(find: Find, request: Request) -> Response:
    """Post the poll. Creates the room if this is its first message."""
    caller, form = caller_of(request), await read_form(request)
    try:
        async with database_of(request).reader() as reader:
            room_page = await find(reader, request)
        await spend_on_message(request, caller.user_id, room_page.room.id if room_page.room else None)
        if room_page.room is None:
            await spend_on_opening(request, caller.user_id)
        async with database_of(request).transaction() as tx:
            room = room_page.room.id if room_page.room else (await rooms.open_room(tx, caller, room_page.target))[0].id
            details = await polls.checked_poll(
                tx,
                room,
                [line for line in form.get("choices", "").splitlines() if line.strip()],
                dates=[name.removeprefix("date_") for name in form if name.startswith("date_")],
                several=bool(form.get("several")),
                ends_at=_poll_end(form.get("ends_at", ""), room_page.time_zone),
            )
            message, _ = await messages.send(
                tx,
                caller,
                room,
                NewMessage(
                    text=form.get("text", ""),
                    client_id=form.get("submission") or None,
                    kind=MessageKind.POLL,
                    details=details,
                ),
            )
            await readers.move_mark(tx, room, caller.user_id, message.number)
    except InvalidForm as wrong:
        # The field has a different name in JSON.
        problems = {"ends_at" if name == "endsAt" else name: why for name, why in wrong.problems.items()}
        return await _poll_page(find, request, form_with_problems(form, InvalidForm(problems)), 400)
    except (Conflict, Forbidden, TooMany) as refused:
        status = {Conflict: 409, Forbidden: 403}.get(type(refused), 429)
        return await _poll_page(find, request, FormState(form, {"": refused.why}), status)
    return go(f"{room_page.page()}#m{message.number}")


def _poll_end(text: str, zone: str) -> Instant | None:
    """The end of the poll, which the form has in the event's local time. Raises InvalidForm (``endsAt``)."""
    if not text:
        return None
    try:
        return instant_of(parse_local(text, "endsAt"), zone)
    except InvalidInput as wrong:
        raise InvalidForm({"endsAt": wrong.why}) from None


async def _poll_page(find: Find, request: Request, form_state: FormState, status: int = 200) -> Response:
    caller_of(request)
    async with database_of(request).reader() as reader:
        room_page = await find(reader, request)
        require_at_least(room_page.access, Access.READ)
        dates = await _next_dates(reader, room_page)
    context = {
        "place": room_page,
        "typed": form_state,
        "labels": _LABELS,
        "dates": dates,
        "most": MOST_CHOICES,
        "max_text": MAX_TEXT,
        # A form that is sent again after an error is a new submission.
        "submission": secrets.token_urlsafe(16),
    }
    return page(request, "chat/poll.html", context, status=status)


async def _next_dates(reader: Reader, room_page: RoomPage) -> list[tuple[str, str, str]]:
    """The next dates of the series: the name of the form field, the date in words, and an empty hint."""
    if room_page.target.kind is not RoomKind.SERIES:
        return []
    parts = await chain_of(reader, SeriesId(room_page.target.subject.id))
    upcoming_dates = [one.place_in_series for one in await date_queries.upcoming_of(reader, parts)]
    names = [one.original_date for one in upcoming_dates if one is not None][:MOST_CHOICES]
    return [(f"date_{name}", view.occurrence_label(name, reader.now, room_page.time_zone), "") for name in names]
