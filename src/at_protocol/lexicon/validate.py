"""Validation of values against their Lexicon: records, parameters, inputs, outputs and stream messages.

Every function returns None or raises ``Malformed`` whose ``why`` is a path and a sentence, such as
``record/locations/0/country: too short (1 < 2 bytes)``. Only the first problem is reported. Values are never changed:
readers fill in defaults, and writing defaults into a record would change its CID (Lexicon specification).
"""

from collections.abc import Callable

from at_protocol.failures import Malformed, Misuse
from at_protocol.lexicon.catalog import Catalog, Check
from at_protocol.lexicon.compiler import compile_field, compile_named
from at_protocol.lexicon.document import Body, ObjectType, ProcedureType, RecordType, SubscriptionType
from at_protocol.lexicon.scalars import LexiconViolation, Strictness, name_of_type
from at_protocol.syntax.nsid import parse_nsid
from at_protocol.syntax.record_key import parse_record_key
from at_protocol.syntax.tid import parse_tid


def validate_record(
    catalog: Catalog, collection: str, value: object, strictness: Strictness = Strictness.WRITTEN
) -> None:
    """Validate a whole record, including ``$type``. ``Strictness.SEEN`` is for existing records from other servers.

    Also raises Malformed if the collection's Lexicon is unknown. If that is acceptable, call ``catalog.find_record``
    first.
    """
    if catalog.find_record(collection) is None:
        raise Malformed("record", collection, "no Lexicon of this record type is known here")
    _run(compile_named(catalog, collection, strictness), value, "record")


def validate_record_key(definition: RecordType, rkey: str) -> None:
    """Check a record key against the Lexicon's key type: ``tid``, ``nsid``, ``any`` or one literal key. Raises
    Malformed.
    """
    parse_record_key(rkey)
    match definition.key:
        case "tid":
            parse_tid(rkey)
        case "nsid":
            parse_nsid(rkey)
        case "any":
            return
        case key:
            literal = key.removeprefix("literal:")
            if rkey != literal:
                raise Malformed("record key", rkey, f"records of this type must have the key {literal}")


def validate_parameters(catalog: Catalog, nsid: str, value: object) -> None:
    """Validate the decoded parameters of a method (``xrpc.parameters`` decodes them from a query string)."""
    method = catalog.find_method(nsid)
    if method is None:
        raise Malformed("params", nsid, "no method of this name is known here")
    params = method.parameters
    if params is None:
        return

    def compile_params() -> Check:
        shape = ObjectType(properties=dict(params.properties), required=params.required)
        return compile_field(catalog, shape, nsid, Strictness.BODY)

    _run(_compiled_once(catalog, nsid, "params", compile_params), value, "params")


def validate_input(catalog: Catalog, nsid: str, value: object) -> None:
    """Validate the decoded JSON body of a procedure."""
    method = catalog.find_method(nsid)
    if not isinstance(method, ProcedureType):
        raise Malformed("input", nsid, "no procedure of this name is known here")
    _run_body(catalog, nsid, "input", method.input, value)


def validate_output(catalog: Catalog, nsid: str, value: object) -> None:
    """Validate the decoded JSON response of a query or a procedure."""
    method = catalog.find_method(nsid)
    if method is None or isinstance(method, SubscriptionType):
        raise Malformed("output", nsid, "no method of this name is known here")
    _run_body(catalog, nsid, "output", method.output, value)


def _run_body(catalog: Catalog, nsid: str, part: str, body: Body | None, value: object) -> None:
    if body is None or body.schema is None:
        raise Misuse(f"{nsid} has no {part} with a schema")
    schema = body.schema
    _run(
        _compiled_once(catalog, nsid, part, lambda: compile_field(catalog, schema, nsid, Strictness.BODY)), value, part
    )


def _compiled_once(catalog: Catalog, nsid: str, part: str, build: Callable[[], Check]) -> Check:
    check = catalog.compiled.get((part, nsid))
    if check is None:
        check = catalog.compiled[part, nsid] = build()
    return check


def _run(check: Check, value: object, part: str) -> None:
    try:
        check(value, 0)
    except LexiconViolation as broken:
        path = "/".join([part, *(_escaped(step) for step in reversed(broken.path))])
        # A container is named instead of printed, because it can be a megabyte, or nested deeper than repr can follow.
        shown = name_of_type(broken.value) if isinstance(broken.value, dict | list) else broken.value
        raise Malformed(part, shown, f"{path}: {broken.why}") from None


def _escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")
