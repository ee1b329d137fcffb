"""Labels, choices and lengths of the event form, and summaries of its collapsed sections. Also its checkbox “every guest
needs approval”, which is later changed on the page with all settings of registration. Pure functions.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from openmeet.domain.attendance.registration import RegistrationSettings
from openmeet.domain.events.content import INPUTS
from openmeet.domain.events.values import Audience, Mode, RemovalDelay
from openmeet.domain.events.vocabulary import ACCESS_LABELS, CATEGORY_LABELS
from openmeet.i18n import countries, formatting
from openmeet.i18n.catalogue import LazyText, gettext, lazy, ngettext

NEEDS_APPROVAL: Final = "needs_approval"
_LONGEST: Final = 60
# A summary shares its line with a label, so longer words do not fit on a phone.
_LONG_WORD: Final = re.compile(r"\S{21,}")
_EIGHT: Final = re.compile(r".{8}")
# More than any limit has. Python reads no number of thousands of digits.
_MAX_DIGITS: Final = 9

_VISIBILITIES: Final[Mapping[str, LazyText]] = {
    "public": lazy("public"),
    "unlisted": lazy("unlisted"),
    "private": lazy("private"),
}


# How long the page is kept after the event, by ``RemovalDelay``.
KEPT_FOR: Final[Mapping[str, LazyText]] = {
    RemovalDelay.NEVER.value: lazy("For good"),
    RemovalDelay.DAY.value: lazy("For a day"),
    RemovalDelay.WEEK.value: lazy("For a week"),
    RemovalDelay.MONTH.value: lazy("For 30 days"),
}
# When the link to join is shown, in minutes before the start.
LINK_TIMES: Final[Mapping[str, LazyText]] = {
    "": lazy("Immediately"),
    "1440": lazy("From a day before"),
    "60": lazy("From an hour before"),
    "15": lazy("From 15 minutes before"),
}
MODES: Final[Mapping[str, LazyText]] = {
    Mode.IN_PERSON.value: lazy("In person"),
    Mode.ONLINE.value: lazy("Online"),
    Mode.HYBRID.value: lazy("In person and online"),
}
_AUDIENCES: Final[Mapping[str, LazyText]] = {
    Audience.ATTENDEES.value: lazy("People who are going"),
    Audience.EVERYONE.value: lazy("Everyone"),
}

# The inputs with a few fixed values. An input that takes several of them has their names separated by commas.
_CHOICES: Final[Mapping[str, Mapping[str, LazyText]]] = {
    "all_day": {"yes": lazy("yes"), "": lazy("no")},
    "mode": MODES,
    "online_url_audience": _AUDIENCES,
    "online_url_from": LINK_TIMES,
    "visibility": _VISIBILITIES,
    "place_audience": _AUDIENCES,
    "door_audience": _AUDIENCES,
    "access": {one.value: label for one, label in ACCESS_LABELS.items()},
    "categories": {one.value: label for one, label in CATEGORY_LABELS.items()},
    "remove_after": KEPT_FOR,
}


def approval_values(settings: RegistrationSettings) -> dict[str, str]:
    """The value of the field for an event with these settings."""
    return {NEEDS_APPROVAL: "yes" if settings.needs_approval else ""}


def approval_in(form: Mapping[str, str]) -> bool | None:
    """Whether the host approves everybody who wants to come; None if the form did not ask."""
    return bool(form[NEEDS_APPROVAL]) if NEEDS_APPROVAL in form else None


def value_label(name: str, text: str) -> str:
    """The value of an input as readable text."""
    if name == "country":
        return countries.name_of(text)
    labels = _CHOICES.get(name)
    return text if labels is None else ", ".join(str(labels.get(one, one)) for one in text.split(","))


def current_value_label(name: str, text: str) -> str:
    """The current value of a field that somebody else has changed, as readable text. Dates are in the event's local
    time.
    """
    return formatting.span(datetime.fromisoformat(text), None) if name in {"starts", "ends"} and text else text


def zone_words(zone: str) -> str:
    """``Berlin time`` for ``Europe/Berlin``. Anything else that was typed stays as it is."""
    return formatting.zone_of_series(zone) if zone in formatting.ZONES else zone


def section_summaries(form: Mapping[str, str]) -> dict[str, str]:
    """For each section, one line about the values typed in it, whether they are valid or not."""
    nothing = gettext("None yet")
    return {
        "clock": _joined_parts(
            [gettext("Whole days") if form.get("all_day") else "", zone_words(form.get("time_zone", ""))]
        ),
        "address": _joined_parts(
            [
                form.get("street", ""),
                form.get("postal_code", ""),
                form.get("region", ""),
                countries.name_of(form.get("country", "")),
                gettext("on the map") if form.get("point") else "",
            ]
        ),
        "privacy": _joined_parts(
            [
                gettext("Only people who are going see it")
                if form.get("place_audience") == "attendees"
                else gettext("Everyone sees it"),
                gettext("with how to get in") if form.get("door_note") else "",
            ]
        ),
        "places": _joined_parts(
            [
                _limit_label(form.get("capacity", "")),
                _VISIBILITIES.get(form.get("visibility", ""), ""),
                gettext("by approval") if form.get(NEEDS_APPROVAL) else "",
            ]
        ),
        "afterwards": str(KEPT_FOR.get(form.get("remove_after", RemovalDelay.NEVER.value), "")),
        "topics": _joined_parts(
            [
                *(words for one, words in CATEGORY_LABELS.items() if _is_ticked(form, "categories", one.value)),
                form.get("tags", ""),
                form.get("languages", ""),
            ]
        )
        or nothing,
        "tickets": _joined_parts([form.get("price", ""), gettext("link to tickets") if form.get("ticket_url") else ""])
        or nothing,
        "accessibility": _joined_parts(
            [
                *(words for one, words in ACCESS_LABELS.items() if _is_ticked(form, "access", one.value)),
                form.get("access_note", ""),
            ]
        )
        or nothing,
    }


def _limit_label(capacity: str) -> str:
    text = capacity.strip()
    if not text:
        return gettext("No limit")
    if text.isdecimal() and len(text) <= _MAX_DIGITS:
        return ngettext("%(number)s place", "%(number)s places", int(text))
    return text


def _is_ticked(form: Mapping[str, str], name: str, value: str) -> bool:
    return bool(form.get(f"{name}.{value}")) or value in form.get(name, "").split(",")


def _joined_parts(parts: Sequence[str | LazyText]) -> str:
    """The items in one line, truncated between words. Long words get zero-width spaces, where browsers may break them."""
    line = " ".join(", ".join(text for part in parts if (text := str(part).strip())).split())
    if len(line) > _LONGEST:
        line = f"{line[:_LONGEST].rsplit(' ', 1)[0].rstrip(',')} …"
    return _LONG_WORD.sub(lambda word: _EIGHT.sub("\\g<0>\u200b", word[0]), line)


LABELS = {
    "starts": lazy("Starts"),
    "ends": lazy("Ends"),
    "time_zone": lazy("Time zone"),
    "all_day": lazy("Whole days"),
    "publish_at": lazy("Publish on"),
    NEEDS_APPROVAL: lazy("I approve every guest"),
} | {one.name: one.label for one in INPUTS}
# For the ``maxlength`` of inputs.
LENGTHS: Final = {one.name: one.kind.longest for one in INPUTS if one.kind.longest is not None}
