"""From files to ids: what a corpus is, and its characters as numbers.

In reading order: ``sources``, ``decoding``, ``corpus``, ``vocabulary``, ``dataset``, ``windows``.
"""
