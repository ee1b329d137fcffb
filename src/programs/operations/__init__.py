"""What operators' commands do. Their options are in ``programs.commands``, which imports these modules when a command
runs, so that help and errors about options come at once.
"""
