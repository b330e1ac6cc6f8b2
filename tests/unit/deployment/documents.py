"""Reads the deployment's files as the tools that run them do, as far as the tests need it."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


@dataclass
class Stage:
    """One stage of a Dockerfile: (instruction, arguments) in order."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction):
        return [arguments for name, arguments in self.instructions if name == instruction]


def read_dockerfile():
    """Return the stages by name, in order."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    stages = {}
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        instruction, _, arguments = line.strip().partition(" ")
        if instruction == "FROM":
            base, _, name = arguments.split()
            stages[name] = Stage(name, base)
        elif instruction and stages:
            list(stages.values())[-1].instructions.append((instruction, arguments.strip()))
    return stages


def lineage(stages, name, model="minilm"):
    """Return a stage and those it is built on, itself first."""
    found = []
    while name in stages:
        found.append(stages[name])
        name = stages[name].base.replace("${MODEL}", model)
    return found


def environment_of(stages, name, model="minilm"):
    """Return the variables that a stage's image sets."""
    variables = {}
    for stage in reversed(lineage(stages, name, model)):
        for arguments in stage.all("ENV"):
            variables |= dict(word.split("=", 1) for word in shlex.split(arguments))
    return variables


def last_of(stages, name, instruction):
    """Return what holds for an image: the last such instruction of its stage or the ones below."""
    for stage in lineage(stages, name):
        if stage.all(instruction):
            return stage.all(instruction)[-1]
    return None


def read_compose(*names, **variables):
    """Return compose files merged as compose does, with variables put in."""
    merged = {}
    for name in names or ("docker-compose.yml",):
        text = (ROOT / name).read_text()
        filled = _fill(yaml.safe_load(text), {"POSTGRES_PASSWORD": "p", **variables})
        merged = _merge(merged, filled)
    return merged


def compose_variables(name):
    """Return the variables that a compose file itself uses."""
    return {match[1] for match in _VARIABLE.finditer((ROOT / name).read_text())}


def _fill(value, variables):
    if isinstance(value, dict):
        return {key: _fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    return _VARIABLE.sub(lambda match: _value_of(match, variables), value)


def _value_of(match, variables):
    name, mark, text = match.groups()
    if variables.get(name):
        return variables[name]
    assert mark == "-", f"{name} must be set: {text}"
    return text


def _merge(below, above):
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: _merge(below.get(key), value) for key, value in above.items()}
