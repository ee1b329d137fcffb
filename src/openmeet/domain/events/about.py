"""What an event says beside what, when and where: tickets, accessibility; and how much of it there may be."""

from dataclasses import dataclass

from openmeet.domain.events.vocabulary import AccessFeature

MAX_PRICE = 120
MAX_ACCESS_NOTE = 2_000
MAX_DOOR_NOTE = 2_000
MAX_LANGUAGES = 8
MAX_CATEGORIES = 3
# When the join link may be shown at the earliest: a week before the start is as good as at once.
MAX_MINUTES_BEFORE = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Tickets:
    """Where tickets are had, and what they cost in the host's words: nothing is sold here."""

    url: str = ""
    price: str = ""


@dataclass(frozen=True, slots=True)
class Accessibility:
    """What there is for people who need it, in the order of the vocabulary, and what else the host says about it."""

    features: tuple[AccessFeature, ...] = ()
    note: str = ""


NO_TICKETS = Tickets()
NOT_SAID = Accessibility()
