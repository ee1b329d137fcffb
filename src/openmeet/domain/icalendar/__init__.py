"""iCalendar files (RFC 5545): reading other programs' files, and writing files that they can read."""
