"""Clusters: vectors in; a neighbour graph, clusters, exemplars and 2-D positions out.

Importing the package imports nothing heavy, so that the compute process can set its thread pools
before NumPy is loaded.
"""
