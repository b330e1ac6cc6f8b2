"""The health checks of the gateway's and the worker's containers."""

import importlib.util
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from gateway.database import Database
from gateway.worker.liveness import SILENT_SECONDS, new_executor_id
from gateway.worker.registry import WorkerRegistry
from tests.unit.deployment.documents import ROOT


def load_script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docker" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gateway_health = load_script("gateway_health")
worker_health = load_script("worker_health")


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LEVEL_DATABASE_URL", f"sqlite:///{tmp_path / 'level.sqlite'}")
    database = Database(f"sqlite:///{tmp_path / 'level.sqlite'}")
    database.create_tables()
    yield database
    database.close()


def test_a_worker_that_has_just_beaten_is_healthy(database):
    WorkerRegistry(database).beat(new_executor_id())
    assert worker_health.main() == 0


def test_without_a_worker_it_is_not_healthy(database):
    assert worker_health.main() == 1


def test_the_worker_of_another_container_does_not_count(database):
    WorkerRegistry(database).beat("another/1/abcdef")
    assert worker_health.main() == 1


def test_a_worker_that_has_fallen_silent_is_not_healthy(database):
    long_ago = time.time() - SILENT_SECONDS - 1
    WorkerRegistry(database, clock=lambda: long_ago).beat(new_executor_id())
    assert worker_health.main() == 1


@contextmanager
def answering(status, body):
    """Yield the address of a server that always answers the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/health"
        server.shutdown()
        thread.join()


def test_a_healthy_gateway_is_healthy_whatever_proxy_is_set(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with answering(200, b"{}") as url:
        monkeypatch.setattr(sys, "argv", ["gateway_health.py", url])
        assert gateway_health.main() == 0


def test_an_unhealthy_gateway_is_not_and_its_answer_is_kept(monkeypatch, capsys):
    with answering(503, b'{"unhealthy_parts": ["embedder"]}') as url:
        monkeypatch.setattr(sys, "argv", ["gateway_health.py", url])
        assert gateway_health.main() == 1
    assert "embedder" in capsys.readouterr().err


def test_a_gateway_that_does_not_answer_is_not_healthy(monkeypatch):
    with answering(200, b"") as url:
        pass
    monkeypatch.setattr(sys, "argv", ["gateway_health.py", url])
    assert gateway_health.main() == 1
