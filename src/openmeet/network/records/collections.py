"""The collections of events, RSVPs, series and groups, and the keys of our extensions in records."""

from at_protocol.lexicon.authority import OWN_AUTHORITY, own_spellings
from at_protocol.syntax.nsid import Nsid, parse_nsid

EVENT = parse_nsid("community.lexicon.calendar.event")
RSVP = parse_nsid("community.lexicon.calendar.rsvp")

# Smoke Signal wrote these before the community Lexicon existed. They are read but never written.
LEGACY_EVENT = parse_nsid("events.smokesignal.calendar.event")
LEGACY_RSVP = parse_nsid("events.smokesignal.calendar.rsvp")

EVENTS = frozenset({EVENT, LEGACY_EVENT})
RSVPS = frozenset({RSVP, LEGACY_RSVP})
# Series records, under every name that we have ever used.
SERIES_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("series", OWN_AUTHORITY))
SERIES = SERIES_COLLECTIONS[0]

# Group records, under every name that we have ever used: the group, members' statements, and the group's statements
# about members and events.
GROUP_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("group", OWN_AUTHORITY))
MEMBERSHIP_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("groupMembership", OWN_AUTHORITY))
ACCEPTANCE_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("groupAcceptance", OWN_AUTHORITY))
GROUP_EVENT_COLLECTIONS = tuple(parse_nsid(name) for name in own_spellings("groupEvent", OWN_AUTHORITY))
GROUP, MEMBERSHIP = GROUP_COLLECTIONS[0], MEMBERSHIP_COLLECTIONS[0]
ACCEPTANCE, GROUP_EVENT = ACCEPTANCE_COLLECTIONS[0], GROUP_EVENT_COLLECTIONS[0]
# Records that state that somebody belongs to a group.
OF_MEMBERS = frozenset({*MEMBERSHIP_COLLECTIONS, *ACCEPTANCE_COLLECTIONS})
# Statements about a group that count only if another repository confirms them.
GROUP_STATEMENTS = frozenset({*MEMBERSHIP_COLLECTIONS, *ACCEPTANCE_COLLECTIONS, *GROUP_EVENT_COLLECTIONS})
OF_GROUPS = GROUP_STATEMENTS | frozenset(GROUP_COLLECTIONS)

CALENDAR = EVENTS | RSVPS | frozenset(SERIES_COLLECTIONS)
# All collections that concern a tenant.
CONCERNING = CALENDAR | OF_GROUPS

# The collections that a repository read covers, in a fixed order: events before RSVPs to them, groups before statements
# about them.
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
# OpenMeet's older link from an event to its series.
OLDER_META_KEY = "openMeetMeta"

# Event details that have no field in the community Lexicon.
DETAILS_KEYS = own_spellings("eventDetails", OWN_AUTHORITY)
DETAILS_KEY = DETAILS_KEYS[0]

# The link from an event to its group.
GROUP_LINK_KEYS = own_spellings("groupLink", OWN_AUTHORITY)
GROUP_LINK_KEY = GROUP_LINK_KEYS[0]

# The successor and the predecessors of a record after an ownership transfer.
SUCCESSION_KEYS = own_spellings("succession", OWN_AUTHORITY)
SUCCESSION_KEY = SUCCESSION_KEYS[0]
