"""A local HTTP server that plays the remote sources of the demonstration: well-behaved ones, and others."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW = 3.0  # seconds for which /slow thinks


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = 200, json.dumps([{'key': f'{self.path[1:]}-{n:02}', 'value': n} for n in range(12)])
        match self.path:
            case '/slow':
                time.sleep(SLOW)
            case '/down':
                status, body = 503, 'closed for maintenance'
            case '/odd':
                body = json.dumps([{'value': 'a record without a key'}])
            case '/text':
                body = 'this is no JSON'
        payload = body.encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        pass


class SourceServer:
    """Serves on a free port of this machine, for as long as the block lasts."""

    def __enter__(self) -> str:
        self._server = ThreadingHTTPServer(('127.0.0.1', 0), _Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f'http://127.0.0.1:{self._server.server_port}'

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
