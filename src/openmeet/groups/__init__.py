"""Groups of people who meet: who belongs to one in which role, who may do what in it, how one gets in and out.

Every group has exactly one owner, which the database holds (``group_members_one_owner``); ``groups.owner_id`` says the same
and changes in the same transaction. Nobody becomes a member without having said yes. Every change of a role is in
``group_roles_log``.
"""
