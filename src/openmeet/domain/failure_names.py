"""Names of failures for which pages have their own texts."""

from typing import Final

# The link of an e-mail is broken, used up or expired.
INVALID_LINK: Final = "InvalidLink"
# A date that the viewer may see but that has no page yet.
TOO_FAR_AHEAD: Final = "TooFarAhead"
