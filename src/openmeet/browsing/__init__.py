"""What shows several rooms at once: coming events, one event with its attendees, my events, news. It only reads."""
