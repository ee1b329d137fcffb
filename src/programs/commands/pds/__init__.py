"""``openmeet pds VERB``: operators' commands for an Aurora Locus. Each verb is a module here and a line in ``verbs``."""
