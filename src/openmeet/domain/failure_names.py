"""Names of failures that pages show in their own words."""

from typing import Final

# A link of an e-mail that is broken, used up or too old.
INVALID_LINK: Final = "InvalidLink"
# A date that its viewer may see, and that has no page yet.
TOO_FAR_AHEAD: Final = "TooFarAhead"
