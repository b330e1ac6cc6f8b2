import threading
import time

import pytest

from cluster_svc.compiled import for_each_block


def test_every_item_is_worked_on_once_whatever_the_threads():
    for thread_count in (1, 3):
        seen, lock = [], threading.Lock()

        def work(start, stop, seen=seen, lock=lock):
            with lock:
                seen.extend(range(start, stop))

        for_each_block(work, 1001, 10, thread_count=thread_count)
        assert sorted(seen) == list(range(1001))


@pytest.mark.parametrize("thread_count", [1, 2])
def test_a_report_that_raises_ends_the_work(thread_count):
    done = []

    def work(start, stop):
        time.sleep(0.001)
        done.append(start)

    def report(fraction):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        for_each_block(work, 1000, 1, thread_count=thread_count, report=report)
    assert len(done) < 500
