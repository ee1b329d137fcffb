"""Finding events, series and groups: lists by time, full-text search, cursors, the front page's selection."""
