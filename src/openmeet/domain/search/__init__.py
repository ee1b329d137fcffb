"""Search and lists of events: lists by time, full-text search, cursors, and the selection for the front page."""
