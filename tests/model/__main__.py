"""`python -m tests.model`: visit larger worlds than the tests do; exits with 1 if one breaks a promise."""

import sys
import time

from .checker import check
from .world import Model

WORLDS = (
    Model(single=1, faults=3, users=2, retries=2, crashes=2),
    Model(single=2, faults=1, users=1),
    Model(single=2, depends=True, users=2),
    Model(series=3, single=0),
    Model(series=4, single=0, faults=0, users=2),
    Model(series=2, single=1, faults=1, users=1, retries=0),
    Model(single=2, limit=1, faults=2, users=1, retries=1),
    Model(single=3, limit=2, faults=1, users=0, retries=0, crashes=0),
)


def main() -> int:
    wrong = False
    for model in WORLDS:
        begin = time.monotonic()
        result = check(model)
        print(f'{model}\n{result}\n{time.monotonic() - begin:.0f} s\n', flush=True)
        wrong = wrong or bool(result.violation)
    return int(wrong)


if __name__ == '__main__':
    sys.exit(main())
