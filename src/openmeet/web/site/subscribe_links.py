"""URLs that subscribe to a calendar feed with one click.

Apple Calendar, Thunderbird and most other programs open ``webcal:``. Google Calendar needs a ``webcal:`` URL in ``cid``
and accepts no ``https:``. Outlook's ``addfromweb`` is widely used but undocumented; it fetches the ``https:`` URL
itself.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from openmeet.i18n.catalogue import lazy

# Shown next to Google's button, because Google updates its copy late, and neither the site nor the user can change
# that.
GOOGLE_HOURS = lazy("updates every 8–24 hours")


@dataclass(frozen=True, slots=True)
class FeedLinks:
    """One feed. ``address`` is the feed's URL, for copying. The other URLs open the feed in a calendar."""

    address: str
    webcal: str
    google: str
    outlook: str
    office: str


def subscription(address: str, name: str) -> FeedLinks:
    """The links of a feed. ``address`` is its full URL (``http:`` or ``https:``) with the query. ``name`` is its title
    in Outlook.
    """
    _, _, rest = address.partition("://")
    webcal = f"webcal://{rest}"
    query_string = urlencode({"url": address, "name": name}, quote_via=quote)
    return FeedLinks(
        address,
        webcal,
        f"https://calendar.google.com/calendar/r?cid={quote(webcal, safe='')}",
        f"https://outlook.live.com/calendar/0/addfromweb?{query_string}",
        f"https://outlook.office.com/calendar/0/addfromweb?{query_string}",
    )
