"""Linter of Lexicon documents: rules that go beyond their shapes.

The meta-schema of published Lexicons requires almost nothing, so run this on a document from someone else before using
it (Lexicon specification). An unknown permission is not a problem, because readers of permission sets skip it.
"""

import re
from collections.abc import Collection, Iterator
from typing import assert_never

import msgspec

from at_protocol.failures import Malformed
from at_protocol.lexicon.document import (
    ArrayType,
    BlobType,
    Body,
    BooleanType,
    BytesType,
    Definition,
    Document,
    Field,
    IntegerType,
    LinkType,
    NamedError,
    ObjectType,
    ParamsType,
    PermissionSetType,
    ProcedureType,
    QueryType,
    RecordType,
    RefType,
    StringType,
    SubscriptionType,
    TokenType,
    UnionType,
    UnknownType,
    convert_document,
    full_reference,
    read_document,
)
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key

# Limit of nested inline types (references do not count). No schema written by a person is this deep.
MAX_NESTING = 32
MAX_DEFINITIONS = 1000

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,127}")
_PRIMARY = (RecordType, QueryType, ProcedureType, SubscriptionType, PermissionSetType)

# Fields where only one type is possible. The decoder assumes it if ``type`` is missing.
_ONLY_TYPE = {"record": "object", "parameters": "params"}


def parse_document(text: bytes | str) -> Document:
    """Parse an untrusted JSON document, checking shapes and rules. Raises Malformed with the first problem."""
    document = read_document(text)
    _refuse(document, missing_types(msgspec.json.decode(text)))
    return document


def parse_document_value(value: dict[str, object]) -> Document:
    """Do the same as ``parse_document`` for a decoded document, as in a ``com.atproto.lexicon.schema`` record."""
    document = convert_document(value)
    _refuse(document, missing_types(value))
    return document


def _refuse(document: Document, already: list[str]) -> None:
    problems = already or lint(document)
    if problems:
        raise Malformed("lexicon", document.id, problems[0])


def missing_types(plain: object) -> list[str]:
    """Return the places in the undecoded document where ``type`` is missing although only one type is possible."""
    missing: list[str] = []
    defs = plain.get("defs") if isinstance(plain, dict) else None
    main = defs.get("main") if isinstance(defs, dict) else None
    if not isinstance(main, dict):
        return missing
    for name, required_type in _ONLY_TYPE.items():
        part = main.get(name)
        if isinstance(part, dict) and part.get("type") != required_type:
            missing.append(f"main/{name}: type must be {required_type}")
    message = main.get("message")
    schema = message.get("schema") if isinstance(message, dict) else None
    if isinstance(schema, dict) and schema.get("type") != "union":
        missing.append("main/message/schema: type must be union")
    return missing


def lint(document: Document) -> list[str]:
    """Return the problems in document order, as sentences of the form ``place: what is wrong``. Empty for a valid
    document.
    """
    return list(_document_problems(document))


def _document_problems(document: Document) -> Iterator[str]:
    try:
        parse_nsid(document.id)
    except Malformed as failure:
        yield f"id: {failure.why}"
    if not document.defs:
        yield "defs: empty"
    if len(document.defs) > MAX_DEFINITIONS:
        yield f"defs: more than {MAX_DEFINITIONS}"
        return
    for name, definition in document.defs.items():
        if _NAME.fullmatch(name) is None:
            yield f"defs: {name[:40]!r} is not a name"
        elif isinstance(definition, _PRIMARY) and name != "main":
            yield f"{name}: a {_tag(definition)} must be named main"
        else:
            yield from _definition_problems(name, definition, document)


def _tag(definition: msgspec.Struct) -> str:
    return str(definition.__struct_config__.tag)


def _definition_problems(place: str, definition: Definition, document: Document) -> Iterator[str]:
    match definition:
        case RecordType():
            yield from _key_problems(f"{place}/key", definition.key)
            yield from _field_problems(f"{place}/record", definition.record, document, 1)
        case QueryType():
            yield from _method_problems(place, definition.parameters, definition.errors, document)
            yield from _body_problems(f"{place}/output", definition.output, document)
        case ProcedureType():
            yield from _method_problems(place, definition.parameters, definition.errors, document)
            yield from _body_problems(f"{place}/input", definition.input, document)
            yield from _body_problems(f"{place}/output", definition.output, document)
        case SubscriptionType():
            yield from _method_problems(place, definition.parameters, definition.errors, document)
            yield from _field_problems(f"{place}/message", definition.message.schema, document, 1)
        case PermissionSetType():
            for index, permission in enumerate(definition.permissions):
                if permission.get("type") != "permission" or not isinstance(permission.get("resource"), str):
                    yield f"{place}/permissions/{index}: not a permission with a resource"
        case _:
            yield from _field_problems(place, definition, document, 1)


