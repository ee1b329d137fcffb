"""What an event says beside what, when and where, as JSON, in and out: bases of ``shapes``."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from openmeet.domain.events import time_words
from openmeet.domain.events.disclosure import PrivateDetails
from openmeet.domain.events.model import Event
from openmeet.web.media.schemas import PictureShown, picture_shown

AudienceName = Literal["attendees", "everyone"]
CategoryName = Literal[
    "arts",
    "books",
    "business",
    "community",
    "crafts",
    "dance",
    "faith",
    "family",
    "film",
    "food",
    "games",
    "health",
    "languages",
    "learning",
    "music",
    "outdoors",
    "politics",
    "science",
    "sports",
    "technology",
]
AccessName = Literal[
    "step_free",
    "accessible_toilet",
    "parking",
    "seating",
    "hearing_loop",
    "sign_language",
    "captions",
    "quiet_room",
    "assistance_dogs",
    "companion_free",
]


class AboutWanted(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """``isAllDay``: the start and the end are days, the first and the last. ``onlineUrlFrom``: minutes before the start."""

    is_all_day: bool = False
    place_audience: AudienceName = "everyone"
    online_url_from: int | None = None
    door_note: str = ""
    door_audience: AudienceName = "attendees"
    ticket_url: str = ""
    price: str = ""
    access: list[AccessName] = []
    access_note: str = ""
    categories: list[CategoryName] = []
    tags: list[str] = []
    languages: list[str] = []

    def typed(self) -> dict[str, str]:
        """Fields of ``rules.Submission`` for them."""
        return {
            "all_day": "yes" if self.is_all_day else "",
            "place_audience": self.place_audience,
            "online_url_from": "" if self.online_url_from is None else str(self.online_url_from),
            "door_note": self.door_note,
            "door_audience": self.door_audience,
            "ticket_url": self.ticket_url,
            "price": self.price,
            "access": ",".join(self.access),
            "access_note": self.access_note,
            "categories": ",".join(self.categories),
            "tags": ",".join(self.tags),
            "languages": ",".join(self.languages),
        }


_LISTS = frozenset({"access", "categories", "tags", "languages"})


class AboutEdit(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """The same where only some of it changes; what is left out stays."""

    place_audience: AudienceName | UnsetType = UNSET
    online_url_from: int | UnsetType | None = UNSET
    door_note: str | UnsetType = UNSET
    door_audience: AudienceName | UnsetType = UNSET
    ticket_url: str | UnsetType = UNSET
    price: str | UnsetType = UNSET
    access: list[AccessName] | UnsetType = UNSET
    access_note: str | UnsetType = UNSET
    categories: list[CategoryName] | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    languages: list[str] | UnsetType = UNSET

    def typed(self) -> dict[str, str]:
        """Fields of ``rules.Submission`` that were sent."""
        sent = {name: getattr(self, name) for name in AboutEdit.__struct_fields__}
        return {
            name: ",".join(value) if name in _LISTS else "" if value is None else str(value)
            for name, value in sent.items()
            if value is not UNSET
        }


class SaidOfDates(msgspec.Struct, kw_only=True, rename="camel"):
    """What every date of a series says, unless it says otherwise. ``doorNote`` is for its host."""

    is_all_day: bool
    place_audience: AudienceName
    online_url_from: int | None
    door_note: str | None
    door_audience: AudienceName
    ticket_url: str | None
    price: str
    access: list[AccessName]
    access_note: str
    categories: list[CategoryName]
    tags: list[str]
    languages: list[str]


class AboutShown(msgspec.Struct, kw_only=True, rename="camel"):
    """``startsOn`` and ``endsOn`` are the first and the last day of what takes whole days, else null.

    ``venue`` and ``doorNote`` are what the caller may see: ``hidesPlace``, ``hidesLink`` and ``hidesDoor`` say that there is more.
    """

    is_all_day: bool
    starts_on: str | None
    ends_on: str | None
    place_audience: AudienceName
    hides_place: bool
    online_url_from: int | None
    hides_link: bool
    door_note: str | None
    door_audience: AudienceName
    hides_door: bool
    picture: PictureShown | None
    ticket_url: str | None
    price: str
    access: list[AccessName]
    access_note: str
    categories: list[CategoryName]
    tags: list[str]
    languages: list[str]


def about_shown(event: Event, private: PrivateDetails, public_url: str) -> dict[str, Any]:
    """The fields of ``AboutShown``."""
    days = time_words.days_of(event)
    return {
        "is_all_day": event.is_all_day,
        "starts_on": days and days[0].isoformat(),
        "ends_on": days and days[1].isoformat(),
        "place_audience": event.place_audience.value,
        "hides_place": private.hides_place,
        "online_url_from": event.online_url_from,
        "hides_link": private.hides_link,
        "door_note": private.door_note or None,
        "door_audience": event.door_audience.value,
        "hides_door": private.hides_door,
        "picture": picture_shown(event.picture, public_url),
        "ticket_url": event.tickets.url or None,
        "price": event.tickets.price,
        "access": [one.value for one in event.accessibility.features],
        "access_note": event.accessibility.note,
        "categories": [one.value for one in event.categories],
        "tags": list(event.tags),
        "languages": list(event.languages),
    }
