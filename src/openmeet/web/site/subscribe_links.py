"""Addresses by which a calendar feed is subscribed to with one click.

``webcal:`` is what Apple Calendar, Thunderbird and most other programs open. Google Calendar takes a ``webcal:`` address in ``cid``, and
none with ``https:``. Outlook's ``addfromweb`` is widely used and not documented; it fetches the ``https:`` address itself.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

# Beside Google's button: how late its copy is, and nobody can hurry it.
GOOGLE_HOURS = "updates in 8–24 hours"


@dataclass(frozen=True, slots=True)
class FeedLinks:
    """One feed. ``address`` is the feed itself, to be copied; the others open it in a calendar."""

    address: str
    webcal: str
    google: str
    outlook: str
    office: str


def subscription(address: str, name: str) -> FeedLinks:
    """``address``: the whole address of the feed (``http:`` or ``https:``), its query included. ``name``: what Outlook calls it."""
    _, _, rest = address.partition("://")
    webcal = f"webcal://{rest}"
    asked = urlencode({"url": address, "name": name}, quote_via=quote)
    return FeedLinks(
        address,
        webcal,
        f"https://calendar.google.com/calendar/r?cid={quote(webcal, safe='')}",
        f"https://outlook.live.com/calendar/0/addfromweb?{asked}",
        f"https://outlook.office.com/calendar/0/addfromweb?{asked}",
    )
