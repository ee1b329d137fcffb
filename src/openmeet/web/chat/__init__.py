"""Pages of the chat: rooms, messages, the people in a room, moderation, and the live stream."""
