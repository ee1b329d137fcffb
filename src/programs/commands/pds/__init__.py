"""``openmeet pds VERB``: work on an Aurora Locus; each verb is a module here, and a line of ``verbs``."""
