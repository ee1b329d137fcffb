"""Names of communities. This module imports nothing else of ours, so that the help of a command can name the default."""

import re
from typing import Final

# The community that is used if none is named. Most installations have no other.
DEFAULT_TENANT: Final = "default"

# The name is part of the names of folders, schemas, queues and cache keys, and a label of metrics.
NAME: Final = re.compile(r"[a-z](?:-?[a-z0-9]){0,29}")
