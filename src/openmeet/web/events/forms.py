"""Summaries of the collapsed sections of the event form. Pure."""

from collections.abc import Mapping
from typing import Final

from openmeet.domain.events.vocabulary import ACCESS_WORDS, CATEGORY_WORDS
from openmeet.i18n import names

_NOTHING: Final = "Nothing yet"
_LONGEST: Final = 60

_WHO: Final = {
    "public": "everybody may come",
    "unlisted": "whoever has the address may come",
    "private": "private",
}


def fold_words(typed: Mapping[str, str]) -> dict[str, str]:
    """By section name, one line about the values typed in it, valid or not."""
    return {
        "clock": _listed(["Whole days" if typed.get("all_day") else "", typed.get("time_zone", "").replace("_", " ")]),
        "address": _listed(
            [
                typed.get("street", ""),
                typed.get("postal_code", ""),
                typed.get("region", ""),
                names.name_of(typed.get("country", "")),
                "on the map" if typed.get("point") else "",
            ]
        ),
        "privacy": _listed(
            [
                "Only people who are going see it"
                if typed.get("place_audience") == "attendees"
                else "Everybody sees the address",
                "with how to get in" if typed.get("door_note") else "",
            ]
        ),
        "places": _listed([_limit(typed.get("capacity", "")), _WHO.get(typed.get("visibility", ""), "")]),
        "topics": _listed(
            [
                *(words for one, words in CATEGORY_WORDS.items() if _is_ticked(typed, "categories", one.value)),
                typed.get("tags", ""),
                typed.get("languages", ""),
            ]
        ),
        "tickets": _listed([typed.get("price", ""), "link to tickets" if typed.get("ticket_url") else ""]),
        "accessibility": _listed(
            [
                *(words for one, words in ACCESS_WORDS.items() if _is_ticked(typed, "access", one.value)),
                typed.get("access_note", ""),
            ]
        ),
    }


def _limit(capacity: str) -> str:
    text = capacity.strip()
    return f"{text} {'place' if text == '1' else 'places'}" if text else "No limit"


def _is_ticked(typed: Mapping[str, str], name: str, value: str) -> bool:
    return bool(typed.get(f"{name}.{value}")) or value in typed.get(name, "").split(",")


def _listed(parts: list[str]) -> str:
    """The items in one line, truncated between words."""
    line = " ".join(", ".join(part.strip() for part in parts if part.strip()).split())
    if len(line) <= _LONGEST:
        return line or _NOTHING
    return f"{line[:_LONGEST].rsplit(' ', 1)[0].rstrip(',')} …"


LABELS = {
    "title": "Title",
    "starts": "Starts",
    "ends": "Ends",
    "time_zone": "Time zone",
    "description": "Description",
    "mode": "How do people meet?",
    "venue_name": "Name of the place",
    "street": "Street and number",
    "postal_code": "Postal code",
    "locality": "Town",
    "region": "State or region",
    "country": "Country",
    "point": "Point on the map",
    "online_url": "Link to join",
    "online_url_audience": "Who sees the link to join?",
    "capacity": "Number of places",
    "visibility": "Who can see this event?",
    "all_day": "Whole days",
    "place_audience": "Who sees the exact address?",
    "online_url_from": "When is the link shown?",
    "door_note": "How to get in",
    "door_audience": "Who sees how to get in?",
    "ticket_url": "Link to tickets",
    "price": "Price",
    "access": "Accessibility",
    "access_note": "More about accessibility",
    "categories": "What is it about?",
    "tags": "Tags",
    "languages": "Languages",
    "publish_at": "Publish on",
}
