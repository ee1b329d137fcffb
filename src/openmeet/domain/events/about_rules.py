"""What may be said of an event beside what, when and where: the second half of ``rules.check``. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from groundwork.errors import InvalidInput
from openmeet.domain.events import tags
from openmeet.domain.events.about import (
    MAX_ACCESS_NOTE,
    MAX_CATEGORIES,
    MAX_DOOR_NOTE,
    MAX_LANGUAGES,
    MAX_MINUTES_BEFORE,
    MAX_PRICE,
    Accessibility,
    Tickets,
)
from openmeet.domain.events.model import Audience
from openmeet.domain.events.vocabulary import AccessFeature, Category
from openmeet.domain.events.web_address import is_web_address
from openmeet.domain.validation import C, choice
from openmeet.i18n import languages
from openmeet.i18n.markdown import one_line


def check_about(typed: Mapping[str, str], problems: dict[str, str]) -> dict[str, Any]:
    """The fields of ``Details`` for what was typed; ``problems`` gets a sentence for each that is wrong."""
    ticket_url = typed["ticket_url"].strip()
    if ticket_url and not is_web_address(ticket_url):
        problems["ticket_url"] = "A link starts with https:// or http:// and names a host."
    price = one_line(typed["price"])
    if len(price) > MAX_PRICE:
        problems["price"] = f"At most {MAX_PRICE} characters."
    return {
        "place_audience": choice(Audience, typed["place_audience"], "place_audience", problems) or Audience.EVERYONE,
        "online_url_from": _minutes(typed["online_url_from"].strip(), problems),
        "door_note": _text(typed["door_note"], "door_note", MAX_DOOR_NOTE, problems),
        "door_audience": choice(Audience, typed["door_audience"], "door_audience", problems) or Audience.ATTENDEES,
        "tickets": Tickets(ticket_url, price),
        "accessibility": Accessibility(
            _several(AccessFeature, typed["access"], "access", problems),
            _text(typed["access_note"], "access_note", MAX_ACCESS_NOTE, problems),
        ),
        "categories": _categories(typed["categories"], problems),
        "tags": _tags(typed["tags"], problems),
        "languages": _languages(typed["languages"], problems),
    }


def _several(kind: type[C], text: str, field: str, problems: dict[str, str]) -> tuple[C, ...]:
    """Some of a closed list, in the list's order."""
    asked = {word.strip() for word in text.split(",") if word.strip()}
    if asked - {member.value for member in kind}:
        problems[field] = "Choose from: " + ", ".join(member.value for member in kind) + "."
    return tuple(member for member in kind if member.value in asked)


def _text(text: str, field: str, longest: int, problems: dict[str, str]) -> str:
    plain = text.replace("\r\n", "\n").strip()
    if len(plain) > longest:
        problems[field] = f"At most {longest:,} characters; this has {len(plain):,}."
    return plain


def _minutes(text: str, problems: dict[str, str]) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) > MAX_MINUTES_BEFORE:
        problems["online_url_from"] = f"A whole number of minutes before the start, at most {MAX_MINUTES_BEFORE}."
        return None
    return int(text)


def _categories(text: str, problems: dict[str, str]) -> tuple[Category, ...]:
    found = _several(Category, text, "categories", problems)
    if len(found) > MAX_CATEGORIES:
        problems["categories"] = f"At most {MAX_CATEGORIES}, so that each says something."
    return found


def _tags(text: str, problems: dict[str, str]) -> tuple[str, ...]:
    try:
        return tags.tags_in(text)
    except InvalidInput as wrong:
        problems["tags"] = wrong.why
        return ()


def _languages(text: str, problems: dict[str, str]) -> tuple[str, ...]:
    typed = [word.strip() for word in re.split(r"[,;\n]", text) if word.strip()]
    known = [languages.known_code(word[:100]) for word in typed]
    if None in known:
        unknown = typed[known.index(None)][:40]
        problems["languages"] = f"We do not know the language “{unknown}”; write it like English, Deutsch or fr."
    found = _without_doubles([code for code in known if code is not None])
    if len(found) > MAX_LANGUAGES:
        problems["languages"] = f"At most {MAX_LANGUAGES} languages."
    return found


def _without_doubles(codes: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(codes))
