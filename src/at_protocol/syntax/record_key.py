"""Record keys: the name of a record within its collection (Record Key specification). Case-sensitive."""

import re
from typing import NewType

from at_protocol.failures import Malformed

RecordKey = NewType("RecordKey", str)

MAX_LENGTH = 512
_SYNTAX = re.compile(r"[a-zA-Z0-9_~.:-]{1,512}")


def parse_record_key(text: str) -> RecordKey:
    """Parse a record key. Raises Malformed. ``.`` and ``..`` are rejected because they would change paths."""
    if len(text) > MAX_LENGTH:
        raise Malformed("record key", text, f"longer than {MAX_LENGTH} characters")
    if _SYNTAX.fullmatch(text) is None or text in {".", ".."}:
        raise Malformed("record key", text, "contains characters other than letters, digits and _ ~ . : -")
    return RecordKey(text)
