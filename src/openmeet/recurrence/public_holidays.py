"""Names of public holidays, from the package ``holidays``. Only holidays of a whole country are included. Holidays of
single states or regions are not.

The package is imported on first use, because that takes most of a second and 20 MB. Only worker processes need it.
"""

import importlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Final

from groundwork.i18n.catalogue import base_of

# Outside these years a list of holidays is a guess, because governments move them.
_YEARS_AHEAD: Final = 5


def holiday_names(country: str, days: Iterable[date], today: date, language: str) -> Mapping[date, str]:
    """The names of the given days that are public holidays, in the language if the package supports it.

    ``country``: two letters (ISO 3166-1). A country that the package does not support has no holidays.
    """
    holidays = importlib.import_module("holidays")
    wanted = {day for day in days if today.year - 1 <= day.year <= today.year + _YEARS_AHEAD}
    if not wanted or country not in holidays.list_supported_countries(include_aliases=False):
        return {}
    known = holidays.country_holidays(country).supported_languages
    wished, base = language.replace("-", "_"), base_of(language)
    # Without a language, the package uses the country's own.
    spoken = next((one for one in (wished, base, f"{base}_GB", f"{base}_US", "en_GB", "en_US") if one in known), None)
    years = sorted({day.year for day in wanted})
    names: Mapping[date, str] = holidays.country_holidays(country, years=years, language=spoken)
    return {day: names[day].replace("; ", ", ") for day in wanted if day in names}
