"""Who is there: tickets with a code, and the host's list at the door.

A ticket's code is derived from the installation's key and is stored nowhere. It opens nothing: only hosts of its event can do
something with it, and what they can do is check its holder in.
"""
