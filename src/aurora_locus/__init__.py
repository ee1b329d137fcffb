"""Aurora Locus, a Personal Data Server for the AT Protocol."""
