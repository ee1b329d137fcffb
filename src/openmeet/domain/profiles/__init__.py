"""Public profiles of hosts: their public events, with feeds, and their followers; and the pictures of people.

A profile shows nothing that is not public already: users who host nothing public have none, and bio and groups appear
only if the user chose so. Events they attend never appear.
"""
