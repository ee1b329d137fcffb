"""Personal calendars: the events that a person attends, waits for or hosts, and calendars they subscribe to.

A calendar is visible only to its owner. Subscribed calendars do not appear in any search, feed, e-mail or log. Their
addresses are encrypted, because they are often secrets. A personal feed is opened with a revocable token, of which only
the hash is stored.
"""
