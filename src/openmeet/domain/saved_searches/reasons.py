"""Reasons for refusals and invalid input with saved searches."""

from groundwork.errors import Reason


class SavedSearchReason(Reason):
    """Reason codes; their messages are in ``i18n/reasons/accounts.py``."""

    OF_GROUPS = "saved_search.of_groups"
    TOO_WIDE = "saved_search.too_wide"
    TOO_MANY_SEARCHES = "saved_search.too_many_searches"
    NO_SUCH_SEARCH = "saved_search.no_such_search"
