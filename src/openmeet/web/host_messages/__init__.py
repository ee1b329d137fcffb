"""Messages from hosts to attendees."""
