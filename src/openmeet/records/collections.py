"""Which collections hold events and answers, and the names that we add to records."""

from at_protocol.lexicon.authority import OWN_AUTHORITY, own_spellings
from at_protocol.syntax.nsid import Nsid, parse_nsid

EVENT = parse_nsid("community.lexicon.calendar.event")
RSVP = parse_nsid("community.lexicon.calendar.rsvp")

# Smoke Signal wrote these before the community lexicon existed; read, never written.
LEGACY_EVENT = parse_nsid("events.smokesignal.calendar.event")
LEGACY_RSVP = parse_nsid("events.smokesignal.calendar.rsvp")

EVENTS = frozenset({EVENT, LEGACY_EVENT})
RSVPS = frozenset({RSVP, LEGACY_RSVP})
CALENDAR = EVENTS | RSVPS

# What reading a whole repository looks at, in a stable order: events before the answers to them.
READ_IN_ORDER: tuple[Nsid, ...] = (EVENT, LEGACY_EVENT, RSVP, LEGACY_RSVP)

ORIGIN_KEYS = own_spellings("origin", OWN_AUTHORITY)
ORIGIN_KEY = ORIGIN_KEYS[0]

# What our events say and the community's Lexicon has no field for.
DETAILS_KEYS = own_spellings("eventDetails", OWN_AUTHORITY)
DETAILS_KEY = DETAILS_KEYS[0]
