"""The time zones that forms offer: ``UTC`` and every ``Region/City``, without the aliases kept for old programs."""

from zoneinfo import available_timezones

_REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)

ZONES: tuple[str, ...] = tuple(
    sorted(name for name in available_timezones() if name == "UTC" or name.partition("/")[0] in _REGIONS)
)
