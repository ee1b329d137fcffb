"""Pages that explain the site: questions, who runs it, terms, privacy, accessibility, how it is doing."""
