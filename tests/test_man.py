"""The manual pages and the command tree: each says all that the other has, and nothing more."""

import re
import shutil
import subprocess
from dataclasses import replace
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from charlstm.cli.main import command
from charlstm.training import base, finetune, recipe
from charlstm.training import length as plan
from charlstm.training.config import Settings, TrainConfig
from charlstm.training.speed import Speed

MAN = Path(__file__).parents[1] / "man"
TREE = command()
COMMANDS = sorted(TREE.commands)
HELP = TREE.context_settings["help_option_names"]


def page_of(name: str) -> str:
    """The source of a command's page; the top one's for an empty name."""
    return (MAN / f"{'charlstm-' if name else 'charlstm'}{name}.1").read_text(encoding="utf-8")


def flags(line: str) -> list[str]:
    """The options that a macro line names.

    >>> flags(".It Fl o Ar RUN , Fl -output Ar RUN")
    ['-o', '--output']
    """
    words = line.removeprefix(".").split()
    return [f"-{word}" for before, word in pairwise(words) if before == "Fl"]


def items(page: str) -> list[tuple[str, str]]:
    """Each ``.It Fl`` line of a page with the lines that follow it, up to the next such line."""
    parts = re.split(r"^(\.It Fl .*)$", page, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def section(page: str, title: str) -> str:
    """The lines of one section."""
    found = re.search(rf"^\.Sh {title}\n(.*?)(?=^\.Sh |\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title}"
    return found[1]


def options(name: str) -> list[Any]:
    """The options of a command, without the help option that every one has."""
    node = TREE.commands[name] if name else TREE
    return [p for p in node.params if p.param_type_name == "option"]


def expected(name: str) -> list[list[str]]:
    """All names of each option that the page of ``name`` must have."""
    found = [[*p.opts, *p.secondary_opts] for p in options(name)]
    return found if name else [*found, list(HELP)]


def faults(page: str, tree: list[list[str]]) -> list[str]:
    """Where the option lists of ``page`` and the options of ``tree`` do not agree."""
    listed = [flags(line) for line, _ in items(page)]
    known = {name for names in tree for name in names}
    found = []
    for names in tree:
        lines = [line for line in listed if set(names) & set(line)]
        if len(lines) != 1 or set(lines[0]) != set(names):
            found.append(f"{', '.join(names)}: not all on one line of its own")
    for line in listed:
        found += [f"{name}: no such option" for name in line if name not in known]
    return found


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_page_and_tree_have_the_same_options(name: str) -> None:
    """Every option stands in one item of its page, and every item is an option."""
    assert faults(page_of(name), expected(name)) == []


def test_a_lost_and_an_invented_option_are_found() -> None:
    """The comparison reports an option without an item and an item without an option."""
    page = page_of("generate")
    line = next(line for line, _ in items(page) if "--length" in flags(line))
    wrong = page.replace(line, ".It Fl -invented Ar N")
    assert faults(wrong, expected("generate")) == [
        "--length, -n: not all on one line of its own",
        "--invented: no such option",
    ]


def test_a_lost_name_of_an_option_is_found() -> None:
    """The comparison reports an item that names an option by only one of its names."""
    wrong = page_of("generate").replace("It Fl m Ar MODEL , Fl -model", "It Fl -model")
    assert faults(wrong, expected("generate")) == ["--model, -m: not all on one line of its own"]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_synopsis_has_every_option(name: str) -> None:
    """The synopsis names each option once or more, and none that does not exist."""
    lines = section(page_of(name), "SYNOPSIS").splitlines()
    shown = {flag for line in lines for flag in flags(line)}
    tree = expected(name)
    assert [names for names in tree if not shown & set(names)] == []
    assert shown - {flag for names in tree for flag in names} - set(HELP) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_synopsis_has_every_argument(name: str) -> None:
    """The synopsis names each positional argument, or all values that it may have."""
    synopsis = section(page_of(name), "SYNOPSIS")
    for parameter in TREE.commands[name].params:
        if parameter.param_type_name == "argument":
            choices = getattr(parameter.type, "choices", None)
            named = [f"Ar {parameter.metavar.rstrip('.')}"]
            named = [f"Cm {choice}" for choice in choices] if choices else named
            assert [text for text in named if text not in synopsis] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_items_have_values_and_defaults(name: str) -> None:
    """An item shows what the option takes, its choices, and a default that the tree knows."""
    bodies = {flag: (line, body) for line, body in items(page_of(name)) for flag in flags(line)}
    for option in options(name):
        line, body = bodies[option.opts[0]]
        if option.is_flag:
            assert not re.search(" (Ar|Cm) ", line), line
            continue
        choices = getattr(option.type, "choices", None)
        if choices:
            for choice in choices:
                value = choice.value if isinstance(choice, Enum) else choice
                assert re.search(rf"\b{value}\b", line), (line, value)
        else:
            assert line.count(f" Ar {option.metavar}") == len(option.opts), line
        default = option.default.value if isinstance(option.default, Enum) else option.default
        if default not in (None, "", ()):
            words = [word.strip(".,;:") for word in body.split()]
            assert str(default) in words, (line, default)


def test_every_command_has_a_page_and_every_page_a_command() -> None:
    """The pages are that of the program and one for each command."""
    pages = {path.name for path in MAN.iterdir()}
    assert pages == {"charlstm.1", *(f"charlstm-{name}.1" for name in COMMANDS)}


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_page_says_whose_it_is(name: str) -> None:
    """Title and NAME section carry the page's name, a description, and the section 1."""
    page = page_of(name)
    full = f"charlstm-{name}" if name else "charlstm"
    assert f"\n.Dt {full.upper()} 1\n" in page
    assert re.fullmatch(rf"\.Nm {full}\n\.Nd \S.*\n", section(page, "NAME"))
    if name:
        assert f".Nm charlstm\n.Cm {name}\n" in section(page, "SYNOPSIS")


@pytest.mark.parametrize("name", COMMANDS)
def test_pages_lead_to_each_other(name: str) -> None:
    """The program's page lists the command and says what it does; the command's leads back."""
    listed = section(page_of(""), "COMMANDS")
    assert re.search(rf"^\.It Xr charlstm-{name} 1\n[^.\n]", listed, re.MULTILINE)
    assert f".Xr charlstm-{name} 1" in section(page_of(""), "SEE ALSO")
    assert ".Xr charlstm 1" in section(page_of(name), "SEE ALSO")


def test_references_lead_to_pages() -> None:
    """No page refers to one of ours that does not exist."""
    for path in MAN.iterdir():
        for target in re.findall(r"\bXr (charlstm\S*) 1", path.read_text(encoding="utf-8")):
            assert (MAN / f"{target}.1").is_file(), (path.name, target)


def test_variables_stand_for_options() -> None:
    """Each variable named after an option of a command belongs to one."""
    known = {
        f"CHARLSTM_{name}_{option.name}".upper() for name in COMMANDS for option in options(name)
    }
    for path in MAN.iterdir():
        for word in re.findall(r"CHARLSTM_[A-Z]+_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")):
            assert word in known, (path.name, word)


def chosen(characters: int, **settings: Any) -> TrainConfig:
    """What the recipe makes of a text so long, where the machine has all the time it needs."""
    return recipe.choose(
        Settings(device="cpu", precision="fp32", threads=1, **settings),
        recipe.Text(characters, vocab_size=64, repetition=1.0),
        measure=lambda config: Speed(step=1e-9, evaluation=0.0),
        seconds_spent=lambda: 0.0,
    )[0]


def steps(text: str) -> tuple[list[tuple[float, float]], float]:
    """A table in words: pairs of value and limit, and the value above all limits.

    >>> steps("8 for fewer than 1,000, else 16.")
    ([(8.0, 1000.0)], 16.0)
    """
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?\b", text)]
    return list(zip(numbers[:-1:2], numbers[1::2], strict=True)), numbers[-1]


def recipe_says(topic: str) -> str:
    """What the page of ``train`` says of one choice of the recipe."""
    found = re.search(
        rf"^\.It {topic}\n(.*?)^\.(?:It|El)", page_of("train"), re.MULTILINE | re.DOTALL
    )
    assert found, topic
    return found[1]


def test_recipe_of_the_sizes() -> None:
    """The page tells the sizes for short texts, and those that the time decides between."""
    says = recipe_says("layers, hidden size")
    limits = re.findall(r"(\d) x (\d+)\s+for fewer than ([\d,]+)", says)
    assert len(limits) == 5
    for L, H, limit in limits:
        model = chosen(int(limit.replace(",", "")) - 1).network
        assert (model.num_layers, model.hidden_size) == (int(L), int(H))
    last = recipe.SIZES[-1]
    assert f"else {last.num_layers} x {last.hidden_size}" in says
    assert chosen(10**7).network.hidden_size == last.hidden_size
    listed = [
        recipe.Size(int(L), int(H), 0, 0, float(million or 0) * 1e6)
        for L, H, million in re.findall(r"^(\d) x (\d+)(?: from (\S+) million.*)?[,.]$", says, re.M)
    ]
    assert listed == [
        replace(size, seq_length=0, batch_size=0, learning_rate=0.02) for size in recipe.SIZES
    ]
    assert chosen(1 << 20, steps=1).network.hidden_size == 256


@pytest.mark.parametrize(("topic", "column"), [("dropout", 0), ("weight dropout", 1)])
def test_recipe_of_the_dropout(topic: str, column: int) -> None:
    """The page tells the dropouts and the numbers of epochs where they change."""

    def share(epochs: float) -> float:
        config = chosen(1 << 20, epochs=epochs)
        return (config.network.dropout, config.weight_dropout)[column]

    pairs, beyond = steps(recipe_says(topic))
    shares = [value for value, _ in pairs] + [beyond]
    for (value, epochs), following in zip(pairs, shares[1:], strict=True):
        assert share(epochs) == value
        assert share(epochs + 0.1) == following
    assert share(99) == beyond


def test_recipe_of_the_rest() -> None:
    """The page tells the budget without options, window, batch, rate, decay and clipping."""
    page = " ".join(page_of("train").split())
    config = chosen(1 << 20, steps=1)
    assert f"at most {plan.DEFAULT_SECONDS / 60:g} minutes" in page
    epochs = f"{plan.EPOCHS:g} epochs, {plan.EPOCHS_SMALL:g} of a text below {plan.SMALL:,}"
    assert f"{epochs} characters, but no fewer than {plan.LEAST_STEPS} steps" in page
    assert f"for {plan.MOST_EPOCHS:g} epochs, ends sooner" in page
    assert (
        f"{plan.EPOCHS_BY_REPETITION:g} times the share of its sequences of five characters that "
        f"came before in it, but no fewer than {plan.LEAST_EPOCHS:g}." in page
    )
    assert f"which makes {plan.enough_epochs(0.18):g} epochs" in page
    assert f"{plan.MOST_EPOCHS / plan.EPOCHS_SMALL:g} times as many are the most" in page
    assert f"Texts above {plan.LONGEST:,} characters" in page
    small = chosen(50_000).batch_size
    windows = f"{config.seq_length} characters and {config.batch_size} windows; {small} windows"
    assert f"{windows} for fewer than {plan.SMALL:,} characters" in page
    assert f"On a GPU there are {recipe.BATCH_SIZE_GPU} windows" in page
    rate = chosen(1 << 20, epochs=6).learning_rate
    says = recipe_says("learning rate")
    assert says.startswith(f"{rate:g};")
    assert config.network.hidden_size == 256
    assert chosen(1 << 20, hidden_size=1024, epochs=6).learning_rate == rate / 2
    assert chosen(1 << 20, hidden_size=64, epochs=6).learning_rate == rate
    few = f"no more than {recipe.FEW_EPOCHS:g} times, {config.learning_rate / rate:g} times that"
    assert few in says
    assert f"if it knows {100 * base.LEAST_KNOWN:g} % of the characters" in page
    assert f"at most {base.MOST_DISTANCE:g} nats per character worse than an n-gram" in page
    assert f"the last {base.SAMPLE:,} characters" in page
    near = f"the learning rate is {finetune.rate_share(1 << 20, 0.0):g} times the recipe's."
    assert f"{near} For a text of fewer than {finetune.NEAR_CHARACTERS:,} characters" in page
    often = f"at most {finetune.epochs_share(1 << 20, 0.0):.2f} times as often as the recipe says"
    short = f"fewer than {plan.SMALL:,} characters {finetune.epochs_share(1000, 0.0):.2f} times"
    assert f"{often}, and one of {short} as often" in page
    assert f"worse by {finetune.FAR:g} nats per character or more" in page
    for option, value in (
        ("--weight-decay", config.weight_decay),
        ("--grad-clip", config.grad_clip),
        ("--averaging", config.averaging),
    ):
        body = next(body for line, body in items(page_of("train")) if option in flags(line))
        assert f"default is {value:g}." in body


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_page_is_clean(name: str) -> None:
    """mandoc, or else groff, finds nothing to warn of."""
    if shutil.which("mandoc"):
        checker = ["mandoc", "-T", "lint", "-W", "warning"]
    elif shutil.which("groff"):
        checker = ["groff", "-mandoc", "-ww", "-z"]
    else:
        pytest.skip("neither mandoc nor groff is installed")
    done = subprocess.run(
        checker, input=page_of(name), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout + done.stderr == ""
