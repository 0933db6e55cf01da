"""``charlstm dataset``: a corpus as ids, for ``train`` or for other tools."""

from pathlib import Path
from typing import Annotated

import typer

from charlstm.cli import console, options
from charlstm.errors import OptionError
from charlstm.options import TEXT_FILES


def dataset(
    corpus: options.Corpus,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="OUT", help="A new directory, or a file.npz."),
    ],
    window: Annotated[
        int | None, typer.Option("--window", metavar="N", help=".npz: time steps of a sample [50].")
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option("--stride", metavar="N", help=".npz: from one sample to the next [1]."),
    ] = None,
    one_hot: Annotated[
        bool, typer.Option("--one-hot", help=".npz: X as one-hot booleans.")
    ] = False,
    normalize: Annotated[
        bool,
        typer.Option("--normalize", help=".npz: X as ids / vocabulary size, from 0 to below 1."),
    ] = False,
    glob: options.Glob = TEXT_FILES,
    encoding: options.Encoding = "utf-8",
    lowercase: options.Lowercase = False,
    min_count: options.MinCount = 1,
    quiet: options.Quiet = False,
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
    text = TextOptions(encoding=encoding, lowercase=lowercase, min_count=min_count)
    console.say_if_typed(corpus, quiet=quiet)
    source = open_corpus(corpus, text, glob)
    if output.suffix == ".npz":
        shape, made = write_npz(
            source,
            output,
            window=50 if window is None else window,
            stride=1 if stride is None else stride,
            one_hot=one_hot,
            normalize=normalize,
        )
        summary = f"X {' x '.join(f'{size:,}' for size in shape)}"
    else:
        if window is not None or stride is not None or one_hot or normalize:
            raise OptionError(
                f"--window, --stride, --one-hot and --normalize shape a .npz file, and {output} "
                f"is to be a directory of ids; name OUT something.npz, or leave them out"
            )
        made = write_dataset(source, output)
        summary = f"{len(made.ids):,} ids ({made.vocabulary.dtype.name})"
    for note in made.notes:
        console.say(note, quiet=quiet)
    console.say(f"{output}: {summary}, {len(made.vocabulary)} distinct characters", quiet=quiet)
