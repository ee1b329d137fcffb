"""Events and people that come from elsewhere: calendar files, pages of events, lists of guests and members.

What arrives is kept as it came, shown as it was understood, and brought in only when its owner says so; a second time changes nothing.
Events become drafts, or series that only their host sees. People become lines of a list: nobody gets mail before the host has sent one
invitation that they have read, nobody is invited twice, and nobody is a guest or a member before they said yes themselves.
"""
