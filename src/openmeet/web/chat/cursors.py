"""Where pages of chat begin: the forms of their cursors."""

import re
from typing import Final

_ID: Final = r"([0-9a-f-]{1,64})"
ROOM_PLACE: Final = re.compile(rf"([01])\.([0-9]{{1,18}})\.{_ID}")
MESSAGE_PLACE: Final = re.compile(rf"([0-9]{{1,18}})\.{_ID}")
NUMBER_PLACE: Final = re.compile(r"([0-9]{1,18})")
NAME_PLACE: Final = re.compile(rf"((?:[0-9a-f]{{2}}){{0,400}})\.{_ID}")
