"""``com.atproto.temp.*``: methods that may disappear from the protocol. Each file is one method."""
