"""What the tests of servers share."""

import pytest
import pytest_asyncio
import structlog

from tests.support.cluster_calls import running


@pytest.fixture(autouse=True)
def clear_contextvars():
    """Leave nothing of a call in the log of the next."""
    yield
    structlog.contextvars.clear_contextvars()


# Shared by the tests of a module: each start costs seconds.
@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub():
    """Give the stub of a cluster service."""
    async with running() as (_, stub):
        yield stub
