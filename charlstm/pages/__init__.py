"""What is looked at in a browser: HTML files that need no other file and no network.

In reading order: ``page`` (a model in a page that writes), ``card`` (what the page says of the
model), ``elements`` (HTML whose texts cannot be markup), ``report`` (a page about a run), ``chart``
(the losses of a run as a picture). The page itself is in ``page.html`` and ``page.css``. Its
JavaScript is in ``script/``, in the order that ``page`` has, and in ``worker/``: the network.
"""
