"""Pictures and one person's document: their files do not come along, so that it names where each is fetched, and none is shown elsewhere.

An event, a series and a group each keep theirs in another way: in a column, or in the JSON beside it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from groundwork.database.transaction import Reader
from openmeet.domain.data_export.values import Value
from openmeet.domain.media.pictures import Size

Row = dict[str, Value]


def addressed(row: Mapping[str, Any], site: str) -> dict[str, Any]:
    """A row of ``pictures`` as it is exported, with the address of the file; ``site`` is the address of this one."""
    return {**row, "url": f"{site}/media/{row['key']}/{Size.LARGE.value}"}


async def let_go(reader: Reader, table: str, row: Row, person: str) -> bool:
    """Take the picture out of a row that is taken in, unless it is here and theirs; True where one stayed behind."""
    if table not in _PLACES:
        return False
    key_of, empty = _PLACES[table]
    key = key_of(row)
    if key is None:
        return False
    here = await reader.fetch_one(
        "select 1 as found from pictures where key = :key and user_id = :person", key=key, person=person
    )
    if here is not None:
        return False
    empty(row)
    return True


def _in_json(row: Row, column: str) -> dict[str, Any]:
    text = row.get(column)
    found = json.loads(text) if isinstance(text, str) else {}
    return found if isinstance(found, dict) else {}


def _of_column(row: Row) -> Value:
    return row.get("picture_key")


def _empty_event(row: Row) -> None:
    row["picture_key"] = None
    row["about"] = json.dumps({name: value for name, value in _in_json(row, "about").items() if name != "picture"})


def _of_series(row: Row) -> Value:
    picture = _in_json(row, "template").get("picture")
    return str(picture.get("key", "")) if isinstance(picture, dict) else None


def _empty_series(row: Row) -> None:
    row["template"] = json.dumps({**_in_json(row, "template"), "picture": None})


def _empty_group(row: Row) -> None:
    row |= dict.fromkeys(("picture_key", "picture_alt", "picture_width", "picture_height"))


_PLACES: Final[Mapping[str, tuple[Callable[[Row], Value], Callable[[Row], None]]]] = {
    "events": (_of_column, _empty_event),
    "event_series": (_of_series, _empty_series),
    "groups": (_of_column, _empty_group),
}
