"""Conversations about an event, a series or a date, in a group, among hosts, and between one person and the hosts.

Access follows from answers, hosting and roles, and is computed each time (``access``). One counter per room numbers
everything that happens in it. Unread marks, resumed streams and jobs use that number.
"""
