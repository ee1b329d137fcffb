"""iCalendar files (RFC 5545): read files from other programs, and write files that they can read."""
