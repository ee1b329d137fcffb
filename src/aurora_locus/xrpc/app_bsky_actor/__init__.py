"""``app.bsky.actor.*``: data that this server itself stores for people who use that app. Each file is one method."""
