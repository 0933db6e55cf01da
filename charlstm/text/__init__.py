"""From files to ids: what a corpus is, and its characters as numbers.

In reading order: ``sources``, ``catalogue``, ``formats``, ``encodings``, ``characters``,
``decoding``, ``corpus``, ``vocabulary``, ``dataset``, ``passages``, ``ngram``, ``windows``.
"""
