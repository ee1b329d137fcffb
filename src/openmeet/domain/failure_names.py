"""Error names for which pages show their own text."""

from typing import Final

# A link from an e-mail is malformed, already used or expired.
INVALID_LINK: Final = "InvalidLink"
# The viewer may see this date of a series, but it does not have its own page yet.
TOO_FAR_AHEAD: Final = "TooFarAhead"
