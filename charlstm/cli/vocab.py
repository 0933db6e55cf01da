"""``charlstm vocab``: the characters of a corpus."""

from dataclasses import asdict
from typing import Any

from charlstm.cli import console
from charlstm.cli.downloads import fetch
from charlstm.cli.options import Corpus, with_options
from charlstm.options import fields_of


@with_options("glob", "encoding", "lowercase", "min_count", "json", "quiet")
def vocab(corpus: Corpus, **values: Any) -> None:
    r"""Show the characters of a corpus and their counts.

    Each has its id, Unicode name, count and share: a table on a terminal, tab-separated lines in
    a pipe.

    charlstm vocab play.txt | sort -t "$(printf '\t')" -k5nr | head
    """
    from charlstm.text.corpus import open_corpus, survey
    from charlstm.text.decoding import TextOptions
    from charlstm.text.vocabulary import describe_characters

    text = TextOptions(**fields_of(TextOptions, values))
    console.say_if_typed(corpus, quiet=values["quiet"])
    fetch(corpus, quiet=values["quiet"])
    found = survey(open_corpus(corpus, text))
    console.say(*found.notes, quiet=values["quiet"])
    characters = describe_characters(found.counts, text.min_count)
    if values["json"]:
        card = asdict(found.fingerprint)
        counted = {"size": len(characters), "vocabulary": characters}
        console.write_json({"corpus": card.pop("name"), **card, **counted})
        return
    header = ("id", "character", "code", "name", "count", "share")
    rows = []
    for c in characters:
        code, share = f"U+{ord(c['character']):04X}", f"{c['share']:.6f}"
        rows.append((str(c["id"]), c["character"], code, c["name"], str(c["count"]), share))
    console.write_rows(header, rows)
