"""One file for each algorithm; ``cluster_svc.registry`` lists them."""
