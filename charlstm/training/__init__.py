"""Training: the only room that imports torch, and only in the modules that compute.

``config``, ``events``, ``launch``, ``books``, ``lanes``, ``recipe``, ``record`` and ``transfer``
are free of it.
"""
