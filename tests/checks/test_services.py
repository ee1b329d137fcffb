"""A site's services are read in one place with their types, not looked up by name in the application's state."""

import ast
from collections.abc import Iterator

import pytest

from tests.external_dependencies import ROOT

READER = "src/openmeet/web/site/services.py"
SETTER = "src/openmeet/app.py"


def states_in(text: str) -> Iterator[int]:
    """Lines that access the state of an application."""
    if "state" not in text:  # parsing every file would take seconds
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr == "state":
            owner = node.value
            name = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
            if name in {"app", "application"}:
                yield node.lineno
        elif isinstance(node, ast.Subscript) and ast.unparse(node).endswith("scope['state']"):
            yield node.lineno


def test_the_state_of_an_application_is_set_once_and_read_once() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in ("openmeet", "programs")
        for path in sorted((ROOT / "src" / folder).rglob("*.py"))
        for _ in states_in(path.read_text(encoding="utf-8"))
    ]
    assert found == [SETTER, READER]


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
    assert list(states_in(f"y = 1\n{text}")) == [2]


@pytest.mark.parametrize(
    "text", ["x = event.state", "x = row['state']", "request.state.service = service", "x = services(request).clock"]
)
def test_other_state_attributes_are_not_reported(text: str) -> None:
    assert list(states_in(text)) == []
