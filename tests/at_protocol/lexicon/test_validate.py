"""Values checked against their Lexicons: the published cases, each rule, and real calendar records."""

import json
from base64 import b64decode

import pytest
from tests.external_dependencies import fixture_path, needs

from at_protocol.data.cid import Cid
from at_protocol.data.json_form import from_json
from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import RecordType
from at_protocol.lexicon.linter import parse_document
from at_protocol.lexicon.scalars import Strictness, count_graphemes
from at_protocol.lexicon.validate import (
    validate_input,
    validate_output,
    validate_parameters,
    validate_record,
    validate_record_key,
)

RAW = Cid.for_raw(b"picture")
NAME = "com.example.thing"


def catalog_of(record: dict[str, object], *, key: str = "any", **defs: object) -> Catalog:
    """A catalog with the built-in documents and ``com.example.thing``, which has these properties."""
    shape = record if "type" in record else {"type": "object", "properties": record}
    main = {"type": "record", "key": key, "record": shape}
    catalog = Catalog()
    catalog.add(parse_document(json.dumps({"lexicon": 1, "id": NAME, "defs": {"main": main, **defs}})))
    return catalog


def problem(
    catalog: Catalog, value: object, strictness: Strictness = Strictness.WRITTEN, name: str = NAME
) -> str | None:
    """The error of a record, or None."""
    record = {"$type": name, **value} if isinstance(value, dict) else value
    try:
        validate_record(catalog, name, record, strictness)
    except Malformed as failure:
        return failure.why
    return None


def field_problem(schema: dict[str, object], value: object) -> str | None:
    return problem(catalog_of({"f": schema}), {"f": value})


def interop(name: str) -> list[object]:
    path = fixture_path(f"vectors/interop/lexicon/record-data-{name}.json")
    read = json.loads(path.read_bytes()) if path.exists() else []
    return [pytest.param(case, id=f"{number} {case['name']}") for number, case in enumerate(read)]


def interop_catalog() -> Catalog:
    catalog = Catalog()
    for path in fixture_path("vectors/interop/lexicon/catalog").glob("*.json"):
        catalog.add(parse_document(path.read_bytes()))
    return catalog


def value_of(document: object) -> object:
    """JSON with links and bytes converted to values. No other rule is applied, so that the schema must find what is
    wrong.
    """
    match document:
        case {"$link": str(text), **rest} if not rest:
            return Cid.parse(text)
        case {"$bytes": str(text), **rest} if not rest:
            return b64decode(text + "=" * (-len(text) % 4))
        case dict():
            return {name: value_of(inner) for name, inner in document.items()}
        case list():
            return [value_of(inner) for inner in document]
        case _:
            return document


def check_interop(case: dict[str, object]) -> None:
    catalog = interop_catalog()
    definition = catalog.find_record("example.lexicon.record")
    assert definition is not None
    validate_record_key(definition, case["rkey"])
    validate_record(catalog, "example.lexicon.record", value_of(case["data"]))


@needs("fixtures")
@pytest.mark.parametrize("case", interop("valid"))
def test_published_valid_records_pass(case):
    check_interop(case)


@needs("fixtures")
@pytest.mark.parametrize("case", interop("invalid"))
def test_published_invalid_records_fail(case):
    with pytest.raises(Malformed):
        check_interop(case)


