"""Checks of scalar values: booleans, integers, strings, bytes, links, blobs, unknown objects.

A check is a function of a value and its depth that returns None or raises ``LexiconViolation``. Every written record
passes through these checks, so each is built once per definition with only the tests that the definition needs.
"""

from collections.abc import Callable, Mapping
from enum import Enum

import regex

from at_protocol.data.cid import Cid
from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Check
from at_protocol.lexicon.document import BlobType, BooleanType, BytesType, IntegerType, StringType
from at_protocol.syntax.at_identifier import parse_at_identifier
from at_protocol.syntax.at_uri import parse_at_uri
from at_protocol.syntax.cid_text import parse_cid_text
from at_protocol.syntax.datetime import parse_datetime
from at_protocol.syntax.did import parse_did
from at_protocol.syntax.handle import parse_handle
from at_protocol.syntax.language import parse_valid_language
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid
from at_protocol.syntax.uri import parse_uri

# String formats and their parsers (Lexicon specification, section 4). A format that is not listed is not checked.
FORMATS: Mapping[str, Callable[[str], object]] = {
    "at-identifier": parse_at_identifier,
    "at-uri": parse_at_uri,
    "cid": parse_cid_text,
    "datetime": parse_datetime,
    "did": parse_did,
    "handle": parse_handle,
    "language": parse_valid_language,
    "nsid": parse_nsid,
    "record-key": parse_record_key,
    "tid": parse_tid,
    "uri": parse_uri,
}


# Many JSON implementations store integers as doubles and would read a different number beyond this (data model,
# integers).
MAX_INTEGER = 2**53 - 1

_CLUSTER = regex.compile(r"\X")
_BLOB_KEYS = frozenset({"$type", "ref", "mimeType", "size"})


class Strictness(Enum):
    """Validation mode: a new record, an existing record from another server, or a request or response."""

    WRITTEN = "written"
    SEEN = "seen"
    BODY = "body"


class LexiconViolation(Exception):
    """A value breaks its definition. ``path`` is collected from the inside outwards while the checks return."""

    def __init__(self, why: str, value: object) -> None:
        super().__init__(why)
        self.why = why
        self.value = value
        self.path: list[str | int] = []


