"""Is a PDS well set up? Asked from outside, as relays, other servers and people's apps ask; any PDS, a stranger's too."""
