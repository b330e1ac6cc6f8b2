"""What is tried again, how often, and what is not."""

import pytest

from gateway.errors import DatasetNotFound, StoreUnavailable
from gateway.worker import transient
from gateway.worker.transient import in_store, with_retries
from level_rpc.errors import (
    Aborted,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    QueueFull,
    ResourceExhausted,
    ServiceLoading,
    Unavailable,
)


@pytest.fixture
def pauses(monkeypatch):
    """Time that passes by pausing only."""
    noted, now = [], [0.0]

    async def sleep(seconds):
        noted.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(transient.asyncio, "sleep", sleep)
    monkeypatch.setattr(transient, "monotonic", lambda: now[0])
    return noted


def failing(*errors):
    """Return a call that raises these and then returns its count."""
    left, count = list(errors), [0]

    async def call():
        count[0] += 1
        if left:
            raise left.pop(0)
        return count[0]

    return call


@pytest.mark.parametrize("error", [Unavailable, DataLoss, DeadlineExceeded, Aborted, QueueFull])
async def test_what_passes_by_itself_is_tried_again(pauses, error):
    assert await with_retries(failing(error("x"))) == 2
    assert len(pauses) == 1


@pytest.mark.parametrize("error", [InvalidArgument, FailedPrecondition, ResourceExhausted])
async def test_what_stays_wrong_is_not_tried_again(pauses, error):
    with pytest.raises(error):
        await with_retries(failing(error("x")))
    assert pauses == []


async def test_patience_ends(pauses):
    with pytest.raises(Unavailable):
        await with_retries(failing(*[Unavailable("x")] * 1_000), seconds=60)
    assert 60 < sum(pauses) < 70
    assert max(pauses) <= 5


async def test_a_loading_service_is_waited_for_longer(pauses):
    assert await with_retries(failing(*[ServiceLoading("x")] * 40), seconds=60) == 41
    assert sum(pauses) > 60


async def test_a_process_that_crashes_twice_is_not_made_to_crash_again(pauses):
    with pytest.raises(Aborted):
        await with_retries(failing(Aborted("x"), Unavailable("x"), Aborted("x")))
    assert len(pauses) == 2


async def test_the_pause_a_service_asks_for_is_kept(pauses):
    await with_retries(failing(QueueFull("x", retry_after=3.0)))
    assert pauses == [3.0]


async def test_a_store_is_waited_for_without_end(pauses):
    left = [StoreUnavailable("x")] * 500

    def call(value, *, more):
        if left:
            raise left.pop()
        return value + more

    assert await in_store(call, 1, more=2) == 3
    assert sum(pauses) > 2_000


async def test_a_deleted_dataset_is_not_waited_for(pauses):
    def call():
        raise DatasetNotFound

    with pytest.raises(DatasetNotFound):
        await in_store(call)
