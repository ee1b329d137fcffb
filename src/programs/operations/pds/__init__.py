"""What ``openmeet pds VERB`` does. The options are in ``programs.commands.pds``."""
