"""Makes static models: tables of token vectors, in the format of model2vec."""
