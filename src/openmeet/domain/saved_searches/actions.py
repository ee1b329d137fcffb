"""Save searches, turn them on or off, and remove them."""

from collections.abc import Mapping

from groundwork.database.transaction import Transaction
from groundwork.errors import NotFound, Reason, Refused
from groundwork.uuid7 import new_id
from openmeet.domain.saved_searches import matching, queries
from openmeet.domain.saved_searches.queries import MAX_SEARCHES, SavedSearch, SearchId
from openmeet.domain.search import query
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import Caller


class SavedSearchReason(Reason):
    """Why a search cannot be saved or changed. The messages are in ``i18n/reasons/accounts.py``."""

    OF_GROUPS = "saved_search.of_groups"
    TOO_WIDE = "saved_search.too_wide"
    TOO_MANY_SEARCHES = "saved_search.too_many_searches"
    NO_SUCH_SEARCH = "saved_search.no_such_search"


async def save(tx: Transaction, caller: Caller, typed: Mapping[str, str]) -> SavedSearch:
    """Save a search. Saving the same search again turns it on.

    Raises InvalidForm (not a search), Refused (``TooWide``, ``OfGroups``, ``TooManySearches``).
    """
    search_query = query.parse_query(typed, caller.user_id)
    if search_query.of_groups_of is not None:
        raise Refused(SavedSearchReason.OF_GROUPS, name="OfGroups")
    keys = matching.keys_of(search_query)
    if not keys:
        raise Refused(SavedSearchReason.TOO_WIDE, name="TooWide")
    query_text = query.query_string(typed)
    # Two tabs may save it at the same moment: the second finds the search that the first one made.
    await user_queries.lock(tx, caller.user_id)
    existing = await queries.by_query_string(tx, caller.user_id, query_text)
    if existing is not None:
        return await switch(tx, caller, existing.id, is_on=True)
    if len(await queries.of_person(tx, caller.user_id)) >= MAX_SEARCHES:
        raise Refused(SavedSearchReason.TOO_MANY_SEARCHES, most=MAX_SEARCHES, name="TooManySearches")
    search = SavedSearch(SearchId(new_id(tx.now)), caller.user_id, query_text, is_on=True, created_at=tx.now)
    await queries.insert(tx, search, keys)
    return search


async def switch(tx: Transaction, caller: Caller, search_id: SearchId, *, is_on: bool) -> SavedSearch:
    """Turn notifications of a saved search on or off. Raises NotFound."""
    search = await queries.switch(tx, caller.user_id, search_id, is_on=is_on)
    if search is None:
        raise NotFound(SavedSearchReason.NO_SUCH_SEARCH)
    return search


async def remove(tx: Transaction, caller: Caller, search_id: SearchId) -> None:
    """Remove a saved search. Raises NotFound."""
    if not await queries.delete(tx, caller.user_id, search_id):
        raise NotFound(SavedSearchReason.NO_SUCH_SEARCH)
