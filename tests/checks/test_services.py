"""A program's services are read in one place with their types, not looked up by name in untyped state."""

import ast
from collections.abc import Iterator

import pytest

from tests.external_dependencies import ROOT

# Where each program sets its services, and where it reads them.
PLACES = {
    "aurora_locus": ["src/aurora_locus/app.py", "src/aurora_locus/web/site/services.py"],
    "openmeet": ["src/openmeet/app.py", "src/openmeet/web/site/services.py"],
    "plc_directory": ["src/plc_directory/app.py", "src/plc_directory/app.py"],
    "groundwork": [],
    "programs": [],
}
OWNERS = {"app", "application"}
# Values that one function of a request leaves for another one. They have typed accessors to the scope.
OWNERS_OF_REQUEST_STATE = {"request", "connection", "websocket"}
# Modules in which ``request`` is an OAuth request, whose ``state`` is a parameter of the protocol.
OAUTH = ("src/aurora_locus/oauth/requests.py", "src/aurora_locus/oauth/authorization.py")
# Modules in which ``connection`` is a subscription, whose ``state`` is shown to the operator.
SUBSCRIPTIONS = ("src/openmeet/network/firehose/labelers.py", "src/openmeet/network/firehose/following.py")


def states_in(text: str, owners: set[str]) -> Iterator[int]:
    """Lines that access the state of one of these owners."""
    if "state" not in text:  # parsing every file would take seconds
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr == "state":
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name in owners:
                yield node.lineno
        elif isinstance(node, ast.Subscript) and ast.unparse(node).endswith("scope['state']"):
            yield node.lineno


def places_in(folder: str, owners: set[str]) -> list[str]:
    return [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "src" / folder).rglob("*.py"))
        for _ in states_in(path.read_text(encoding="utf-8"), owners)
    ]


@pytest.mark.parametrize("program", PLACES)
def test_the_state_of_an_application_is_set_once_and_read_once(program: str) -> None:
    assert places_in(program, OWNERS) == PLACES[program]


@pytest.mark.parametrize("program", PLACES)
def test_no_value_is_left_in_the_state_of_a_request(program: str) -> None:
    found = places_in(program, OWNERS_OF_REQUEST_STATE)
    assert [place for place in found if place not in {*OAUTH, *SUBSCRIPTIONS}] == []


@pytest.mark.parametrize(
    "text",
    [
        "x = request.app.state.clock",
        "x = connection.app.state",
        "app.state.clock = clock",
        'x = request.scope["state"]',
        'getattr(request.app.state, "clock")',
    ],
)
def test_a_second_reader_is_found(text: str) -> None:
    assert list(states_in(f"y = 1\n{text}", OWNERS)) == [2]


@pytest.mark.parametrize("text", ["request.state.service = service", 'x = getattr(request.state, "service", None)'])
def test_a_value_in_the_state_of_a_request_is_found(text: str) -> None:
    assert list(states_in(f"y = 1\n{text}", OWNERS_OF_REQUEST_STATE)) == [2]


@pytest.mark.parametrize("text", ["x = event.state", "x = row['state']", "x = services(request).clock"])
def test_other_state_attributes_are_not_reported(text: str) -> None:
    assert list(states_in(text, OWNERS | OWNERS_OF_REQUEST_STATE)) == []
