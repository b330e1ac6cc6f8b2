"""A progress bar for each stage; plain lines where there is no terminal."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

# Each stage, its name for people, and where it lies on the scale of 0 to 100.
STAGES = {
    "embedding": ("Embedding rows", 0, 70),
    "clustering": ("Finding clusters", 70, 82),
    "analyzing": ("Naming clusters", 82, 90),
    "building_terrain": ("Building terrain", 90, 100),
}


def show_progress(statuses: Iterable[dict[str, Any]], console: Console) -> dict[str, Any]:
    """Draw the stages while `statuses` come, and return the last of them."""
    return _draw(statuses, console) if console.is_terminal else _print(statuses, console)


def show_job_progress(
    states: Iterable[dict[str, Any]], title: str, console: Console
) -> dict[str, Any]:
    """Draw one bar, or print one line, while the states of a job come; return the last of them."""
    if not console.is_terminal:
        console.print(f"       {title}", markup=False)
        return deque(states, maxlen=1).pop()
    state: dict[str, Any] = {}
    with Progress(*_columns(), console=console) as progress:
        task = progress.add_task(title, total=100)
        for state in states:
            done = 100 if state["status"] == "completed" else state["progress"]
            progress.update(task, completed=done)
    return state


class StageBars:
    """A bar for each stage that is computed in this process; a context manager.

    Parameters
    ----------
    console : Console
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(*_columns(), console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, stage: str, fraction: float) -> None:
        """Show how much of a stage is done, 0 to 1."""
        title = STAGES[stage][0]
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(title, total=1.0)
            if not self._console.is_terminal:
                self._console.print(f"       {title}", markup=False)
        self._progress.update(self._tasks[stage], completed=fraction)


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("{task.description:<18}"),
        BarColumn(bar_width=40),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )


def _draw(statuses: Iterable[dict[str, Any]], console: Console) -> dict[str, Any]:
    status: dict[str, Any] = {}
    progress, detail = Progress(*_columns(), console=console), Text(no_wrap=True)
    tasks = {
        stage: progress.add_task(name, total=100, start=False)
        for stage, (name, _, _) in STAGES.items()
    }
    with Live(Group(progress, detail), console=console, refresh_per_second=10):
        for status in statuses:
            for stage, task in tasks.items():
                _update(progress, task, stage, status)
            if embedding := status.get("embedding"):
                detail.plain = describe_embedding(embedding)
    return status


def _update(progress: Progress, task: TaskID, stage: str, status: dict[str, Any]) -> None:
    done = _percent_of_stage(stage, status)
    begun = done > 0 or status["stage"] == stage
    if begun and not progress.tasks[task].started:
        progress.start_task(task)
    progress.update(task, completed=done)
    if done >= 100:
        progress.stop_task(task)


def describe_embedding(embedding: dict[str, Any]) -> str:
    """Return rows, rate, time left and what the cache saved, in a few words."""
    parts = [f"{embedding['rows_done']:,} of {embedding['row_count']:,} texts"]
    if embedding["rows_per_second"]:
        parts.append(f"{embedding['rows_per_second']:,.0f} a second")
    if embedding["seconds_left"]:
        parts.append(f"{_duration(embedding['seconds_left'])} left")
    if embedding["cached_count"]:
        parts.append(f"{embedding['cached_count']:,} from the cache")
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{round(whole / 60)} min" if whole < 7_200 else f"{whole / 3_600:.1f} h"


def _percent_of_stage(stage: str, status: dict[str, Any]) -> float:
    if status["status"] == "completed":
        return 100.0
    order = list(STAGES)
    current = status["stage"]
    if current in order and order.index(current) > order.index(stage):
        return 100.0
    if current != stage:
        return 0.0
    _, start, end = STAGES[stage]
    percent = 100.0 * (float(status["progress"]) - start) / (end - start)
    return max(0.0, min(100.0, percent))


def _print(statuses: Iterable[dict[str, Any]], console: Console) -> dict[str, Any]:
    status: dict[str, Any] = {}
    shown = ""
    for status in statuses:
        stage = status["stage"] or ""
        if stage in STAGES and stage != shown:
            if shown == "embedding" and status.get("embedding"):
                console.print(f"       {describe_embedding(status['embedding'])}", markup=False)
            shown = stage
            console.print(f"{status['progress']:>3} %  {STAGES[stage][0]}", markup=False)
    if status.get("status") == "completed":
        console.print("100 %  Done", markup=False)
    return status
