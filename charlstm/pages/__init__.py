"""What is looked at in a browser: HTML files that need no other file and no network.

In reading order: ``page`` (a model in a page that writes), ``card`` (what the page says of the
model), ``elements`` (HTML whose texts cannot be markup), ``report`` (a page about a run), ``chart``
(the losses of a run as a picture). The page itself is in ``page.html``, ``page.css``, ``page.js``
and ``text_view.js``; ``worker.js`` and ``engine.js`` are the network in JavaScript.
"""