# Types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "boolean"}, [True, False], [1, 0, "true", None]),
        ({"type": "boolean", "const": True}, [True], [False]),
        ({"type": "integer"}, [0, -5, 2**53 - 1, 1 - 2**53], [True, 2**53, -(2**53), 1.0, 1.5, "1"]),
        ({"type": "integer", "minimum": 0, "maximum": 3}, [0, 3], [-1, 4]),
        ({"type": "integer", "enum": [4, 9]}, [4], [5]),
        ({"type": "integer", "const": 42}, [42], [41]),
        ({"type": "string"}, ["", "x"], [b"x", 1, None]),
        ({"type": "string", "enum": ["a"]}, ["a"], ["b", ""]),
        ({"type": "string", "const": "a"}, ["a"], ["b"]),
        ({"type": "string", "knownValues": ["a"]}, ["a", "b"], [1]),
        ({"type": "string", "format": "nothing-known"}, ["anything at all"], [1]),
        ({"type": "bytes", "minLength": 1, "maxLength": 3}, [b"a", b"abc"], [b"", b"abcd", "abc", [1]]),
        ({"type": "cid-link"}, [RAW], [str(RAW), bytes(RAW), {"$link": str(RAW)}]),
        ({"type": "array", "items": {"type": "integer"}}, [[], [1]], [[True], [None], (1,), {}]),
        (
            {"type": "array", "items": {"type": "integer"}, "minLength": 1, "maxLength": 2},
            [[1], [1, 1]],
            [[], [1, 2, 3]],
        ),
        (
            {"type": "object", "properties": {"a": {"type": "integer"}}},
            [{}, {"a": 1}, {"b": "x"}],
            [{"a": "x"}, [], None],
        ),
        ({"type": "unknown"}, [{}, {"$type": "x.y.z", "a": [None]}], [RAW, b"x", [], 1, {"$type": "blob"}]),
    ],
)
def test_each_type_accepts_only_its_own_values(schema, good, bad):
    """Each type accepts its own values and nothing that only looks like one."""
    assert [value for value in good if field_problem(schema, value) is not None] == []
    assert [value for value in bad if field_problem(schema, value) is None] == []


def test_lengths_count_bytes():
    """Lengths count bytes: five two-byte letters and one more are eleven bytes, not six characters."""
    assert field_problem({"type": "string", "maxLength": 10}, "é" * 5) is None
    assert field_problem({"type": "string", "maxLength": 10}, "é" * 5 + "x") == "record/f: too long (11 > 10 bytes)"
    assert field_problem({"type": "string", "minLength": 3}, "é") == "record/f: too short (2 < 3 bytes)"


def test_graphemes_count_visible_characters():
    """Graphemes count what people see: a family emoji is one grapheme of twenty-five bytes. Both kinds of limit apply
    at once.
    """
    family = "👨‍👩‍👧‍👦"
    assert field_problem({"type": "string", "maxGraphemes": 1}, family) is None
    assert field_problem({"type": "string", "maxGraphemes": 1}, family * 2) is not None
    assert field_problem({"type": "string", "minGraphemes": 2}, family) is not None
    assert (
        field_problem({"type": "string", "maxGraphemes": 1, "maxLength": 24}, family)
        == "record/f: too long (25 > 24 bytes)"
    )


def test_graphemes_of_line_ends():
    """CR LF is one grapheme, also in the fast path for ASCII."""
    assert count_graphemes("a\r\nb\n\r") == 5
    assert count_graphemes("ä\r\n") == 2


