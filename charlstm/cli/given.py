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
    ``--no-`` before the name of an option takes back what the environment or a settings file gives,
    so that the option has its default value. The help does not repeat this for each option.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; raises OptionError for an option that is given twice."""
        command: Any = super()
        options = [p for p in command.get_params(ctx) if p.param_type_name == "option"]
        ctx.meta[TAKEN_BACK] = {o.name for o in options if _opposite(o) in args}
        if ctx.resilient_parsing:  # a shell completes the line, which may be as it likes
            ctx.meta[TAKEN_BACK].clear()
        else:
            ctx.meta[TAKEN_BACK] = self._checked(ctx, options, args)
        rest: list[str] = command.parse_args(ctx, args)
        for option in options:
            if option.name in ctx.meta[TAKEN_BACK]:
                ctx.params[option.name] = default(option)
        return rest

    def make_parser(self, ctx: Any) -> Any:
        """A parser that knows ``--no-`` of the options which may be taken back."""
        command: Any = super()
        parser = command.make_parser(ctx)
        for option in command.get_params(ctx):
            if option.name in ctx.meta[TAKEN_BACK]:
                _add_opposite(parser, option)
        return parser

    def _checked(self, ctx: Any, options: list[Any], args: list[str]) -> set[str]:
        """The names of the options that are taken back; OptionError for one given twice."""
        parser = self.make_parser(ctx)
        for option in options:
            option.add_to_parser(_Keeping(parser), ctx)
            if option.name in ctx.meta[TAKEN_BACK]:
                _add_opposite(_Keeping(parser), option)
        given = parser.parse_args([*args])[0]
        for option in options:
            values = given.get(option.name, [])
            flag = max(option.opts, key=len)
            if (option.is_flag or None in values) and len({*values}) > 1:
                opposite = option.secondary_opts[0] if option.secondary_opts else _opposite(option)
                raise OptionError(f"{flag} and {opposite} do not go together; leave one out")
            if not (option.is_flag or option.multiple) and len(values) > 1:
                several = " and ".join(map(shown, values))
                raise OptionError(f"{flag} is given {len(values)} times: {several}; leave one")
        return {option.name for option in options if None in given.get(option.name, [])}


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


def _add_opposite(parser: Any, option: Any) -> None:
    """Let the parser read ``--no-`` of this option as the value None."""
    opposite = [_opposite(option)]
    parser.add_option(obj=option, opts=opposite, dest=option.name, action="store_const", const=None)
