"""Imports: calendar files, event pages, lists of guests and members.

An upload is stored as it came, previewed, and imported only when its owner confirms; importing it again changes
nothing. Events become drafts, or series that only their host sees. People become contacts on a list: they get no e-mail
before the host has sent an invitation after reading it; nobody is invited twice; nobody becomes an attendee or member
without accepting.
"""
