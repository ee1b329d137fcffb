"""Handles and record keys that the reference server refuses as offensive are refused here, and no others."""

import re
import string
from pathlib import Path

from aurora_locus.identity import handles
from tests.external_dependencies import needs

pytestmark = needs("reference")

_LETTERS = set(string.ascii_letters + string.digits)


def _reduced(pattern: str) -> str:
    """The pattern with only those characters in its classes that can be in a handle or a record key."""

    def characters(match: re.Match[str]) -> str:
        kept = "".join(dict.fromkeys(one for one in match[1] if one in _LETTERS))
        return f"[{kept}]" if len(kept) > 1 else kept

    return re.sub(r"\[([^\]]*)\]", characters, pattern)


def test_the_patterns_are_those_of_the_reference() -> None:
    installed = Path(__file__).parent / "reference" / "node_modules"
    theirs = (installed / "@atproto" / "pds" / "dist" / "handle" / "explicit-slurs.js").read_text(encoding="utf-8")
    patterns = [_reduced(one) for one in re.findall(r"^    /(.*)/,$", theirs, re.MULTILINE)]
    ours = Path(handles.__file__).with_name("offensive_names.txt").read_text(encoding="ascii").split()
    assert patterns
    assert ours == patterns
