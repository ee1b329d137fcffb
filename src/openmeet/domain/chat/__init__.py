"""Conversations: about an event, a series or a date, in a group, among hosts, and of one person with the hosts.

Access follows answers, hosting and roles, and is computed each time (``access``). One counter per room numbers everything
that happens in it: unread marks, resumed streams and jobs use that number.
"""
