"""Public functions that nothing in ``src/`` uses are found."""

import ast

import pytest

from checks import unused_functions

USERS = {
    "imports it": "from package.module import some\n",
    "calls it by its module": "from package import module\nmodule.some()\n",
    "calls it by its whole name": "import package.module\npackage.module.some()\n",
    "passes its module on": "from package import module\nPAGES = (module,)\n",
}


@pytest.fixture(autouse=True)
def _nothing_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unused_functions, "ALLOWED", {})


def found(module: str, other: str = "") -> list[str]:
    sources = {"src/package/module.py": module, "src/package/other.py": other}
    return unused_functions.unused_functions(
        {name: unused_functions.uses_of(ast.parse(text)) for name, text in sources.items()}
    )


@pytest.mark.parametrize("other", USERS.values(), ids=USERS)
def test_a_used_function_is_no_problem(other: str) -> None:
    assert found("def some(): ...\n", other) == []


@pytest.mark.parametrize(
    "module",
    ["def some(): some()\n", "@contextmanager\ndef some(): ...\n", "async def some(): ...\n"],
    ids=["calls itself", "wrapped", "asynchronous"],
)
def test_a_function_that_nothing_uses_is_found(module: str) -> None:
    (problem,) = found(module, "from package import module\nmodule.other()\nthing.some()\n")
    assert problem.startswith("package.module:some: nothing in src/ uses it")


@pytest.mark.parametrize(
    "module",
    ["def some(): ...\nTABLE = [some]\n", "@app.command()\ndef some(): ...\n", "def _some(): ...\n"],
    ids=["in a table", "registered by a decorator", "private"],
)
def test_a_function_that_its_module_uses_is_no_problem(module: str) -> None:
    assert found(module) == []


def test_an_exception_that_is_no_longer_needed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unused_functions, "ALLOWED", {"package.module:some": "a reason"})
    assert found("def some(): ...\n") == []
    (problem,) = found("def some(): ...\n", USERS["imports it"])
    assert "but used or gone" in problem
