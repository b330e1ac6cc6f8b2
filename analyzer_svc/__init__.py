"""Names and describes clusters: by keywords always, by a language model where one is set up."""
