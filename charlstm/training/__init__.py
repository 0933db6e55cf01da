"""Training: the only room that imports torch, and only in the modules that compute.

``config`` and ``events`` are free of it, so that a command line can be checked first.
"""
