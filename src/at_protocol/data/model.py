"""Types of data model values, and their limits.

Most limits come from the atproto data validation guide. A value that exceeds them is rejected both when reading and when
writing, so that we accept nothing that others cannot read.
"""

from typing import Final, TypeAlias

from at_protocol.data.cid import Cid

Value: TypeAlias = "bool | int | str | bytes | Cid | list[Value] | dict[str, Value] | None"

# Maximum number of nested containers, including the outermost.
MAX_DEPTH: Final = 32
# Maximum number of entries in one list or map.
MAX_ENTRIES: Final = 131_072
# Maximum number of lists and maps in one record or JSON document. This limit is our own: a megabyte of empty lists would
# take seconds to decode. A real record has a few hundred.
MAX_CONTAINERS: Final = 32_768
# Maximum length of a map key in bytes of UTF-8. A key can be empty.
MAX_KEY_BYTES: Final = 8_192
MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**63 - 1
