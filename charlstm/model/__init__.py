"""A trained network: its sizes, its equations in numpy, its file, and where files are found.

In reading order: ``config``, ``lstm``, ``model_file``, ``onnx_file``, ``locate``, ``listing``.
"""
