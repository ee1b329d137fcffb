"""Compile Lexicon definitions to checks: containers, references and unions.

References are resolved on first use, never while a check is built, because schemas can be recursive and an attacker can
make reference chains of any length. The depth of the value, which containers count, limits the work.
"""

from collections.abc import Iterable
from typing import assert_never

from at_protocol.failures import Malformed, Misuse
from at_protocol.lexicon.catalog import Catalog, Check
from at_protocol.lexicon.document import (
    ArrayType,
    BlobType,
    BooleanType,
    BytesType,
    Definition,
    Field,
    IntegerType,
    LinkType,
    ObjectType,
    RecordType,
    RefType,
    StringType,
    TokenType,
    UnionType,
    UnknownType,
    full_reference,
)
from at_protocol.lexicon.scalars import (
    LexiconViolation,
    Strictness,
    blob_check,
    boolean_check,
    bytes_check,
    constant_check,
    integer_check,
    link_check,
    string_check,
    unknown_check,
    wrong_type,
)

# The depth limit of ``groundwork.http.json_bodies``. Records have a lower limit, enforced by the codec.
MAX_DEPTH = 128


def compile_named(catalog: Catalog, reference: str, strictness: Strictness) -> Check:
    """Return the check of ``nsid`` or ``nsid#name``, which is built once in the catalog that has the document. Raises
    Malformed if it is unknown.
    """
    key = (strictness, reference)
    nsid = reference.partition("#")[0]
    catalog = catalog.holder_of(nsid)
    check = catalog.compiled.get(key)
    if check is None:
        check = _compile_definition(catalog, reference, catalog.definition(reference), nsid, strictness)
        catalog.compiled[key] = check
    return check


def compile_field(catalog: Catalog, field: Field, nsid: str, strictness: Strictness) -> Check:
    """Return the check of one type as written in document ``nsid``."""
    match field:
        case ObjectType():
            return _object_check(catalog, field, nsid, strictness)
        case ArrayType():
            return _array_check(field, compile_field(catalog, field.items, nsid, strictness))
        case StringType():
            return string_check(field)
        case IntegerType():
            return integer_check(field)
        case BooleanType():
            return boolean_check(field)
        case BytesType():
            return bytes_check(field)
        case LinkType():
            return link_check
        case BlobType():
            return blob_check(field, strictness)
        case UnknownType():
            return unknown_check
        case RefType():
            return _ref_check(catalog, full_reference(field.ref, nsid), strictness)
        case UnionType():
            return union_check(
                catalog, (full_reference(ref, nsid) for ref in field.refs), strictness, closed=field.closed
            )
        case TokenType():
            raise Misuse("a token has no value of its own")
        case _:
            assert_never(field)


def _compile_definition(
    catalog: Catalog, reference: str, definition: Definition, nsid: str, strictness: Strictness
) -> Check:
    match definition:
        case RecordType():
            return _record_check(_object_check(catalog, definition.record, nsid, strictness), nsid)
        case TokenType():
            return constant_check(reference)
        case (
            ObjectType()
            | ArrayType()
            | StringType()
            | IntegerType()
            | BooleanType()
            | BytesType()
            | LinkType()
            | BlobType()
        ):
            return compile_field(catalog, definition, nsid, strictness)
        case _:
            raise Malformed("lexicon", reference, "this definition is not a value type")


def _record_check(inner: Check, nsid: str) -> Check:
    def check(value: object, depth: int) -> None:
        if type(value) is not dict:
            raise wrong_type("object", value)
        if value.get("$type") != nsid:
            raise _with_place("$type", LexiconViolation(f"must be {nsid}", value.get("$type")))
        inner(value, depth)

    return check


def _with_place(place: str, broken: LexiconViolation) -> LexiconViolation:
    broken.path.append(place)
    return broken


