"""``com.atproto.identity.*``: handles and DIDs. Each file is one method."""
