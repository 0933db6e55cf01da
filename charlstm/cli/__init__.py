"""The command line: one thin module a command. The only room that imports typer, rich and tqdm.

A command's module imports the rest of the program inside functions, so that ``--help`` waits for
nothing. In reading order: ``main`` (the tree of commands, and the one place where errors become
words), ``options``, ``settings_file``, ``variables``, ``console``, ``wording``, ``hints``,
``stop``; the commands ``train`` (with ``progress``), ``generate`` (with ``reading``, ``escapes``
and ``writing``), ``vocab``, ``dataset``, ``inspect``, ``models``, ``novelty``.
"""
