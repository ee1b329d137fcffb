"""Prints the examples of a property test: ``python -m tests.checks.examples_drawn [MODULE …]`` imports the given
modules first.
"""

import importlib
import sys

from hypothesis import given
from hypothesis import strategies as st

from tests.hypothesis_profiles import register_profiles

register_profiles()


@given(st.text(), st.integers(), st.binary())
def draw(text: str, number: int, body: bytes) -> None:
    print(ascii((text, number, body)))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    draw()
