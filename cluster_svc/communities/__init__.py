"""Communities of a weighted graph: found, made robust, measured, and layered."""
