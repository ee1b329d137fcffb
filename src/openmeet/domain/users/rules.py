"""What a profile may say. Pure."""

from dataclasses import dataclass

import regex

from groundwork.errors import InvalidForm
from openmeet.domain.users.model import MAX_BIO, MAX_NAME

# Control and format characters could make one person's name look like another's, or reorder the text around it.
_INVISIBLE = regex.compile(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]")


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that may be stored."""

    display_name: str
    bio: str
    time_zone: str | None
    shows_about: bool = False
    shows_groups: bool = False


def check_name(text: str) -> str:
    """A display name, spaces tidied. InvalidForm names ``display_name``."""
    name = " ".join(_INVISIBLE.sub("", text).split())
    if not name:
        raise InvalidForm({"display_name": "Write the name others shall see."})
    if len(name) > MAX_NAME:
        raise InvalidForm({"display_name": f"A name has at most {MAX_NAME} characters."})
    return name


def check_profile(
    *,
    display_name: str,
    bio: str,
    time_zone: str,
    known_zones: frozenset[str],
    shows_about: bool = False,
    shows_groups: bool = False,
) -> Profile:
    """What was typed, as a profile; InvalidForm lists every field that is wrong."""
    problems: dict[str, str] = {}
    name = ""
    try:
        name = check_name(display_name)
    except InvalidForm as wrong:
        problems |= wrong.problems
    text = bio.replace("\r\n", "\n").strip()
    if len(text) > MAX_BIO:
        problems["bio"] = f"At most {MAX_BIO} characters."
    if time_zone and time_zone not in known_zones:
        problems["time_zone"] = "Choose a time zone from the list."
    if problems:
        raise InvalidForm(problems)
    return Profile(name, text, time_zone or None, shows_about, shows_groups)
