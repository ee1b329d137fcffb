"""The JSON form of values: links as ``{"$link": …}``, bytes as ``{"$bytes": …}`` (atproto data model, "JSON
Representation").

Parsing is strict: no duplicate keys, no fractions, no NaN, no integers beyond 64 bits, and no unpaired surrogates. An
object that claims to be a link, bytes, a blob or a typed object must be one. ``123.0`` is the integer 123, as in
JavaScript. Only the CBOR of a value is signed or hashed, never its JSON.
"""

import json
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from decimal import Decimal
from typing import Any

from at_protocol.data.blob_ref import blob_of
from at_protocol.data.cid import Cid
from at_protocol.data.model import (
    MAX_CONTAINERS,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_INTEGER,
    MAX_KEY_BYTES,
    MIN_INTEGER,
    Value,
)
from at_protocol.failures import Malformed, Misuse

MAX_EXACT_FLOAT = 2.0**53

# Matches from every quotation mark, also if the string has no end. Otherwise, the search would begin again at each one.
_STRING = re.compile(r'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)


def decode(text: bytes | str) -> Value:
    """Decode a JSON document. Raises Malformed (kind ``json``)."""
    return from_json(_parse(text))


def decode_object(text: bytes | str) -> dict[str, Value]:
    """Decode a document that must be an object, as every record is. Raises Malformed for anything else."""
    value = decode(text)
    if type(value) is not dict:
        raise Malformed("json", value, "not an object")
    return value


def encode(value: Value) -> bytes:
    """Encode a value as compact JSON in UTF-8. The inverse of ``decode``."""
    return json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _parse(text: bytes | str) -> object:
    try:
        if not isinstance(text, str):
            text = str(text, "utf-8-sig")  # without a byte order mark (RFC 8259 8.1)
        if _has_too_many_containers(text):
            raise Malformed("json", text[:20], f"more than {MAX_CONTAINERS} lists and objects")
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_number_with_point,
            parse_constant=_constant,
            parse_int=_integer,
        )
    except RecursionError as error:
        raise Malformed("json", text[:20], f"nested more than {MAX_DEPTH} deep") from error
    except UnicodeDecodeError as error:
        raise Malformed("json", text[:20], "not UTF-8") from error
    except json.JSONDecodeError as error:
        raise Malformed("json", text[max(0, error.pos - 10) : error.pos + 10], f"not JSON ({error.msg})") from error


def _has_too_many_containers(text: str) -> bool:
    if len(text) <= MAX_CONTAINERS or text.count("[") + text.count("{") <= MAX_CONTAINERS:
        return False
    outside_strings = _STRING.sub("", text)
    return outside_strings.count("[") + outside_strings.count("{") > MAX_CONTAINERS


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise Malformed("json", [name for name, _ in pairs], "a key appears twice in one object")
    return entries


def _constant(name: str) -> object:
    raise Malformed("json", name, "not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > 20:  # -9223372036854775808 has 20 characters; int() is slow for a megabyte of digits
        raise Malformed("json", digits, "integers must fit into 64 bits with a sign")
    return int(digits)


def _number_with_point(digits: str) -> int:
    try:
        number = Decimal(digits)
    except ArithmeticError as error:  # an exponent too large for the decimal module
        raise Malformed("json", digits, "integers must fit into 64 bits with a sign") from error
    if number.is_zero():
        return 0
    if number.adjusted() > 18:  # reject it before building a number with that many digits
        raise Malformed("json", digits, "integers must fit into 64 bits with a sign")
    if number.adjusted() < 0 or number != number.to_integral_value():
        raise Malformed("json", digits, "numbers must not have a fraction")
    return int(number)


def from_json(document: object) -> Value:
    """Convert a parsed document (dicts, lists, text, numbers, bools, None) to a value. Raises Malformed (kind
    ``json``).
    """
    return _read(document, MAX_DEPTH)


def _read(document: object, levels: int) -> Value:
    if isinstance(document, str):
        return _text(document)
    if document is None or isinstance(document, bool):
        return document
    if isinstance(document, int):
        if not MIN_INTEGER <= document <= MAX_INTEGER:
            raise Malformed("json", document, "integers must fit into 64 bits with a sign")
        return document
    if isinstance(document, float):
        if not document.is_integer() or abs(document) > MAX_EXACT_FLOAT:
            raise Malformed("json", document, "numbers must not have a fraction or, as floats, more than 53 bits")
        return int(document)
    if isinstance(document, list | dict):
        if levels == 0:
            raise Malformed("json", "", f"nested more than {MAX_DEPTH} deep")
        if len(document) > MAX_ENTRIES:
            raise Malformed("json", len(document), f"a list or object has more than {MAX_ENTRIES} entries")
        if isinstance(document, list):
            return [_read(entry, levels - 1) for entry in document]
        return _read_object(document, levels)
    raise Misuse(f"{type(document).__name__} is not a JSON type")


def _read_object(document: dict[Any, Any], levels: int) -> Value:
    if "$link" in document:
        return _link(document)
    if "$bytes" in document:
        return _bytes(document)
    entries: dict[str, Value] = {}
    for name, entry in document.items():
        if not isinstance(name, str):
            raise Misuse(f"a key is {type(name).__name__}, not text")
        if len(name) > MAX_KEY_BYTES // 4 and len(_text(name).encode()) > MAX_KEY_BYTES:
            raise Malformed("json", name, f"a key has more than {MAX_KEY_BYTES} bytes")
        entries[_text(name)] = _read(entry, levels - 1)
    if "$type" in entries:
        type_name = entries["$type"]
        if type(type_name) is not str or not type_name:
            raise Malformed("json", type_name, "$type is text that isn't empty")
        if type_name == "blob":
            blob_of(entries)  # raises Malformed if it only looks like one
    return entries


def _text(text: str) -> str:
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise Malformed("json", text, "text with an unpaired surrogate") from error
    return text


def _link(document: dict[Any, Any]) -> Cid:
    text = document["$link"]
    if len(document) != 1 or not isinstance(text, str):
        raise Malformed("json", document, "a link is an object with only $link, a CID as text")
    try:
        return Cid.parse(text)
    except Malformed as error:
        raise Malformed("json", text, f"$link is not a CID: {error.why}") from error


def _bytes(document: dict[Any, Any]) -> bytes:
    text = document["$bytes"]
    if len(document) != 1 or not isinstance(text, str):
        raise Malformed("json", document, "bytes are an object with only $bytes, base64 as text")
    bare = text.rstrip("=")
    padding = "=" * (-len(bare) % 4)
    if len(text) - len(bare) not in {0, len(padding)}:
        raise Malformed("json", text, "$bytes has the wrong padding")
    try:
        # Non-zero trailing bits are accepted because the official test vector for valid records (record-data-valid,
        # "full") has some.
        return b64decode(bare + padding, validate=True)
    except (Base64Error, ValueError) as error:
        raise Malformed("json", text, "$bytes is not base64 in the standard alphabet") from error


def to_json(value: Value) -> object:
    """Convert a value to dicts, lists, text, numbers, bools and None. Bytes are written without padding, as the
    reference does.
    """
    kind = type(value)
    if kind is dict:
        return {name: to_json(entry) for name, entry in value.items()}  # type: ignore[union-attr]  # `kind` says so
    if kind is list:
        return [to_json(entry) for entry in value]  # type: ignore[union-attr]  # as above
    if kind is bytes:
        return {"$bytes": b64encode(value).decode("ascii").rstrip("=")}  # type: ignore[arg-type]  # as above
    if kind is Cid:
        return {"$link": str(value)}
    return value
