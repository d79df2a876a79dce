"""The house rules: imports go one way, and modules and functions stay small. Read from the source, not imported."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / 'netbox_jobs'

#: From the top of the house to its bottom: a module imports from its own room and from those above, never from below.
LAYERS = (
    ('choices', 'exceptions', 'signals', 'constants'),
    ('core',),
    ('models',),
    ('broker',),
    ('lifecycle',),
    ('enqueue',),
    ('execution',),
    ('maintenance',),
    ('worker',),
    ('monitoring',),
    ('web', 'admin', 'cli', 'templatetags', 'management', 'contrib'),
    ('jobs', 'plugins', 'context', 'permissions', 'urls', 'apps', 'checks', 'testing', 'pytest_plugin'),
)
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
#: Faces do not know each other, but for the commands of `manage.py`, which are those of `cli`, and the template tags.
FACES = {'web': {'web'}, 'admin': {'admin'}, 'cli': {'cli'}, 'contrib': {'contrib'}}


def modules() -> dict[str, Path]:
    """All modules of the package by their dotted names, without migrations."""
    found = {}
    for path in sorted(PACKAGE.rglob('*.py')):
        parts = path.relative_to(ROOT).with_suffix('').parts
        if 'migrations' not in parts:
            found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[str, ast.stmt]]:
    """The modules of the package that a module imports, anywhere in it; also for type checkers alone."""
    package = name if path.name == '__init__.py' else name.rpartition('.')[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ''
            if node.level:
                above = package.split('.')[: len(package.split('.')) - node.level + 1]
                base = '.'.join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                if (target := f'{base}.{alias.name}') in known:
                    yield target, node
                elif base in known:
                    yield base, node


def room(name: str) -> str:
    parts = name.split('.')
    return parts[1] if len(parts) > 1 else ''


def within_functions(path: Path) -> list[tuple[int, str]]:
    """The imports inside functions: line, and the text of the line before, where its reason stands."""
    tree, lines = ast.parse(path.read_text()), path.read_text().splitlines()
    found = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    found.add((node.lineno, lines[node.lineno - 2].strip()))
    return sorted(found)


@pytest.mark.parametrize('name', modules())
def test_imports_go_one_way(name):
    known = modules()
    for target, node in imports(name, known[name], known):
        if '' in (room(name), room(target)):
            continue
        assert RANKS[room(target)] <= RANKS[room(name)], f'{name}:{node.lineno} imports {target}, which stands below it'
        allowed = FACES.get(room(name))
        if allowed and RANKS[room(target)] == RANKS[room(name)]:
            assert room(target) in allowed, f'{name}:{node.lineno} imports {target}: faces do not know each other'


def test_no_imports_go_in_a_circle():
    known = modules()
    # Importing a module runs the packages that it is in; what a package imports from within itself is no circle.
    arrows = {name: {target for target, _node in imports(name, path, known)} - {name} for name, path in known.items()}
    done: set[str] = set()

    def follow(name: str, path: list[str]) -> None:
        assert name not in path, ' -> '.join([*path[path.index(name) :], name])
        if name not in done:
            for target in sorted(arrows[name]):
                follow(target, [*path, name])
            done.add(name)

    for name in arrows:
        follow(name, [])


def test_imports_inside_functions_are_few_and_each_has_its_reason():
    found = [(path, *where) for path in modules().values() for where in within_functions(path)]
    assert len(found) <= 8, found
    for path, line, before in found:
        assert before.startswith('#'), f'{path}:{line} lacks a comment that says why it is not at the top'


def test_no_module_is_longer_than_300_lines():
    lengths = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


def test_no_function_is_longer_than_50_lines():
    long = {}
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > 50:
                    long[f'{name}.{node.name}'] = length
    assert long == {}


def test_at_most_18_modules_stand_directly_in_the_package():
    assert len(list(PACKAGE.glob('*.py'))) <= 18
    assert {path.stem for path in PACKAGE.glob('*.py')} <= RANKS.keys() | {'__init__'}


def test_the_layers_name_every_room_once():
    names = [name for layer in LAYERS for name in layer]
    assert all(one != other for one, other in pairwise(sorted(names)))
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')} - {'migrations'}
    assert rooms <= set(names)


def test_tests_mirror_the_rooms():
    rooms = {path.parent.name for path in PACKAGE.glob('*/__init__.py')} - {'migrations', 'management', 'templatetags'}
    for name in rooms:
        assert list((ROOT / 'tests' / name).glob('test_*.py')), f'no tests stand in tests/{name}'