FORMATS = {
    "at-identifier": (["did:web:example.com", "a.example.com"], ["@a.example.com", "did:", "word"]),
    "at-uri": (["at://did:plc:abc/com.example.thing/self"], ["https://example.com", "at://x.example.com/"]),
    "cid": ([str(RAW), "zQmYyy" + "1" * 40], ["123", "has space"]),
    "datetime": (
        ["2023-10-30T22:25:23Z", "2023-10-30T22:25:23.1+05:30"],
        ["2024-02-30T00:00:00Z", "0000-01-01T00:00:00+01:00", "2023-10-30T22:25:60Z", "2023-10-30 22:25:23Z"],
    ),
    "did": (["did:method:val"], ["DID:method:val", "did:m1:val"]),
    "handle": (["A.Example.com"], ["example", "a_b.example.com"]),
    "language": (["de", "pt-BR"], ["", "-", "123", "de-1901-1901", "en-a-foo-A-bar"]),
    "nsid": (["com.example.thing"], ["com.example", "com.example.*"]),
    "record-key": (["self", "..."], ["..", "a/b", "x" * 513]),
    "tid": (["3kznmn7xqxl22"], ["000", "3kznmn7xqxl2", "zkznmn7xqxl22"]),
    "uri": (["https://example.com", "at://x"], ["example.com", "https: //x", ""]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_string_format_is_enforced(name):
    """Every string format of the language is enforced by the syntax of its identifier."""
    good, bad = FORMATS[name]
    schema = {"type": "string", "format": name}
    assert [value for value in good if field_problem(schema, value) is not None] == []
    assert [value for value in bad if field_problem(schema, value) is None] == []


# Presence --------------------------------------------------------------------------------------------------------


def test_absent_null_and_empty():
    """Absent, null and empty are different."""
    shape = {
        "type": "object",
        "required": ["must", "mustBeNamed"],
        "nullable": ["mustBeNamed", "maybe"],
        "properties": {name: {"type": "string"} for name in ("must", "mustBeNamed", "maybe", "optional")},
    }
    catalog = catalog_of(shape)
    assert problem(catalog, {"must": "", "mustBeNamed": None}) is None
    assert problem(catalog, {"must": "", "mustBeNamed": None, "maybe": None}) is None
    assert problem(catalog, {"must": ""}) == "record/mustBeNamed: required, but missing"
    assert problem(catalog, {"must": None, "mustBeNamed": ""}) == "record/must: expected string, got null"
    assert problem(catalog, {"must": "", "mustBeNamed": "", "optional": None}) is not None


def test_default_does_not_replace_a_required_field_on_write():
    """A required field with a default must be written. A reader of an old record fills it in."""
    value = {"subject": {"uri": "at://did:plc:abc/community.lexicon.calendar.event/3kznmn7xqxl22", "cid": str(RAW)}}
    name = "community.lexicon.calendar.rsvp"
    assert problem(Catalog(), value, name=name) == "record/status: required, but missing"
    assert problem(Catalog(), value, Strictness.SEEN, name=name) is None


def test_validation_changes_nothing():
    """Validation does not change the value: it adds no defaults and keeps unknown fields."""
    record = {"$type": NAME, "extra": {"deep": [1]}}
    validate_record(catalog_of({"n": {"type": "integer", "default": 3}}), NAME, record)
    assert record == {"$type": NAME, "extra": {"deep": [1]}}


@pytest.mark.parametrize("type_", ["com.example.other", NAME + "#main", "", None, 1])
def test_record_names_its_collection(type_):
    """``$type`` must be exactly the collection."""
    with pytest.raises(Malformed, match=r"record/\$type: must be com.example.thing"):
        validate_record(catalog_of({}), NAME, {"$type": type_})


def test_record_without_type():
    with pytest.raises(Malformed, match=r"record/\$type"):
        validate_record(catalog_of({}), NAME, {})


def test_unknown_collection_is_malformed():
    with pytest.raises(Malformed, match="no Lexicon of this record type"):
        validate_record(Catalog(), "com.example.unknown", {"$type": "com.example.unknown"})


# References and unions -------------------------------------------------------------------------------------------

POINT = {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}}


def test_reference_may_omit_the_type_but_not_have_a_wrong_one():
    """A referenced object may omit ``$type``, but a wrong one is refused."""
    catalog = catalog_of({"f": {"type": "ref", "ref": "#point"}}, point=POINT)
    assert problem(catalog, {"f": {"x": 1}}) is None
    assert problem(catalog, {"f": {"$type": f"{NAME}#point", "x": 1}}) is None
    assert problem(catalog, {"f": {"$type": f"{NAME}#other", "x": 1}}) is not None
    assert problem(catalog, {"f": {}}) == "record/f/x: required, but missing"


def test_token_reference_is_its_name():
    catalog = catalog_of({"f": {"type": "ref", "ref": "#here"}}, here={"type": "string", "knownValues": [f"{NAME}#a"]})
    assert problem(catalog, {"f": "anything"}) is None
    assert problem(catalog, {"f": 1}) is not None


@pytest.mark.parametrize(
    ("value", "open_ok", "closed_ok"),
    [
        ({"$type": f"{NAME}#point", "x": 1}, True, True),
        ({"$type": f"{NAME}#point"}, False, False),
        ({"$type": "com.example.future#kind", "y": [None]}, True, False),
        ({"$type": "com.example.other#main"}, False, False),
        ({"$type": "#point", "x": 1}, False, False),
        ({"$type": ""}, False, False),
        ({"$type": 1}, False, False),
        ({"x": 1}, False, False),
        ({}, False, False),
        ("text", False, False),
        (None, False, False),
    ],
)
def test_members_of_unions_are_checked(value, open_ok, closed_ok):
    """A known member is checked by its definition, an unknown member passes only an open union, and a value without
    ``$type`` is refused.
    """
    refs = {"type": "union", "refs": ["#point"]}
    assert (problem(catalog_of({"f": refs}, point=POINT), {"f": value}) is None) is open_ok
    assert (problem(catalog_of({"f": {**refs, "closed": True}}, point=POINT), {"f": value}) is None) is closed_ok


def test_union_member_may_be_a_main_definition():
    """``nsid#main`` in a schema matches the bare NSID in data."""
    catalog = catalog_of({"f": {"type": "union", "refs": ["com.atproto.repo.strongRef#main"], "closed": True}})
    value = {"$type": "com.atproto.repo.strongRef", "uri": "at://did:plc:abc", "cid": str(RAW)}
    assert problem(catalog, {"f": value}) is None
    assert problem(catalog, {"f": {**value, "$type": "com.atproto.repo.strongRef#main"}}) is not None


def test_reference_to_an_unknown_document_is_reported():
    catalog = catalog_of({"f": {"type": "ref", "ref": "com.example.absent#thing"}})
    assert problem(catalog, {"f": {}}) == "record/f: com.example.absent#thing: this Lexicon is not known here"


def test_deep_data_under_a_recursive_schema_is_refused():
    """Ten thousand levels of data under a recursive schema are an error, not a crash."""
    catalog = catalog_of(
        {"f": {"type": "ref", "ref": "#node"}},
        node={"type": "object", "properties": {"next": {"type": "ref", "ref": "#node"}}},
    )
    assert problem(catalog, {"f": {"next": {"next": {}}}}) is None
    value: dict[str, object] = {}
    for _ in range(10_000):
        value = {"next": value}
    assert "nested deeper than" in str(problem(catalog, {"f": value}))


def test_path_escapes_like_a_json_pointer():
    catalog = catalog_of({"a/b~c": {"type": "array", "items": {"type": "integer"}}})
    assert problem(catalog, {"a/b~c": [0, "x"]}) == "record/a~1b~0c/1: expected integer, got string"


# Blobs -----------------------------------------------------------------------------------------------------------

PICTURE = {"$type": "blob", "ref": RAW, "mimeType": "image/png", "size": 10}


@pytest.mark.parametrize(
    ("change", "fine"),
    [
        ({}, True),
        ({"ref": Cid.for_cbor(b"\xa0")}, True),
        ({"size": 0}, True),
        ({"mimeType": "image/png; charset=binary"}, True),
        ({"size": -1}, False),
        ({"size": "10"}, False),
        ({"size": True}, False),
        ({"size": 21}, False),
        ({"mimeType": ""}, False),
        ({"mimeType": "text/plain"}, False),
        ({"ref": str(RAW)}, False),
        ({"$type": "image"}, False),
        ({"more": 1}, False),
    ],
)
def test_fields_of_blobs_are_checked(change, fine):
    """A blob has exactly ref, mimeType and size, within what the schema accepts."""
    schema = {"type": "blob", "accept": ["image/*"], "maxSize": 20}
    assert (field_problem(schema, {**PICTURE, **change}) is None) is fine


@pytest.mark.parametrize("left_out", ["$type", "ref", "mimeType", "size"])
def test_blob_requires_every_field(left_out):
    value = {key: inner for key, inner in PICTURE.items() if key != left_out}
    assert field_problem({"type": "blob"}, value) is not None


def test_old_blob_is_read_but_not_written():
    """The legacy blob form is accepted in old records but cannot be written."""
    catalog = catalog_of({"f": {"type": "blob", "accept": ["image/*"]}})
    old = {"cid": str(RAW), "mimeType": "image/png"}
    assert problem(catalog, {"f": old}, Strictness.SEEN) is None
    assert problem(catalog, {"f": old}, Strictness.WRITTEN) is not None


# Record keys -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("any", ["self", "a:b", "..."], [".", "..", "a/b", "x" * 513, ""]),
        ("tid", ["3kznmn7xqxl22"], ["self", "eeab17d5ccf0d"]),
        ("nsid", ["com.example.thing"], ["thing"]),
        ("literal:self", ["self"], ["Self", "other"]),
    ],
)
def test_record_keys_are_checked_by_their_definition(key, good, bad):
    definition = catalog_of({}, key=key).find_record(NAME)
    assert isinstance(definition, RecordType)
    for rkey in good:
        validate_record_key(definition, rkey)
    for rkey in bad:
        with pytest.raises(Malformed):
            validate_record_key(definition, rkey)


