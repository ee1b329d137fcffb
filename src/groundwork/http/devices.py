"""The browser and the operating system that a User-Agent header names, so that people recognise a session in a list.

Headers can say anything. Only the names below are ever returned, so nothing of a header reaches a page.
"""

from dataclasses import dataclass
from typing import Final

# Edge, Opera and Samsung's browser also call themselves Chrome, and Chrome calls itself Safari. The first match counts.
_BROWSERS: Final = (
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
# Android's browsers also say Linux, and those of the iPhone "like Mac OS X".
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)
# Browsers name themselves near the end, within this length.
_READ: Final = 512


@dataclass(frozen=True, slots=True)
class Device:
    """The names of a browser and its system. Each is empty if it is unknown."""

    browser: str = ""
    system: str = ""


UNKNOWN_DEVICE: Final = Device()


def device_of(user_agent: str) -> Device:
    """Recognise the device by its User-Agent header (RFC 9110, section 10.1.5)."""
    read = user_agent[:_READ]
    return Device(_first_of(_BROWSERS, read), _first_of(_SYSTEMS, read))


def _first_of(names: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for mark, name in names if mark in text), "")
