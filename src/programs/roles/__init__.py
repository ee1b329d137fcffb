"""The command lines of roles. The modules of a role are imported when it starts, so that help and errors about options
come at once.
"""
