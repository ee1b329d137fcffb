"""Places in searches, saved searches, the front page's policy and the sitemap."""
