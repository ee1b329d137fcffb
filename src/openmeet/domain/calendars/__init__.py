"""Personal calendars: events a person attends, waits for and hosts, together with calendars that they subscribe to.

Only its owner sees it. Subscribed calendars appear in no search, feed, e-mail or log, and their addresses, which are
often secrets, are encrypted. A personal feed is opened by a revocable token of which only the hash is stored.
"""
