"""A local HTTP server that plays the remote sources, for tests and the demonstration: well-behaved ones, and others."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

PAGE = 12  # records
LARGE = 20 * PAGE  # records of /large, which thinks
THINKING = 0.4  # seconds about each page


class _Handler(BaseHTTPRequestHandler):
    # Of each path, how often it was asked for.
    visits: ClassVar[dict[str, int]]

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path, page = parts.path, int(parse_qs(parts.query).get('page', ['1'])[0])
        self.visits[path] = self.visits.get(path, 0) + 1
        records = [{'key': f'{path[1:]}-{n:03}', 'value': n} for n in range((page - 1) * PAGE, page * PAGE)]
        status, body = 200, json.dumps(records)
        headers = {'Content-Type': 'application/json'}
        match path:
            case '/large':
                time.sleep(THINKING)
                headers['X-Total-Count'] = str(LARGE)
                if page % 5 == 0:
                    del records[-1]['value']
                    body = json.dumps(records)
            case '/restarting' if self.visits[path] == 1:
                status, body = 503, 'back in a moment'
            case '/down':
                status, body = 503, 'closed for maintenance'
            case '/gone':
                status, body = 404, 'there is nothing here'
            case '/odd':
                body = json.dumps([{'value': 'a record without a key'}])
            case '/text':
                body = 'this is no JSON'
            case '/broken-off':
                headers['Content-Length'] = str(len(body) + 1)
            case '/babble':
                self.wfile.write(b'SSH-2.0-no-web-server\r\n')
                return
        payload = body.encode()
        self.send_response(status)
        for name, value in {'Content-Length': str(len(payload)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        pass


class SourceServer:
    """Serves on a free port of this machine, for as long as the block lasts."""

    def __enter__(self) -> str:
        handler = type('Handler', (_Handler,), {'visits': {}})
        self._server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f'http://127.0.0.1:{self._server.server_port}'

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()
