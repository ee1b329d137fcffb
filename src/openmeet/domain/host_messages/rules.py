"""What may be written to whom and when. Pure."""

from collections.abc import Iterable

from groundwork.clock import Instant
from groundwork.errors import InvalidForm
from openmeet.domain.attendance.model import AttendanceStatus
from openmeet.domain.host_messages.model import LONGEST_AHEAD, MAX_TEXT, STATUSES, Addressees


def check(text: str, asked: Iterable[str], send_at: Instant | None, now: Instant) -> tuple[str, tuple[Addressees, ...]]:
    """The text and the addressees as they are kept. Raises InvalidForm (``text``, ``addressees``, ``send_at``)."""
    problems: dict[str, str] = {}
    plain = plain_of(text)
    if not plain:
        problems["text"] = "Write something."
    elif len(plain) > MAX_TEXT:
        problems["text"] = f"At most {MAX_TEXT:,} characters; this has {len(plain):,}."
    words = set(asked)
    found = tuple(one for one in Addressees if one.value in words)
    if words - {one.value for one in Addressees}:
        problems["addressees"] = "Choose from: " + ", ".join(one.value for one in Addressees) + "."
    elif not found:
        problems["addressees"] = "Choose whom it is for."
    if send_at is not None and send_at <= now:
        problems["send_at"] = "This moment is over. Send it now, or choose a later one."
    elif send_at is not None and send_at > now + LONGEST_AHEAD:
        problems["send_at"] = "Choose a moment within a year."
    if problems:
        raise InvalidForm(problems)
    return plain, found


def plain_of(text: str) -> str:
    """What was typed, as it is kept."""
    return text.replace("\r\n", "\n").strip()


def statuses_of(addressees: Iterable[Addressees]) -> list[AttendanceStatus]:
    """The answers of those whom a message is for."""
    return list(dict.fromkeys(status for one in addressees for status in STATUSES[one]))