def _object_check(catalog: Catalog, definition: ObjectType, nsid: str, strictness: Strictness) -> Check:
    required = tuple(definition.required)
    if strictness is Strictness.SEEN:
        # A reader fills in missing defaults, so the record is complete for a reader (section 3, default).
        required = tuple(name for name in required if not _has_default(catalog, definition.properties.get(name), nsid))
    nullable = frozenset(definition.nullable)
    checks = {name: compile_field(catalog, one, nsid, strictness) for name, one in definition.properties.items()}
    find = checks.get

    def check(value: object, depth: int) -> None:
        if type(value) is not dict:
            raise wrong_type("object", value)
        if depth > MAX_DEPTH:
            raise LexiconViolation(f"nested deeper than {MAX_DEPTH}", "...")
        if value.get("$type") == "blob":
            raise wrong_type("object", value)
        for name in required:
            if name not in value:
                raise _with_place(name, LexiconViolation("required, but missing", None))
        for name, inner in value.items():
            test = find(name)
            if test is None or (inner is None and name in nullable):
                continue  # unknown fields are legal and kept
            try:
                test(inner, depth + 1)
            except LexiconViolation as broken:
                broken.path.append(name)
                raise

    return check


def _has_default(catalog: Catalog, one: Field | Definition | None, nsid: str) -> bool:
    if isinstance(one, RefType):
        reference = full_reference(one.ref, nsid)
        document = catalog.find(reference.partition("#")[0])
        one = None if document is None else document.defs.get(reference.partition("#")[2] or "main")
    return isinstance(one, BooleanType | IntegerType | StringType) and one.default is not None


def _array_check(definition: ArrayType, item: Check) -> Check:
    low, high = definition.min_length or 0, definition.max_length

    def check(value: object, depth: int) -> None:
        if type(value) is not list:
            raise wrong_type("array", value)
        if depth > MAX_DEPTH:
            raise LexiconViolation(f"nested deeper than {MAX_DEPTH}", "...")
        if len(value) < low:
            raise LexiconViolation(f"too short ({len(value)} < {low} elements)", value)
        if high is not None and len(value) > high:
            raise LexiconViolation(f"too long ({len(value)} > {high} elements)", value)
        for index, inner in enumerate(value):
            try:
                item(inner, depth + 1)
            except LexiconViolation as broken:
                broken.path.append(index)
                raise

    return check


def _ref_check(catalog: Catalog, reference: str, strictness: Strictness) -> Check:
    compiled: Check | None = None
    tags_matter = strictness is not Strictness.BODY

    def check(value: object, depth: int) -> None:
        nonlocal compiled
        if compiled is None:
            try:
                compiled = compile_named(catalog, reference, strictness)
            except Malformed as failure:
                raise LexiconViolation(f"{reference}: {failure.why}", reference) from failure
        # A value behind a reference does not need a $type. A $type that differs from the schema's is an error.
        if tags_matter and type(value) is dict and value.get("$type", reference) not in (reference, "blob"):
            raise _with_place("$type", LexiconViolation(f"must be {reference} or absent", value["$type"]))
        compiled(value, depth)

    return check


def union_check(catalog: Catalog, members: Iterable[str], strictness: Strictness, *, closed: bool) -> Check:
    """Return a check for one of several named types, told apart by ``$type``. An open union accepts unknown types
    unchecked.
    """
    checks: dict[str, Check | None] = dict.fromkeys(members)

    def check(value: object, depth: int) -> None:
        if type(value) is not dict:
            raise wrong_type("object", value)
        name = value.get("$type")
        if type(name) is not str or not name:
            raise _with_place("$type", LexiconViolation("a member of a union needs a $type", name))
        if name not in checks:
            if closed:
                raise _with_place("$type", LexiconViolation("must be " + " or ".join(checks), name))
            if name.startswith("#") or name.endswith("#main") or name == "blob":
                raise _with_place("$type", LexiconViolation("not a full type name", name))
            return
        test = checks[name]
        if test is None:
            try:
                test = checks[name] = compile_named(catalog, name, strictness)
            except Malformed as failure:
                raise _with_place("$type", LexiconViolation(failure.why, name)) from failure
        test(value, depth)

    return check
