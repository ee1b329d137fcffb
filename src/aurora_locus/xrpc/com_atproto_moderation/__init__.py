"""``com.atproto.moderation.*``: what people tell the host."""
