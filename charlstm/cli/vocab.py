"""``charlstm vocab``: the characters of a corpus."""

from charlstm.cli import console, options
from charlstm.options import TEXT_FILES


def vocab(
    corpus: options.Corpus,
    glob: options.Glob = TEXT_FILES,
    encoding: options.Encoding = "utf-8",
    lowercase: options.Lowercase = False,
    min_count: options.MinCount = 1,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    r"""Show the characters of a corpus and their counts.

    Each with id, Unicode name, count and share: a table on a terminal, tab-separated lines with
    a header in a pipe.

    charlstm vocab play.txt | sort -t "$(printf '\t')" -k5nr | head
    """
    from charlstm.text.corpus import TextOptions, open_corpus, survey
    from charlstm.text.vocabulary import describe_characters

    text = TextOptions(encoding=encoding, lowercase=lowercase, min_count=min_count)
    console.say_if_typed(corpus, quiet=quiet)
    found = survey(open_corpus(corpus, text, glob))
    for note in found.notes:
        console.say(note, quiet=quiet)
    characters = describe_characters(found.counts, min_count)
    if json:
        console.write_json(
            {
                "corpus": found.fingerprint.name,
                "sha256": found.fingerprint.sha256,
                "characters": found.fingerprint.characters,
                "size": len(characters),
                "vocabulary": characters,
            }
        )
        return
    header = ("id", "character", "code", "name", "count", "share")
    rows = [
        (
            str(c["id"]),
            c["character"],
            f"U+{ord(c['character']):04X}",
            c["name"],
            str(c["count"]),
            f"{c['share']:.6f}",
        )
        for c in characters
    ]
    console.write_rows(header, rows)
