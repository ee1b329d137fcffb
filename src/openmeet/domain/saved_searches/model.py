"""A kept search, and an event that has yet to be looked at."""

from dataclasses import dataclass
from typing import Final, NewType
from urllib.parse import parse_qsl

from groundwork.clock import Instant
from openmeet.domain.events.model import EventId
from openmeet.domain.search import query
from openmeet.domain.search.search import Wanted
from openmeet.domain.users.model import UserId

SearchId = NewType("SearchId", str)

# As many as anybody oversees.
MAX_SEARCHES: Final = 30


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """``asked``: the query string of the search, as ``searches.asked_again`` writes it. ``is_on``: its person is told what fits."""

    id: SearchId
    user_id: UserId
    asked: str
    is_on: bool
    created_at: Instant

    @property
    def typed(self) -> dict[str, str]:
        return dict(parse_qsl(self.asked))

    @property
    def name(self) -> str:
        return query.name_of(self.typed).removeprefix("Events: ")

    @property
    def path(self) -> str:
        return f"/?{self.asked}"

    @property
    def wanted(self) -> Wanted:
        return query.wanted_of(self.typed, self.user_id)


@dataclass(frozen=True, slots=True)
class Look:
    """An event became public, or other than it was, at ``since``; the searches up to ``after`` have been looked at.

    Before them those who follow its hosts are told, up to ``after_person``; None: all of them were.
    """

    event_id: EventId
    since: Instant
    after: str
    after_person: str | None
