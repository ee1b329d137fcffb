"""``app.bsky.actor.*``: what this server keeps itself for people who use that app. Each file is one method."""
