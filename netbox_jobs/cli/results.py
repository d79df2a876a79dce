"""The results of commands that act, as JSON: one document for each object, in a list."""

from typing import Any

from .screen import Screen


class JSONResults(Screen):
    """Results for scripts. What is said beside them goes to standard error."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen.out, screen.err)
        self._results: list[dict[str, Any]] = []
        self._written = False

    def result(self, key: int | str | None, text: str, *, done: bool = True, count: int | None = None) -> None:
        more = {} if count is None else {'count': count}
        self._results.append({'id': key, 'done': done, 'text': text.strip(), **more})

    def line(self, text: str, style: str = '') -> None:
        self.notice(text)

    def json(self, document: Any, *, indent: int | None = 2) -> None:
        """Write a document; a command that does so has no results."""
        self._written = True
        super().json(document, indent=indent)

    def finish(self) -> None:
        """Write the results, unless the command has written a document of its own."""
        if not self._written:
            self.json(self._results)
