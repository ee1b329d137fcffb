"""Chat rooms, their members and messages: one room per event, series or group, or between two people.

Only the tables exist so far, so that imports and account merges lose nothing. A room belongs to exactly one thing (a database
constraint), a person is in it once, and a deleted message keeps its place without its text.
"""
