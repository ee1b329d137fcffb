"""Groups: members, roles and permissions, and how people join and leave.

Every group has exactly one owner, which the database enforces (``group_members_one_owner``). ``groups.owner_id``
repeats that owner and changes in the same transaction. Nobody becomes a member without their own consent. Every role
change is logged in ``group_roles_log``.
"""
