"""Query parameters by Lexicon: decode a query string to typed values, and encode it for clients.

Rules (HTTP API specification, and the reference server where it leaves a choice): a list is the same name repeated, in
order; booleans are the words ``true`` and ``false``; integers are decimal; a scalar given twice is rejected; unknown
names are ignored; an empty text counts as absent; defaults are filled in.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, assert_never
from urllib.parse import parse_qsl

from at_protocol.failures import Malformed, Misuse
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import (
    ArrayType,
    BooleanType,
    IntegerType,
    ParamsType,
    StringType,
    UnknownType,
)
from at_protocol.lexicon.validate import validate_parameters

Parameter: TypeAlias = bool | int | str | list[bool | int | str]

# No method takes more. Each parameter costs a little work before the caller is authenticated.
MAX_PARAMETERS = 1000

# Longer texts exceed every integer bound, and Python's conversion is slow for megabytes of digits.
_INTEGER = re.compile(r"-?[0-9]{1,16}")


def decode_parameters(catalog: Catalog, nsid: str, query: str) -> dict[str, Parameter]:
    """Decode a method's parameters from the raw query string (without ``?``), validated and with defaults filled in.

    Raises Malformed with ``params/<name>: …``.
    """
    values_by_name = _pairs(query)
    method = catalog.find_method(nsid)
    if method is None:
        raise Malformed("params", nsid, "no method of this name is known here")
    params = method.parameters or ParamsType()
    decoded: dict[str, Parameter] = {}
    for name, schema in params.properties.items():
        texts = [text for text in values_by_name.get(name, ()) if text]
        if texts:
            decoded[name] = _decode(name, texts, schema)
        elif not isinstance(schema, ArrayType | UnknownType) and schema.default is not None:
            decoded[name] = schema.default
    validate_parameters(catalog, nsid, decoded)
    return decoded


def _pairs(query: str) -> dict[str, list[str]]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except UnicodeDecodeError:
        raise Malformed("params", query[:80], "params: not UTF-8 after percent-decoding") from None
    except ValueError:
        raise Malformed("params", query[:80], f"params: more than {MAX_PARAMETERS}") from None
    values_by_name: dict[str, list[str]] = {}
    for name, text in pairs:
        values_by_name.setdefault(name, []).append(text)
    return values_by_name


def _decode(
    name: str, texts: Sequence[str], schema: BooleanType | IntegerType | StringType | ArrayType | UnknownType
) -> Parameter:
    match schema:
        case ArrayType(items=BooleanType() | IntegerType() | StringType() as item):
            return [_scalar(name, text, item) for text in texts]
        case BooleanType() | IntegerType() | StringType():
            if len(texts) > 1:
                raise Malformed("params", texts[1], f"params/{name}: given more than once")
            return _scalar(name, texts[0], schema)
        case ArrayType() | UnknownType():
            raise Malformed("params", name, f"params/{name}: its type in the Lexicon cannot be used in a query")
        case _:
            assert_never(schema)


def _scalar(name: str, text: str, schema: BooleanType | IntegerType | StringType) -> bool | int | str:
    match schema:
        case StringType():
            return text
        case BooleanType():
            if text not in {"true", "false"}:
                raise Malformed("params", text, f"params/{name}: expected true or false")
            return text == "true"
        case IntegerType():
            if _INTEGER.fullmatch(text) is None:
                raise Malformed("params", text, f"params/{name}: expected a decimal integer")
            return int(text)
        case _:
            assert_never(schema)


def encode_parameters(parameters: Mapping[str, Parameter | None]) -> list[tuple[str, str]]:
    """Return name and value pairs in order, for a client's query string. None is left out; a list repeats its name."""
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        if value is None:
            continue
        pairs += [(name, _text(name, one)) for one in (value if isinstance(value, list) else [value])]
    return pairs


def _text(name: str, value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return value
        case _:
            raise Misuse(f"the parameter {name} cannot be a {type(value).__name__}")
