"""Types of data model values, and their limits.

The limits come from the atproto data validation guide. A value that exceeds them is rejected both when reading and when
writing, so that we accept nothing that others cannot read.
"""

from typing import Final, TypeAlias

from at_protocol.data.cid import Cid

Value: TypeAlias = "bool | int | str | bytes | Cid | list[Value] | dict[str, Value] | None"

MAX_DEPTH: Final = 32
"""Containers within containers; the outermost counts."""
MAX_ENTRIES: Final = 131_072
"""Entries of one list or map."""
MAX_KEY_BYTES: Final = 8_192
"""UTF-8 bytes of a map key; the empty key is a key."""
MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1
