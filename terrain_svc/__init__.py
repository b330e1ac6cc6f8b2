"""The terrain service: hills and weights to a height field, colours and figures of balance."""
