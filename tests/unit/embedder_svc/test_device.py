import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder_svc.device import CallQueue, Device
from embedder_svc.errors import DeviceOutOfMemory, EmbeddingCancelled
from tests.unit.embedder_svc.stepped_model import DIMENSION_COUNT, SteppedModel

SECONDS = 30


def sequences(token_id, count, length=3):
    return [[token_id] * length] * count


def wait_for(job):
    return job.vectors.result(timeout=SECONDS)


LENGTHS = st.lists(st.integers(1, 60), max_size=80)


@given(LENGTHS, st.integers(1, 40), st.sampled_from([0, 64, 640]), st.integers(1, 3))
def test_every_sequence_gets_its_own_vector_in_batches_within_every_limit(
    lengths, batch_size, token_limit, thread_count
):
    model = SteppedModel(batch_token_count=token_limit, parallel_batch_count=thread_count)
    token_ids = [[row % DIMENSION_COUNT] * length for row, length in enumerate(lengths)]
    with Device(model) as device, CallQueue(device) as queue:
        vectors = wait_for(queue.submit(token_ids, batch_size))
    expected = np.eye(DIMENSION_COUNT)[np.arange(len(lengths)) % DIMENSION_COUNT]
    np.testing.assert_array_equal(vectors, expected)
    assert sum(model.batch_sizes) == len(lengths)
    for batch in model.batches:
        padded = max(map(len, batch)) * len(batch)
        assert len(batch) <= batch_size
        if token_limit:
            assert padded <= token_limit or len(batch) == 1
            assert padded - sum(map(len, batch)) <= token_limit / 64


def test_the_longest_come_first_so_that_short_memory_shows_at_once():
    model = SteppedModel()
    with Device(model) as device, CallQueue(device) as queue:
        wait_for(queue.submit([[0] * length for length in range(1, 50)], 7))
    lengths = [len(token_ids) for batch in model.batches for token_ids in batch]
    assert lengths == sorted(lengths, reverse=True)


def test_calls_take_turns_batch_by_batch():
    model = SteppedModel(steps=True)
    with Device(model) as device:
        queues = [CallQueue(device) for _ in range(3)]
        jobs = [queues[0].submit(sequences(0, 50), 10)]
        model.wait_for_batch()
        jobs += [queues[1].submit(sequences(1, 20), 10), queues[2].submit(sequences(2, 3), 10)]
        model.step(8)
        for job in jobs:
            wait_for(job)
    assert model.owners == [0, 0, 1, 2, 0, 1, 0, 0]


def test_a_later_job_of_a_call_takes_no_other_calls_turn():
    model = SteppedModel(steps=True)
    with Device(model) as device:
        first, second = CallQueue(device), CallQueue(device)
        jobs = [first.submit(sequences(token_id, 16), 8) for token_id in (0, 1, 2)]
        model.wait_for_batch()
        jobs.append(second.submit(sequences(7, 16), 8))
        model.step(8)
        for job in jobs:
            wait_for(job)
    assert model.owners == [0, 0, 7, 1, 7, 1, 2, 2]


def test_a_small_job_is_spread_over_the_threads():
    model = SteppedModel(steps=True, parallel_batch_count=2)
    with Device(model) as device, CallQueue(device) as queue:
        job = queue.submit(sequences(0, 24), 32)
        assert [model.wait_for_batch(), model.wait_for_batch()] == [12, 12]
        model.step(2)
        wait_for(job)


def test_a_closed_queue_drops_what_waits_at_once_and_lets_others_on():
    model = SteppedModel(steps=True)
    with Device(model) as device:
        dropped, other = CallQueue(device), CallQueue(device)
        jobs = [dropped.submit(sequences(0, 50), 10), dropped.submit(sequences(1, 50), 10)]
        model.wait_for_batch()
        kept = other.submit(sequences(2, 5), 10)
        dropped.close()
        for job in jobs:
            # At once: the batch that runs has not ended.
            with pytest.raises(EmbeddingCancelled):
                job.vectors.result(timeout=0)
        with pytest.raises(EmbeddingCancelled):
            dropped.submit(sequences(0, 1), 10)
        model.step(2)
        wait_for(kept)
    assert model.owners == [0, 2]


def test_no_batch_is_begun_once_the_event_is_set():
    cancelled = threading.Event()
    model = SteppedModel(steps=True)
    with Device(model) as device:
        job = CallQueue(device, cancelled).submit(sequences(0, 50), 10)
        model.wait_for_batch()
        cancelled.set()
        model.step()
        with pytest.raises(EmbeddingCancelled):
            wait_for(job)
    assert model.batch_sizes == [10]


