"""The HTML pages of the PDS: one package per subject, and ``site``, which all of them share."""
