"""Numbers about texts and runs: how surprising a text is to a model, what it copies, and losses.

In reading order: ``segments``, ``score``, ``trace``, ``properties``, ``cells``, ``novelty``,
``curves``.
"""
