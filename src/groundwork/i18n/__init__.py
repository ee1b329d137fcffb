"""Messages in the reader's language (gettext), for every server: each has a catalogue of its own."""
