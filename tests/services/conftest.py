"""A running cluster service that the tests of a module share: each start costs seconds."""

import pytest_asyncio

from tests.support.cluster_calls import running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub():
    """Give the stub of a cluster service."""
    async with running() as (_, stub):
        yield stub
