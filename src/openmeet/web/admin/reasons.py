"""Reason codes of the operator's pages."""

from groundwork.errors import Reason


class AdminReason(Reason):
    """Reason codes. Their messages are in ``i18n/reasons/site.py``."""

    OPERATORS_ONLY = "admin.operators_only"
