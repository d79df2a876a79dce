"""The house rules: imports go one way, and modules and functions stay small. Read from the source, not imported."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / 'netbox_jobs'
#: All packages of the repository: none may have a circle of imports.
PACKAGES = ('netbox_jobs', 'example_plugin', 'project', 'tests', 'bench')

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
    ('web', 'admin', 'cli', 'templatetags', 'management'),
    ('jobs', 'workflows', 'plugins', 'context', 'permissions', 'urls', 'apps', 'checks'),
    ('contrib', 'testing', 'pytest_plugin'),
)
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
#: Interfaces do not import each other, except that the commands are those of `cli` and the tags those of `web`.
INTERFACES = {'web', 'admin', 'cli', 'contrib'}
#: What `pip install netbox-jobs` brings; `asgiref` comes with Django.
REQUIRED = {'django', 'django_rq', 'rq', 'redis', 'packaging', 'cronsim', 'asgiref'}
#: Where a module may import optional packages: at its top.
OPTIONAL_IN = (
    'netbox_jobs.contrib.',
    'netbox_jobs.testing',
    'netbox_jobs.pytest_plugin',
    'netbox_jobs.cli.rich_',
)


@cache
def modules(*packages: str) -> dict[str, Path]:
    """All modules of the packages by their dotted names, without migrations; of `netbox_jobs` if none is named."""
    found = {}
    for package in packages or ('netbox_jobs',):
        for path in sorted((ROOT / package).rglob('*.py')):
            parts = path.relative_to(ROOT).with_suffix('').parts
            if 'migrations' not in parts:
                found['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = path
    return found


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def import_statements(path: Path) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(parsed(path)) if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[str, ast.stmt]]:
    """The known modules that a module imports, anywhere in it: also inside functions and for type checkers alone."""
    package = name if path.name == '__init__.py' else name.rpartition('.')[0]
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names if alias.name in known)
        else:
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


def extension(name: str) -> str:
    """The package or module of `contrib` that a module belongs to; empty outside `contrib`."""
    return '.'.join(name.split('.')[1:3]) if room(name) == 'contrib' else ''


def foreign(node: ast.AST) -> set[str]:
    """The packages that a statement imports and that do not come with this one."""
    if isinstance(node, ast.Import):
        names = {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom) and not node.level:
        names = {node.module or ''}
    else:
        return set()
    standard = {*sys.stdlib_module_names, 'annotationlib'}  # that of Python 3.14, too
    return {name.partition('.')[0] for name in names} - REQUIRED - {'netbox_jobs'} - standard


def within_functions(path: Path) -> list[tuple[int, str]]:
    """The imports inside functions: line, and the text of the line before, where its reason stands."""
    tree, lines = parsed(path), path.read_text().splitlines()
    found = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    found.add((node.lineno, lines[node.lineno - 2].strip()))
    return sorted(found)


def test_imports_go_one_way():
    known = modules()
    arrows = [(name, target, node) for name, path in known.items() for target, node in imports(name, path, known)]
    for name, target, node in arrows:
        if '' in (room(name), room(target)):
            continue
        assert RANKS[room(target)] <= RANKS[room(name)], f'{name}:{node.lineno} imports {target}, which stands below it'
        if {room(name), room(target)} <= INTERFACES:
            own = extension(name) or room(name)
            assert (extension(target) or room(target)) == own, (
                f'{name}:{node.lineno} imports {target}: interfaces do not import each other'
            )


def test_optional_packages_are_imported_in_the_modules_that_are_about_them_only():
    for name, path in modules().items():
        tree = parsed(path)
        # Also in a `try` there, for a module that does without the package.
        blocks = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.Try))]
        at_top = {node for block in blocks for node in block if isinstance(node, ast.Import | ast.ImportFrom)}
        for node in ast.walk(tree):
            for package in foreign(node):
                assert name.startswith(OPTIONAL_IN), f'{name}:{node.lineno} imports the optional package {package}'
                assert node in at_top, f'{name}:{node.lineno} imports {package} elsewhere than at its top'


def test_no_imports_go_in_a_circle():
    known = modules(*PACKAGES)
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
        for node in ast.walk(parsed(path)):
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
