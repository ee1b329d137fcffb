"""Instants in requests: ISO 8601 with a time zone (RFC 3339; seconds may be left out).

Years beyond those of events are refused. A page that shows such an instant in local time could not be rendered.
"""

import re
from datetime import datetime
from typing import Final

from groundwork.clock import Instant, from_datetime
from groundwork.errors import InvalidForm
from openmeet.domain.validation import GeneralReason
from openmeet.recurrence.wall_time import FIRST_YEAR, LAST_YEAR
from openmeet.web.site.reasons import SiteReason

_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)


def parse_instant(text: str, field: str) -> Instant:
    """Parse an instant. Finer digits than microseconds are cut off. Raises InvalidForm for ``field``."""
    if _INSTANT.fullmatch(text) is None:
        raise InvalidForm({field: SiteReason.MALFORMED_INSTANT})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidForm({field: SiteReason.NO_SUCH_DATE_OR_TIME}) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise InvalidForm(
            {field: GeneralReason.YEAR_OUT_OF_RANGE(first_year=str(FIRST_YEAR), last_year=str(LAST_YEAR))}
        )
    return from_datetime(moment)


def parse_optional_instant(text: str | None, field: str) -> Instant | None:
    """Parse an instant that may be missing or empty. Raises InvalidForm for ``field``."""
    return parse_instant(text, field) if text else None
