"""``com.atproto.label.*``: the public labels of this host's moderators."""
