"""``openmeet pds VERB``: operators' commands for an Aurora Locus; each verb is a module here, and a line of ``verbs``."""
