"""Reason codes of the operator's pages."""

from groundwork.errors import Reason


class AdminReason(Reason):
    """Reason codes. Their messages are in ``i18n/reasons/site.py``."""

    NOTHING_HERE = "admin.nothing_here"
    OPERATORS_ONLY = "admin.operators_only"
