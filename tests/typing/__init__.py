"""For type checkers: `make lint` passes these files through `mypy --strict` and pyright. Nothing imports them.

A line with `# type: ignore[...]` must fail in both: mypy reports one that is not needed, and so does pyright.
"""
