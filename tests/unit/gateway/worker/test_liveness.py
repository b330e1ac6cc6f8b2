"""Who is dead: told by silence, never by comparing clocks."""

import os
import subprocess
import sys

from gateway.worker.liveness import (
    BEAT_SECONDS,
    SILENT_SECONDS,
    DeathWatch,
    new_executor_id,
    surely_dead,
)

OTHER = "other.host/7/abc"


def test_ids_are_never_used_twice():
    assert new_executor_id() != new_executor_id()


def test_a_process_of_this_host_is_known_to_be_dead_at_once():
    own = new_executor_id()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host, _, _ = own.split("/")
    assert surely_dead(f"{host}/{gone.pid}/abc", own)
    assert surely_dead(f"{host}/{os.getpid()}/abc", own)  # our number, from before a restart
    assert not surely_dead(f"{host}/{os.getppid()}/abc", own)
    assert not surely_dead(f"elsewhere/{gone.pid}/abc", own)
    assert not surely_dead(own, own)


def watch_for(seconds, beat):
    """Return who is dead after looking every two seconds; `beat` gives the other's last beat."""
    watch, dead = DeathWatch(new_executor_id()), []
    for step in range(int(seconds / BEAT_SECONDS) + 1):
        now = 1_000 + step * BEAT_SECONDS
        dead = watch.dead({OTHER: beat(now)}, now)
    return dead


def test_a_worker_that_beats_lives_whatever_its_clock_says():
    assert watch_for(60, lambda now: now - 1e6) == []
    assert watch_for(60, lambda now: 1e6 - now) == []


def test_a_worker_that_is_silent_is_dead_after_a_while():
    assert watch_for(SILENT_SECONDS - BEAT_SECONDS, lambda _: 5.0) == []
    assert watch_for(SILENT_SECONDS, lambda _: 5.0) == [OTHER]


def test_what_was_not_heard_while_asleep_counts_little():
    watch = DeathWatch(new_executor_id())
    watch.dead({OTHER: 1.0}, 0.0)
    assert watch.dead({OTHER: 1.0}, 3_600.0) == []
    assert watch.dead({OTHER: 2.0}, 3_602.0) == []


def test_this_process_is_never_dead_to_itself():
    own = new_executor_id()
    watch = DeathWatch(own)
    for now in range(0, 100, 2):
        assert watch.dead({own: 1.0}, float(now)) == []
