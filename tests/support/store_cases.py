"""Datasets for tests of the store."""

from uuid import uuid4

from gateway.dataset import PipelineParameters

TABLE = {"row_count": 60, "text_column": {"index": 1, "name": "text", "reason": "asked for"}}


def add_dataset(store, dataset_id=None, files=()):
    """Return the id of a dataset that has just been accepted."""
    dataset_id = dataset_id or str(uuid4())
    parameters = PipelineParameters(algorithm_parameters={"eps": 0.4}, random_seed=7)
    store.create(
        dataset_id, "rows.csv", TABLE, parameters, ("careful",), files, request_id="upload-1"
    )
    return dataset_id
