"""Options that are given twice on the command line, where only one value can be meant."""

from typing import Any

from charlstm.checks import shown
from charlstm.errors import OptionError

KEEPING_ALL = {"store": "append", "store_const": "append_const"}


class GivenOnce:
    """A command, or a group of commands, that refuses an option with several values.

    Lists such as ``--stop`` may be repeated, and so may a flag that says the same each time.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line; raises OptionError for an option that is given twice."""
        command: Any = super()
        if not ctx.resilient_parsing:  # as it is when a shell completes a line
            self._check(command.make_parser(ctx), command.get_params(ctx), ctx, args)
        rest: list[str] = command.parse_args(ctx, args)
        return rest

    def _check(self, parser: Any, parameters: list[Any], ctx: Any, args: list[str]) -> None:
        options = [p for p in parameters if p.param_type_name == "option" and not p.multiple]
        for option in options:
            option.add_to_parser(_Keeping(parser), ctx)
        given = parser.parse_args([*args])[0]
        for option in options:
            values = given.get(option.name, [])
            if option.is_flag and len({*values}) > 1:
                both = f"{option.opts[0]} and {option.secondary_opts[0]}"
                raise OptionError(f"{both} do not go together; leave one out")
            if not option.is_flag and len(values) > 1:
                flag = max(option.opts, key=len)
                several = " and ".join(map(shown, values))
                raise OptionError(f"{flag} is given {len(values)} times: {several}; leave one")


class _Keeping:
    """What an option adds itself to, so that the parser keeps all of its values in a list."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def add_option(self, *, action: str = "store", **option: Any) -> None:
        """Add the option; it has the interface of typer's parser."""
        self._parser.add_option(action=KEEPING_ALL[action], **option)
