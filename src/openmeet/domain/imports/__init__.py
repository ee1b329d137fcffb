"""Imports: calendar files, event pages, lists of guests and members.

An upload is stored as it is, previewed, and imported only when its owner confirms. Importing it again changes nothing.
Events become drafts, or series that only their host sees. People become contacts on a list. They get no e-mail until
the host has read the invitation and sent it, nobody is invited twice, and nobody becomes an attendee or member without
accepting.
"""
