"""One person's own calendar: what they go to, wait for and host, beside calendars of other places that they subscribed to.

It is theirs alone. Subscribed calendars are shown to nobody else, enter no search, feed, mail or log, and their addresses, which are
often secrets, are sealed. The feed of one's own events is opened by a revocable token of which only the hash is stored.
"""
