"""Administration: the pages below ``/admin``, which use the actions of ``moderation``, and the federation status as
JSON.
"""
