"""Rooms in which people talk, who is in them, and what they said: one room per event, series or group, or between two people.

The tables are here, so that what is brought in from elsewhere, and people who turn out to be one, lose nothing; talking itself is
yet to come. A room belongs to exactly one thing (a constraint holds that), a person is in it once, and what is taken back
keeps its place without its words.
"""
