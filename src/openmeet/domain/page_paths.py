"""The paths of the pages of events, series, groups and people, for links and redirects. A page below one of them is, for
example, ``f"{event_path(slug)}/edit"``.

A slug is quoted, because it has letters of any script, and one from a request or a form may have any character.
"""

from urllib.parse import quote


def event_path(slug: str) -> str:
    return f"/events/{quote(slug, safe='')}"


def series_path(slug: str) -> str:
    return f"/series/{quote(slug, safe='')}"


def group_path(slug: str) -> str:
    return f"/groups/{quote(slug, safe='')}"


def person_path(user_id: str) -> str:
    return f"/people/{quote(user_id, safe='')}"
