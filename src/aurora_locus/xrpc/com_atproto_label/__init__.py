"""``com.atproto.label.*``: the labels that this host's moderators put, for anybody."""