def test_batches_are_halved_when_memory_runs_out_and_the_size_is_remembered():
    model = SteppedModel(capacity=9)
    with Device(model) as device, CallQueue(device) as queue:
        vectors = wait_for(queue.submit(sequences(0, 40) + sequences(1, 40), 32))
        assert device.safe_batch_size == 8
        wait_for(queue.submit(sequences(2, 16)))
    assert model.batch_sizes == [32, 16, *[8] * 12]
    np.testing.assert_array_equal(vectors.argmax(axis=1), [0] * 40 + [1] * 40)


def test_a_batch_that_did_not_fit_goes_first_when_cut_smaller():
    model = SteppedModel(capacity=16, steps=True)
    with Device(model) as device:
        large, small = CallQueue(device), CallQueue(device)
        jobs = [large.submit(sequences(0, 32), 32)]
        model.wait_for_batch()
        jobs.append(small.submit(sequences(1, 4), 32))
        model.step(4)
        for job in jobs:
            wait_for(job)
    assert list(zip(model.owners, model.batch_sizes, strict=True)) == [
        (0, 32),
        (0, 16),
        (1, 4),
        (0, 16),
    ]


def test_a_device_without_room_for_eight_is_an_error_of_that_call_alone():
    model = SteppedModel(capacity=5)
    with Device(model) as device, CallQueue(device) as queue, CallQueue(device) as other:
        with pytest.raises(DeviceOutOfMemory, match="no memory left for 8 texts"):
            wait_for(queue.submit(sequences(0, 20), 32))
        wait_for(other.submit(sequences(1, 5), 32))
    assert model.batch_sizes == [20, 10, 8, 5]


def test_two_batches_that_fail_at_once_halve_the_limit_once():
    model = SteppedModel(capacity=32, together=2, parallel_batch_count=2)
    with Device(model) as device, CallQueue(device) as queue:
        wait_for(queue.submit(sequences(0, 64), 32))
        assert device.safe_batch_size == 16
    assert model.batch_sizes == [32, 32, 16, 16, 16, 16]


def test_smallest_batches_that_do_not_fit_beside_each_other_run_alone():
    model = SteppedModel(capacity=8, together=2, parallel_batch_count=2)
    with Device(model) as device, CallQueue(device) as queue:
        vectors = wait_for(queue.submit(sequences(0, 16), 8))
    assert len(vectors) == 16
    assert model.batch_sizes == [8, 8, 8, 8]


@pytest.mark.parametrize("damage", ["raise", "shape"])
def test_what_a_model_raises_belongs_to_the_call_whose_batch_it_was(damage):
    class Damaged(SteppedModel):
        def encode(self, batch):
            vectors = super().encode(batch)
            if batch[0][0] != 7:
                return vectors
            if damage == "raise":
                raise RuntimeError("damaged")
            return vectors[:-1, :-1]

    model = Damaged()
    with Device(model) as device, CallQueue(device) as queue, CallQueue(device) as other:
        job, fine = queue.submit(sequences(7, 50), 10), other.submit(sequences(1, 50), 10)
        with pytest.raises((RuntimeError, ValueError)):
            wait_for(job)
        wait_for(fine)
    assert model.owners.count(7) == 1


def test_closing_ends_the_threads_and_drops_what_waits():
    model = SteppedModel(steps=True, parallel_batch_count=2)
    before = threading.active_count()
    device = Device(model)
    queue = CallQueue(device)
    job = queue.submit(sequences(0, 64), 8)
    model.wait_for_batch(), model.wait_for_batch()
    model.step(2)
    closing = threading.Thread(target=device.close)
    closing.start()
    model.step(2)
    closing.join(SECONDS)
    assert not closing.is_alive()
    assert threading.active_count() == before
    with pytest.raises(EmbeddingCancelled):
        wait_for(job)
    with pytest.raises(EmbeddingCancelled):
        queue.submit(sequences(0, 1), 8)


def test_a_batch_that_runs_out_of_memory_while_the_device_closes_is_dropped():
    model = SteppedModel(capacity=4, steps=True)
    device = Device(model)
    job = CallQueue(device).submit(sequences(0, 16), 16)
    model.wait_for_batch()
    closing = threading.Thread(target=device.close)
    closing.start()
    while not device._is_closed:
        pass
    model.step()
    closing.join(SECONDS)
    with pytest.raises(EmbeddingCancelled):
        wait_for(job)


def test_an_empty_sequence_is_refused_and_others_go_on():
    with Device(SteppedModel(batch_token_count=64)) as device, CallQueue(device) as queue:
        with pytest.raises(ValueError, match="is empty"):
            queue.submit([[0], []])
        wait_for(queue.submit(sequences(0, 1)))
