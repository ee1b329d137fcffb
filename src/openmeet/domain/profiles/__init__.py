"""Public pages of hosts: what they host for everybody, with feeds, and people who follow them.

The page says nothing that is not public already: a person who hosts nothing public has none, and their bio and groups appear only
if they said so. Events they attend never do.
"""