# Methods ---------------------------------------------------------------------------------------------------------


def test_input_of_create_record():
    """The fields of a write request are checked, but not the record inside."""
    good = {"repo": "did:plc:abc", "collection": "app.bsky.feed.post", "record": {"text": "x"}}
    validate_input(Catalog(), "com.atproto.repo.createRecord", good)
    with pytest.raises(Malformed, match="input/repo: not a valid at-identifier"):
        validate_input(Catalog(), "com.atproto.repo.createRecord", {**good, "repo": "me"})
    with pytest.raises(Malformed, match="input/record: required"):
        validate_input(Catalog(), "com.atproto.repo.createRecord", {"repo": "did:plc:abc", "collection": "a.b.c"})


def test_input_with_a_closed_union():
    """applyWrites accepts exactly three kinds of write."""
    body = {"repo": "did:plc:abc", "writes": [{"$type": "com.atproto.repo.applyWrites#upsert"}]}
    with pytest.raises(Malformed, match=r"input/writes/0/\$type: must be"):
        validate_input(Catalog(), "com.atproto.repo.applyWrites", body)


def test_output_of_describe_server():
    good = {"did": "did:web:example.com", "availableUserDomains": [".example.com"]}
    validate_output(Catalog(), "com.atproto.server.describeServer", good)
    with pytest.raises(Malformed, match="output/availableUserDomains"):
        validate_output(Catalog(), "com.atproto.server.describeServer", {"did": "did:web:example.com"})


