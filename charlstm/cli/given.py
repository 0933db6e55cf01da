"""What the command line gives to a command: each option once, or ``--no-`` and its name."""

from typing import Any

from charlstm.checks import shown
from charlstm.cli.options import TAKEN_BACK, default
from charlstm.cli.settings_file import NO_SETTINGS
from charlstm.errors import OptionError

KEEPING_ALL = {"store": "append", "store_const": "append_const"}


class GivenOnce:
    """A command, or a group of commands, that refuses an option with several values.

    Lists such as ``--stop`` may be repeated, and so may a flag that says the same each time.
    ``--no-`` before the name of an option that is off by default takes back what the environment or
    a settings file gives. The help does not repeat this for each option.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; raises OptionError for an option that is given twice."""
        command: Any = super()
        ctx.meta[TAKEN_BACK] = set()
        rest: list[str] = command.parse_args(ctx, args)
        for option in command.get_params(ctx):
            if option.name in ctx.meta[TAKEN_BACK]:
                ctx.params[option.name] = default(option)
        return rest

    def make_parser(self, ctx: Any) -> Any:
        """A parser that notes in the context which options are taken back."""
        command: Any = super()
        parser = command.make_parser(ctx)
        if ctx.resilient_parsing:  # a shell completes the line, which may be as it likes
            return parser
        options = [p for p in command.get_params(ctx) if p.param_type_name == "option"]
        keeping = _Keeping(parser)
        for option in options:
            option.add_to_parser(keeping, ctx)
            opposite = [_opposite(option)]
            if opposite != [None]:
                how = {"obj": option, "dest": option.name, "const": None}
                keeping.add_option(action="store_const", opts=opposite, **how)
        read = parser.parse_args

        def parse_args(args: list[str]) -> Any:
            given, rest, order = read(args=args)
            for option in options:
                if option.name in given:
                    given[option.name] = self._one(ctx, option, given[option.name])
            return given, rest, order

        parser.parse_args = parse_args
        return parser

    def _one(self, ctx: Any, option: Any, values: list[Any]) -> Any:
        """The value of an option, of all that it is given; None if it is taken back."""
        command: Any = self
        flag = max(option.opts, key=len)
        opposite = option.secondary_opts[0] if option.secondary_opts else _opposite(option)
        if None in values:
            of_table = command.callback.options[option.name]
            if not of_table.is_off(option.default):
                value = "|".join(of_table.choices) or of_table.metavar
                raise OptionError(f"{opposite}: {flag} has a value by default; give {flag} {value}")
        different = [*dict.fromkeys(values)]
        if (option.is_flag or None in values) and len(different) > 1:
            raise OptionError(f"{flag} and {opposite} do not go together; leave one out")
        if not (option.is_flag or option.multiple or None in values) and len(values) > 1:
            several = " and ".join(map(shown, different))
            raise OptionError(f"{flag} is given {len(values)} times: {several}; give it once")
        if None in values:
            ctx.meta[TAKEN_BACK].add(option.name)
            return None
        return values if option.multiple else values[-1]


class _Keeping:
    """What an option adds itself to, so that the parser keeps all of its values in a list."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def add_option(self, *, action: str = "store", **option: Any) -> None:
        """Add the option; it has the interface of typer's parser."""
        self._parser.add_option(action=KEEPING_ALL.get(action, action), **option)


def _opposite(option: Any) -> str | None:
    """What takes an option back; None if it is no setting, or has an opposite already."""
    if option.name in NO_SETTINGS or option.secondary_opts or option.required or option.is_eager:
        return None
    flag: str = max(option.opts, key=len)
    return flag.replace("--", "--no-", 1)
