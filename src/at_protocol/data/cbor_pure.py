"""DAG-CBOR in pure Python: the definition that the compiled codec must match, and its fallback.

Sources: DASL DRISL, IPLD DAG-CBOR, RFC 8949, narrowed by the atproto data model specification. Every value has exactly
one encoding, and the decoder rejects all others. Heads are as short as possible, lengths are definite, keys are text,
unique, and sorted by length and then by bytes; the only tag is 42; there are no floats and no simple values other than
false, true and null.

Recursion goes no deeper than MAX_DEPTH. A declared length is compared with the remaining input before anything is
allocated.
"""

from at_protocol.data.cid import Cid
from at_protocol.data.model import MAX_DEPTH, MAX_ENTRIES, MAX_INTEGER, MAX_KEY_BYTES, MIN_INTEGER, Value
from at_protocol.failures import Malformed, Misuse

_SIMPLE: dict[int, Value] = {0xF4: False, 0xF5: True, 0xF6: None}
_CID_LINK_TAG = 42
# For heads whose low five bits are 24 to 27: how many bytes follow, and the smallest value that needs that many.
_EXTENSIONS = {24: (1, 24), 25: (2, 1 << 8), 26: (4, 1 << 16), 27: (8, 1 << 32)}


def decode(encoded: bytes) -> Value:
    """Decode exactly one item. Raises Malformed (kind ``cbor``) for anything else, including trailing bytes."""
    value, end = decode_first(encoded)
    if end != len(encoded):
        raise Malformed("cbor", encoded[end : end + 20], "bytes follow the item")
    return value


def decode_first(encoded: bytes, offset: int = 0) -> tuple[Value, int]:
    """Return the item that begins at ``offset``, and the offset after it."""
    return _item(encoded, offset, MAX_DEPTH)


def head(encoded: bytes, at: int) -> tuple[int, int, int]:
    """Return the major type, the argument, and the offset after the head."""
    if at >= len(encoded):
        raise Malformed("cbor", encoded[-20:], "ends in the middle of an item")
    first = encoded[at]
    argument = first & 31
    if argument < 24:
        return first >> 5, argument, at + 1
    if argument == 31:
        raise Malformed("cbor", encoded[at : at + 20], "indefinite lengths are not allowed")
    if argument > 27:
        raise Malformed("cbor", encoded[at : at + 20], "reserved head")
    size, minimum = _EXTENSIONS[argument]
    end = at + 1 + size
    if end > len(encoded):
        raise Malformed("cbor", encoded[at : at + 20], "ends in the middle of an item")
    argument = int.from_bytes(encoded[at + 1 : end], "big")
    if argument < minimum:
        raise Malformed("cbor", encoded[at:end], "a length or integer is not in its shortest form")
    return first >> 5, argument, end


def span(encoded: bytes, at: int, size: int) -> int:
    end = at + size
    if end > len(encoded):
        raise Malformed("cbor", encoded[at : at + 20], "a declared length is more than what follows")
    return end