def test_decoded_parameters_are_checked():
    validate_parameters(Catalog(), "com.atproto.repo.listRecords", {"repo": "a.example.com", "collection": "a.b.c"})
    with pytest.raises(Malformed, match="params/limit: too large"):
        validate_parameters(
            Catalog(), "com.atproto.repo.listRecords", {"repo": "a.b", "collection": "a.b.c", "limit": 101}
        )


@pytest.mark.parametrize("check", [validate_input, validate_output, validate_parameters])
def test_unknown_method_is_malformed(check):
    with pytest.raises(Malformed, match="is known here"):
        check(Catalog(), "com.example.unknown", {})


# Records as people write them ------------------------------------------------------------------------------------


def calendar_records(name: str) -> list[dict[str, object]]:
    read = json.loads(fixture_path(f"data/calendar-records/{name}").read_bytes())
    listed = read.get("records", [read]) if isinstance(read, dict) else read
    return [entry.get("value", entry) for entry in listed]


@needs("fixtures")
@pytest.mark.parametrize(
    "name", ["event-all-location-types.json", "repo-events-irregular-monthly.json", "rsvp-going-listrecords.json"]
)
def test_real_calendar_records_are_valid(name):
    """Events and RSVPs of other applications are valid unchanged, including unknown fields and union members."""
    for record in calendar_records(name):
        validate_record(Catalog(), str(record["$type"]), from_json(record), Strictness.SEEN)


def test_our_own_fields_in_an_event():
    """An event with our own origin field is valid in every application, and the shape of the field is checked."""
    catalog = Catalog()
    origin = {
        "$type": "openmeet.lexicon.origin",
        "instance": "https://events.example.com",
        "eventId": "1",
        "version": 3,
    }
    event = {
        "$type": "community.lexicon.calendar.event",
        "name": "Walk",
        "createdAt": "2026-01-01T00:00:00Z",
        "openmeet.lexicon.origin": origin,
    }
    validate_record(catalog, "community.lexicon.calendar.event", event)
