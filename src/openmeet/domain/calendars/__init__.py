"""A person's own calendar: what they go to, wait for and host, beside the calendars that they subscribe to.

Only its owner sees it. Subscribed calendars appear in no search, feed, e-mail or log, and their addresses, which are often secrets,
are sealed. The feed of one's own events is opened by a revocable token of which only the hash is stored.
"""
