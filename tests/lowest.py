"""`python tests/lowest.py`: the lowest version of each package that users install, as constraints for pip."""

import re
import tomllib
from pathlib import Path

#: Extras that only developers install; their tools are used in their newest versions.
OF_DEVELOPERS = {'test', 'lint', 'docs'}


def constraints() -> dict[str, str]:
    """The lowest version by the name of the package."""
    project = tomllib.loads((Path(__file__).parent.parent / 'pyproject.toml').read_text())['project']
    extras = project['optional-dependencies'].items()
    required = [
        *project['dependencies'],
        *(line for name, lines in extras if name not in OF_DEVELOPERS for line in lines),
    ]
    found = (re.match(r'([\w-]+)(?:\[\w+\])?\s*>=\s*([\w.]+)', line) for line in required)
    return {match[1]: match[2] for match in found if match}


if __name__ == '__main__':
    for name, version in constraints().items():
        print(f'{name}=={version}')
