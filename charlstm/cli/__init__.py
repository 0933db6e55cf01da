"""The command line: one thin module a command. The only room that imports typer, rich and tqdm.

It alone imports plotext and matplotlib too. The module of a command imports the rest of the program
inside functions, so that ``--help`` is fast. In reading order: ``main`` (the program, and the one
place where errors become messages), ``commands``, ``given``, ``meant``, ``options`` (with
``completion``), ``settings_file``, ``variables``, ``console``, ``wording``, ``hints``, ``loading``,
``bars``, ``stop``; the commands ``train`` (with ``process`` and ``progress``), ``generate`` (with
``reading``, ``escapes`` and ``writing``), ``evaluate``, ``score``, ``predict``, ``vocab``,
``corpus`` (with ``downloads``), ``dataset``, ``inspect``, ``models``, ``novelty``, ``visualize``
(with ``traced_text``, ``found_cells`` and ``heatmap``), ``history`` (with ``chart`` and
``picture``), ``export``, ``report``, ``manual`` (of ``help``).
"""
