"""Where the tools look for tasks: those of the one that is measured."""

import os
from importlib import import_module

tool = import_module(f'bench.peers.tools.{os.environ["BENCH_PEER"]}')
globals().update({name: value for name, value in vars(tool).items() if not name.startswith('_')})
