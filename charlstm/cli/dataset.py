"""``charlstm dataset``: a corpus as ids, for ``train`` or for other tools."""

from pathlib import Path
from typing import Any

import typer

from charlstm.cli import console, options
from charlstm.cli.downloads import fetch
from charlstm.cli.options import Corpus, with_options
from charlstm.errors import OptionError
from charlstm.options import FILES, OPTIONS, fields_of


@with_options(
    *("glob", "encoding", "lowercase", "min_count", FILES, "output", "quiet"),
    output={"default": ..., "metavar": "OUT", "help": "New directory, or new file OUT.npz."},
)
def dataset(ctx: typer.Context, corpus: Corpus, **values: Any) -> None:
    """Encode a corpus once, for many trainings or for other programs.

    A directory holds the ids as a memory map; train reads it like a corpus. A .npz file holds X of
    shape (samples, time steps), and y, the id that follows each sample.

    charlstm dataset books/ -o books.data && charlstm train books.data
    """
    from charlstm.text.corpus import open_corpus
    from charlstm.text.dataset import write_dataset
    from charlstm.text.decoding import TextOptions
    from charlstm.text.windows import write_npz

    output, quiet = Path(values["output"]), values["quiet"]
    if values["output"] == "-":
        raise OptionError("--output is -, but a dataset is not a text; name a directory or OUT.npz")
    names = [option.name for option in OPTIONS.values() if option.group == FILES]
    given = {name: values[name] for name in names if options.is_given(values, name)}
    text = TextOptions(**fields_of(TextOptions, values))
    console.say_if_typed(corpus, quiet=quiet)
    fetch(corpus, quiet=quiet)
    source = open_corpus(corpus, text)
    if output.suffix == ".npz":
        shape, made = write_npz(source, output, **{"window": 50, **given})
        summary = f"X {' x '.join(f'{size:,}' for size in shape)}"
    else:
        if options.typed(ctx, values, *names):
            raise OptionError(
                f"--window, --stride, --one-hot and --normalize are for .npz files, but {output} "
                f"is to be a directory; give OUT a name that ends in .npz, or leave them out"
            )
        made = write_dataset(source, output)
        summary = f"{len(made.ids):,} ids ({made.vocabulary.dtype.name})"
    summary = f"{output}: {summary}, {len(made.vocabulary)} distinct characters"
    console.say(*made.notes, summary, quiet=quiet)
