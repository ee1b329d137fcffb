"""What people do for their own safety: report something, keep somebody away, hear nothing of a person or a group.

The tables are ``moderation``'s; this room knows which event, series, group or person is meant, and what follows in other rooms.
"""
