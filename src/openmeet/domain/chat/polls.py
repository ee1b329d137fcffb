"""Polls: validate and parse their choices, count their votes. A choice is a line of text, or a date of the series."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from groundwork.clock import Instant
from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, Why
from openmeet.domain.chat import room_queries
from openmeet.domain.chat.date_headings import checked_heading
from openmeet.domain.chat.model import ChatMessageId, RoomId
from openmeet.domain.chat.reasons import ChatReason
from openmeet.domain.chat.texts import checked_line
from openmeet.domain.users.erasure_requests import is_leaving
from openmeet.domain.users.model import UserId

FEWEST_CHOICES, MAX_CHOICES = 2, 10
MAX_CHOICE = 100


@dataclass(frozen=True, slots=True)
class PollChoice:
    """``date`` is an original date of the series (``2026-03-03T18:00:00``); ``text`` is then the same."""

    text: str
    date: str | None


@dataclass(frozen=True, slots=True)
class Poll:
    """The choices of a poll, in the order of their numbers. ``ends_at`` is None if its author ends it."""

    choices: tuple[PollChoice, ...]
    several: bool
    ends_at: Instant | None

    def is_over(self, now: Instant) -> bool:
        return self.ends_at is not None and self.ends_at <= now


def poll_in(details: Mapping[str, object]) -> Poll | None:
    """The poll described by the stored details of a message. None if the message is not a poll, or was removed."""
    texts, dates, ends_at = details.get("choices"), details.get("dates"), details.get("endsAt")
    if not isinstance(texts, list):
        return None
    names = set(dates) if isinstance(dates, list) else set()
    return Poll(
        tuple(PollChoice(str(text), str(text) if text in names else None) for text in texts),
        bool(details.get("several")),
        Instant(ends_at) if isinstance(ends_at, int) else None,
    )


async def checked_poll(
    reader: Reader,
    room_id: RoomId,
    choices: Sequence[str],
    *,
    dates: Sequence[str] = (),
    several: bool,
    ends_at: Instant | None,
) -> Mapping[str, object]:
    """Validate the choices and return the details of a poll’s message: dates first, then texts. Raises InvalidForm
    (``choices``, ``dates``, ``endsAt``).
    """
    problems: dict[str, Why] = {}
    names = await _checked_dates(reader, room_id, dates[: MAX_CHOICES + 1], problems)
    lines = [
        checked_line(one, "choices", MAX_CHOICE, problems, too_long=ChatReason.TEXT_TOO_LONG_FOR_CHOICE)
        for one in choices[: MAX_CHOICES + 1]
    ]
    both = [*names, *lines]
    if not FEWEST_CHOICES <= len(both) <= MAX_CHOICES or not all(both) or len(set(both)) < len(both):
        problems.setdefault("choices", ChatReason.CHOICES_OUT_OF_RANGE(least=FEWEST_CHOICES, most=MAX_CHOICES))
    if ends_at is not None and ends_at <= reader.now:
        problems["endsAt"] = ChatReason.MOMENT_OVER
    if problems:
        raise InvalidForm(problems)
    details: dict[str, object] = {"choices": both, "several": several}
    if names:
        details["dates"] = names
    if ends_at is not None:
        details["endsAt"] = int(ends_at)
    return details


async def _checked_dates(reader: Reader, room_id: RoomId, dates: Sequence[str], problems: dict[str, Why]) -> list[str]:
    room = await room_queries.by_id(reader, room_id) if dates else None
    names: list[str] = []
    try:
        for one in dates:
            name = None if room is None else await checked_heading(reader, room, one)
            if name is not None:
                names.append(name)
    except InvalidForm as wrong:
        problems["dates"] = wrong.problems["about"]
    return names


async def votes_of(reader: Reader, ids: Collection[ChatMessageId]) -> dict[ChatMessageId, dict[int, int]]:
    """The number of votes for each choice of these polls."""
    counts, _ = await votes(reader, ids, None)
    return counts


async def votes(
    reader: Reader, ids: Collection[ChatMessageId], viewer: UserId | None
) -> tuple[dict[ChatMessageId, dict[int, int]], dict[ChatMessageId, list[int]]]:
    """The number of votes for each choice of these polls, and the viewer's own choices."""
    if not ids:
        return {}, {}
    rows = await reader.fetch(
        f"""
        select message_id, choice, count(*) as number, max(case when user_id = cast(:viewer as text) then 1 else 0 end)
            as mine
          from chat_votes v where message_id in :ids and not {is_leaving("v.user_id")}
         group by message_id, choice order by message_id, choice
        """,
        ids=sorted(ids),
        viewer=viewer,
    )
    counts: dict[ChatMessageId, dict[int, int]] = {}
    own_choices: dict[ChatMessageId, list[int]] = {}
    for row in rows:
        message = ChatMessageId(row["message_id"])
        counts.setdefault(message, {})[row["choice"]] = row["number"]
        if row["mine"]:
            own_choices.setdefault(message, []).append(row["choice"])
    return counts, own_choices
