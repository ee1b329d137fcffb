"""Photos that people add to an event once it has begun. They show people, so only those who took part see them."""
