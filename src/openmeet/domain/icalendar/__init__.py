"""iCalendar files (RFC 5545): read files of other programs, and write files that they can read."""
