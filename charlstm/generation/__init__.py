"""From a model to new text.

In reading order: ``sampling``, ``stopping``, ``text_stream``, ``batch``, ``saved_state``.
"""
