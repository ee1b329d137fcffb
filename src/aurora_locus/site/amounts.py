"""Numbers and sizes as text, in the current language."""

from typing import Final

from babel.numbers import format_decimal

from aurora_locus.i18n.catalogue import current, ngettext
from groundwork.i18n.formatting import number

__all__ = ["number", "percent", "size"]

_UNITS: Final = ((1_000_000_000, "GB", 1), (1_000_000, "MB", 1), (1_000, "kB", 0))


def size(count: int) -> str:
    """Format a size in bytes: ``512 bytes``, ``13 kB``, ``1.4 MB``. Units are powers of 1000, as for disks."""
    for least, unit, digits in _UNITS:
        if count >= least:
            return f"{_decimal(count / least, digits)} {unit}"
    return ngettext("%(number)s byte", "%(number)s bytes", count, number=number(count))


def percent(share: float) -> str:
    """Format a share as a percentage: ``12.5`` for an eighth."""
    return _decimal(100 * share, 1)


def _decimal(value: float, digits: int) -> str:
    pattern = "#,##0" + (".0" if digits else "")
    return str(format_decimal(round(value, digits), pattern, locale=current().locale))
