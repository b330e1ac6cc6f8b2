"""A local server that speaks as much of the Hugging Face hub's REST as a download needs."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def running_hub(model_id, folder):
    """Yield the address of a hub that has one model, and the list of the files fetched from it."""
    fetched = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self._answer(with_body=False)

        def do_GET(self):
            self._answer(with_body=True)

        def log_message(self, *args):
            pass

        def _answer(self, with_body):
            prefix = f"/{model_id}/resolve/{COMMIT}/"
            if self.path.startswith(f"/api/models/{model_id}/revision/"):
                if self.path.rpartition("/")[2].partition("?")[0] in ("main", COMMIT):
                    self._send(_description(model_id, folder), with_body)
                else:
                    self._refuse("RevisionNotFound")
            elif self.path.startswith(f"/api/models/{model_id}/tree/"):
                self._send(_tree(folder), with_body)
            elif self.path.startswith(prefix):
                name = self.path.removeprefix(prefix)
                fetched.append(name)
                self._send((folder / name).read_bytes(), with_body)
            else:
                self._refuse("RepoNotFound")

        def _refuse(self, code):
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, body, with_body):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", fetched
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _description(model_id, folder):
    siblings = [{"rfilename": name} for name in _names(folder)]
    return json.dumps({"id": model_id, "sha": COMMIT, "siblings": siblings}).encode()


def _tree(folder):
    return json.dumps(
        [
            {
                "type": "file",
                "path": name,
                "size": (folder / name).stat().st_size,
                "oid": hashlib.sha1((folder / name).read_bytes()).hexdigest(),
            }
            for name in _names(folder)
        ]
    ).encode()


def _names(folder):
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
