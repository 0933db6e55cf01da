"""Numbers about texts, networks and runs.

How well a model predicts a text, what happens inside it, what it copies, and losses.

In reading order: ``segments``, ``score``, ``predict``, ``baselines``, ``evaluate``, ``trace``,
``properties``, ``cells``, ``novelty``, ``curves``.
"""
