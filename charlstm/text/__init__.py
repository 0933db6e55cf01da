"""From files to ids: what a corpus is, and its characters as numbers.

In reading order: ``sources``, ``catalogue``, ``decoding``, ``corpus``, ``vocabulary``,
``dataset``, ``passages``, ``windows``.
"""
