"""One module for each task queue, all with the same three functions.

- `enqueue(kind)`: enqueue one job, `'noop'` or `'lines'`, as its users do.
- `worker()`: the command of one worker process, with the tool's own settings.
- `done()`: how many jobs have ended well, as the database tells.
"""
