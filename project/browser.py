"""What the demonstration needs of a browser: cookies, forms, and following redirects."""

import re
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener


class Browser:
    """Visits pages of one site, logged in."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._open = build_opener(HTTPCookieProcessor(CookieJar())).open

    def get(self, path: str) -> tuple[str, str]:
        """Return the address where it ended up, and the page."""
        with self._open(self._site + path, timeout=10) as response:
            return response.url, response.read().decode()

    def post(self, path: str, page: str | None = None, **fields: str) -> tuple[str, str]:
        """Send the form of a page (`page` if it is another than `path`), with its CSRF token."""
        _, form = self.get(page or path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
        if token is None:
            raise RuntimeError(f'{page or path} has no form to send.')
        body = urlencode({'csrfmiddlewaretoken': token.group(1), **fields}).encode()
        with self._open(self._site + path, body, timeout=10) as response:
            return response.url, response.read().decode()

    def log_in(self, name: str, password: str) -> None:
        """Log in."""
        url, _ = self.post('/accounts/login/?next=/sources/', username=name, password=password)
        if 'login' in url:
            raise RuntimeError('Logging in to the demonstration failed.')
