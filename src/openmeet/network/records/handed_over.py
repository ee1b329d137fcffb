"""Records as JSON that aggregators hand over and no repository could hold: numbers with decimals, links to nothing.

Such values are read and never written back: a number becomes the text that the Lexicon has for it,
what looks like a link, bytes or a blob and is none is left out. The bytes are then of our own making, so their CID is not
the record's.
"""

from decimal import Decimal

from at_protocol.data import json_form
from at_protocol.data.model import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER, Value
from at_protocol.failures import Malformed

_NOTHING = object()


def exact(document: object) -> Value:
    """The value that a repository would hold; None where none could."""
    try:
        return json_form.from_json(document)
    except Malformed:
        return None


def tolerable(document: object) -> Value:
    """The nearest value that can be kept. Raises Malformed where it is too deep or no object at all."""
    value = _near(document, MAX_DEPTH)
    if not isinstance(value, dict):
        raise Malformed("record", document, "not an object")
    return json_form.from_json(value)


def _near(document: object, levels: int) -> object:
    if levels == 0:
        raise Malformed("record", "", f"nested more than {MAX_DEPTH} deep")
    match document:
        case bool() | None | str():
            return document
        case int():
            return document if MIN_INTEGER <= document <= MAX_INTEGER else str(document)
        case float():
            return int(document) if document.is_integer() and abs(document) < 2**53 else f"{Decimal(repr(document)):f}"
        case list():
            return [one for one in (_near(entry, levels - 1) for entry in document) if one is not _NOTHING]
        case dict():
            return _object(document, levels)
        case _:
            return _NOTHING


def _object(document: dict[object, object], levels: int) -> object:
    if "$link" in document or "$bytes" in document or document.get("$type") == "blob":
        return document if exact(document) is not None else _NOTHING
    near = {str(key): _near(entry, levels - 1) for key, entry in document.items() if key}
    if not (isinstance(near.get("$type"), str) and near["$type"]):
        near.pop("$type", None)
    return {key: entry for key, entry in near.items() if entry is not _NOTHING}
