"""A pool of models on the nodes of a Ray cluster, behind the same interface as one model."""
