"""The properties of the OpenAPI document on which clients' tools rely. A failing test says what to add, and in which
file.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from openmeet.domain.api_tokens.scopes import FOR_OPERATORS, FOR_SERVICES
from openmeet.domain.chat.model import SWITCHES_OF, RoomKind
from openmeet.routes import operations
from openmeet.web.api.examples import NoExample, example_of
from openmeet.web.api.openapi import document

CAMEL = re.compile(r"[a-z][a-zA-Z0-9]*")
SEGMENT = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*|openapi\.json|\{[a-z][a-zA-Z0-9]*\}")


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document("OpenMeet", "https://meet.example", operations())


def properties(schema: Any, where: str) -> Iterator[tuple[str, str]]:
    """All property names below a schema, with their location."""
    match schema:
        case dict():
            for name in schema.get("properties", {}):
                yield name, where
            for key, inner in schema.items():
                if key not in {"example", "examples", "enum", "default", "const"}:
                    yield from properties(inner, f"{where}.{key}")
        case list():
            for inner in schema:
                yield from properties(inner, where)


def test_every_name_is_lower_camel_case(made):
    """Properties, parameters and operation names are in lower camel case. A struct of the API sets ``rename="camel"``."""
    names = list(properties(made["components"]["schemas"], "schemas"))
    for path, methods in made["paths"].items():
        for method, one in methods.items():
            where = f"{method} {path}"
            names.append((one["operationId"], where))
            names += [(each["name"], where) for each in one.get("parameters", []) if each["in"] != "header"]
    assert len(names) > 100
    wrong = [f"{name} ({where})" for name, where in names if not CAMEL.fullmatch(name)]
    assert not wrong, 'not lowerCamelCase; give the struct rename="camel": ' + ", ".join(wrong)


def test_every_url_consists_of_words_and_dashes(made):
    for path in made["paths"]:
        assert all(SEGMENT.fullmatch(part) for part in path.removeprefix("/").split("/")), path


def examples(made: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """All examples, each with its location and the schema that it must match."""
    for path, methods in made["paths"].items():
        for method, one in methods.items():
            where = f"{method} {path}"
            for each in one.get("parameters", []):
                yield f"{where} {each['name']}", each["schema"], each["example"]
            contents = [one["requestBody"]] if "requestBody" in one else []
            for part in [*contents, *one["responses"].values()]:
                for content in part.get("content", {}).values():
                    yield where, content["schema"], content["example"]


def test_every_body_problem_and_parameter_has_a_valid_example(made):
    """People read examples and tools use them, so one that does not match its schema misleads both."""
    wrong = []
    found = list(examples(made))
    for where, schema, example in found:
        whole = {**schema, "components": made["components"]}
        wrong += [f"{where}: {error.message}" for error in Draft202012Validator(whole).iter_errors(example)]
    assert len(found) > 300
    assert not wrong, "\n".join(wrong)


def test_every_operation_states_requirements_and_failures(made):
    """A summary, a tag, security requirements, and a problem document for every failure."""
    for path, methods in made["paths"].items():
        for method, one in methods.items():
            where = f"{method} {path}"
            assert one["summary"], where
            assert one["tags"] == [path.split("/")[2]], where
            if one["operationId"] in FOR_SERVICES:
                assert one["security"][0] == {"service": [FOR_SERVICES[one["operationId"]]]}, where
                assert len(one["security"]) == (3 if one["operationId"] in FOR_OPERATORS else 1), where
            else:
                assert {"session": []} in one["security"], where
            assert any(status.startswith("2") for status in one["responses"]), where
            assert {"401", "403"} <= set(one["responses"]), "every operation refuses a bad token"
            for status, answer in one["responses"].items():
                assert answer["description"], where
                if status[0] not in "23":
                    assert list(answer["content"]) == ["application/problem+json"], f"{where} {status}"
            in_path = {each["name"] for each in one.get("parameters", []) if each["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path)), where


def test_no_two_schemas_share_a_name(made):
    """Two structs with the same name would be distinguished by their modules, which clients should not have to use."""
    wrong = [name for name in made["components"]["schemas"] if "_" in name]
    assert not wrong, "rename one of each: " + ", ".join(wrong)


@pytest.mark.parametrize("shape", [str, dict[str, str]])
def test_a_field_without_an_example_is_reported_with_its_place(shape):
    with pytest.raises(NoExample, match=r"'neverHeardOf'.*openmeet/web/api/examples\.py"):
        example_of(shape, "neverHeardOf")


def test_examples_of_rooms_can_be_sent(made):
    """A room belongs to one thing, and its audience has only the switches of its kind."""
    bodies = {
        f"{method} {path}": one["requestBody"]["content"]["application/json"]["example"]
        for path, methods in made["paths"].items()
        for method, one in methods.items()
        if path in {"/api/chat/rooms", "/api/chat/rooms/{room}"} and "requestBody" in one
    }
    assert len({"event", "series", "group"} & bodies["post /api/chat/rooms"].keys()) == 1
    assert set(bodies["patch /api/chat/rooms/{room}"]["audience"]) <= set(SWITCHES_OF[RoomKind.EVENT])
