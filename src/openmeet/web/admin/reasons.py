"""Reasons of the package: why something is refused or wrong."""

from groundwork.errors import Reason


class AdminReason(Reason):
    """Codes; their messages are in ``i18n/reasons/site.py``."""

    NOTHING_HERE = "admin.nothing_here"
    OPERATORS_ONLY = "admin.operators_only"
