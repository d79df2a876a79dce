"""`jobs completion`: what a shell needs to complete the commands and options of `manage.py jobs`.

The script is written from the parser, so it has all commands; and with the names of the queues and runners of this
project, as they are when it is written.
"""

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..core import import_path
from ..monitoring import queues, runners
from .exits import SUCCESS
from .screen import Screen

SHELLS = ('bash', 'zsh', 'fish')


@dataclass
class Node:
    """A command: its words, and what may follow it."""

    path: tuple[str, ...]
    commands: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    #: The values of an option, or of the arguments (by an empty name).
    values: dict[str, list[str]] = field(default_factory=dict)


def write(parser: ArgumentParser, screen: Screen, options: Namespace) -> int:
    """`jobs completion`."""
    nodes = list(_nodes(parser, (), _names()))
    screen.pieces([{'bash': _bash, 'zsh': _zsh, 'fish': _fish}[options.shell](nodes)])
    return SUCCESS


def _names() -> dict[str, list[str]]:
    """Return the values of options and arguments that the parser does not know."""
    runners.import_all()
    paths = sorted(import_path.path_of(runner) for runner in runners.imported())
    names = {'queue': queues.queue_names(), 'queues': queues.queue_names(), 'runner': paths}
    # Only what a shell takes for one plain word.
    return {key: [word for word in words if not set(word) - _PLAIN] for key, words in names.items()}


_PLAIN = frozenset('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-')


def _nodes(parser: ArgumentParser, path: tuple[str, ...], names: dict[str, list[str]]) -> Iterator[Node]:
    node = Node(path)
    below = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            children: dict[str, ArgumentParser] = action._name_parser_map
            node.commands += list(children)
            below += list(children.items())
            continue
        choices = names.get(action.dest, []) if action.choices is None else action.choices
        values = [str(choice) for choice in choices]
        if path and action.help != argparse.SUPPRESS:  # those of Django's own are not repeated
            for option in action.option_strings:
                if option.startswith('--') and option != '--help':
                    node.options.append(option)
                    if values:
                        node.values[option] = values
            if not action.option_strings and values:
                node.values[''] = values
    yield node
    for name, child in below:
        yield from _nodes(child, (*path, name), names)


def _cases(nodes: list[Node]) -> Iterator[tuple[str, str, str]]:
    """Yield patterns of 'the command, a colon, the word before', and the words that may follow them."""
    for node in nodes:
        command = ' '.join(node.path)
        for option, values in node.values.items():
            if option:
                yield f'{command}:{option}', '', ' '.join(values)
    for node in nodes:
        words = [*node.commands, *node.options, *node.values.get('', ())]
        yield f'{" ".join(node.path)}:', '*', ' '.join(words)


def _bash(nodes: list[Node]) -> str:
    cases = '\n'.join(f"    '{key}'{more}) words='{words}' ;;" for key, more, words in _cases(nodes))
    commands = ' '.join(f"'{' '.join(node.path)}'" for node in nodes if node.path)
    return f"""\
# bash completion of "manage.py jobs"; load it with: eval "$(python manage.py jobs completion bash)"
_netbox_jobs() {{
  local place=0 found='' word words='' command
  COMPREPLY=()
  while (( place < COMP_CWORD )) && [[ ${{COMP_WORDS[place]}} != jobs ]]; do (( place++ )); done
  (( place > 0 && place < COMP_CWORD )) || return 0
  case ${{COMP_WORDS[place - 1]}} in *manage.py | *django-admin) ;; *) return 0 ;; esac
  for word in "${{COMP_WORDS[@]:place + 1:COMP_CWORD - place - 1}}"; do
    for command in {commands}; do
      if [[ "${{found:+$found }}$word" == "$command" ]]; then found=$command; fi
    done
  done
  case "$found:${{COMP_WORDS[COMP_CWORD - 1]}}" in
{cases}
  esac
  COMPREPLY=( $(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}") )
}}
complete -o default -F _netbox_jobs manage.py ./manage.py django-admin python python3
"""


def _zsh(nodes: list[Node]) -> str:
    # zsh runs the functions of bash.
    return f"""\
#compdef manage.py
# zsh completion of "manage.py jobs"; load it with: eval "$(python manage.py jobs completion zsh)"
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
{_bash(nodes).partition(chr(10))[2]}"""


def _fish(nodes: list[Node]) -> str:
    known = ' '.join(repr(' '.join(node.path)) for node in nodes if node.path)
    lines = [
        '# fish completion of "manage.py jobs"; load it with: python manage.py jobs completion fish | source',
        'function __netbox_jobs_words',
        '  set -l words (commandline -opc)',
        '  set -l place (contains -i -- jobs $words); or return 1',
        '  test $place -gt 1; or return 1',
        "  string match -qr '(manage\\.py|django-admin)$' -- $words[(math $place - 1)]; or return 1",
        '  set -l found',
        '  for word in $words[(math $place + 1)..]',
        f'    if contains -- (string join " " $found $word) {known}',
        '      set -a found $word',
        '    end',
        '  end',
        '  string join " " $found',
        'end',
        'function __netbox_jobs_at',
        '  set -l found (__netbox_jobs_words); and test "$found" = "$argv[1]"',
        'end',
    ]
    for command in ('manage.py', './manage.py', 'django-admin', 'python', 'python3'):
        for node in nodes:
            at = f'complete -c {command} -n \'__netbox_jobs_at "{" ".join(node.path)}"\' -f'
            if node.commands:
                lines.append(f"{at} -a '{' '.join(node.commands)}'")
            if words := node.values.get(''):
                lines.append(f"{at} -a '{' '.join(words)}'")
            for option in node.options:
                values = f" -x -a '{' '.join(node.values[option])}'" if option in node.values else ''
                lines.append(f'{at} -l {option[2:]}{values}')
    return '\n'.join(lines) + '\n'
