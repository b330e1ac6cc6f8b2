"""A way to pick rows that needs no vectors: at random, near-duplicates last."""

import numpy as np

from levelling.plans.picks import PickTask, Selection


def pick_at_random(task: PickTask) -> Selection:
    """Return rows as a task asks for them; every slot is covered by the share that is kept."""
    rows = np.flatnonzero(task.candidates)
    draws = np.random.default_rng(task.seed).random(task.candidates.size)
    if task.counts is None:
        rows = rows[np.lexsort((draws[rows], ~task.keepers[rows]))][: task.budget]
    else:
        rows = rows[np.lexsort((draws[rows], ~task.keepers[rows], task.labels[rows]))]
        sizes = np.bincount(task.labels[rows], minlength=task.slot_count)
        places = np.arange(rows.size) - (np.cumsum(sizes) - sizes)[task.labels[rows]]
        rows = rows[places < task.counts[task.labels[rows]]]
    played = task.labels[task.labels >= 0]
    kept = np.bincount(task.labels[rows], minlength=task.slot_count)
    covered = kept / np.maximum(np.bincount(played, minlength=task.slot_count), 1)
    return Selection(np.sort(rows), covered, 0.25)
