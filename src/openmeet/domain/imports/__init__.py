"""Imports: calendar files, event pages, lists of guests and members.

An upload is kept as it came, shown as it was understood, and imported only when its owner confirms; a second time changes nothing.
Events become drafts, or series that only their host sees. People become lines of a list: nobody gets an e-mail before the host has
sent an invitation that they have read, nobody is invited twice, and nobody is a guest or a member without their own yes.
"""
