"""``com.atproto.label.*``: the labels of this host's moderators, public."""
