"""Photos that people add to an event once it has begun. They show people, so only hosts and attendees see them."""
