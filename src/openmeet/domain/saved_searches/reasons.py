"""Reasons of the package: why something is refused or wrong."""

from groundwork.errors import Reason


class SavedSearchReason(Reason):
    """Codes; their messages are in ``i18n/reasons/accounts.py``."""

    OF_GROUPS = "saved_search.of_groups"
    TOO_WIDE = "saved_search.too_wide"
    TOO_MANY_SEARCHES = "saved_search.too_many_searches"
    NO_SUCH_SEARCH = "saved_search.no_such_search"