def text(encoded: bytes, at: int, end: int) -> str:
    try:
        return str(encoded[at:end], "utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("cbor", encoded[at : at + 20], "text is not UTF-8") from error


def _item(encoded: bytes, at: int, levels: int) -> tuple[Value, int]:
    if at < len(encoded) and encoded[at] >= 0xE0:  # major type 7: what follows the head is not a length
        if encoded[at] in _SIMPLE:
            return _SIMPLE[encoded[at]], at + 1
        raise Malformed("cbor", encoded[at : at + 9], "floats and undefined values are not allowed")
    major, argument, at = head(encoded, at)
    match major:
        case 0 | 1:
            if argument > MAX_INTEGER:
                raise Malformed("cbor", argument, "integers must fit into 64 bits with a sign")
            return (argument if major == 0 else ~argument), at
        case 2:
            end = span(encoded, at, argument)
            return bytes(encoded[at:end]), end
        case 3:
            end = span(encoded, at, argument)
            return text(encoded, at, end), end
        case 4 | 5:
            if levels == 0:
                raise Malformed("cbor", encoded[at : at + 20], f"nested more than {MAX_DEPTH} deep")
            if argument > MAX_ENTRIES:
                raise Malformed("cbor", argument, f"a list or map has more than {MAX_ENTRIES} entries")
            span(encoded, at, argument if major == 4 else 2 * argument)
            return _list(encoded, at, argument, levels) if major == 4 else _map(encoded, at, argument, levels)
        case _:
            return _link(encoded, at, argument)


def _list(encoded: bytes, at: int, count: int, levels: int) -> tuple[Value, int]:
    entries: list[Value] = []
    for _ in range(count):
        value, at = _item(encoded, at, levels - 1)
        entries.append(value)
    return entries, at


def _map(encoded: bytes, at: int, count: int, levels: int) -> tuple[Value, int]:
    entries: dict[str, Value] = {}
    before: bytes | None = None
    for _ in range(count):
        major, size, at = head(encoded, at)
        if major != 3:
            raise Malformed("cbor", encoded[at : at + 20], "a map key is not text")
        end = span(encoded, at, size)
        if size > MAX_KEY_BYTES:
            raise Malformed("cbor", encoded[at : at + 20], f"a map key has more than {MAX_KEY_BYTES} bytes")
        key = encoded[at:end]
        if before is not None and (len(key), key) <= (len(before), before):
            raise Malformed("cbor", key, "map keys are not unique and sorted by length, then by bytes")
        before = key
        name = text(encoded, at, end)
        entries[name], at = _item(encoded, end, levels - 1)
    return entries, at


def _link(encoded: bytes, at: int, tag: int) -> tuple[Value, int]:
    if tag != _CID_LINK_TAG:
        raise Malformed("cbor", tag, "only tag 42 (a link) is allowed")
    major, size, at = head(encoded, at)
    if major != 2:
        raise Malformed("cbor", encoded[at : at + 20], "a link is not a byte string")
    end = span(encoded, at, size)
    if size == 0 or encoded[at] != 0:
        raise Malformed("cbor", encoded[at : at + 20], "a link does not begin with a zero byte")
    try:
        return Cid(bytes(encoded[at + 1 : end])), end
    except Malformed as error:
        raise Malformed("cbor", error.value, f"a link is {error.why}") from error


def encode(value: Value) -> bytes:
    """Return the value's only valid encoding. Raises Malformed for values outside the data model, Misuse for foreign
    types.
    """
    output = bytearray()
    _write(output, value, MAX_DEPTH)
    return bytes(output)


def _write_head(output: bytearray, major: int, argument: int) -> None:
    if argument < 24:
        output.append(major << 5 | argument)
    elif argument < 1 << 8:
        output += bytes((major << 5 | 24, argument))
    elif argument < 1 << 16:
        output.append(major << 5 | 25)
        output += argument.to_bytes(2, "big")
    elif argument < 1 << 32:
        output.append(major << 5 | 26)
        output += argument.to_bytes(4, "big")
    else:
        output.append(major << 5 | 27)
        output += argument.to_bytes(8, "big")


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("cbor", text, "text with an unpaired surrogate has no UTF-8 form") from error


def _write(output: bytearray, value: object, levels: int) -> None:
    # Types are compared exactly: a subclass (an enum, a named tuple) would be decoded as a different type, and True is
    # an int.
    kind = type(value)
    if kind is str:
        text = _utf8(value)  # type: ignore[arg-type]  # `kind` says so; mypy cannot narrow by an identity of types
        _write_head(output, 3, len(text))
        output += text
    elif kind is int:
        number: int = value  # type: ignore[assignment]  # as above
        if not MIN_INTEGER <= number <= MAX_INTEGER:
            raise Malformed("cbor", number, "integers must fit into 64 bits with a sign")
        _write_head(output, number < 0, ~number if number < 0 else number)
    elif value is None or kind is bool:
        output.append(0xF6 if value is None else 0xF5 if value else 0xF4)
    elif isinstance(value, dict) and kind is dict:
        _write_map(output, value, levels)
    elif isinstance(value, list) and kind is list:
        _check_room(value, levels)
        _write_head(output, 4, len(value))
        for entry in value:
            _write(output, entry, levels - 1)
    elif kind is bytes:
        content: bytes = value  # type: ignore[assignment]  # as above
        _write_head(output, 2, len(content))
        output += content
    elif kind is Cid:
        output += b"\xd8\x2a\x58\x25\x00"
        output += bytes(value)  # type: ignore[call-overload]  # as above
    elif kind is float:
        raise Malformed("cbor", value, "floats are not allowed")
    else:
        raise Misuse(f"{kind.__name__} is not a type of the data model")


def _check_room(container: list[object] | dict[object, object], levels: int) -> None:
    if levels == 0:
        raise Malformed("cbor", "", f"nested more than {MAX_DEPTH} deep")
    if len(container) > MAX_ENTRIES:
        raise Malformed("cbor", len(container), f"a list or map has more than {MAX_ENTRIES} entries")


def _write_map(output: bytearray, entries: dict[object, object], levels: int) -> None:
    _check_room(entries, levels)
    keyed: list[tuple[int, bytes, object]] = []
    for name, entry in entries.items():
        if type(name) is not str:
            raise Misuse(f"a map key is {type(name).__name__}, not text")
        key = _utf8(name)
        if len(key) > MAX_KEY_BYTES:
            raise Malformed("cbor", name, f"a map key has more than {MAX_KEY_BYTES} bytes")
        keyed.append((len(key), key, entry))
    keyed.sort(key=lambda item: item[:2])
    _write_head(output, 5, len(keyed))
    for size, key, entry in keyed:
        _write_head(output, 3, size)
        output += key
        _write(output, entry, levels - 1)
