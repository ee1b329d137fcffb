"""Chat pages and API: rooms, messages, the people in a room, moderation, and the live stream."""
