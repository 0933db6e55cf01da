"""Numbers about texts: how surprising a text is to a model, and what it copies from a corpus.

In reading order: ``segments``, ``score``, ``trace``, ``properties``, ``cells``, ``novelty``.
"""
