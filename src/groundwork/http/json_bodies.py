"""JSON requests and responses. Input is parsed strictly: anything that two parsers could read differently is rejected.

This includes duplicate keys, ``NaN`` and ``Infinity``, lone surrogates, invalid UTF-8, more than 128 nested levels and
more than 32,768 lists and objects (the limits are higher if one body contains several documents that each have their
own limits). Schemas are msgspec types. The error for a value of the wrong type names the field.

Names in our own JSON APIs are lowerCamelCase; in Python they have underscores. msgspec renames schemas
(``rename="camel"``), and ``json_name`` a name that is a value, such as the field of a problem.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
import msgspec.inspect
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

MAX_DEPTH = 128
# Far below the depth at which the recursive parser would fail (a thousand).
MAX_DEPTH_OF_MANY = 512
# A list of two bytes (``[]``) takes 64 bytes in memory, so these are the most expensive thing that a body can contain.
MAX_CONTAINERS = 32_768
MAX_CONTAINERS_OF_MANY = 262_144

# Matches from every quotation mark, also if the string has no end. Otherwise, the search would begin again at each one.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
_ALL_BUT_BRACKETS = bytes({*range(256)} - {*b"[]{}"})

# msgspec ends its message with the place: "Expected `int`, got `str` - at `$.limit`"
_WHERE = re.compile(r"^(?P<why>.*?) - at `\$\.?(?P<path>[^`]*)`$", re.DOTALL)

_JOINT = re.compile(r"_([a-z0-9])")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        repeated_key = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidInput("", f"The key {repeated_key[:50]!r} appears twice in one object.")
    return members


def _constant(name: str) -> NoReturn:
    raise InvalidInput("", f"{name} is not JSON.")


def _check_brackets(body: bytes, max_depth: int, max_containers: int) -> None:
    """Raise InvalidInput if a body has too many lists and objects, or too many in each other."""
    # A quick upper bound first: with fewer brackets, neither is possible.
    if body.count(b"[") + body.count(b"{") <= max_depth:
        return
    brackets = _STRING.sub(b"", body).translate(None, _ALL_BUT_BRACKETS)
    if brackets.count(b"[") + brackets.count(b"{") > max_containers:
        raise InvalidInput("", f"The JSON contains more than {max_containers} lists and objects.")
    depth = 0
    for bracket in brackets:
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            raise InvalidInput("", f"The JSON is nested deeper than {max_depth} levels.")
        if depth < 0:  # this is not JSON, and the parser says why
            return


def parse_json(body: bytes, *, max_depth: int = MAX_DEPTH, max_containers: int = MAX_CONTAINERS) -> Any:
    """Parse a JSON value strictly. Raises ``InvalidInput``."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("", "The body is not UTF-8.") from None
    _check_brackets(body, max_depth, max_containers)
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
        if "\\u" in text:
            # Only an escape sequence can contain an unpaired surrogate, and encoding the text finds it anywhere.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise InvalidInput("", f"The body is not JSON: {error.msg} at line {error.lineno}.") from None
    except UnicodeEncodeError:
        raise InvalidInput("", "The JSON contains half a character (a lone surrogate).") from None
    except ValueError:
        # int() rejects more than 4300 digits, and json passes that error on.
        raise InvalidInput("", "The JSON contains a number that is too long.") from None
    return value


def shape_json(value: Any, shape: type[T]) -> T:
    """Convert a JSON value to a msgspec type. Raises ``InvalidInput`` that names the field."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        matched = _WHERE.match(str(error))
        field, why = (matched["path"], matched["why"]) if matched else ("", str(error))
        allowed = _allowed(shape, field) if why.startswith("Invalid enum value") else ()
        why = f"Choose one of: {', '.join(allowed)}" if allowed else why.replace("`", "")
        raise InvalidInput(field, why + ".") from None


def _allowed(shape: object, path: str) -> list[str]:
    """Return the values that a schema allows at this path, or nothing if it is not a closed set."""
    types = [msgspec.inspect.type_info(shape)]
    for name in re.findall(r"[^.\[\]]+|\[", re.sub(r"\[[^\]]*\]", "[", path)):
        types = [part for one in types for part in _parts(one, name)]
    literals = [one for one in _alternatives(types) if isinstance(one, msgspec.inspect.LiteralType)]
    enums = [one for one in _alternatives(types) if isinstance(one, msgspec.inspect.EnumType)]
    return [str(value) for one in literals for value in one.values] + [
        str(member.value) for one in enums for member in one.cls
    ]


def _parts(container: msgspec.inspect.Type, name: str) -> list[msgspec.inspect.Type]:
    part_types: list[msgspec.inspect.Type] = []
    for one in _alternatives([container]):
        if isinstance(one, msgspec.inspect.StructType):
            part_types += [field.type for field in one.fields if field.encode_name == name]
        elif isinstance(one, msgspec.inspect.ListType | msgspec.inspect.VarTupleType) and name == "[":
            part_types.append(one.item_type)
    return part_types


def _alternatives(types: list[msgspec.inspect.Type]) -> list[msgspec.inspect.Type]:
    return [one for each in types for one in (each.types if isinstance(each, msgspec.inspect.UnionType) else (each,))]


async def read_json(
    request: Request,
    shape: type[T],
    *,
    is_optional: bool = False,
    max_depth: int = MAX_DEPTH,
    max_containers: int = MAX_CONTAINERS,
) -> T:
    """Return the body as ``shape``. It must be declared as JSON, so that a form on another site cannot post to this
    server.

    With ``is_optional``, a missing body is treated as an empty object.
    """
    if is_optional and not await request.body():
        return shape_json({}, shape)
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json" and not declared.endswith("+json"):
        raise InvalidInput("", "The body must be JSON, sent as application/json.", name="InvalidRequest")
    return shape_json(parse_json(await request.body(), max_depth=max_depth, max_containers=max_containers), shape)


async def with_current_values(request: Request, body: S, now: Mapping[str, object]) -> S:
    """Complete a body with values of ``now`` for the fields that it leaves out, so that an omission never makes
    anything public.
    """
    sent = parse_json(await request.body())
    names = dict(zip(body.__struct_fields__, body.__struct_encode_fields__, strict=True))
    left_out = {field: value for field, value in now.items() if isinstance(sent, dict) and names[field] not in sent}
    return msgspec.structs.replace(body, **left_out)


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response. Dataclasses and msgspec structs can be passed as they are."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def json_name(name: str) -> str:
    """Return the name of a field in JSON: ``venue.postal_code`` becomes ``venue.postalCode``. Names without underscores
    stay the same.
    """
    return _JOINT.sub(lambda found: found[1].upper(), name)
