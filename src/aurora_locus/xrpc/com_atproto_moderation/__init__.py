"""``com.atproto.moderation.*``: reports."""
