"""From a model to new text.

In reading order: ``sampling``, ``stopping``, ``saved_state``, ``text_stream``, ``settings``,
``batch``.
"""
