"""Pages and JSON of photos that people add to an event (``domain/photos``)."""
