"""Messages in the reader's language (gettext), for every server. Each has its own catalogue."""
