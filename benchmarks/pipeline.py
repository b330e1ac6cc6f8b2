"""The whole job: from upload to completed, each stage's seconds, and the memory of all processes.

The services are warm: one small dataset went through them before. Each repeat uploads the file
anew; nothing is kept from one dataset for the next.
"""

import time
from pathlib import Path
from typing import Any

from benchmarks.input_files import BANKING77_ROWS, find_file, write_messages
from benchmarks.processes import ProcessSampler
from benchmarks.report import Figure, Report, make_parser, median_figure
from benchmarks.running import follow_to_end, running_stack, temporary_folder
from level.client import GatewayClient

GOAL_FILE = "banking77.csv"
GOAL_SECONDS = 90.0
GOAL_GB = 2.5


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="a path, or a name in the folder LEVEL_BENCH_DATA, for example banking77.csv"
        " (default: generated support messages)",
    )
    parser.add_argument("--rows", type=int, default=BANKING77_ROWS, help="rows to generate")
    parser.add_argument("--text-column", metavar="NAME", help="default: detected")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    report = Report("pipeline", vars(options))
    with temporary_folder() as folder:
        path = find_file(options.file) if options.file else None
        path = path or write_messages(folder / "messages.csv", options.rows)
        fields = {"text_column": options.text_column} if options.text_column else {}
        _measure(report, path, fields, options.repeat, folder)
    report.finish(options.json)


def _measure(
    report: Report, path: Path, fields: dict[str, str], repeats: int, folder: Path
) -> None:
    walls: list[float] = []
    uploads: list[float] = []
    statuses: list[dict[str, Any]] = []
    with running_stack(folder / "store") as stack, stack.client(timeout=600.0) as http:
        client = GatewayClient(http)
        with ProcessSampler() as processes:
            idle = processes.peak_pss_bytes
            for _ in range(repeats):
                start = time.perf_counter()
                dataset_id = client.upload(path, fields)["dataset_id"]
                uploads.append(time.perf_counter() - start)
                statuses.append(follow_to_end(client, dataset_id))
                walls.append(time.perf_counter() - start)
                clusters = statuses[-1]["cluster_count"]
                print(f"  completed after {walls[-1]:.1f} s: {clusters} clusters", flush=True)
    _tell(report, path, statuses[-1])
    goal = GOAL_SECONDS if path.name == GOAL_FILE else None
    report.add(median_figure("upload to completed", walls, "s", goal))
    report.add(median_figure("of it, upload to its answer", uploads, "s"))
    for stage in statuses[-1]["timings"]:
        seconds = [status["timings"][stage] for status in statuses]
        report.add(median_figure(f"stage {stage}", seconds, "s"))
    _report_processes(report, processes, idle, repeats)


def _tell(report: Report, path: Path, status: dict[str, Any]) -> None:
    facts = {name: status[name] for name in ("row_count", "text_column", "counts", "clustering")}
    report.options["dataset"] = {**facts, "byte_count": path.stat().st_size}
    report.options["model"] = status["model"]
    print(
        f"\n{path.name}: {status['row_count']:,} rows, {path.stat().st_size / 1e6:.1f} MB, text"
        f" column {status['text_column']['name']}, {status['cluster_count']} clusters,"
        f" {status['noise_count']} rows of noise, counts {status['counts']}"
    )
    model = status["model"]
    print(f"model {model['model_id']}, {model['runtime']}, {model['instruction_set']}\n")


def _report_processes(
    report: Report, processes: ProcessSampler, idle_bytes: int, repeats: int
) -> None:
    report.add(
        Figure("processor time, all processes", processes.cpu_seconds / repeats, "s"),
        Figure("memory (PSS), all processes, before", idle_bytes / 1e9, "GB"),
        Figure("memory (PSS), all processes, peak", processes.peak_pss_bytes / 1e9, "GB", GOAL_GB),
    )
    for process in sorted(processes.at_peak, key=lambda process: -process.pss_bytes):
        report.add(Figure(f"at that peak: {process.name}", process.pss_bytes / 1e9, "GB"))
    report.add(Figure("sum of each process's highest RSS", processes.rss_peaks_bytes / 1e9, "GB"))


if __name__ == "__main__":
    main()
