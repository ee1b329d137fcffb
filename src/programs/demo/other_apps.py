"""Events that neighbours of the demo town created in other apps: records in their own repositories, which the site
reads.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from at_network.bearer_session import create_session
from at_network.xrpc_client import XrpcClient
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT
from programs.dev_accounts import DevAccount

_EVENT: Final = "community.lexicon.calendar.event"
_PROFILE: Final = "app.bsky.actor.profile"


class OtherAppEvent(NamedTuple):
    """An event that somebody created in another app. ``days``: days from today. ``hour``: in UTC."""

    name: str
    text: str
    days: int
    hour: int
    place: tuple[str, str]
    status: str = "scheduled"


# By the index of the author among the people of the development network. The first of them operates the site.
EVENTS: Final[tuple[tuple[int, OtherAppEvent], ...]] = (
    (1, OtherAppEvent("AT Protocol meetup: whose data is it?", ("Three short talks, then pizza. Newcomers sit in "
        "front."), 4, 18, ("Werkhof 47", "Skalitzer Straße 47"))),
    (1, OtherAppEvent("Fotowalk: Brutalismus am Mehringplatz", ("Zwei Stunden Beton. Jede Kamera zählt, auch die im "
        "Telefon."), 9, 13, ("Mehringplatz, U-Bahn", "Mehringplatz 1"))),
    (1, OtherAppEvent("Coffee for people who moved here this year", ("No agenda. The table with the orange "
        "balloon."), 2, 9, ("Café Morgenlicht", "Kastanienallee 85"), "rescheduled")),
    (2, OtherAppEvent("Open rehearsal: string quartet", "Schubert, interrupted by questions.", 6, 17, ("Gemeindesaal St. Anna", "Boxhagener Straße 40"))),
    (2, OtherAppEvent("Bouldern für Alleinreisende", ("Wir sichern uns mit Worten. Schuhe kann man "
        "leihen."), 11, 17, ("Turnhalle Oderberg", "Oderberger Straße 57"))),
    (2, OtherAppEvent("Zine fair", ("Forty tables, one copier, coins "
        "preferred."), 16, 12, ("Atelier Süd", "Sonnenallee 98"), "rescheduled")),
    (2, OtherAppEvent("Swap: houseplants", "Bring a cutting, take a jungle.", 20, 14, ("Garten am Gleisdreieck", "Möckernstraße 26"))),
)  # fmt: skip
NAMES: Final = {1: "Ben Sommer", 2: "Cleo Marchetti"}


async def write(clock: Clock, pds_url: str, people: Sequence[DevAccount]) -> None:
    """Sign in as each of these people, as another app would, and write their profile and events."""
    http = HttpClient(DEVELOPMENT)
    try:
        for number, name in NAMES.items():
            client = await _client(http, clock, pds_url, people[number])
            repo = people[number].handle
            profile = {"$type": _PROFILE, "displayName": name}
            await client.procedure(
                "com.atproto.repo.putRecord",
                {"repo": repo, "collection": _PROFILE, "rkey": "self", "record": profile},
            )
            for event in (one for author, one in EVENTS if author == number):
                await client.procedure(
                    "com.atproto.repo.createRecord",
                    {"repo": repo, "collection": _EVENT, "record": _event_record(event, clock.now())},
                )
    finally:
        await http.close()


async def _client(http: HttpClient, clock: Clock, pds_url: str, person: DevAccount) -> XrpcClient:
    tokens = await create_session(http, clock, pds_url, person.handle, person.password)
    return XrpcClient(http, clock, pds_url, credentials=_Bearer(tokens.access))


def _event_record(event: OtherAppEvent, now: int) -> dict[str, object]:
    today = datetime.fromtimestamp(now / 1e6, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = today + timedelta(days=event.days, hours=event.hour)
    name, street = event.place
    return {
        "$type": _EVENT,
        "name": event.name,
        "description": event.text,
        "createdAt": _instant_text(today - timedelta(days=3)),
        "startsAt": _instant_text(starts),
        "endsAt": _instant_text(starts + timedelta(hours=2)),
        "mode": f"{_EVENT}#inperson",
        "status": f"{_EVENT}#{event.status}",
        "locations": [
            {
                "$type": "community.lexicon.location.address",
                "name": name,
                "street": street,
                "locality": "Berlin",
                "country": "DE",
            }
        ],
    }


def _instant_text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class _Bearer:
    """The access token of a session, which is valid for as long as this module needs it."""

    def __init__(self, access: str) -> None:
        self._headers = {"authorization": f"Bearer {access}"}

    async def headers(self, _method: str, _url: str) -> dict[str, str]:
        return self._headers

    async def store_nonce(self, _url: str, _headers: object) -> None:
        """Does nothing, because bearer tokens have no nonce."""

    async def renew(self, _refused: object, _status: int, _error: object) -> bool:
        return False
