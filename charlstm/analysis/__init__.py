"""Numbers about texts and runs: how well a model predicts a text, what it copies, and losses.

In reading order: ``segments``, ``score``, ``predict``, ``baselines``, ``evaluate``, ``trace``,
``properties``, ``cells``, ``novelty``, ``curves``.
"""
