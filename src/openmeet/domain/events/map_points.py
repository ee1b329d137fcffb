"""Parse a map point: two numbers, a ``geo:`` URI (RFC 5870), or a link copied from a map. Pure.

Numbers stay text, because the data model of records has no floats. So an unchanged value stays the same, byte for byte.
"""

import math
import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

# Links from maps have long query strings.
MAX_TYPED: Final = 2_000

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_PLAIN_NUMBER = re.compile(_NUMBER)
_PAIR = re.compile(rf"({_NUMBER})(?:\s*[,;]\s*|\s+)({_NUMBER})", re.ASCII)
# Google's marker, Google's viewport, OpenStreetMap's viewport. The marker is what the person meant; the viewport is
# only what was visible.
_GOOGLE_MARKER = re.compile(rf"!3d({_NUMBER})!4d({_NUMBER})", re.ASCII)
_GOOGLE_VIEW = re.compile(rf"/@({_NUMBER}),({_NUMBER})", re.ASCII)
_OSM_VIEW = re.compile(rf"(?:^|&)map={_NUMBER}/({_NUMBER})/({_NUMBER})(?=$|[&/])", re.ASCII)
_QUERIES = ("query", "q", "ll", "destination")


def coordinate_of(value: object, limit: int) -> str | None:
    """Decimal degrees within ``-limit…limit`` as text, including ``0``. None for anything else (``""``, ``91``, NaN)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        text = repr(value) if math.isfinite(value) else ""
        if "e" in text:
            text = f"{value:.7f}"
    elif isinstance(value, str):
        text = value.strip()
    else:
        return None
    # Limit the length, so that float() does not read a megabyte of digits.
    if len(text) > 40 or not text.isascii() or _PLAIN_NUMBER.fullmatch(text) is None or abs(float(text)) > limit:
        return None
    return text


def point_text(latitude: str, longitude: str) -> str:
    """Both numbers as one line that ``point_in`` can parse; empty if there are none."""
    return f"{latitude}, {longitude}" if latitude or longitude else ""


def point_in(typed: str) -> tuple[str, str] | None:
    """Latitude and longitude in decimal degrees as text; None if the text contains no point."""
    text = typed.strip()
    if len(text) > MAX_TYPED:
        return None
    for pair in _pairs_in(text):
        latitude, longitude = coordinate_of(pair[1], 90), coordinate_of(pair[2], 180)
        if latitude is not None and longitude is not None:
            return latitude, longitude
    return None


def _pairs_in(text: str) -> list[re.Match[str]]:
    """Candidates, most likely first."""
    if any(c.isspace() for c in text) or ":" not in text:
        matches = [_PAIR.fullmatch(text)]
    elif text[:4].lower() == "geo:":
        # Android's "geo:0,0?q=…" has the point in the query.
        path, _, query = text[4:].partition("?")
        matches = [*_queried(query), _PAIR.fullmatch(path.partition(";")[0])]
    else:
        matches = _linked(text)
    return [pair for pair in matches if pair is not None]


def _linked(text: str) -> list[re.Match[str] | None]:
    try:
        link = urlsplit(text)
    except ValueError:
        return []
    if link.scheme not in {"https", "http"}:
        return []
    path = unquote(link.path)
    parameters = dict(parse_qsl(link.query))
    marker = _PAIR.fullmatch(f"{parameters.get('mlat', '')},{parameters.get('mlon', '')}")
    return [
        marker,
        _GOOGLE_MARKER.search(path),
        *_queried(link.query),
        _GOOGLE_VIEW.search(path),
        _OSM_VIEW.search(unquote(link.fragment)),
    ]


def _queried(query: str) -> list[re.Match[str] | None]:
    parameters = dict(parse_qsl(query))
    # "52.5,13.4(Name)" is a marker with a name.
    return [_PAIR.fullmatch(parameters.get(name, "").partition("(")[0].strip()) for name in _QUERIES]
