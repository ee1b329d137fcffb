"""Video call links and dial-in details in events from other programs.

Anyone who has such a link can join the call. It is therefore removed from the public text and stored for attendees
only.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from openmeet.domain.events.inputs import is_web_address
from openmeet.domain.icalendar.html_text import target_of

# Properties used only for calls, in order of precedence.
OWN_PROPERTIES: Final = (
    "X-GOOGLE-CONFERENCE",
    "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    "X-MICROSOFT-ONLINEMEETINGCONFLINK",
)
# Values of LOCATION that do not name a place.
NO_PLACE: Final = frozenset(
    {"online", "virtual", "zoom", "zoom meeting", "google meet", "microsoft teams", "microsoft teams meeting", "webex"}
)

_KNOWN: Final = tuple(
    (re.compile(host), re.compile(path))
    for host, path in (
        (r"meet\.google\.com", r"/[a-z]{3,4}-[a-z]{3,4}-[a-z]{3,4}"),
        (r"(?:[a-z0-9-]+\.)*(?:zoom\.us|zoomgov\.com)", r"/(?:j|my|w|s)/.+"),
        (r"teams\.microsoft\.com", r"/(?:l/meetup-join|meet)/.+"),
        (r"teams\.live\.com", r"/meet/.+"),
        (r"(?:[a-z0-9-]+\.)+webex\.com", r"/.+"),
        (r"meet\.jit\.si", r"/.+"),
        (r"(?:www\.)?whereby\.com", r"/.+"),
        (r"(?:bbb|bigbluebutton)[a-z0-9.-]*", r"/(?:b/|rooms/).+"),
        (r"[a-z0-9.-]+", r"(?:/index\.php)?/call/[a-z0-9]{6,}"),
        (r"[a-z0-9.-]+", r"/rooms/[a-z0-9-]+/join"),
    )
)
_ADDRESS = re.compile(r"https://[^\s<>\"`)\]]+")
_FENCE = re.compile(r"[-:~_=*]{12,}")
_BEGINNING = re.compile(
    r"Join with Google Meet\b|This event has a video call\b|Microsoft Teams [Mm]eeting\b"
    r"|.{0,200}\bis inviting you to a scheduled Zoom meeting\b|Join Zoom Meeting\b|Join Microsoft Teams Meeting\b"
)
# Lines that belong to a call's dial-in block.
_DETAIL = re.compile(
    r"(?:(?:Meeting|Conference|Phone Conference|Webinar|Meeting-)\s?ID|PIN|Pass ?code|Password|Kenncode"
    r"|Or dial|Dial.in|Join by phone|One tap mobile|Find your local number|More phone numbers|More joining options"
    r"|Learn more about Meet|Join on your computer|Click here to join|Join the meeting|Join:|Join with|Need help\?"
    r"|Meeting options|Please do not edit this section|Topic:|Time:|View your event at|For organizers)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class CallLink:
    """A video call found in a text.

    ``address``: the URL of the call. ``text``: the text without the lines about the call. ``cut``: the removed lines.
    """

    address: str
    text: str
    cut: tuple[str, ...]


def is_call(address: str, own_hosts: Collection[str] = ()) -> bool:
    """Whether the address is a call link of a known service or a path on one of the operator's own hosts."""
    parts = _parts(address)
    if parts is None:
        return False
    is_own = parts[0] in own_hosts and len(parts[1]) > 1
    return is_own or any(host.fullmatch(parts[0]) and path.fullmatch(parts[1]) for host, path in _KNOWN)


def call_of(
    own: Iterable[str],
    conferences: Iterable[tuple[str, str]],
    location: str,
    url: str,
    text: str,
    own_hosts: Collection[str] = (),
) -> CallLink | None:
    """Find the call of an event.

    ``own``: values of ``OWN_PROPERTIES``. ``conferences``: values of CONFERENCE with their FEATURE (RFC 7986, 5.11).
    ``url`` is usually the event's page, and ``text`` may contain many URLs, so in these two only known call links
    count. ``own_hosts``: host names of the operator's own call servers (``OPENMEET_CALL_HOSTS``), in lower case.
    """
    by_feature = sorted(conferences, key=lambda one: 0 if "VIDEO" in one[0].upper() else 1)
    sure = [*own, *(address for _, address in by_feature), location.strip()]
    call_url = next((one for one in map(target_of, sure) if _parts(one) is not None), None)
    if call_url is None:
        written = _ADDRESS.findall(location) + _ADDRESS.findall(text)
        others = [url.strip(), *(target_of(one.rstrip(".,;:!?")) for one in written)]
        call_url = next((one for one in others if is_call(one, own_hosts)), None)
    if call_url is None:
        return None
    remaining_text, cut = without_call(text, call_url)
    return CallLink(call_url, remaining_text, cut)


def without_call(text: str, address: str) -> tuple[str, tuple[str, ...]]:
    """Remove the block about a call and every other line with its address. Return the text and the removed lines."""
    lines = text.split("\n")
    removed = _block(lines)
    bare = address.partition("://")[2].partition("?")[0]
    for number, line in enumerate(lines):
        if bare and bare in _plain(line):
            removed.add(number)
    if removed:
        removed |= _beside(lines, removed)
    remaining_text = "\n".join(line for number, line in enumerate(lines) if number not in removed)
    cut = tuple(_plain(lines[number]).strip() for number in sorted(removed))
    return re.sub(r"\n{3,}", "\n\n", remaining_text).strip(), tuple(
        line for line in cut if line and not _FENCE.fullmatch(line)
    )


def _block(lines: Sequence[str]) -> set[int]:
    """Line numbers of the block about a call, from its opening fence or first line to its end. Empty if there is no
    such block.
    """
    plain = [_plain(line).strip() for line in lines]
    begins = next((number for number, line in enumerate(plain) if _BEGINNING.match(line)), None)
    if begins is None:
        return set()
    fences = [number for number, line in enumerate(plain) if line and _FENCE.fullmatch(line)]
    before = [number for number in fences if number < begins and not any(plain[number + 1 : begins])]
    if before:
        end = next((number for number in fences if number > begins), len(lines) - 1)
        return set(range(before[-1], end + 1))
    if "Zoom" in plain[begins]:
        return set(range(begins, len(lines)))
    end = begins
    while end + 1 < len(lines) and (plain[end + 1] or (end + 2 < len(lines) and _DETAIL.match(plain[end + 2]))):
        end += 1
    return set(range(begins, end + 1))


def _beside(lines: Sequence[str], gone: set[int]) -> set[int]:
    """Line numbers of further call details next to removed lines, with only such details and empty lines in between."""
    adjacent: set[int] = set()
    for numbers in (range(len(lines)), range(len(lines) - 1, -1, -1)):
        is_beside = False
        for number in numbers:
            plain = _plain(lines[number]).strip()
            if number in gone:
                is_beside = True
            elif plain and _DETAIL.match(plain) is None:
                is_beside = False
            elif plain and is_beside:
                adjacent.add(number)
    return adjacent


def _plain(line: str) -> str:
    return line.replace("\\", "").replace("**", "")


def _parts(address: str) -> tuple[str, str] | None:
    """Host and path of a possible call link. None unless it is an https URL without user information."""
    if not (address.startswith("https://") and is_web_address(address)):
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.username is not None or parts.password is not None:
        return None
    return (parts.hostname or "").lower(), parts.path
