"""Public profiles of hosts: their public events with feeds, their followers, and portraits.

A profile shows nothing that is not public already. Users who host nothing public have none, and bio and groups appear
only if the user chose so. Events that they attend never appear.
"""