def _key_problems(place: str, key: str) -> Iterator[str]:
    if key in {"tid", "nsid", "any"}:
        return
    kind, colon, literal = key.partition(":")
    if kind != "literal" or not colon:
        yield f"{place}: not one of tid, nsid, any, literal:<value>"
        return
    try:
        parse_record_key(literal)
    except Malformed as failure:
        yield f"{place}: {failure.why}"


def _method_problems(
    place: str, parameters: ParamsType | None, errors: tuple[NamedError, ...], document: Document
) -> Iterator[str]:
    for error in errors:
        if not error.name or not error.name.isascii() or any(character.isspace() for character in error.name):
            yield f"{place}/errors: {error.name[:40]!r} is not an error name"
    if parameters is None:
        return
    yield from _list_problems(f"{place}/parameters/required", parameters.required, parameters.properties)
    for name, one in parameters.properties.items():
        inside = f"{place}/parameters/{name}"
        if isinstance(one, ArrayType) and not isinstance(one.items, BooleanType | IntegerType | StringType):
            yield f"{inside}: a parameter list holds booleans, integers or strings"
        yield from _field_problems(inside, one, document, 1)


def _body_problems(place: str, body: Body | None, document: Document) -> Iterator[str]:
    if body is None:
        return
    if not body.encoding:
        yield f"{place}/encoding: empty"
    if body.schema is not None:
        yield from _field_problems(f"{place}/schema", body.schema, document, 1)


def _field_problems(place: str, field: Field, document: Document, depth: int) -> Iterator[str]:
    if depth > MAX_NESTING:
        yield f"{place}: nested deeper than {MAX_NESTING}"
        return
    match field:
        case ObjectType():
            yield from _list_problems(f"{place}/required", field.required, field.properties)
            yield from _list_problems(f"{place}/nullable", field.nullable, field.properties)
            for name, inner in field.properties.items():
                yield from _field_problems(f"{place}/{name}", inner, document, depth + 1)
        case ArrayType():
            yield from _range_problems(place, field.min_length, field.max_length)
            yield from _field_problems(f"{place}/items", field.items, document, depth + 1)
        case StringType():
            yield from _range_problems(place, field.min_length, field.max_length)
            yield from _range_problems(place, field.min_graphemes, field.max_graphemes)
            yield from _constant_problems(place, field)
        case IntegerType():
            if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
                yield f"{place}: minimum above maximum"
            yield from _constant_problems(place, field)
        case BooleanType():
            yield from _constant_problems(place, field)
        case BytesType():
            yield from _range_problems(place, field.min_length, field.max_length)
        case BlobType():
            if field.max_size is not None and field.max_size < 0:
                yield f"{place}: negative maxSize"
        case RefType():
            yield from _reference_problems(place, field.ref, document, (TokenType, *_PRIMARY[1:]))
        case UnionType():
            if field.closed and not field.refs:
                yield f"{place}: a closed union without members allows nothing"
            for reference in field.refs:
                yield from _reference_problems(place, reference, document, None)
        case LinkType() | TokenType() | UnknownType():
            return
        case _:
            assert_never(field)


def _list_problems(place: str, names: tuple[str, ...], properties: Collection[str]) -> Iterator[str]:
    for name in names:
        if name not in properties:
            yield f"{place}: {name[:40]!r} is not a property"


def _range_problems(place: str, low: int | None, high: int | None) -> Iterator[str]:
    if (low is not None and low < 0) or (high is not None and high < 0):
        yield f"{place}: negative length"
    if low is not None and high is not None and low > high:
        yield f"{place}: minimum length above maximum length"


def _constant_problems(place: str, one: BooleanType | IntegerType | StringType) -> Iterator[str]:
    if one.const is not None and one.default is not None:
        yield f"{place}: const and default cannot be combined"
    if (
        not isinstance(one, BooleanType)
        and one.enum is not None
        and one.default is not None
        and one.default not in one.enum
    ):
        yield f"{place}: the default is not in the enum"


def _reference_problems(
    place: str, reference: str, document: Document, unfit: tuple[type, ...] | None
) -> Iterator[str]:
    """``unfit`` are the kinds of definition that a ref may not refer to. None means a union: objects and records only."""
    nsid, _, name = full_reference(reference, document.id).partition("#")
    if nsid != document.id:
        try:
            parse_nsid(nsid)
        except Malformed:
            yield f"{place}: {reference[:80]!r} is not a reference"
        return  # other documents are resolved when a value is checked
    target = document.defs.get(name or "main")
    if target is None:
        yield f"{place}: {reference[:80]!r} is not defined"
    elif unfit is None and not isinstance(target, ObjectType | RecordType):
        yield f"{place}: a union member must be an object or a record, {reference[:80]!r} is not"
    elif unfit is not None and isinstance(target, unfit):
        yield f"{place}: {reference[:80]!r} cannot be the type of a value"
