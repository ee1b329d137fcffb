"""Which documents are accepted, and why others are not."""

import json

import pytest
from tests.external_dependencies import fixture_path, needs

from at_protocol.failures import Malformed
from at_protocol.lexicon.linter import MAX_NESTING, parse_document, parse_document_value


def cases(name: str) -> list[object]:
    path = fixture_path(f"vectors/interop/lexicon/lexicon-{name}.json")
    return (
        [pytest.param(case["lexicon"], id=case["name"]) for case in json.loads(path.read_bytes())]
        if path.exists()
        else []
    )


def document(**defs: object) -> str:
    return json.dumps({"lexicon": 1, "id": "com.example.thing", "defs": defs})


def object_of(**properties: object) -> dict[str, object]:
    return {"type": "object", "properties": properties}


@needs("fixtures")
@pytest.mark.parametrize("lexicon", cases("valid"))
def test_published_valid_documents_pass(lexicon):
    assert parse_document(json.dumps(lexicon)).id == lexicon["id"]
    assert parse_document_value(lexicon).id == lexicon["id"]


@needs("fixtures")
@pytest.mark.parametrize("lexicon", cases("invalid"))
def test_published_invalid_documents_fail(lexicon):
    with pytest.raises(Malformed):
        parse_document(json.dumps(lexicon))
    with pytest.raises(Malformed):
        parse_document_value(lexicon)


@needs("fixtures")
@pytest.mark.parametrize(
    "path",
    [p for s in ("interop", "indigo") for p in fixture_path(f"vectors/{s}/lexicon/catalog").glob("*.json")],
    ids=str,
)
def test_published_catalogs_pass(path):
    parse_document(path.read_bytes())


@pytest.mark.parametrize(
    ("defs", "why"),
    [
        ({"a": {"type": "params", "properties": {}}}, "params"),
        ({"a": {"type": "union", "refs": ["#b"]}, "b": object_of()}, "union"),
        ({"a#b": {"type": "token"}}, "is not a name"),
        ({}, "empty"),
        ({"main": {"type": "record", "key": "uuid", "record": object_of()}}, "not one of tid"),
        ({"main": {"type": "record", "key": "literal:..", "record": object_of()}}, "main/key"),
        ({"main": {"type": "query", "parameters": {"properties": {}}}}, "type must be params"),
        ({"main": {"type": "subscription", "message": {"schema": {"refs": []}}}}, "type must be union"),
        ({"main": {"type": "query", "parameters": {"type": "params", "properties": {"a": object_of()}}}}, "object"),
        ({"a": object_of(u={"type": "union", "refs": [], "closed": True})}, "allows nothing"),
        ({"a": object_of(u={"type": "union", "refs": ["#t"]}), "t": {"type": "token"}}, "object or a record"),
        ({"a": object_of(r={"type": "ref", "ref": "#t"}), "t": {"type": "token"}}, "cannot be the type"),
        ({"a": object_of(r={"type": "ref", "ref": "#gone"})}, "not defined"),
        ({"a": object_of(r={"type": "ref", "ref": "gone"})}, "not a reference"),
        ({"a": {"type": "object", "properties": {}, "required": ["b"]}}, "not a property"),
        ({"a": {"type": "object", "properties": {}, "nullable": ["b"]}}, "not a property"),
        ({"a": {"type": "integer", "const": 1, "default": 1}}, "cannot be combined"),
        ({"a": {"type": "integer", "minimum": 2, "maximum": 1}}, "above maximum"),
        ({"a": {"type": "string", "minLength": 2, "maxLength": 1}}, "above maximum length"),
        ({"a": {"type": "string", "enum": ["x"], "default": "y"}}, "not in the enum"),
        ({"a": {"type": "null"}}, "null"),
    ],
)
def test_broken_rule_is_named(defs, why):
    with pytest.raises(Malformed, match=why):
        parse_document(document(**defs))


def test_inline_nesting_is_bounded():
    """Inline nesting beyond the limit is refused at any depth."""
    for depth in (MAX_NESTING + 1, 100_000):
        items = '{"type":"array","items":' * depth + '{"type":"integer"}' + "}" * depth
        if len(items) > 500_000:
            items = '{"items":' * 50_000
        with pytest.raises(Malformed):
            parse_document('{"lexicon":1,"id":"com.example.deep","defs":{"a":' + items + "}}")


def test_oversized_document_is_refused():
    with pytest.raises(Malformed, match="larger than"):
        parse_document(b" " * 600_000)


def test_published_copies_may_have_a_type():
    """A published copy may have $type, as records of com.atproto.lexicon.schema do; in a file it has no meaning."""
    value = {
        "$type": "com.atproto.lexicon.schema",
        "lexicon": 1,
        "id": "com.example.a",
        "defs": {"a": {"type": "token"}},
    }
    assert parse_document_value(value).id == "com.example.a"