def name_of_type(value: object) -> str:
    """Return the name of a value's type in the terms of the data model."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "a number with a fraction"
        case str():
            return "string"
        case bytes():
            return "bytes"
        case Cid():
            return "cid-link"
        case list():
            return "array"
        case dict():
            return "blob" if value.get("$type") == "blob" else "object"
        case _:
            return type(value).__name__


def wrong_type(expected: str, value: object) -> LexiconViolation:
    return LexiconViolation(f"expected {expected}, got {name_of_type(value)}", value)


def boolean_check(definition: BooleanType) -> Check:
    const = definition.const

    def check(value: object, _depth: int) -> None:
        if type(value) is not bool:
            raise wrong_type("boolean", value)
        if const is not None and value is not const:
            raise LexiconViolation(f"must be {str(const).lower()}", value)

    return check


def integer_check(definition: IntegerType) -> Check:
    low = -MAX_INTEGER if definition.minimum is None else max(definition.minimum, -MAX_INTEGER)
    high = MAX_INTEGER if definition.maximum is None else min(definition.maximum, MAX_INTEGER)
    allowed = definition.enum if definition.const is None else (definition.const,)

    def check(value: object, _depth: int) -> None:
        if type(value) is not int:  # exact, because bool is a subclass of int
            raise wrong_type("integer", value)
        if value < low:
            raise LexiconViolation(f"too small ({value} < {low})", value)
        if value > high:
            raise LexiconViolation(f"too large ({value} > {high})", value)
        if allowed is not None and value not in allowed:
            raise LexiconViolation("must be " + " or ".join(map(str, allowed)), value)

    return check


def count_graphemes(text: str) -> int:
    """Count extended grapheme clusters (UAX 29)."""
    if text.isascii():  # in ASCII, CR LF is the only cluster of two characters
        return len(text) - text.count("\r\n")
    return len(_CLUSTER.findall(text))


def string_check(definition: StringType) -> Check:
    tests = _string_tests(definition)
    if not tests:

        def check(value: object, _depth: int) -> None:
            if type(value) is not str:
                raise wrong_type("string", value)

    elif len(tests) == 1:
        test = tests[0]

        def check(value: object, _depth: int) -> None:
            if type(value) is not str:
                raise wrong_type("string", value)
            test(value)

    else:

        def check(value: object, _depth: int) -> None:
            if type(value) is not str:
                raise wrong_type("string", value)
            for each in tests:
                each(value)

    return check


def _string_tests(definition: StringType) -> list[Callable[[str], None]]:
    tests: list[Callable[[str], None]] = []
    if definition.min_length is not None or definition.max_length is not None:
        tests.append(_length_test(definition.min_length or 0, definition.max_length))
    if definition.min_graphemes is not None or definition.max_graphemes is not None:
        tests.append(_grapheme_test(definition.min_graphemes or 0, definition.max_graphemes))
    allowed = definition.enum if definition.const is None else (definition.const,)
    if allowed is not None:
        tests.append(_choice_test(allowed))
    parse = FORMATS.get(definition.format or "")
    if parse is not None:
        tests.append(_format_test(definition.format or "", parse))
    return tests


def _length_test(low: int, high: int | None) -> Callable[[str], None]:
    def test(value: str) -> None:
        # A string has at least as many bytes as characters and at most four times as many, so most strings do not have
        # to be encoded to be counted.
        characters = len(value)
        if characters >= low and (high is None or characters * 4 <= high):
            return
        size = len(value.encode("utf-8", "surrogatepass"))
        if size < low:
            raise LexiconViolation(f"too short ({size} < {low} bytes)", value)
        if high is not None and size > high:
            raise LexiconViolation(f"too long ({size} > {high} bytes)", value)

    return test


def _grapheme_test(low: int, high: int | None) -> Callable[[str], None]:
    def test(value: str) -> None:
        if not low and high is not None and len(value) <= high:  # a cluster has at least one character
            return
        count = count_graphemes(value)
        if count < low:
            raise LexiconViolation(f"too short ({count} < {low} graphemes)", value)
        if high is not None and count > high:
            raise LexiconViolation(f"too long ({count} > {high} graphemes)", value)

    return test


def _choice_test(allowed: tuple[str, ...]) -> Callable[[str], None]:
    def test(value: str) -> None:
        if value not in allowed:
            raise LexiconViolation("must be " + " or ".join(allowed), value)

    return test


def _format_test(name: str, parse: Callable[[str], object]) -> Callable[[str], None]:
    def test(value: str) -> None:
        try:
            parse(value)
        except Malformed as failure:
            raise LexiconViolation(f"not a valid {name}: {failure.why}", value) from None

    return test


def constant_check(constant: str) -> Check:
    """Check for exactly this text. The value of a token is its own full name."""

    def check(value: object, _depth: int) -> None:
        if value != constant:
            raise LexiconViolation(f"must be {constant}", value)

    return check


def bytes_check(definition: BytesType) -> Check:
    low, high = definition.min_length or 0, definition.max_length

    def check(value: object, _depth: int) -> None:
        if type(value) is not bytes:
            raise wrong_type("bytes", value)
        if len(value) < low:
            raise LexiconViolation(f"too short ({len(value)} < {low} bytes)", value)
        if high is not None and len(value) > high:
            raise LexiconViolation(f"too long ({len(value)} > {high} bytes)", value)

    return check


def link_check(value: object, _depth: int) -> None:
    if type(value) is not Cid:
        raise wrong_type("cid-link", value)


def unknown_check(value: object, _depth: int) -> None:
    """Check a value of the type ``unknown``: any object but a blob. Links and bytes are no dicts here, so they fail."""
    if type(value) is not dict or value.get("$type") == "blob":
        raise wrong_type("object", value)


def blob_check(definition: BlobType, strictness: Strictness) -> Check:
    accept, max_size = definition.accept, definition.max_size

    def check(value: object, _depth: int) -> None:
        if type(value) is not dict:
            raise wrong_type("blob", value)
        if strictness is Strictness.SEEN and value.keys() == {"cid", "mimeType"}:
            # The legacy blob form, which does not state a size. New records must not contain it.
            if type(value["cid"]) is not str or type(value["mimeType"]) is not str:
                raise LexiconViolation("not a legacy blob", value)
            return
        if value.get("$type") != "blob":
            raise wrong_type("blob", value)
        mime_type, size = value.get("mimeType"), value.get("size")
        if type(value.get("ref")) is not Cid:
            raise LexiconViolation("a blob needs a ref that is a link", value)
        if type(mime_type) is not str or not mime_type:
            raise LexiconViolation("a blob needs a mimeType", value)
        if type(size) is not int or size < 0:
            raise LexiconViolation("a blob needs a size of 0 or more bytes", value)
        if strictness is Strictness.WRITTEN and value.keys() != _BLOB_KEYS:
            raise LexiconViolation("a blob must not have fields other than ref, mimeType and size", value)
        if max_size is not None and size > max_size:
            raise LexiconViolation(f"too large ({size} > {max_size} bytes)", value)
        if accept is not None and not accepts(accept, mime_type):
            raise LexiconViolation(f"{mime_type} is not accepted here, only {', '.join(accept)}", value)

    return check


def accepts(patterns: tuple[str, ...], mime_type: str) -> bool:
    """Whether one of ``*/*``, ``type/*`` or an exact type covers this media type. Parameters such as ``; charset`` do
    not count.
    """
    bare = mime_type.partition(";")[0].strip().lower()
    return any(
        pattern == "*/*"
        or bare == pattern.lower()
        or (pattern.endswith("/*") and bare.startswith(pattern[:-1].lower()))
        for pattern in patterns
    )
