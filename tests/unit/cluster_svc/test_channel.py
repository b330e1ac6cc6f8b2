import os
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
import pytest

from cluster_svc import channel
from cluster_svc.shared_array import SharedArray


@dataclass(frozen=True)
class Inner:
    array: np.ndarray
    name: str


@dataclass(frozen=True)
class Message:
    shared: SharedArray
    arrays: tuple[np.ndarray, ...]
    inner: Inner
    nothing: None = None


@contextmanager
def connections():
    ours, theirs = (Connection(one.detach()) for one in socket.socketpair())
    with ours, theirs:
        yield ours, theirs


def exchange(message):
    """Return a message as it arrives."""
    with connections() as (ours, theirs):
        sender = threading.Thread(target=channel.send, args=(ours, message, os.getpid()))
        sender.start()
        received = channel.receive(theirs)
        sender.join()
    return received


def make_message():
    shared = SharedArray((1000, 64), np.float32)
    shared.array[:] = np.arange(64)
    arrays = (np.arange(10**5), np.arange(3), np.zeros((0, 5)), np.empty((10**5, 0)))
    return Message(shared, arrays, Inner(np.ones((300, 300), np.int32), "name"))


def test_a_message_arrives_as_it_was_sent():
    message = make_message()
    received = exchange(message)
    np.testing.assert_array_equal(received.shared.array, message.shared.array)
    for got, sent in zip(received.arrays, message.arrays, strict=True):
        np.testing.assert_array_equal(got, sent)
        assert got.dtype == sent.dtype
    np.testing.assert_array_equal(received.inner.array, message.inner.array)
    assert (received.inner.name, received.nothing) == ("name", None)


def test_a_shared_array_is_the_same_memory_at_both_ends():
    message = make_message()
    received = exchange(message)
    message.shared.array[0, 0] = 7
    assert received.shared.array[0, 0] == 7


def test_nothing_is_left_open():
    exchange(make_message())
    before = len(os.listdir("/proc/self/fd"))
    exchange(make_message())
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_end_of_the_other_side_is_an_error():
    with connections() as (ours, theirs):
        theirs.close()
        with pytest.raises(OSError):
            channel.send(ours, "anything", os.getpid())
        with pytest.raises((EOFError, OSError)):
            channel.receive(ours)


@pytest.mark.parametrize("length", [2**50, 2**62])
def test_more_than_there_is_of_memory_is_refused(length):
    with pytest.raises(MemoryError):
        SharedArray((length,), np.float32)
