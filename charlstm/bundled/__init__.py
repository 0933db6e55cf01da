"""The models that come with the program: ``english`` and ``shakespeare``; no module.

A training begins from ``english`` where that helps, and ``shakespeare`` writes where nothing is
trained. ``bundling/`` in the repository makes them; ``charlstm.model.locate`` finds them.
"""
