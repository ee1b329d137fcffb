"""Search and lists of events: lists by time, full-text search, cursors, the front page's selection."""
