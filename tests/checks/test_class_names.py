"""Class names are unique, so that a search for a name finds one class."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A separate distribution whose names people write in their own programs; it uses the same words for the same things.
_BY_ITSELF = "openmeet_client"


def test_class_names_are_unique():
    homes = defaultdict(list)
    for path in sorted((ROOT / "src").rglob("*.py")):
        if _BY_ITSELF in path.parts:
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
