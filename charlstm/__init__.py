"""charlstm learns the style of a text, one character at a time, and writes more of it."""

__version__ = "0.1.0"
