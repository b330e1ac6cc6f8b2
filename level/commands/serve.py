"""`level serve`: the page, the API and all services."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from level.commands import Subparsers
from level.commands.options import port
from level.settings import CommandSettings


def add_parser(commands: "Subparsers[argparse.ArgumentParser]") -> None:
    """Add the verb to the command line."""
    serve = commands.add_parser("serve", help="run the page, the API and all services")
    serve.set_defaults(do=run)
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    serve.add_argument("--port", type=port, default=8000, help="TCP port (default: %(default)s)")
    serve.add_argument(
        "--data-dir",
        type=Path,
        help="the store's folder (default: LEVEL_DATA_DIR, else ~/.local/share/level)",
    )
    serve.add_argument("--sample", action="store_true", help="load the sample dataset")
    serve.add_argument("--open", action="store_true", help="open the page in a browser")
    serve.add_argument("--no-open", dest="open", action="store_false", help="open no browser")


def run(options: argparse.Namespace, console: Console) -> None:
    """Serve until Ctrl-C."""
    from level.checked_settings import check_settings
    from level.server import ServeOptions, check_bind, serve

    check_settings()
    settings = CommandSettings()
    check_bind(options.host, settings.allow_remote)
    data_dir = options.data_dir or settings.store
    open_browser = options.open and (sys.platform == "darwin" or bool(settings.display))
    serve(ServeOptions(options.host, options.port, data_dir, options.sample, open_browser), console)
