"""Training: the only room that imports torch, and only in the modules that compute.

``books``, ``config``, ``events``, ``lanes``, ``launch``, ``plan``, ``prune``, ``recipe``,
``record`` and ``transfer`` are free of it.
"""
