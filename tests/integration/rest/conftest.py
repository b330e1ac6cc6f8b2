"""Gateways over a store whose datasets are put there as the worker would put them."""

import pytest

from tests.support.rest_gateway import add_completed, running_gateway

LABELS = [0] * 30 + [1] * 15 + [2] * 5 + [-1] * 10


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gw")
    with running_gateway(folder / "data", folder) as running:
        yield running


@pytest.fixture
def client(gateway):
    with gateway.client() as client:
        yield client


@pytest.fixture
def dataset_id(gateway):
    """Return a completed dataset: clusters of 30, 15 and 5 rows, and 10 rows of noise."""
    return add_completed(gateway, LABELS)
