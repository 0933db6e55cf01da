"""``charlstm dataset``: a corpus as ids, for ``train`` or for other tools."""

from pathlib import Path
from typing import Annotated, Any

import typer

from charlstm.cli import console
from charlstm.cli.options import Corpus, with_options
from charlstm.errors import OptionError
from charlstm.options import FILES, OUTPUT, fields_of


@with_options("glob", "encoding", "lowercase", "min_count", FILES, "quiet")
def dataset(
    corpus: Corpus,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="New directory, or new file that ends in .npz.",
            rich_help_panel=OUTPUT,
        ),
    ],
    **values: Any,
) -> None:
    """Encode a corpus, once, for many trainings or for other tools.

    A directory holds the ids as a memory map, and train takes it in place of a corpus. A file.npz
    holds X, shape (samples, time steps), and y, the id that follows each sample.

    charlstm dataset books/ -o books.data && charlstm train books.data
    """
    from charlstm.text.corpus import TextOptions, open_corpus
    from charlstm.text.dataset import write_dataset
    from charlstm.text.windows import write_npz

    if str(output) == "-":
        raise OptionError("a dataset does not go to standard output; name a directory or file.npz")
    window, stride, quiet = values["window"], values["stride"], values["quiet"]
    flags = {"one_hot": values["one_hot"], "normalize": values["normalize"]}
    text = TextOptions(**fields_of(TextOptions, values))
    console.say_if_typed(corpus, quiet=quiet)
    source = open_corpus(corpus, text)
    if output.suffix == ".npz":
        shape, made = write_npz(
            source,
            output,
            window=50 if window is None else window,
            stride=1 if stride is None else stride,
            **flags,
        )
        summary = f"X {' x '.join(f'{size:,}' for size in shape)}"
    else:
        if window is not None or stride is not None or any(flags.values()):
            raise OptionError(
                f"--window, --stride, --one-hot and --normalize shape a .npz file, and {output} "
                f"is to be a directory of ids; name OUT something.npz, or leave them out"
            )
        made = write_dataset(source, output)
        summary = f"{len(made.ids):,} ids ({made.vocabulary.dtype.name})"
    for note in made.notes:
        console.say(note, quiet=quiet)
    console.say(f"{output}: {summary}, {len(made.vocabulary)} distinct characters", quiet=quiet)
