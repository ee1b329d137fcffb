"""Which collections hold events, answers, series and groups, and the names that we add to records."""

from enum import StrEnum

from prometheus_client import Counter

from at_protocol.lexicon.authority import OWN_AUTHORITY, own_spellings
from at_protocol.syntax.nsid import Nsid, parse_nsid
from groundwork.telemetry.metrics import Metrics

EVENT = parse_nsid("community.lexicon.calendar.event")
RSVP = parse_nsid("community.lexicon.calendar.rsvp")

# Smoke Signal wrote these before the community lexicon existed; read, never written.
LEGACY_EVENT = parse_nsid("events.smokesignal.calendar.event")
LEGACY_RSVP = parse_nsid("events.smokesignal.calendar.rsvp")

EVENTS = frozenset({EVENT, LEGACY_EVENT})
RSVPS = frozenset({RSVP, LEGACY_RSVP})
# A series as a record of its own, under every name that we ever wrote.
SERIES_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("series", OWN_AUTHORITY))
SERIES = SERIES_COLLECTIONS[0]

# Groups, under every name that we ever wrote: the group, what members say, what the group says of them and of its events.
GROUP_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("group", OWN_AUTHORITY))
MEMBERSHIP_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("groupMembership", OWN_AUTHORITY))
ACCEPTANCE_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("groupAcceptance", OWN_AUTHORITY))
GROUP_EVENT_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("groupEvent", OWN_AUTHORITY))
GROUP, MEMBERSHIP = GROUP_COLLECTIONS[0], MEMBERSHIP_COLLECTIONS[0]
ACCEPTANCE, GROUP_EVENT = ACCEPTANCE_COLLECTIONS[0], GROUP_EVENT_COLLECTIONS[0]
# Those that say of somebody that they belong to a group.
OF_MEMBERS = frozenset({*MEMBERSHIP_COLLECTIONS, *ACCEPTANCE_COLLECTIONS})
# What is said about a group, and needs another repository to say the same.
GROUP_STATEMENTS = frozenset({*MEMBERSHIP_COLLECTIONS, *ACCEPTANCE_COLLECTIONS, *GROUP_EVENT_COLLECTIONS})
OF_GROUPS = GROUP_STATEMENTS | frozenset(GROUP_COLLECTIONS)

CALENDAR = EVENTS | RSVPS | frozenset(SERIES_COLLECTIONS)
# Everything that concerns somebody here.
CONCERNING = CALENDAR | OF_GROUPS

# What reading a whole repository looks at, in a stable order: events before the answers to them, groups before what is said of them.
READ_IN_ORDER: tuple[Nsid, ...] = (
    EVENT,
    LEGACY_EVENT,
    *SERIES_COLLECTIONS,
    RSVP,
    LEGACY_RSVP,
    *GROUP_COLLECTIONS,
    *ACCEPTANCE_COLLECTIONS,
    *GROUP_EVENT_COLLECTIONS,
    *MEMBERSHIP_COLLECTIONS,
)

ORIGIN_KEYS = own_spellings("origin", OWN_AUTHORITY)
ORIGIN_KEY = ORIGIN_KEYS[0]

SERIES_LINK_KEYS = own_spellings("seriesLink", OWN_AUTHORITY)
SERIES_LINK_KEY = SERIES_LINK_KEYS[0]
# What OpenMeet wrote before there was a link: whether it comes again, under which address.
OLDER_META_KEY = "openMeetMeta"

# What our events say and the community's Lexicon has no field for.
DETAILS_KEYS = own_spellings("eventDetails", OWN_AUTHORITY)
DETAILS_KEY = DETAILS_KEYS[0]

# What an event says of the group whose event it is.
GROUP_LINK_KEYS = own_spellings("groupLink", OWN_AUTHORITY)
GROUP_LINK_KEY = GROUP_LINK_KEYS[0]

# Where what a record is about goes on, and which records it had before it changed hands.
SUCCESSION_KEYS = own_spellings("succession", OWN_AUTHORITY)
SUCCESSION_KEY = SUCCESSION_KEYS[0]


class Result(StrEnum):
    """How one piece of work ended; the label of a metric. What is tried again later is ``retried``."""

    SUCCESS = "success"
    RETRIED = "retried"
    FAILED = "failed"


def results_of(metrics: Metrics) -> Counter:
    """Registered once per program."""
    return metrics.counter(
        "sync_results", "Records on their way in and out, by how that ended", ["direction", "kind", "result"]
    )
